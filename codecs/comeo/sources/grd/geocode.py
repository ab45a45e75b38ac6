"""From a GRD product to a map: calibrated power, resampled once, in decibels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform, transform_bounds
from rasterio.windows import Window as GdalWindow

from comeo.decibel import to_decibels
from comeo.errors import OutputError, SourceError
from comeo.grid import WGS84, Bounds, Grid
from comeo.leftovers import held_folder
from comeo.parallel import each
from comeo.progress import Progress, Silent
from comeo.radar.calibration import calibrate
from comeo.radar.lattice import Locator
from comeo.radar.resample import Image, resample
from comeo.scene import Window
from comeo.sources.dem import Heights
from comeo.sources.grd.product import Grd, GrdImage

Radiometry = Literal["sigma0", "gamma0"]
RADIOMETRIES: Final[tuple[Radiometry, ...]] = get_args(Radiometry)
DECIBELS: Final = 0.005
"""Step of the numbers in the file: an error of 0.0014 dB RMS."""
NODATA: Final = -32768
_TILE: Final = 1024
_MARGIN: Final = 1_000.0  # metres around the geolocation grid, whose heights lie 13 km apart
_FINEST: Final = 0.75  # of the image's own spacing
_COARSEST: Final = 100.0
_POLES: Final = 84.0  # degrees of latitude, beyond which UTM is not made for
_CLEAN_BORDERS: Final = (2, 90)  # version of the processor from which on what is no image is 0
_UNFINISHED: Final = ".comeo-geocode-"


@dataclass(frozen=True, slots=True)
class GeocodeOptions:
    """What to make of a product.

    Attributes:
        radiometry: Quantity of backscatter.
        pixel: Size of the map's pixels in metres; None for the product's own spacing, to tens of metres.
        noise: Whether to take thermal noise off, where the product tells of it.
        bbox: Area in degrees (west, south, east, north); None for all of the product.
    """

    radiometry: Radiometry = "sigma0"
    pixel: float | None = None
    noise: bool = True
    bbox: Bounds | None = None


@dataclass(slots=True)
class _Band:
    """A band in the making, with the counts of its pixels."""

    image: GrdImage
    valid: int = 0
    floored: int = 0


def geocode(
    grd: Grd, heights: Heights, options: GeocodeOptions, output: Path, progress: Progress | None = None
) -> None:
    """Write a product as a map: a GeoTIFF of decibels, a band a polarisation.

    Numbers are int16 in steps of 0.005 dB, stated as GDAL's scale.

    Args:
        grd: The product.
        heights: The ground.
        options: What to make of it.
        output: Name of the file; it is there when it is whole.
        progress: Receives the stages.

    Raises:
        SourceError: If the product, or the DEM, cannot be read.
        OutputError: If the file cannot be written.
    """
    progress = progress or Silent()
    annotation = grd.first.annotation
    orbit = annotation.orbit()
    locator = Locator(orbit, annotation.timing(orbit), annotation.middle)
    pixel, finer = _pixel(options.pixel, annotation.range_spacing)
    grid = scene_grid(grd, pixel)
    if options.bbox is not None:
        part = grid.within(transform_bounds(WGS84, grid.crs, *options.bbox))
        if part is None:
            raise SourceError("the bbox given lies outside the scene; give one that overlaps it")
        grid = part
    bands = {name: _Band(image) for name, image in grd.images.items()}
    for name, band in bands.items():
        if options.noise and band.image.noise is None:
            progress.note(f"thermal noise of {name} is not removed: {band.image.noise_missing}")
    if grd.ipf < _CLEAN_BORDERS:
        progress.note("dark noise at the borders of the image, which its old processor left, is not masked")
    try:
        with held_folder(output.parent, _UNFINISHED) as folder:
            unfinished = folder / "scene.tif"
            with _create(unfinished, grid, tuple(bands)) as target:
                _fill(target, grid, finer, bands, locator, heights, options, progress)
                _describe(target, grd, bands, options)
            unfinished.replace(output)
    except (OSError, RasterioError) as error:
        raise OutputError(output.name, str(error)[:200]) from error


def scene_grid(grd: Grd, pixel: float) -> Grid:
    """The map of a whole product: UTM of its centre, or polar stereographic beyond 84°, on whole pixels."""
    points = grd.first.annotation.grid
    middle = float(np.mean(points.latitudes))
    longitude = math.degrees(np.angle(np.exp(1j * np.radians(points.longitudes)).mean()))
    if abs(middle) > _POLES:
        crs = CRS.from_epsg(32661 if middle > 0 else 32761)
    else:
        zone = int((longitude + 180) // 6) % 60 + 1
        crs = CRS.from_epsg((32600 if middle >= 0 else 32700) + zone)
    xs, ys = (np.array(side) for side in transform(WGS84, crs, points.longitudes, points.latitudes))
    left, bottom = (math.floor((float(side.min()) - _MARGIN) / pixel) for side in (xs, ys))
    right, top = (math.ceil((float(side.max()) + _MARGIN) / pixel) for side in (xs, ys))
    return Grid(crs, Affine(pixel, 0, left * pixel, 0, -pixel, top * pixel), top - bottom, right - left)


def bounds_of(grd: Grd) -> Bounds:
    """West, south, east and north of a product in degrees; east is beyond 180 where it crosses that."""
    points = grd.first.annotation.grid
    longitudes = points.longitudes
    if np.ptp(longitudes) > 180:
        longitudes = np.where(longitudes < 0, longitudes + 360, longitudes)
    return (
        float(longitudes.min()), float(points.latitudes.min()),
        float(longitudes.max()), float(points.latitudes.max()),
    )  # fmt: skip


def _pixel(wanted: float | None, spacing: float) -> tuple[float, int]:
    """The size of a pixel, and how many samples a side its power is the mean of.

    Raises:
        SourceError: If it is finer than the image, or far coarser.
    """
    if wanted is None:
        return max(10.0, round(spacing / 10) * 10.0), 1
    if not _FINEST * spacing <= wanted <= _COARSEST * spacing:
        raise SourceError(
            f"pixels of {wanted:g} m cannot be made of samples {spacing:g} m apart; take "
            f"{spacing:g} to {_COARSEST * spacing:g}"
        )
    return wanted, max(1, round(wanted / spacing))


def _create(path: Path, grid: Grid, names: tuple[str, ...]) -> Any:
    """A tiled GeoTIFF to be written piece by piece."""
    target = rasterio.open(
        path, "w", driver="GTiff", height=grid.height, width=grid.width, count=len(names), dtype="int16",
        crs=grid.crs, transform=grid.transform, nodata=NODATA, tiled=True, blockxsize=512, blockysize=512,
        compress="deflate", zlevel=1, predictor=2, interleave="band", bigtiff="if_safer",
        num_threads="all_cpus",
    )  # fmt: skip
    target.scales = (DECIBELS,) * len(names)
    target.units = ("dB",) * len(names)
    target.descriptions = names
    return target


def _fill(
    target: Any, grid: Grid, finer: int, bands: Mapping[str, _Band], locator: Locator, heights: Heights,
    options: GeocodeOptions, progress: Progress,
) -> None:  # fmt: skip
    """Fill the map, a row of tiles at a time: GDAL's cache then has the lines that they share."""
    side = max(64, _TILE // finer)

    def tile(window: Window) -> list[tuple[NDArray[np.int16], int]]:
        part = grid.part(window)
        fine = Grid.over(part.bounds, grid.crs, window.height * finer, window.width * finer)
        lines, pixels = locator.coordinates(fine, heights.over(fine))
        return [_tile(band.image, lines, pixels, finer, options) for band in bands.values()]

    rows = range(0, grid.height, side)
    columns = range(0, grid.width, side)
    progress.start("geocoded", len(rows))
    for row in rows:
        windows = [
            Window(row, column, min(side, grid.height - row), min(side, grid.width - column))
            for column in columns
        ]
        for window, found in zip(windows, each(tile, windows), strict=True):
            where = GdalWindow(window.col, window.row, window.width, window.height)
            for index, ((values, floored), band) in enumerate(zip(found, bands.values(), strict=True), 1):
                target.write(values, index, window=where)
                band.valid += int(np.count_nonzero(values != NODATA))
                band.floored += floored
        progress.advance()


def _tile(
    image: GrdImage, lines: NDArray[np.float64], pixels: NDArray[np.float64], finer: int,
    options: GeocodeOptions,
) -> tuple[NDArray[np.int16], int]:  # fmt: skip
    """A band of a tile (y, x) int16, and how many of its pixels were raised to the floor."""
    shape = (lines.shape[0] // finer, lines.shape[1] // finer)
    window = _window(image, lines, pixels)
    if window is None:
        return np.full(shape, NODATA, np.int16), 0
    digital = image.read(window)
    table = image.calibration[options.radiometry]
    power = calibrate(digital, table, image.noise if options.noise else None, window)
    values, floor = resample(Image(window, power.values, power.floor, digital > 0), lines, pixels)
    if finer > 1:
        values, floor = (_means(one, finer) for one in (values, floor))
    floored = int(np.count_nonzero(values < floor))
    decibels = to_decibels(np.maximum(values, floor)) / np.float32(DECIBELS)
    known = np.isfinite(decibels)
    numbers = np.clip(np.rint(np.where(known, decibels, 0)), NODATA + 1, -NODATA - 1)
    return np.where(known, numbers, NODATA).astype(np.int16), floored


def _window(image: GrdImage, lines: NDArray[np.float64], pixels: NDArray[np.float64]) -> Window | None:
    """The part of an image that a tile needs, or None: at least two lines and samples."""
    size = (image.annotation.lines, image.annotation.samples)
    within = (lines >= 0) & (lines <= size[0] - 1) & (pixels >= 0) & (pixels <= size[1] - 1)
    if not within.any():
        return None
    spans = []
    for places, side in zip((lines, pixels), size, strict=True):
        inside = places[within]
        first = min(int(inside.min()), side - 2)
        spans.append((first, min(side, int(inside.max()) + 2)))
    (top, bottom), (left, right) = spans
    return Window(top, left, bottom - top, right - left)


def _means(values: NDArray[np.float32], finer: int) -> NDArray[np.float32]:
    """Means of finer × finer values; NaN where half of them are unknown or more."""
    height, width = values.shape[0] // finer, values.shape[1] // finer
    cells = values.reshape(height, finer, width, finer)
    counts = np.isfinite(cells).sum(axis=(1, 3))
    sums = np.nansum(cells, axis=(1, 3), dtype=np.float64)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=2 * counts > finer * finer)
    return np.asarray(means, np.float32)


def _describe(target: Any, grd: Grd, bands: Mapping[str, _Band], options: GeocodeOptions) -> None:
    """Write what is known of the map into its tags."""
    removed = all(band.image.noise is not None for band in bands.values()) and options.noise
    properties = grd.properties
    target.update_tags(
        DATETIME=f"{grd.first.annotation.start.astype('datetime64[ms]')}Z",
        PLATFORM=properties["platform"],
        PRODUCT=grd.name,
        QUANTITY=options.radiometry,
        THERMAL_NOISE="removed" if removed else "not removed",
        ORBIT_STATE=properties["sat:orbit_state"],
        RELATIVE_ORBIT=str(grd.relative_orbit),
        IPF=f"{grd.ipf[0]}.{grd.ipf[1]:02}",
    )
    for index, band in enumerate(bands.values(), 1):
        share = band.floored / band.valid if band.valid else 0.0
        target.update_tags(index, noise_floor_share=f"{share:.6f}")
