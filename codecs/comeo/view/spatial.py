"""The pixels around a grid that formulas with windows need, whatever the size of the grid's pixels.

Windows count native pixels. Where pixels of a grid are coarser, windows shrink to as many of them as come
closest; where they are finer, the formula is computed on pixels about as large as native ones, and its
results repeated. How large native pixels are on a grid is told at the middle of the scene, so that tiles
beside each other agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from comeo.archive import Archive
from comeo.grid import Grid
from comeo.indicators.expression import Expression
from comeo.scene import Window
from comeo.view.projection import move_points

_STEP = 64  # native pixels over which sizes are compared


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a formula with windows is computed.

    Attributes:
        grid: Wider than what is wanted, and of coarser pixels where these are finer than native ones.
        pixel: Native pixels that one of its pixels is wide.
        margin: Pixels to each side that only serve as neighbours.
        repeat: Pixels to a side that are wanted of each.
    """

    grid: Grid
    pixel: float
    margin: int
    repeat: int

    def cut(self, values: NDArray[Any], wanted: Grid) -> NDArray[Any]:
        """What lies on the grid that is wanted, of values (…, y, x) on this one."""
        margin = self.margin
        inner = values[..., margin : values.shape[-2] - margin, margin : values.shape[-1] - margin]
        if self.repeat > 1:
            inner = inner.repeat(self.repeat, axis=-2).repeat(self.repeat, axis=-1)
        return inner[..., : wanted.height, : wanted.width]


def surroundings(archive: Archive, grid: Grid, expression: Expression, bands: Sequence[str]) -> Surroundings:
    """Where an expression is computed that is wanted on a grid.

    Args:
        archive: The scene's.
        grid: That is wanted.
        expression: With windows or without.
        bands: Names of those that are read.
    """
    if not expression.halo:
        return Surroundings(grid, 1.0, 0, 1)
    times = native_per_pixel(archive, grid, bands)
    repeat = 1 if times >= 1 else 2 ** round(math.log2(1 / times))
    margin = expression.reach(times * repeat)
    rows, cols = (-(-length // repeat) for length in (grid.height, grid.width))
    coarse = grid if repeat == 1 else Grid(grid.crs, grid.transform @ Affine.scale(repeat), rows, cols)
    if margin:
        coarse = coarse.part(Window(-margin, -margin, rows + 2 * margin, cols + 2 * margin))
    return Surroundings(coarse, times * repeat, margin, repeat)


def native_per_pixel(archive: Archive, grid: Grid, bands: Sequence[str]) -> float:
    """Native pixels of the finest of some bands that one pixel of a grid is wide, amid the scene."""
    group = next(each for each in archive.groups.values() if {band.name for band in each.bands} & set(bands))
    level = group.levels[0]
    col, row = level.width / 2, level.height / 2
    places = [level.transform @ place for place in ((col, row), (col + _STEP, row), (col, row + _STEP))]
    xs, ys = move_points(
        group.crs,
        grid.crs,
        np.array([place[0] for place in places]),
        np.array([place[1] for place in places]),
    )
    if not np.isfinite((*xs, *ys)).all():
        return 1.0
    cols, rows = ~grid.transform @ (xs, ys)
    across = math.hypot(cols[1] - cols[0], rows[1] - rows[0])
    down = math.hypot(cols[2] - cols[0], rows[2] - rows[0])
    return _STEP / math.sqrt(across * down)
