"""Whether the link may be used now, how fast, and for how many bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from tileserver.relay.keeping.journal import Journal
from tileserver.relay.keeping.reach import Doing
from tileserver.relay.keeping.spans import LONGEST
from tileserver.relay.plan.budget import OVERHEAD, REQUEST_BYTES, Budget
from tileserver.relay.plan.definition import Link
from tileserver.relay.plan.windows import link_at, local_day

_LEAST: Final = 1024
"""Bytes of an archive below which a request is not worth its headers."""


_SOON_SECONDS: Final = 10
"""That a request takes at most where somebody may look at something else meanwhile, by the link's rate."""
_LEAST_SOON: Final = 1 << 16


class GivesWayError(Exception):
    """Something else comes first now; what has come is kept."""


class PausedError(Exception):
    """The link may not be used now.

    Args:
        until: When to look again, in UTC.
        reason: For people.
        doing: The same in a word.
    """

    def __init__(self, until: datetime, reason: str, doing: Doing) -> None:
        super().__init__(reason)
        self.until = until
        self.doing = doing


@dataclass(frozen=True, slots=True)
class Pass:
    """What may be done now.

    Attributes:
        useful: Bytes of an archive that may be asked for at most; None: as many as one likes.
        rate: Bytes a second; None: as fast as it goes.
        at_once: Bytes that one request may ask for; None: as many as one likes.
    """

    useful: int | None
    rate: float | None
    at_once: int | None = None

    @property
    def longest(self) -> int:
        """Bytes that the next request may ask for."""
        return min(each for each in (LONGEST, self.useful, self.at_once) if each is not None)


FREE: Final = Pass(None, None)


class Gate:
    """The link's windows and quotas, with what was spent.

    Args:
        link: As the operator wrote it.
        journal: That keeps what was spent.
        clock: Time in UTC.
        free: Whether nothing counts, as of a disk that is at hand.
    """

    def __init__(
        self, link: Link, journal: Journal, clock: Callable[[], datetime], *, free: bool = False
    ) -> None:
        self._link = link
        self._clock = clock
        self._free = free
        self.budget = budget_of(link, journal)

    @property
    def day(self) -> date:
        """The local day."""
        return local_day(self._clock(), self._link.zone)

    def spend(self, wire: int, *, on_demand: bool = False) -> int:
        """Count bytes on the wire, and say how many the journal has to count."""
        if self._free:
            return 0
        self.budget.spend(self.day, wire, on_demand=on_demand)
        return wire

    def enter(self, *, alerts: bool, on_demand: bool = False) -> Pass:
        """Say what may be done now.

        Args:
            alerts: Whether it is for alerts.
            on_demand: Whether somebody looks at it.

        Raises:
            PausedError: If nothing may.
        """
        if self._free:
            return FREE
        now = self._clock()
        opened = link_at(now, self._link)
        if opened.window is None:
            raise PausedError(opened.until, "no window of the link is open", "closed")
        left = self.budget.affordable(now, alerts=alerts, on_demand=on_demand)
        useful = None if left is None else int((left - REQUEST_BYTES) / OVERHEAD)
        if useful is not None and useful < _LEAST:
            raise PausedError(opened.until, "the quota of bytes is used up", "quota")
        rate = None if opened.window.kbps is None else opened.window.kbps * 125
        if rate is None:
            return Pass(useful, rate)
        room = int(rate * (opened.until - now).total_seconds())
        useful = max(_LEAST, room if useful is None else min(useful, room))
        return Pass(
            useful, rate, max(_LEAST_SOON, int(rate * _SOON_SECONDS)) if self._link.on_demand else None
        )


def budget_of(link: Link, journal: Journal) -> Budget:
    """The quotas of a link, with what was spent of them."""
    spent = {day: wire for day, (wire, _) in journal.spent().items()}
    return Budget(link, spent, journal.spent_on_demand())
