"""Layers of the ground beside a map: local incidence, and what is seen twice or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window as GdalWindow

from comeo.grid import Grid
from comeo.parallel import each
from comeo.progress import Progress
from comeo.radar.facets import surface_of
from comeo.radar.terrain import layover, local_incidence, shadow
from comeo.scene import Window
from comeo.sources.dem import Heights
from comeo.sources.grd.placing import Placing, image_window, surroundings
from comeo.sources.grd.product import Grd

COARSER: Final = 3
"""Pixels of the map along a side of one of the layers: heights of DEMs are 30 m apart."""
INCIDENCE: Final = "incidence"
DEGREES: Final = 0.01
"""Step of the numbers of incidence."""
UNKNOWN: Final = -32768
SEEN, LAYOVER, SHADOW, OUTSIDE = 0, 1, 2, 255
"""Numbers of the mask; 3 is both layover and shadow."""
_TILE: Final = 512
_BATCH: Final = 8


@dataclass(frozen=True, slots=True)
class GroundLayers:
    """What a map's ground is like.

    Attributes:
        grid: Of the layers: pixels three times as large as the map's.
        mask: (y, x) uint8: 0 seen, 1 layover, 2 shadow, 3 both, 255 outside the image.
    """

    grid: Grid
    mask: NDArray[np.uint8]

    def hidden(self, window: Window) -> NDArray[np.bool_]:
        """Which pixels of a window of the map are in layover or shadow: (y, x)."""
        rows = np.arange(window.row, window.row + window.height) // COARSER
        columns = np.arange(window.col, window.col + window.width) // COARSER
        part = self.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        found = (part != SEEN) & (part != OUTSIDE)
        hidden: NDArray[np.bool_] = found[rows - rows[0]][:, columns - columns[0]]
        return hidden

    def shares(self) -> dict[str, float]:
        """Layover and shadow in percent of what the image shows."""
        counts = np.bincount(self.mask.ravel(), minlength=OUTSIDE + 1)
        total = int(counts[:OUTSIDE].sum())
        both = int(counts[LAYOVER | SHADOW])
        return {
            name: round(100 * (int(counts[number]) + both) / total, 4) if total else 0.0
            for name, number in (("layover", LAYOVER), ("shadow", SHADOW))
        }


def coarser(grid: Grid) -> Grid:
    """The grid of the layers of a map."""
    height, width = (-(-side // COARSER) for side in (grid.height, grid.width))
    return Grid(grid.crs, grid.transform @ Affine.scale(COARSER), height, width)


def ground_layers(
    grd: Grd, heights: Heights, grid: Grid, incidence: Path | None, progress: Progress
) -> GroundLayers:
    """Look at the ground of a map.

    Args:
        grd: The product.
        heights: The ground.
        grid: The map's.
        incidence: A GeoTIFF of incidence to write, or None.
        progress: Receives the stage.

    Raises:
        SourceError: If the DEM cannot be read.
    """
    layers = GroundLayers(coarse := coarser(grid), np.full((coarse.height, coarse.width), OUTSIDE, np.uint8))
    placing = Placing.of(grd)
    size = (grd.first.annotation.lines, grd.first.annotation.samples)
    windows = [
        Window(row, column, min(_TILE, coarse.height - row), min(_TILE, coarse.width - column))
        for row in range(0, coarse.height, _TILE)
        for column in range(0, coarse.width, _TILE)
    ]
    batches = [windows[first : first + _BATCH] for first in range(0, len(windows), _BATCH)]
    progress.start("incidence, layover and shadow", len(batches))
    target = None if incidence is None else create_layer(incidence, coarse, "int16", UNKNOWN)
    try:
        for batch in batches:
            for window, (numbers, mask) in zip(
                batch, each(lambda one: _tile(placing, heights, coarse.part(one), size), batch), strict=True
            ):
                rows, columns = window.slices
                layers.mask[rows, columns] = mask
                if target is not None:
                    target.write(
                        numbers, 1, window=GdalWindow(window.col, window.row, window.width, window.height)
                    )
            progress.advance()
        if target is not None:
            target.scales, target.units = (DEGREES,), ("degree",)
            target.descriptions = (INCIDENCE,)
    finally:
        if target is not None:
            target.close()
    return layers


def write_mask(layers: GroundLayers, path: Path) -> None:
    """Write which pixels are in layover or shadow as a GeoTIFF."""
    with create_layer(path, layers.grid, "uint8", OUTSIDE) as target:
        target.write(layers.mask, 1)
        target.descriptions = ("layover and shadow",)
        target.update_tags(1, CLASSES="0 seen, 1 layover, 2 shadow, 3 both")


def create_layer(path: Path, grid: Grid, dtype: str, nodata: int) -> Any:
    """A GeoTIFF of one layer, to be written."""
    return rasterio.open(
        path, "w", driver="GTiff", height=grid.height, width=grid.width, count=1, dtype=dtype, crs=grid.crs,
        transform=grid.transform, nodata=nodata, tiled=True, blockxsize=512, blockysize=512,
        compress="deflate", predictor=2, bigtiff="if_safer",
    )  # fmt: skip


def _tile(
    placing: Placing, heights: Heights, grid: Grid, size: tuple[int, int]
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Incidence in hundredths of a degree, and classes of the mask, of a tile."""
    shape = (grid.height, grid.width)
    numbers, mask = np.full(shape, UNKNOWN, np.int16), np.full(shape, OUTSIDE, np.uint8)
    lines, pixels = placing.locator.coordinates(grid, heights.over(grid))
    if image_window(lines, pixels, size) is None:
        return numbers, mask
    margin, wide, around = surroundings(grid, heights)
    # On samples of one record of ground range, so that the ground is not torn where the image's switches.
    record = placing.locator.record_at(float(np.nanmean(lines)))
    lines, pixels = placing.locator.coordinates(wide, around, record)
    surface = surface_of(wide, around, placing.orbit, placing.timing, lines, pixels)
    inner = slice(margin, margin + grid.height), slice(margin, margin + grid.width)
    degrees, hidden = local_incidence(surface)[inner], shadow(surface)[inner]
    lines, pixels = lines[inner], pixels[inner]
    within = (lines >= 0) & (lines <= size[0] - 1) & (pixels >= 0) & (pixels <= size[1] - 1)
    within &= np.isfinite(degrees)
    if (window := image_window(lines, pixels, size)) is None:
        return numbers, mask
    folds = layover(surface, window)
    rows = np.clip(np.rint(np.where(within, lines, window.row)).astype(np.intp) - window.row, 0, None)
    columns = np.clip(np.rint(np.where(within, pixels, window.col)).astype(np.intp) - window.col, 0, None)
    folded = folds[np.minimum(rows, window.height - 1), np.minimum(columns, window.width - 1)]
    mask[within] = (folded * LAYOVER + hidden * SHADOW)[within]
    numbers[within] = np.rint(degrees[within] / DEGREES)
    return numbers, mask
