"""How long to wait before a line that failed is tried again."""

from __future__ import annotations

from typing import Final

_FIRST: Final = 0.2
_MOST_CUT: Final = 1.5
"""Seconds: a line that is back is found within two. A try costs a few packets."""
_MOST_REFUSED: Final = 60.0


class Backoff:
    """Waits longer each time, until something comes again.

    Attributes:
        failed: Tries in a row that failed.
        refused: The latest of them, in a row, that the other side answered.
    """

    def __init__(self) -> None:
        self.failed = self.refused = 0

    def worked(self) -> None:
        """Say that bytes have come."""
        self.failed = self.refused = 0

    def wait(self, *, refused: bool = False) -> float:
        """Say that a try failed; seconds to wait.

        Args:
            refused: Whether the other side answered, and refused: it is not asked again so soon.
        """
        self.failed += 1
        self.refused = self.refused + 1 if refused else 0
        seconds = _FIRST * 2.0 ** min(self.failed - 1, 20)
        return min(seconds * 5, _MOST_REFUSED) if refused else min(seconds, _MOST_CUT)
