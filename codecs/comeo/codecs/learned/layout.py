"""In which order symbols are coded, and what is known of their neighbourhood by then.

The coefficients of all tiles of a batch form one array (tiles, channels). A channel is one frequency of one
component; frequencies have one order of rank, coarse to fine, for all components. A few components make an
item (four for optical data). The leading ones are the block's first, and all its items share them: the first
item codes them, those that follow know them from it and code others beside them.

Channels come in groups: of the first component, then of the second, whose coefficients are predicted from the
first's, and so on, coarse to fine. Which ones is the model's own affair: each carries a `Layout`. A group is
coded in passes, each over some tiles:

    five passes: every fourth tile both ways, then those half-way between, and so on
    three: the first three of these at once
    two: a checkerboard
    one: all tiles

A tile's neighbours are two opposite pairs, at the distance of the tiles known when its pass comes. Fine
groups are coded only where coarser ones (their parents) have enough in the tile or beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FREQUENCIES: Final = 256

Index = NDArray[np.int64]


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
    def crossed(self) -> bool:
        """Whether there is a component before to predict from."""
        return self.components[0] > 0


@dataclass(frozen=True)
class Layout:
    """Which channels an item has, and in which groups they are coded.

    Attributes:
        predecessors: The component that each one's coefficients are predicted from, one before it; the first
            has none and names itself.
        leading: How many components all items of a block share, the first ones.
        groups: In the order of coding.

    Raises:
        ValueError: If the groups are not all channels once each, or one needs what comes after it.
    """

    predecessors: tuple[int, ...]
    leading: int
    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Layout:
        """Make a layout of what `facts` returned.

        Raises:
            ValueError: If it is none.
        """
        try:
            return cls(tuple(facts["predecessors"]), facts["leading"], tuple(map(_group_of, facts["groups"])))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the layout is damaged: {error}") from error

    def facts(self) -> dict[str, Any]:
        """It in what JSON knows: of `model.json`."""
        return asdict(self)

    @property
    def components(self) -> int:
        """Number of components of an item."""
        return len(self.predecessors)

    @property
    def channels(self) -> int:
        """Number of channels of an item."""
        return self.components * FREQUENCIES

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first channel of each group."""
        return tuple(accumulate((group.count for group in self.groups), initial=0))[:-1]

    @cached_property
    def first_passes(self) -> tuple[int, ...]:
        """The first pass of each group, numbered over all groups."""
        return tuple(accumulate((group.passes for group in self.groups), initial=0))[:-1]

    @cached_property
    def passes(self) -> int:
        """Number of passes of all groups."""
        return sum(group.passes for group in self.groups)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Each component that is predicted from another: (that other, itself)."""
        return tuple((before, after) for after, before in enumerate(self.predecessors) if after)

    @cached_property
    def places(self) -> tuple[Index, Index]:
        """The component and the rank of each channel: two arrays (channels,)."""
        component = [np.repeat(group.components, group.last - group.first) for group in self.groups]
        rank = [np.tile(np.arange(group.first, group.last), len(group.components)) for group in self.groups]
        return np.concatenate(component), np.concatenate(rank)

    @cached_property
    def partners(self) -> Index:
        """The channel that each one is predicted from, the same rank of another component; itself if none."""
        component, rank = self.places
        place = np.empty((self.components, FREQUENCIES), np.int64)
        place[component, rank] = np.arange(self.channels)
        return np.asarray(place[np.array(self.predecessors)[component], rank])

    def shared(self, number: int) -> bool:
        """Whether further items of a block take a group's values from the first."""
        return self.groups[number].components[0] < self.leading

    def items(self, bands: int) -> Index:
        """The components of each item of a block, (items, components); from `bands` on they are missing."""
        return _items(bands, self.components, self.leading)

    def plan(self, shapes: tuple[tuple[int, int], ...]) -> Plan:
        """The plan for a batch of grids of (rows, columns) tiles, one after the other."""
        return _plan(tuple(group.passes for group in self.groups), shapes)


def _group_of(facts: Mapping[str, Any]) -> Group:
    lists = {name: tuple(facts[name]) for name in ("components", "sizes", "pairs", "parents")}
    return Group(**{**facts, **lists})


@lru_cache(maxsize=64)
def _items(bands: int, components: int, leading: int) -> Index:
    own = components - leading
    items = max(1, -(-(bands - leading) // own))
    found = np.empty((items, components), np.int64)
    found[:, :leading] = np.arange(leading)
    found[:, leading:] = leading + np.arange(items * own).reshape(items, -1)
    found.flags.writeable = False
    return found


def check(layout: Layout) -> None:
    """Refuse a layout that cannot be coded in its order.

    Raises:
        ValueError: If it is one.
    """
    count = layout.components
    if not count or any(not 0 <= before < max(after, 1) for after, before in enumerate(layout.predecessors)):
        raise ValueError("the layout predicts a component from one that comes after it")
    if not 0 <= layout.leading < count:
        raise ValueError(f"of {count} components, 0 to {count - 1} lead, not {layout.leading}")
    coded = np.zeros((count, FREQUENCIES), bool)
    for number, group in enumerate(layout.groups):
        whole = bool(group.components) and 0 <= group.first < group.last <= FREQUENCIES
        if not whole or not all(0 <= component < count for component in group.components):
            raise ValueError(f"group {number} of the layout is no range of channels")
        if group.passes not in _PASSES:
            raise ValueError(f"group {number} of the layout is coded in {group.passes} passes")
        if any(not 0 <= other < number for other in group.sizes + group.pairs + group.parents):
            raise ValueError(f"group {number} of the layout looks at groups that come after it")
        if not 0 <= group.again <= len(group.sizes) or group.evidence < 0:
            raise ValueError(f"group {number} of the layout has a number out of range")
        if group.before is not None and not 0 <= group.before <= coded.sum():
            raise ValueError(f"group {number} of the layout is predicted from channels that come after it")
        _check_components(layout, number, coded)
        ranks = slice(group.first, group.last)
        for component in group.components:
            if coded[component, ranks].any():
                raise ValueError(f"group {number} of the layout codes channels again")
            coded[component, ranks] = True
    if not coded.all():
        raise ValueError("the layout leaves out channels")


def _check_components(layout: Layout, number: int, coded: NDArray[np.bool_]) -> None:
    """Refuse a group of components that are not alike, or whose predecessors are not coded before."""
    group = layout.groups[number]
    alike = {(component < layout.leading, component > 0) for component in group.components}
    if len(alike) > 1:
        raise ValueError(f"group {number} of the layout mixes components of different kinds")
    before = [layout.predecessors[component] for component in group.components]
    if group.crossed and not coded[before, group.first : group.last].all():
        raise ValueError(f"group {number} of the layout is predicted from components that come after it")


_PASSES: Final = (1, 2, 3, 5)
FIRST_LAYOUT: Final = Layout(
    (0, 0, 1, 1),
    2,
    (
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
    ),
)  # of all models of format 1

_AXIAL: Final = ((0, -1), (0, 1), (-1, 0), (1, 0))
_DIAGONAL: Final = ((-1, -1), (1, 1), (-1, 1), (1, -1))
_KINDS: Final = 5
_KNOWN_AT: Final = {1: (_DIAGONAL, 2), 2: (_AXIAL, 2), 3: (_DIAGONAL, 1), 4: (_AXIAL, 1)}


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
def _plan(passes: tuple[int, ...], shapes: tuple[tuple[int, int], ...]) -> Plan:
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
        tuple(steps[each] for each in passes), _mirrored(axial, count),
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
