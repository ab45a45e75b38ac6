"""In which order symbols are coded, and what is known of their neighbourhood by then.

The coefficients of all tiles of a batch form one array (tiles, channels). Channels come in groups, coarse to
fine. A group is coded in passes, each over some of the tiles:

    group 0      five passes: every fourth tile both ways, then those half-way between, and so on
    group 1–3    two passes: a checkerboard
    group 4      one pass

A tile's neighbours are two opposite pairs, at the distance of the tiles known when its pass comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

COMPONENTS: Final = 4  # coded together; more come as further items of a batch
GROUPS: Final = (16, 32, 80, 192, 704)
CHANNELS: Final = sum(GROUPS)
STARTS: Final = (0, 16, 48, 128, 320)
PASSES: Final = (5, 2, 2, 2, 1)
LINEAR: Final = 2  # groups whose symbols' means are predicted
NEAR: Final = 4  # groups that look at neighbouring tiles; the last looks at the tile itself

_AXIAL: Final = ((0, -1), (0, 1), (-1, 0), (1, 0))
_DIAGONAL: Final = ((-1, -1), (1, 1), (-1, 1), (1, -1))
_KINDS: Final = 5
_KNOWN_AT: Final = {1: (_DIAGONAL, 2), 2: (_AXIAL, 2), 3: (_DIAGONAL, 1), 4: (_AXIAL, 1)}

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over some tiles.

    Attributes:
        tiles: (n,) which.
        around: (n, 4) the tiles around each, two opposite pairs. A tile outside is replaced by the opposite
            one; if both are outside the index is the number of tiles: give arrays a row of zeros there.
        known: (n, 4) those of the same group that passes before have decoded, or None in a first pass.
    """

    tiles: Index
    around: Index
    known: Index | None

    def of(self, places: Index) -> Pass:
        """The same over some of the tiles, by their places in `tiles`."""
        known = None if self.known is None else self.known[places]
        return Pass(self.tiles[places], self.around[places], known)


@lru_cache(maxsize=64)
def passes(shapes: tuple[tuple[int, int], ...]) -> tuple[tuple[Pass, ...], ...]:
    """All passes of each group, for a batch of grids of (rows, columns) tiles, one after the other."""
    count = sum(rows * columns for rows, columns in shapes)
    kind = np.concatenate([_kinds(*shape) for shape in shapes])
    around = _neighbours(shapes, _AXIAL, 1, count)
    fine = []
    for number in range(_KINDS):
        tiles = np.flatnonzero(kind == number)
        known = _neighbours(shapes, *_KNOWN_AT[number], count)[tiles] if number else None
        fine.append(Pass(tiles, around[tiles], known))
    even = np.flatnonzero(kind != _KINDS - 1)
    coarse = (Pass(even, around[even], None), fine[-1])
    everything = np.arange(count)
    plans = {5: tuple(fine), 2: coarse, 1: (Pass(everything, around, None),)}
    return tuple(plans[number] for number in PASSES)


def _kinds(rows: int, columns: int) -> Index:
    """Which pass of the first group decodes each tile."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    kind = np.full(rows * columns, 4)
    even = (row + column) % 2 == 0
    kind[even & (row % 2 == 1)] = 3
    coarse = even & (row % 2 == 0)
    kind[coarse] = np.where((row + column)[coarse] % 4 == 0, np.where(row[coarse] % 4 == 0, 0, 1), 2)
    return kind


def _neighbours(
    shapes: tuple[tuple[int, int], ...], offsets: tuple[tuple[int, int], ...], distance: int, outside: int
) -> Index:
    found = []
    start = 0
    for rows, columns in shapes:
        row, column = np.divmod(np.arange(rows * columns), columns)
        index = np.full((rows * columns, 4), -1)
        for side, (down, right) in enumerate(offsets):
            y, x = row + down * distance, column + right * distance
            inside = (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
            index[inside, side] = (start + y * columns + x)[inside]
        opposite = index[:, [1, 0, 3, 2]]
        index = np.where(index < 0, opposite, index)
        found.append(np.where(index < 0, outside, index))
        start += rows * columns
    return np.concatenate(found)
