"""Which ranges are asked for: neighbours together, none too long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

GAP: Final = 4096
"""Bytes that are not wanted, and cost less than a request of their own: about 1 kB, and a moment of waiting."""
LONGEST: Final = 1 << 20
Span = tuple[int, int]
"""First byte, and the one behind the last."""


def requests(missing: Iterable[Span], here: Iterable[Span] = (), gap: int = GAP) -> Iterator[Span]:
    """Ranges that bring what is missing.

    Args:
        missing: Sorted, apart.
        here: Likewise; nothing of it is asked for again.
        gap: Bytes between two that are asked for as one, if none of them is here.
    """
    known = sorted(here)
    place = 0
    current: Span | None = None
    for start, stop in missing:
        if current is not None:
            while place < len(known) and known[place][1] <= current[1]:
                place += 1
            free = place == len(known) or known[place][0] >= start
            if start - current[1] <= gap and free:
                current = current[0], stop
                continue
            yield from _divided(*current)
        current = start, stop
    if current is not None:
        yield from _divided(*current)


def _divided(start: int, stop: int) -> Iterator[Span]:
    for first in range(start, stop, LONGEST):
        yield first, min(stop, first + LONGEST)
