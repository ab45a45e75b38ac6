"""Bands that were replicated onto a finer grid, brought back to their own.

Processors that put all of Sentinel-2's bands into one file repeat each 20 m pixel on the 10 m grid. Such
a copy holds nothing that the 20 m pixels do not: where that is proved on every pixel, the band is read at
its native size.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from comeo.grid import Grid
from comeo.missions import Mission
from comeo.scene import Window
from comeo.sources.raster import Plane, RasterBand, check_window

logger = logging.getLogger(__name__)

Index = NDArray[np.intp]
_STRIP_PIXELS: Final = 1 << 22
_TOLERANCE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Axis:
    """How the native cells lie along one axis of the finer grid.

    Attributes:
        cells: For each fine pixel, the native cell that it repeats.
        lead: By how many fine pixels the first cell begins before the first fine pixel: its hidden part.
        regular: Whether every whole cell is repeated equally often.
    """

    cells: Index
    lead: int
    regular: bool = True

    @property
    def first(self) -> Index:
        """For each native cell, the first fine pixel that repeats it."""
        return np.searchsorted(self.cells, np.arange(self.cells[-1] + 1))


@dataclass(slots=True)
class _Replicas:
    """The bands of one native size that have been found to be replicas, all alike."""

    rows: Axis
    cols: Axis
    names: list[str] = field(default_factory=list)


def to_native(where: str, bands: Sequence[RasterBand], mission: Mission) -> list[RasterBand]:
    """Return the bands, those that are exact replicas of native pixels on their native grid.

    Only the mission's bands in local files are looked at, on a grid that divides their native pixel size
    evenly. All bands of one native size must be replicas alike: the ones that differ from the first stay
    as they are, and so do bands without a native size.
    """
    found: dict[int, _Replicas] = {}
    native = [_native(band, mission, found) for band in bands]
    for factor, replicas in found.items():
        names = ", ".join(replicas.names)
        logger.info("%s: %s repeat native pixels %d×%d: brought back", where, names, factor, factor)
        if not (replicas.rows.regular and replicas.cols.regular):
            logger.warning(
                "%s: %s had been stretched onto the finer grid; pixels that this had moved, by up to "
                "half of their size, are back on %s's own grid",
                where,
                names,
                mission.title,
            )
    return native


def _native(band: RasterBand, mission: Mission, found: dict[int, _Replicas]) -> RasterBand:
    known = mission.bands.get(band.band.name)
    factor = _factor(band.grid, known.gsd) if known and band.path else 1
    axes = find_axes(band, factor) if factor > 1 else None
    if axes is None:
        return band
    first = found.setdefault(factor, _Replicas(*axes))
    alike = (np.array_equal(a.cells, b.cells) for a, b in zip((first.rows, first.cols), axes, strict=True))
    if not all(alike):
        logger.warning("%s stays as it is: it repeats pixels unlike other bands of its size", band.band.name)
        return band
    first.names.append(band.band.name)
    return native_band(band, factor, first.rows, first.cols)


def _factor(grid: Grid, gsd: int) -> int:
    """How many pixels of the grid make a native one, or 1 when that is no whole number."""
    exact = gsd / grid.pixel_size
    factor = round(exact)
    square = math.isclose(grid.transform.a, -grid.transform.e, rel_tol=_TOLERANCE)
    return factor if factor > 1 and square and abs(exact / factor - 1) < _TOLERANCE else 1


def find_axes(band: RasterBand, factor: int) -> tuple[Axis, Axis] | None:
    """Find how a band repeats native pixels, rows first, or None if it does not.

    Reads the whole band once, in strips, unless the first strips rule it out.
    """
    grid = band.grid
    row_lead, col_lead = _known_leads(grid, factor)
    row_candidates = candidates(grid.height, factor, row_lead)
    col_candidates = candidates(grid.width, factor, col_lead)
    row_changes = np.zeros(grid.height, np.bool_)  # whether a row (column) differs from the one before
    col_changes = np.zeros(grid.width, np.bool_)
    for row, pixels in _strips(band):
        col_changes[1:] |= (pixels[:, 1:] != pixels[:, :-1]).any(axis=0)
        changes = (pixels[1:] != pixels[:-1]).any(axis=1)
        row_changes[row + 1 : row + 1 + len(changes)] = changes
        row_candidates = [axis for axis in row_candidates if _repeats(axis, row_changes)]
        col_candidates = [axis for axis in col_candidates if _repeats(axis, col_changes)]
        if not row_candidates or not col_candidates:
            return None
    return row_candidates[0], col_candidates[0]


def candidates(size: int, factor: int, aligned: int | None) -> list[Axis]:
    """Ways in which native cells can lie along an axis, the likeliest first.

    Regular cells come first, the first of them perhaps hidden in part. Some processors resize by nearest
    neighbour instead, as if no cell were hidden: ⌊i·cells/size⌋ repeats a cell in the middle too seldom and
    puts others up to one fine pixel off. That is undone where the native grid is known.

    Args:
        size: Fine pixels along the axis.
        factor: Fine pixels a native one.
        aligned: How many fine pixels of the first cell are hidden by the known native grid; None if not
            known.
    """
    leads = sorted(range(factor), key=lambda lead: lead != aligned)
    position = np.arange(size, dtype=np.intp)
    found = [Axis((position + lead) // factor, lead) for lead in leads]
    if aligned is not None:
        count = -(-(size + aligned) // factor)
        found.append(Axis(position * count // size, aligned, regular=False))
    return found


def _known_leads(grid: Grid, factor: int) -> tuple[int | None, int | None]:
    """Fine pixels hidden before the grid, rows first: native grids begin at multiples of their size."""
    epsg = grid.crs.to_epsg()
    if epsg is None or epsg // 100 not in (326, 327):
        return None, None
    leads: list[int | None] = []
    for position in (grid.transform.f / grid.transform.e, grid.transform.c / grid.transform.a):
        whole = round(position)
        leads.append(whole % factor if abs(position - whole) < _TOLERANCE else None)
    return leads[0], leads[1]


def _repeats(axis: Axis, changes: NDArray[np.bool_]) -> bool:
    """Whether no change falls inside a cell."""
    inside = axis.cells[1:] == axis.cells[:-1]
    return not bool((changes[1:] & inside).any())


def _strips(band: RasterBand) -> Iterator[tuple[int, NDArray[Any]]]:
    """The band in strips that overlap by one row, as integers that differ where values or validity do."""
    rows = max(2, _STRIP_PIXELS // band.grid.width)
    for row in range(0, band.grid.height, rows):
        start = max(0, row - 1)
        height = min(row + rows, band.grid.height) - start
        values, valid = band.read(Window(start, 0, height, band.grid.width))
        bits = values.view(np.uint32) if band.dtype == np.float32 else values
        yield start, np.where(valid, bits.astype(np.int64), -1)


def native_band(band: RasterBand, factor: int, rows: Axis, cols: Axis) -> RasterBand:
    """Return a replicated band at its native size, cells at the edge that are hidden in part made whole."""
    fine = band.grid
    a, _, c, _, e, f = fine.transform[:6]
    transform = Affine(a * factor, 0.0, c - cols.lead * a, 0.0, e * factor, f - rows.lead * e)
    grid = Grid(fine.crs, transform, len(rows.first), len(cols.first))
    return replace(band, grid=grid, read=partial(_read, band, grid, rows.first, cols.first))


def _read(band: RasterBand, grid: Grid, rows: Index, cols: Index, window: Window) -> Plane:
    check_window(window, grid)
    own_rows, own_cols = (index[part] for index, part in zip((rows, cols), window.slices, strict=True))
    top, left = int(own_rows[0]), int(own_cols[0])
    area = Window(top, left, int(own_rows[-1]) + 1 - top, int(own_cols[-1]) + 1 - left)
    values, valid = band.read(area)
    picked = np.ix_(own_rows - top, own_cols - left)
    return Plane(values[picked], valid[picked])
