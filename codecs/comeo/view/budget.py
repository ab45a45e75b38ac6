"""The samples that one request may decode, over all scenes, groups and windows that it reads."""

from __future__ import annotations

from comeo.errors import BoundError


class Budget:
    """Counts samples (pixels × bands) and refuses a request that needs more than its limit.

    A block counts whether or not a cache has it, so that the answer to a request does not depend on earlier
    requests. A budget belongs to one request and is used by one thread.

    Args:
        limit: Samples in all. None: no limit.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.taken = 0

    def take(self, samples: int) -> None:
        """Count samples that are about to be decoded.

        Raises:
            BoundError: If the request then needs more than the limit; call this before decoding.
        """
        self.taken += samples
        if self.limit is not None and self.taken > self.limit:
            raise BoundError(
                f"this request needs {self.taken} decoded samples (pixels × bands), more than {self.limit}; "
                "choose a smaller area, fewer bands or a coarser image",
                "max_decoded_samples",
            )

    def renewed(self) -> Budget:
        """Return an untouched budget with the same limit, for a piece of work that is bounded on its own."""
        return Budget(self.limit)
