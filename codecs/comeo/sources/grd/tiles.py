"""One tile of a map: power looked up in calibrated images, and put into decibels behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.decibel import to_decibels
from comeo.grid import Grid
from comeo.radar.border import Border, find_border
from comeo.radar.calibration import calibrate
from comeo.radar.facets import surface_of
from comeo.radar.flattening import TerrainFlattening, beta_areas
from comeo.radar.resample import Image, resample
from comeo.scene import Window
from comeo.sources.dem import Heights
from comeo.sources.grd.luts import Quantity
from comeo.sources.grd.options import Radiometry
from comeo.sources.grd.placing import Placing, image_window, surroundings
from comeo.sources.grd.product import Grd, GrdImage

DECIBELS: Final = 0.005
"""Step of the numbers: an error of 0.0014 dB RMS."""
NODATA: Final = -32768
_QUANTITIES: Final[dict[Radiometry, Quantity]] = {"sigma0": "sigma0", "gamma0": "gamma0", "rtc": "beta0"}
_CLEAN_BORDERS: Final = (2, 90)  # version of the processor from which on what is no image is 0
Values = NDArray[np.float64]


class TileBand(NamedTuple):
    """A band of a tile.

    Attributes:
        numbers: (y, x) int16, in steps of 0.005 dB.
        floored: Pixels that were raised to the floor.
    """

    numbers: NDArray[np.int16]
    floored: int


@dataclass(frozen=True, slots=True)
class _Ground:
    """Where a tile lies in the image.

    Attributes:
        lines: (y, x) float64.
        pixels: (y, x) float64.
        window: The part of the image that it needs.
        factor: (y, x) float32 that power is multiplied by, or None.
    """

    lines: Values
    pixels: Values
    window: Window
    factor: NDArray[np.float32] | None


class Tiles:
    """Makes tiles of a product; several threads may at once.

    Args:
        grd: The product.
        heights: The ground.
        radiometry: Quantity of backscatter.
        noise: Whether to take thermal noise off, where the product tells of it.
        finer: Samples a side of a pixel that its power is the mean of.
    """

    def __init__(
        self, grd: Grd, heights: Heights, *, radiometry: Radiometry, noise: bool, finer: int
    ) -> None:
        self._grd, self._heights, self._radiometry, self._finer = grd, heights, radiometry, finer
        self._noise = noise
        annotation = grd.first.annotation
        self._size = (annotation.lines, annotation.samples)
        placing = Placing.of(grd)
        self._orbit, self._timing, self._locator = placing.orbit, placing.timing, placing.locator
        self._border: Border | None = None
        if grd.ipf < _CLEAN_BORDERS:
            first = grd.first
            self._border = find_border(first.read, first.noise, annotation.lines, annotation.samples)
        points = annotation.grid
        self._cells = beta_areas(
            self._orbit, self._timing, points.lines.astype(np.int64), points.pixels.astype(np.int64),
            (points.latitudes, points.longitudes, points.heights),
        )  # fmt: skip

    def make(self, grid: Grid) -> list[TileBand]:
        """A tile, a band a polarisation.

        Args:
            grid: The part of the map.

        Raises:
            SourceError: If an image or the DEM cannot be read.
        """
        fine = Grid.over(grid.bounds, grid.crs, grid.height * self._finer, grid.width * self._finer)
        ground = self._rtc(fine) if self._radiometry == "rtc" else self._plain(fine)
        if ground is None:
            return [
                TileBand(np.full((grid.height, grid.width), NODATA, np.int16), 0) for _ in self._grd.images
            ]
        valid = None
        if self._border is not None:
            first = self._grd.first
            valid = self._border.valid(first.read(ground.window), first.noise, ground.window)
        return [self._band(image, ground, valid) for image in self._grd.images.values()]

    def _band(self, image: GrdImage, ground: _Ground, valid: NDArray[np.bool_] | None) -> TileBand:
        digital = image.read(ground.window)
        power = calibrate(
            digital, image.calibration[_QUANTITIES[self._radiometry]],
            image.noise if self._noise else None, ground.window,
        )  # fmt: skip
        known = digital > 0 if valid is None else valid & (digital > 0)
        found = resample(Image(ground.window, power.values, power.floor, known), ground.lines, ground.pixels)
        values, floor = (
            _means(one if ground.factor is None else one * ground.factor, self._finer) for one in found
        )
        floored = int(np.count_nonzero(values < floor))
        return TileBand(_numbers(np.maximum(values, floor)), floored)

    def _plain(self, grid: Grid) -> _Ground | None:
        lines, pixels = self._locator.coordinates(grid, self._heights.over(grid))
        window = image_window(lines, pixels, self._size)
        return None if window is None else _Ground(lines, pixels, window, None)

    def _rtc(self, grid: Grid) -> _Ground | None:
        """As `_plain`, with the areas of the ground that shares cells of the image with the tile."""
        margin, wide, heights = surroundings(grid, self._heights)
        lines, pixels = self._locator.coordinates(wide, heights)
        inner = slice(margin, margin + grid.height), slice(margin, margin + grid.width)
        window = image_window(lines[inner], pixels[inner], self._size)
        if window is None:
            return None
        # Ground that is split where the image switches its record would seem to be stretched there: areas are
        # summed on samples of one record.
        record = self._locator.record_at(float(np.nanmean(lines[inner])))
        even, samples = self._locator.coordinates(wide, heights, record)
        around = image_window(even[inner], samples[inner], self._size)
        if around is None:
            return None
        flattening = TerrainFlattening(around, self._cells)
        flattening.add(surface_of(wide, heights, self._orbit, self._timing, even, samples))
        factor = flattening.factor(even[inner], samples[inner])
        return _Ground(lines[inner], pixels[inner], window, factor)


def _means(values: NDArray[np.float32], finer: int) -> NDArray[np.float32]:
    """Means of finer × finer values; NaN where half of them are unknown or more."""
    if finer == 1:
        return values
    height, width = values.shape[0] // finer, values.shape[1] // finer
    cells = values.reshape(height, finer, width, finer)
    counts = np.isfinite(cells).sum(axis=(1, 3))
    sums = np.nansum(cells, axis=(1, 3), dtype=np.float64)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=2 * counts > finer * finer)
    return np.asarray(means, np.float32)


def _numbers(power: NDArray[np.float32]) -> NDArray[np.int16]:
    """Power as steps of decibels; NaN and what is not above 0 as no data."""
    steps = to_decibels(power) / np.float32(DECIBELS)
    known = np.isfinite(steps)
    numbers = np.clip(np.rint(np.where(known, steps, 0)), NODATA + 1, -NODATA - 1)
    return np.where(known, numbers, NODATA).astype(np.int16)
