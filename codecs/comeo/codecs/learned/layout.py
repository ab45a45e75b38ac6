"""In which order symbols are coded, and what is known of their neighbourhood by then.

The coefficients of all tiles of a batch form one array (tiles, channels). A channel is one frequency of one
component; frequencies have one order of rank, coarse to fine, for all components. Four components make an
item: the first two of the block, and two more. The first item of a block codes all four; those that follow
know the first two from it and code the others alone.

Channels come in groups (see GROUPS): of the first component, then of the second, whose coefficients are
predicted from the first's, and so on, coarse to fine. A group is coded in passes, each over some tiles:

    five passes: every fourth tile both ways, then those half-way between, and so on
    three: the first three of these at once
    two: a checkerboard
    one: all tiles

A tile's neighbours are two opposite pairs, at the distance of the tiles known when its pass comes. Fine
groups are coded only where coarser ones (their parents) have enough in the tile or beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

COMPONENTS: Final = 4  # of an item
LEADING: Final = 2  # of them that all items of a block share
FREQUENCIES: Final = 256
CHANNELS: Final = COMPONENTS * FREQUENCIES


@dataclass(frozen=True, slots=True)
class Group:
    """Channels that are coded together.

    Attributes:
        components: Of which components.
        first: Their first rank of frequency.
        last: Their last rank + 1.
        passes: In how many passes.
        sizes: Groups before whose magnitudes in the tile are looked at …
        again: … of which so many are looked at by the last layer, too.
        pairs: Groups before whose magnitudes in the tiles around are looked at.
        parents: Groups that have to have something in the tile or beside it; none: always coded.
        evidence: How much: values of half a step or more count twice in the tile, once in the four beside it.
        before: Means are predicted from the group's own values around, and from so many channels before it,
            in the tile and around; None: they are not.
    """

    components: tuple[int, ...]
    first: int
    last: int
    passes: int
    sizes: tuple[int, ...] = ()
    again: int = 0
    pairs: tuple[int, ...] = ()
    parents: tuple[int, ...] = ()
    evidence: int = 0
    before: int | None = None

    @property
    def count(self) -> int:
        """Number of channels."""
        return len(self.components) * (self.last - self.first)

    @property
    def leading(self) -> bool:
        """Whether further items of a block take the group's values from the first."""
        return self.components[0] < LEADING

    @property
    def crossed(self) -> bool:
        """Whether there is a component before to predict from."""
        return self.components[0] > 0


GROUPS: Final = (
    Group((0,), 0, 12, 5, before=0),
    Group((1,), 0, 8, 3, (0,), 0, (0,), before=12),
    Group((0,), 12, 36, 2, (0, 1), 1, (0, 1), before=20),
    Group((1,), 8, 36, 2, (1, 0, 2), 1, (0, 1, 2), before=44),
    Group((2, 3), 0, 12, 3, (0, 1, 2, 3), 2, (0, 1), (0, 1, 2, 3), 2, before=20),
    Group((0,), 36, 96, 2, (0, 2, 1, 3), 2, (0, 2), (2,), 10),
    Group((1,), 36, 96, 2, (1, 3, 0, 2, 5), 2, (3, 5), (3, 5), 14),
    Group((2, 3), 12, 48, 2, (4, 1, 3, 0, 2, 5, 6), 2, (4,), (4,), 12),
    Group((0,), 96, 256, 1, (0, 2, 5), 3, (5,), (5,), 12),
    Group((1,), 96, 256, 1, (1, 3, 6, 8), 3, (6,), (6, 8), 16),
    Group((2, 3), 48, 256, 1, (7, 4, 3, 6), 1, (7,), (7,), 16),
)
STARTS: Final = tuple(accumulate((group.count for group in GROUPS), initial=0))[:-1]
*FIRST_PASSES, PASSES = accumulate((group.passes for group in GROUPS), initial=0)  # numbered over all groups
PREDECESSOR: Final = (0, 0, 1, 1)  # the component that each one's coefficients are predicted from
PAIRS: Final = tuple((PREDECESSOR[after], after) for after in range(1, COMPONENTS))

_AXIAL: Final = ((0, -1), (0, 1), (-1, 0), (1, 0))
_DIAGONAL: Final = ((-1, -1), (1, 1), (-1, 1), (1, -1))
_KINDS: Final = 5
_KNOWN_AT: Final = {1: (_DIAGONAL, 2), 2: (_AXIAL, 2), 3: (_DIAGONAL, 1), 4: (_AXIAL, 1)}

Index = NDArray[np.int64]


@lru_cache(maxsize=64)
def item_components(bands: int) -> Index:
    """The components of each item of a block, (items, COMPONENTS); from `bands` on they are missing."""
    items = max(1, -(-(bands - LEADING) // (COMPONENTS - LEADING)))
    found = np.empty((items, COMPONENTS), np.int64)
    found[:, :LEADING] = np.arange(LEADING)
    found[:, LEADING:] = LEADING + np.arange(items * (COMPONENTS - LEADING)).reshape(items, -1)
    found.flags.writeable = False
    return found


def channel_places() -> tuple[Index, Index]:
    """The component and the rank of each channel: two arrays (CHANNELS,)."""
    component = [np.repeat(group.components, group.last - group.first) for group in GROUPS]
    rank = [np.tile(np.arange(group.first, group.last), len(group.components)) for group in GROUPS]
    return np.concatenate(component), np.concatenate(rank)


def partners() -> Index:
    """The channel that each one is predicted from, the same rank of the component before; itself if none."""
    component, rank = channel_places()
    place = np.empty((COMPONENTS, FREQUENCIES), np.int64)
    place[component, rank] = np.arange(CHANNELS)
    return np.asarray(place[np.array(PREDECESSOR)[component], rank])


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over some tiles.

    Attributes:
        tiles: (n,) which.
        known: (n, 4) those of the same group that passes before have decoded, or None in a first pass. A
            tile outside is replaced by the opposite one; if both are outside the index is the number of
            tiles: give arrays a row of zeros there.
    """

    tiles: Index
    known: Index | None

    def where(self, active: NDArray[np.bool_]) -> Pass:
        """The same over the tiles that are active."""
        chosen = active[self.tiles]
        return Pass(self.tiles[chosen], None if self.known is None else self.known[chosen])


@dataclass(frozen=True, slots=True)
class Plan:
    """All passes over a batch of grids of tiles.

    Attributes:
        steps: The passes of each group.
        around: (tiles, 4) the tiles beside each, as in `Pass`.
        corners: (tiles, 4) those at its corners; the number of tiles where there is none.
        beside: (tiles, 4) as `around`, but the number of tiles where there is none.
    """

    steps: tuple[tuple[Pass, ...], ...]
    around: Index
    corners: Index
    beside: Index


@lru_cache(maxsize=64)
def plan_of(shapes: tuple[tuple[int, int], ...]) -> Plan:
    """The plan for a batch of grids of (rows, columns) tiles, one after the other."""
    count = sum(rows * columns for rows, columns in shapes)
    kind = np.concatenate([_kinds(*shape) for shape in shapes])
    fine = []
    for number in range(_KINDS):
        tiles = np.flatnonzero(kind == number)
        known = _mirrored(_neighbours(shapes, *_KNOWN_AT[number]), count)[tiles] if number else None
        fine.append(Pass(tiles, known))
    coarse = Pass(np.flatnonzero(kind < 3), None)
    even = Pass(np.flatnonzero(kind < _KINDS - 1), None)
    steps = {
        5: tuple(fine), 3: (coarse, *fine[3:]), 2: (even, fine[-1]), 1: (Pass(np.arange(count), None),)
    }  # fmt: skip
    axial, diagonal = _neighbours(shapes, _AXIAL, 1), _neighbours(shapes, _DIAGONAL, 1)
    return Plan(
        tuple(steps[group.passes] for group in GROUPS), _mirrored(axial, count),
        np.where(diagonal < 0, count, diagonal), np.where(axial < 0, count, axial),
    )  # fmt: skip


def _kinds(rows: int, columns: int) -> Index:
    """Which of five passes decodes each tile."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    kind = np.full(rows * columns, 4)
    even = (row + column) % 2 == 0
    kind[even & (row % 2 == 1)] = 3
    coarse = even & (row % 2 == 0)
    kind[coarse] = np.where((row + column)[coarse] % 4 == 0, np.where(row[coarse] % 4 == 0, 0, 1), 2)
    return kind


def _neighbours(
    shapes: tuple[tuple[int, int], ...], offsets: tuple[tuple[int, int], ...], distance: int
) -> Index:
    """(tiles, 4) the tiles at some offsets from each, two opposite pairs; −1 outside."""
    found = []
    start = 0
    for rows, columns in shapes:
        row, column = np.divmod(np.arange(rows * columns), columns)
        index = np.full((rows * columns, 4), -1)
        for side, (down, right) in enumerate(offsets):
            y, x = row + down * distance, column + right * distance
            inside = (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
            index[inside, side] = (start + y * columns + x)[inside]
        found.append(index)
        start += rows * columns
    return np.concatenate(found)


def _mirrored(index: Index, outside: int) -> Index:
    index = np.where(index < 0, index[:, [1, 0, 3, 2]], index)
    return np.where(index < 0, outside, index)
