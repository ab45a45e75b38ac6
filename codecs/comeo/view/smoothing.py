"""Means over windows of native pixels, before anything is computed from them.

A pixel of radar says little: speckle spreads it by decibels. Maps of water, of towns and of change are made
of means of power over some pixels, so that is what their expressions are given. Where pixels of a grid are
coarser, they are such means already; where they are finer, the means are those of the native pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.decibel import reduction_of
from comeo.grid import Grid
from comeo.scene import Window
from comeo.view.reader import ArchiveReader
from comeo.view.resampling import ResamplingName
from comeo.view.warp import find_source

MOST: int = 31
"""Native pixels to a side of the largest window."""


def read_smoothed(
    reader: ArchiveReader, grid: Grid, bands: Sequence[str], side: int, resampling: ResamplingName
) -> ImageData:
    """Read bands as means over windows around each pixel: of power, where they are in decibels.

    Args:
        reader: Of the scene.
        grid: Where the pixels go.
        bands: Their names.
        side: Native pixels to a side of a window, 1 to `MOST`; of coarser pixels as many as come closest.
        resampling: How values reach the grid.

    Returns:
        As `ArchiveReader.read`, float32. Missing pixels are not counted, and stay missing.

    Raises:
        BoundError: If the reader's budget does not suffice.
        ArchiveError: If a block is damaged.
    """
    times = _native_per_pixel(reader, grid, bands)
    repeat = 1 if times >= 1 else 2 ** round(np.log2(1 / times))
    window = 2 * int(side / (times * repeat) / 2) + 1
    if window == 1 and repeat == 1:
        return reader.read(grid, bands, resampling)
    margin = window // 2
    rows, cols = (-(-length // repeat) for length in (grid.height, grid.width))
    coarse = Grid(grid.crs, grid.transform @ Affine.scale(repeat), rows, cols)
    wide = coarse.part(Window(-margin, -margin, rows + 2 * margin, cols + 2 * margin))
    image = reader.read(wide, bands, resampling)
    reader.budget.compute(wide.height * wide.width * 2 * window * len(bands))
    values = _means(_filled(image), reader, bands, window)
    values = values.repeat(repeat, axis=1).repeat(repeat, axis=2)[:, : grid.height, : grid.width]
    return ImageData(
        np.ma.MaskedArray(values, mask=np.isnan(values)), bounds=grid.bounds, crs=grid.crs,
        band_names=image.band_names, band_descriptions=image.band_descriptions, nodata=np.nan,
        scales=image.scales, offsets=image.offsets,
    )  # fmt: skip


def _native_per_pixel(reader: ArchiveReader, grid: Grid, bands: Sequence[str]) -> float:
    """Native pixels of the bands that one pixel of the grid is wide; 1 where they don't meet."""
    wanted = (group for group in reader.archive.groups.values() if {b.name for b in group.bands} & set(bands))
    source = find_source(next(wanted), grid)
    return source.scale * (1 << (source.level.number + source.reduce)) if source else 1.0


def _filled(image: ImageData) -> NDArray[np.float32]:
    return np.where(np.ma.getmaskarray(image.array), np.float32(np.nan), image.data.astype(np.float32))


def _means(
    values: NDArray[np.float32], reader: ArchiveReader, bands: Sequence[str], window: int
) -> NDArray[np.float32]:
    """Means around all pixels (bands, y, x) that are a whole window away from the border."""
    by_name = {band.name: band for group in reader.archive.groups.values() for band in group.bands}
    reduction = reduction_of([by_name[name] for name in bands])
    weighed = reduction.before(values)
    known = np.isfinite(weighed)
    counts = _sums(known.astype(np.float32), window)
    sums = _sums(np.where(known, weighed, np.float32(0)), window)
    margin = window // 2
    inner = known[:, margin : known.shape[1] - margin, margin : known.shape[2] - margin]
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=inner)
    return reduction.after(means)


def _sums(values: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Sums over windows (bands, y − window + 1, x − window + 1)."""
    for axis in (1, 2):
        length = values.shape[axis] - window + 1
        moved = np.moveaxis(values, axis, 0)
        total = moved[:length].copy()
        for start in range(1, window):
            total += moved[start : start + length]
        values = np.moveaxis(total, 0, axis)
    return values
