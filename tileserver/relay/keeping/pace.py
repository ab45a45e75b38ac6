"""How fast bytes are taken: what is not read waits on the other side of the line."""

from __future__ import annotations

import time
from collections.abc import Callable

_BURST_SECONDS = 0.25


class Pace:
    """Holds a rate of bytes on average.

    Args:
        clock: Seconds that only grow.
        sleep: Waits so many seconds.

    Attributes:
        waited: Seconds in all.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()
        self.waited = 0.0

    def took(self, count: int, rate: float | None) -> None:
        """Count bytes that came, and wait until the rate allows more.

        Args:
            count: Bytes.
            rate: Bytes a second; None: as fast as it goes.
        """
        if rate is None:
            return
        now = self._clock()
        self._free_at = max(self._free_at, now - _BURST_SECONDS) + count / rate
        if self._free_at > now:
            self.waited += self._free_at - now
            self._sleep(self._free_at - now)
