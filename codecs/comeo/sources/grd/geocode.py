"""From a GRD product to a map: calibrated power, resampled once, in decibels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform, transform_bounds
from rasterio.windows import Window as GdalWindow

from comeo.errors import OutputError, SourceError
from comeo.grid import WGS84, Bounds, Grid
from comeo.leftovers import held_folder
from comeo.parallel import each
from comeo.progress import Progress, Silent
from comeo.scene import Window
from comeo.sources.dem import Heights
from comeo.sources.grd.product import Grd, GrdImage
from comeo.sources.grd.tiles import DECIBELS, NODATA, Radiometry, TileBand, Tiles

_TILE: Final = 1024
_LEAST_TILE: Final = 64
_MARGIN: Final = 1_000.0  # metres around the geolocation grid, whose heights lie 13 km apart
_FINEST: Final = 0.75  # of the image's own spacing
_COARSEST: Final = 100.0
_POLES: Final = 84.0  # degrees of latitude, beyond which UTM is not made for
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
    pixel, finer = _pixel(options.pixel, grd.first.annotation.range_spacing)
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
    tiles = Tiles(grd, heights, radiometry=options.radiometry, noise=options.noise, finer=finer)
    try:
        with held_folder(output.parent, _UNFINISHED) as folder:
            unfinished = folder / "scene.tif"
            with _create(unfinished, grid, tuple(bands)) as target:
                _fill(target, grid, max(_LEAST_TILE, _TILE // finer), tiles, bands, progress)
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
    target: Any, grid: Grid, side: int, tiles: Tiles, bands: Mapping[str, _Band], progress: Progress
) -> None:
    """Fill the map, a row of tiles at a time: GDAL's cache then has the lines that they share."""
    rows = range(0, grid.height, side)
    columns = range(0, grid.width, side)
    progress.start("geocoded", len(rows))

    def make(window: Window) -> list[TileBand]:
        return tiles.make(grid.part(window))

    for row in rows:
        windows = [
            Window(row, column, min(side, grid.height - row), min(side, grid.width - column))
            for column in columns
        ]
        for window, found in zip(windows, each(make, windows), strict=True):
            where = GdalWindow(window.col, window.row, window.width, window.height)
            for index, ((numbers, floored), band) in enumerate(zip(found, bands.values(), strict=True), 1):
                target.write(numbers, index, window=where)
                band.valid += int(np.count_nonzero(numbers != NODATA))
                band.floored += floored
        progress.advance()


def _describe(target: Any, grd: Grd, bands: Mapping[str, _Band], options: GeocodeOptions) -> None:
    """Write what is known of the map into its tags."""
    removed = all(band.image.noise is not None for band in bands.values()) and options.noise
    properties = grd.properties
    target.update_tags(
        DATETIME=f"{grd.first.annotation.start.astype('datetime64[ms]')}Z",
        PLATFORM=properties["platform"],
        PRODUCT=grd.name,
        QUANTITY="gamma0-rtc" if options.radiometry == "rtc" else options.radiometry,
        THERMAL_NOISE="removed" if removed else "not removed",
        ORBIT_STATE=properties["sat:orbit_state"],
        RELATIVE_ORBIT=str(grd.relative_orbit),
        IPF=f"{grd.ipf[0]}.{grd.ipf[1]:02}",
    )
    for index, band in enumerate(bands.values(), 1):
        share = band.floored / band.valid if band.valid else 0.0
        target.update_tags(index, noise_floor_share=f"{share:.6f}")
