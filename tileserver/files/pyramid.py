"""Tiles of an area in the matrix set of degrees, as a tree whose nodes have four children."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from comeo.grid import Bounds, Grid
from tileserver.render.matrixsets import matrix_set, tile_grid

MATRIX_SET = "WorldCRS84Quad"


class Node(NamedTuple):
    """A tile."""

    z: int
    x: int
    y: int

    @property
    def children(self) -> list[Node]:
        """The four tiles that cover it at twice the resolution, whether they have pixels or not."""
        return [Node(self.z + 1, 2 * self.x + col, 2 * self.y + row) for row in (0, 1) for col in (0, 1)]

    @property
    def bounds(self) -> Bounds:
        """(west, south, east, north) in degrees."""
        side = 180 / 2**self.z
        west, north = -180 + self.x * side, 90 - self.y * side
        return west, north - side, west + side, north

    @property
    def exists(self) -> bool:
        """Whether there is such a tile on the globe."""
        return self.z >= 0 and 0 <= self.x < 2 ** (self.z + 1) and 0 <= self.y < 2**self.z

    def grid(self) -> Grid:
        """Its pixels."""
        grid = tile_grid(matrix_set(MATRIX_SET), self.x, self.y, self.z)
        if grid is None:
            raise ValueError(f"there is no tile {self}")
        return grid


@dataclass(frozen=True, slots=True)
class Pyramid:
    """All tiles of an area.

    Attributes:
        boxes: The area: (west, south, east, north) in degrees, two of them across the antimeridian.
        lowest: Zoom of its top.
        highest: Zoom of its bottom.
    """

    boxes: tuple[Bounds, ...]
    lowest: int
    highest: int

    @classmethod
    def over(cls, boxes: Sequence[Bounds], highest: int) -> Pyramid:
        """Make the pyramid of an area, from the smallest tile that has all of it: GDAL reads but one.

        Across the meridian of Greenwich no tile does, and it begins with two.
        """
        fitting = (zoom for zoom in range(highest, 0, -1) if _count(boxes, zoom) == 1)
        return cls(tuple(boxes), next(fitting, 0), highest)

    @property
    def count(self) -> int:
        """Number of tiles."""
        return sum(_count(self.boxes, zoom) for zoom in range(self.lowest, self.highest + 1))

    def roots(self) -> list[Node]:
        """Tiles of the top."""
        nodes = (node for box in self.boxes for node in _nodes(box, self.lowest))
        return list(dict.fromkeys(nodes))

    def children(self, node: Node) -> list[Node]:
        """Tiles below a tile."""
        return [] if node.z >= self.highest else [child for child in node.children if self.meets(child)]

    def meets(self, node: Node) -> bool:
        """Whether a tile lies in the area."""
        west, south, east, north = node.bounds
        return any(
            box[0] < east and west < box[2] and box[1] < north and south < box[3] for box in self.boxes
        )


def _ranges(box: Bounds, zoom: int) -> tuple[range, range]:
    """Columns and rows of the tiles that a box meets."""
    side = 180 / 2**zoom
    columns, rows = 2 ** (zoom + 1), 2**zoom
    first_col = min(columns - 1, math.floor((box[0] + 180) / side))
    last_col = min(columns, math.ceil((box[2] + 180) / side))
    first_row = min(rows - 1, math.floor((90 - box[3]) / side))
    last_row = min(rows, math.ceil((90 - box[1]) / side))
    return range(max(0, first_col), last_col), range(max(0, first_row), last_row)


def _count(boxes: Sequence[Bounds], zoom: int) -> int:
    return sum(len(columns) * len(rows) for columns, rows in (_ranges(box, zoom) for box in boxes))


def _nodes(box: Bounds, zoom: int) -> Iterator[Node]:
    columns, rows = _ranges(box, zoom)
    for row in rows:
        for column in columns:
            yield Node(zoom, column, row)
