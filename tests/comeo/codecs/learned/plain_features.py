"""Features of a pass the slow way, tile by tile, of whole Python numbers: the reference of `features.py`."""

from __future__ import annotations

import math

import numpy as np

from comeo.codecs.learned.features import quarter_octaves
from comeo.codecs.learned.layout import Layout

Shapes = tuple[tuple[int, int], ...]

AXIAL = ((0, -1), (0, 1), (-1, 0), (1, 0))
DIAGONAL = ((-1, -1), (1, 1), (-1, 1), (1, -1))
OPPOSITE = (1, 0, 3, 2)
# The tiles of the same group that are known, by number of passes and pass.
KNOWN = {
    (5, 1): (DIAGONAL, 2), (5, 2): (AXIAL, 2), (5, 3): (DIAGONAL, 1), (5, 4): (AXIAL, 1),
    (3, 1): (DIAGONAL, 1), (3, 2): (AXIAL, 1),
    (2, 1): (AXIAL, 1),
}  # fmt: skip


def tiles_of(shapes: Shapes) -> int:
    return sum(rows * columns for rows, columns in shapes)


def near(
    shapes: Shapes, tile: int, offsets: tuple[tuple[int, int], ...], distance: int, *, mirrored: bool
) -> list[int]:
    """Tiles at some offsets from one, found the slow way; the number of tiles stands for none."""
    start = 0
    for rows, columns in shapes:
        if tile < start + rows * columns:
            break
        start += rows * columns
    y, x = divmod(tile - start, columns)
    found: list[int | None] = []
    for down, right in offsets:
        row, column = y + distance * down, x + distance * right
        inside = 0 <= row < rows and 0 <= column < columns
        found.append(start + row * columns + column if inside else None)
    if mirrored:
        found = [found[OPPOSITE[side]] if each is None else each for side, each in enumerate(found)]
    return [tiles_of(shapes) if each is None else each for each in found]


def plain_magnitude(sixteenths: int) -> int:
    """log2(1 + size) in sixteenths, rounded, of a size of at most 240."""
    return math.floor(16 * math.log2(1 + min(abs(sixteenths) / 16, 240)) + 0.5)


def clipped(value: int, peak: int) -> int:
    return max(-peak, min(value, peak))


def signed_magnitude(sixteenths: int) -> int:
    return plain_magnitude(sixteenths) * (1 if sixteenths >= 0 else -1)


def differences(values: list[int], others: list[int]) -> list[int]:
    return [one - other for one, other in zip(values, others, strict=True)]


class Plain:
    """What a pass looks at, the slow way, of whole Python numbers."""

    def __init__(self, shapes: Shapes, energy: np.ndarray, layout: Layout) -> None:
        self.layout = layout
        self.shapes = shapes
        self.energy = energy.tolist()
        self.values = [[0] * self.layout.channels for _ in range(len(energy) + 1)]
        self.component, self.rank = (place.tolist() for place in self.layout.places)
        self.partner = self.layout.partners.tolist()
        self.coded: set[tuple[int, int]] = set()  # (tile, channel)

    def channels(self, group: int) -> range:
        return range(self.layout.starts[group], self.layout.starts[group] + self.layout.groups[group].count)

    def found(self, tile: int, groups: tuple[int, ...]) -> int:
        return sum(abs(self.values[tile][c]) >= 8 for group in groups for c in self.channels(group))

    def active(self, group: int, tile: int) -> bool:
        """Whether there is evidence enough; two of five tiles' worth where it is the tile's own."""
        tiles = [tile, tile, *near(self.shapes, tile, AXIAL, 1, mirrored=False)]
        parents = self.layout.groups[group].parents
        return sum(self.found(one, parents) for one in tiles) >= self.layout.groups[group].evidence

    def sums(self, tile: int) -> list[int]:
        """Of products with the component before, squares of that, squares of its own, for each pair."""
        found = [0] * (3 * (self.layout.components - 1))
        weights = {tile: 4}
        for offsets in (AXIAL, DIAGONAL):
            weights |= dict.fromkeys(near(self.shapes, tile, offsets, 1, mirrored=False), 1)
        for one, weight in weights.items():
            for c in range(self.layout.channels):
                if self.component[c] == 0 or self.rank[c] == 0 or (one, c) not in self.coded:
                    continue
                before = clipped(self.values[one][self.partner[c]], 32_767)
                own = clipped(self.values[one][c], 32_767)
                for place, product in enumerate((before * own, before * before, own * own)):
                    found[3 * (self.component[c] - 1) + place] += weight * product
        return found

    def features(
        self, group: int, step: int, tile: int
    ) -> tuple[list[int], list[float] | None, list[int] | None, list[float] | None]:
        described = self.layout.groups[group]
        channels = self.channels(group)
        around = near(self.shapes, tile, AXIAL, 1, mirrored=True)
        own = near(self.shapes, tile, *KNOWN[described.passes, step], mirrored=True) if step else []
        sums = self.sums(tile)
        found = self.energy[tile] * 8 + [quarter_octaves(total) for total in sums]
        for other in described.sizes:
            found += [plain_magnitude(self.values[tile][c]) for c in self.channels(other)]
        for other in described.pairs:
            found += self._pairs(around, self.channels(other))
        if own:
            found += self._pairs(own, channels)
        if own and described.before is not None:
            found += self._apart(own, channels)
        crossed = None
        if described.crossed:
            crossed = []
            for c in channels:
                top, bottom = sums[3 * self.component[c] - 3], sums[3 * self.component[c] - 2] + 8192
                before = clipped(self.values[tile][self.partner[c]], 32_767)
                ratio = clipped(2**16 * top // bottom, 2**24)
                crossed.append(clipped((ratio * before + 2**15) // 2**16, 2047))
            found += [plain_magnitude(value) for value in crossed]
        neighbours = bends = None
        if described.before is not None and (own or described.before):
            seen = [self.near_values(other, channels) for other in own]
            means = [(sum(four) + 2) // 4 for four in zip(*seen, strict=True)]
            bent = [means, *(differences(one, means) for one in seen)] if own else []
            here, *there = (self.near_values(other, range(described.before)) for other in (tile, *around))
            seen += [here, *there]
            bent += [here, *(differences(one, here) for one in there)]
            neighbours = [float((value + 8) // 16) for one in seen for value in one]
            bends = [signed_magnitude(value) for one in bent for value in one]
        return found, neighbours, bends, None if crossed is None else [float(value) for value in crossed]

    def near_values(self, tile: int, channels: range) -> list[int]:
        return [clipped(self.values[tile][c], 16 * 2047) for c in channels]

    def _apart(self, tiles: list[int], channels: range) -> list[int]:
        pairs = [tiles[:2], tiles[2:]]
        chosen = [
            pairs[1 - number] if one == other else (one, other) for number, (one, other) in enumerate(pairs)
        ]
        return [
            plain_magnitude(self.values[one][c] - self.values[other][c])
            for one, other in chosen
            for c in channels
        ]

    def _pairs(self, tiles: list[int], channels: range) -> list[int]:
        size = [[abs(self.values[tile][c]) for c in channels] for tile in tiles]
        pairs = (zip(size[0], size[1], strict=True), zip(size[2], size[3], strict=True))
        return [plain_magnitude(one + other) for pair in pairs for one, other in pair]

    def take(self, group: int, tile: int, values: list[int]) -> None:
        for c, value in zip(self.channels(group), values, strict=True):
            self.values[tile][c] = value
            self.coded.add((tile, c))
