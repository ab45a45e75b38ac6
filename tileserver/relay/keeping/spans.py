"""Which ranges are asked for: neighbours together, none too long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from comeo.archive.stores.extents import Extents, Span

GAP: Final = 4096
"""Bytes that are not wanted, and cost less than a request of their own: 1 kB, and a moment of waiting."""
LONGEST: Final = 1 << 20


def requests(wanted: Extents, here: Extents) -> Iterator[Span]:
    """Ranges that bring what is wanted and not here; nothing that is here is asked for again."""
    for start, stop in wanted.without(here).coalesced(GAP).without(here):
        for first in range(start, stop, LONGEST):
            yield first, min(stop, first + LONGEST)
