"""Which source pixels a grid needs, and how they get there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from comeo.archive import ArchiveGroup, Level, reduced_size
from comeo.codecs.base import MAX_REDUCE
from comeo.decibel import PLAIN, Reduction
from comeo.globe import TURN, near
from comeo.grid import Bounds, Grid
from comeo.scene import Window
from comeo.view.projection import ProjectionErrors, move_bounds, move_points
from comeo.view.resampling import ResamplingName

LATTICE = 17
# Source pixels beyond the outermost ones that a kernel may look at.
MARGIN = 4
# A level may be this much coarser than the grid: invisible, and it saves 3/4 of the work.
TOLERANCE = 1.1
# Up to so many source pixels a grid pixel GDAL's kernels are used as they are; beyond, it widens them.
WIDEST_PLAIN_KERNEL = 2.0
_CHOOSING: Final = ("nearest", "mode")  # of pixels as they are
_OVERSHOOTING: Final = ("cubic", "lanczos")  # with negative weights
# Source pixels that a place interpolated on the lattice may be off: a sixth of what GDAL allows itself.
MOST_OFF = 0.02


@dataclass(frozen=True, slots=True)
class Source:
    """Source pixels that a grid needs.

    Attributes:
        level: Stored level.
        reduce: To be decoded at 1/2^reduce of its size.
        window: In pixels of the level at that reduction.
        transform: Pixel corner of the window to CRS coordinates.
        scale: Source pixels per grid pixel, along the denser axis.
        target: The part of the grid that the source can reach.
        offset: (row, column) of the target in the grid.
        lattice: (2, LATTICE, LATTICE): columns and rows of the window at points spread over the target, edges
            included; infinite where they have none.
    """

    level: Level
    reduce: int
    window: Window
    transform: Affine
    scale: float
    target: Grid
    offset: tuple[int, int]
    lattice: NDArray[np.float64]

    @property
    def is_smooth(self) -> bool:
        """Whether places between the lattice's points are known well enough by interpolating.

        The error is at most an eighth of the second derivatives times the squared distance of points.
        """
        if not np.isfinite(self.lattice).all():
            return False
        bends = [np.abs(np.diff(self.lattice, 2, axis=axis)).max() for axis in (1, 2)]
        return bool(sum(bends) <= 8 * MOST_OFF)


def find_source(group: ArchiveGroup, grid: Grid, least: int = 0, most: int | None = None) -> Source | None:
    """Find the coarsest source pixels of a group that are fine enough for a grid.

    None where they don't meet.

    Args:
        group: Of an archive.
        grid: Where the pixels go.
        least: Number of a stored level than which none finer is taken.
        most: Number of a stored level than which none coarser is taken.
    """
    native = group.levels[0]
    target = _reachable(group, grid)
    if target is None:
        return None
    cols, rows = source_lattice(target, group.crs, native.transform)
    finite = np.isfinite(cols) & np.isfinite(rows)
    if not finite.any():
        return None
    scale = _scale(cols, rows, target, native)
    levels = tuple(level for level in group.levels if most is None or level.number <= most)
    level, reduce = choose_level(levels, scale, least)
    factor = 1 << (level.number + reduce)
    window = _window(cols[finite] / factor, rows[finite] / factor, reduced_size(level, reduce))
    if window is None:
        return None
    origin = native.transform @ Affine.scale(factor) @ Affine.translation(window.col, window.row)
    shift = ~grid.transform @ target.transform
    lattice = np.stack([cols / factor - window.col, rows / factor - window.row])
    offset = round(shift.f), round(shift.c)
    return Source(level, reduce, window, origin, scale / factor, target, offset, lattice)


def choose_level(levels: tuple[Level, ...], scale: float, least: int = 0) -> tuple[Level, int]:
    """Choose a stored level and a reduction for so many native pixels per wanted pixel."""
    wanted = max(least, math.floor(math.log2(max(scale, 1.0) * TOLERANCE)))
    level = max((level for level in levels if level.number <= wanted), key=lambda level: level.number)
    return level, min(wanted - level.number, MAX_REDUCE)


def warp(
    values: NDArray[np.float32], source: Source, crs: CRS, grid: Grid, resampling: ResamplingName,
    reduction: Reduction = PLAIN,
) -> NDArray[np.float32]:  # fmt: skip
    """Bring source pixels onto a grid.

    A grid pixel is valid where the source pixel that it falls into is, and made of valid pixels alone: what
    nodata hides never colours its neighbours.

    Args:
        values: (bands, y, x) of the source's window; NaN where invalid.
        source: Where they are.
        crs: Of the source.
        grid: Where they go.
        resampling: How.
        reduction: What means of the bands are means of.

    Returns:
        (bands, y, x) of the grid; NaN where there is nothing.
    """
    out = np.full((len(values), grid.height, grid.width), np.nan, np.float32)
    part = out[:, source.offset[0] :, source.offset[1] :][:, : source.target.height, : source.target.width]
    shift = source.target.offset_in(Grid(crs, source.transform, source.window.height, source.window.width))
    if shift is not None:
        _copy(values, part, *shift)
        return out
    if resampling in _CHOOSING or reduction.is_plain:
        part[:] = _weighed(values, source, crs, resampling)
    else:
        powers = reduction.before(values)
        weighed = _weighed(powers, source, crs, resampling)
        if resampling in _OVERSHOOTING:
            # beside a bright target they leave less than no power, which would be a hole
            lowest = np.nanmin(powers, axis=(1, 2), initial=np.inf, keepdims=True)
            np.maximum(weighed, lowest, out=weighed)
        part[:] = reduction.after(weighed)
    return out


def _weighed(
    values: NDArray[np.float32], source: Source, crs: CRS, resampling: ResamplingName
) -> NDArray[np.float32]:
    """Weighed means of what may be summed, or chosen pixels: see `warp`."""
    if resampling in ("nearest", "bilinear") and source.scale <= WIDEST_PLAIN_KERNEL and source.is_smooth:
        return _sample(values, source, resampling)
    invalid = bool(np.isnan(values).any())
    warped = _reproject(values, source, crs, Resampling[resampling], masked=invalid)
    if invalid and resampling != "nearest":
        valid = (~np.isnan(values)).astype(np.float32)
        warped[_reproject(valid, source, crs, Resampling.nearest, masked=False) != 1] = np.nan
    return warped


def warm_up() -> None:
    """Compile what most tiles are warped by, or load it."""
    from comeo.view.sampling import sample  # noqa: PLC0415 - numba takes a second to load

    pixel, place = np.ones((1, 1, 1), np.float32), np.full((2, 2), 0.5)
    sample(pixel, place, place, False, np.empty_like(pixel))


def _sample(
    values: NDArray[np.float32], source: Source, resampling: Literal["nearest", "bilinear"]
) -> NDArray[np.float32]:
    from comeo.view.sampling import sample  # noqa: PLC0415 - see `warm_up`

    sampled = np.empty((len(values), source.target.height, source.target.width), np.float32)
    sample(np.ascontiguousarray(values), *source.lattice, resampling == "nearest", sampled)
    return sampled


def _reproject(
    values: NDArray[np.float32], source: Source, crs: CRS, resampling: Resampling, *, masked: bool
) -> NDArray[np.float32]:
    target = source.target
    warped = np.full((len(values), target.height, target.width), np.nan, np.float32)
    options: dict[str, Any] = {}
    if masked:
        options.update(src_nodata=np.nan, dst_nodata=np.nan, UNIFIED_SRC_NODATA="NO")
    if source.scale <= WIDEST_PLAIN_KERNEL:
        options.update(XSCALE="1", YSCALE="1")
    try:
        reproject(
            np.ascontiguousarray(values), warped, src_transform=source.transform, src_crs=crs,
            dst_transform=target.transform, dst_crs=target.crs, resampling=resampling,
            init_dest_nodata=masked, **options,
        )  # fmt: skip
    except ProjectionErrors:
        # No pixel of the grid has a place in the source's projection: a pole, the far side of the globe.
        warped[:] = np.nan
    return warped


def _copy(values: NDArray[np.float32], part: NDArray[np.float32], row: int, col: int) -> None:
    """Copy what a target at (row, col) of the source shares with it."""
    height, width = values.shape[1:]
    top, bottom = max(row, 0), min(row + part.shape[1], height)
    left, right = max(col, 0), min(col + part.shape[2], width)
    if top < bottom and left < right:
        part[:, top - row : bottom - row, left - col : right - col] = values[:, top:bottom, left:right]


def _reachable(group: ArchiveGroup, grid: Grid) -> Grid | None:
    """Part of a grid that a group's footprint, a little widened, covers."""
    native = group.levels[0]
    bounds = _footprint(group.crs, native.transform, native.height, native.width, grid.crs)
    if bounds is None:
        return grid
    if grid.crs.is_geographic:
        shown = grid.bounds
        if bounds[2] - bounds[0] > TURN / 2:
            return grid
        bounds = near(bounds, (shown[0] + shown[2]) / 2)
    left, bottom, right, top = bounds
    across, up = (right - left) * 0.01, (top - bottom) * 0.01
    return grid.within((left - across, bottom - up, right + across, top + up))


@lru_cache(maxsize=4096)
def _footprint(crs: CRS, transform: Affine, height: int, width: int, target: CRS) -> Bounds | None:
    """Bounds of a raster in another CRS, or None where they are unknown or go around the globe."""
    bounds = move_bounds(crs, target, Grid(crs, transform, height, width).bounds)
    return bounds if bounds and bounds[0] <= bounds[2] else None


def source_lattice(target: Grid, crs: CRS, native: Affine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Native (columns, rows) of a lattice of points over the target, edges included."""
    cols, rows = np.meshgrid(np.linspace(0, target.width, LATTICE), np.linspace(0, target.height, LATTICE))
    xs, ys = _apply(target.transform, cols.ravel(), rows.ravel())
    with np.errstate(invalid="ignore"):
        found_cols, found_rows = _apply(~native, *move_points(target.crs, crs, xs, ys))
    shape = (LATTICE, LATTICE)
    return found_cols.reshape(shape), found_rows.reshape(shape)


def _apply(
    affine: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def _scale(cols: NDArray[np.float64], rows: NDArray[np.float64], target: Grid, native: Level) -> float:
    """Native pixels per target pixel along the denser axis, in the middle of where they meet."""
    with np.errstate(invalid="ignore"):
        along_x = np.hypot(np.diff(cols, axis=1), np.diff(rows, axis=1))[:-1]
        along_y = np.hypot(np.diff(cols, axis=0), np.diff(rows, axis=0))[:, :-1]
    along_x *= (LATTICE - 1) / target.width
    along_y *= (LATTICE - 1) / target.height
    cells = np.minimum(along_x, along_y)
    reach = 0.5 * max(native.height, native.width)
    near = (np.abs(cols - native.width / 2) <= native.width / 2 + reach) & (
        np.abs(rows - native.height / 2) <= native.height / 2 + reach
    )
    usable = np.isfinite(cells)
    chosen = cells[usable & near[:-1, :-1]] if (usable & near[:-1, :-1]).any() else cells[usable]
    return float(np.median(chosen)) if chosen.size else 1.0


def _window(cols: NDArray[np.float64], rows: NDArray[np.float64], size: tuple[int, int]) -> Window | None:
    """Smallest window around points, with a margin, inside a raster of that size."""
    height, width = size
    top, bottom = _span(rows, height)
    left, right = _span(cols, width)
    if top >= bottom or left >= right:
        return None
    return Window(top, left, bottom - top, right - left)


def _span(points: NDArray[np.float64], size: int) -> tuple[int, int]:
    low, high = np.clip((points.min(), points.max()), -MARGIN, size + MARGIN)
    return max(0, math.floor(low) - MARGIN), min(size, math.ceil(high) + MARGIN)
