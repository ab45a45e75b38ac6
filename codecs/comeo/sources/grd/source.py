"""A GRD product as a source: brought onto a map once, in a temporary file that scenes are read from.

Rate control reads a scene up to five times, so it is not made anew each time.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from affine import Affine

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.leftovers import held_folder
from comeo.missions.backscatter import GEOCODED
from comeo.progress import Progress
from comeo.scene import TERRAIN_CORRECTED, Band, Window
from comeo.sources.assemble import Overrides, Product, checksum_of
from comeo.sources.container import Container
from comeo.sources.dem import Dem, Heights
from comeo.sources.gdal import GdalFile, band_of, grid_of
from comeo.sources.geotiff import open_geotiff
from comeo.sources.grd.geocode import FAST, geocode, incidence_beside
from comeo.sources.grd.ground import DEGREES, INCIDENCE
from comeo.sources.grd.mapgrid import bounds_of
from comeo.sources.grd.options import GeocodeOptions
from comeo.sources.grd.orbitfile import read_orbit
from comeo.sources.grd.product import Grd, open_grd
from comeo.sources.grd.rough import OwnHeights, expected_displacement
from comeo.sources.naming import facts_of
from comeo.sources.raster import Plane, RasterBand

DISPLACEMENT: Final = "comeo:displacement"
"""Item property: metres by which places of a scene that is not terrain-corrected may be off."""
NOT_CORRECTED: Final = "sentinel-1-not-terrain-corrected"
_TEMPORARY: Final = "comeo-geocoded-"
_IMAGE: Final = re.compile(r"(?:.*/)?(?:measurement|annotation)/[^/]+\.(?:tiff?|xml)", re.IGNORECASE)
_MEAN: Final = 2
"""Cells of the layer of incidence along a side of a pixel of the band. Scenes have one step for all their
bands, a few decibels at a ratio of 100, so a few degrees: cells of 30 m would take a third of the bytes."""


def is_grd(container: Container) -> bool:
    """Whether a container holds a product in radar geometry with its annotation."""
    names = [name for name in container.names if _IMAGE.fullmatch(name)]
    if any(GEOCODED.search(name) for name in (container.path.name, *names)):
        return False
    return any(name.endswith(".xml") for name in names)


@contextmanager
def ground_of(grd: Grd, options: GeocodeOptions, progress: Progress) -> Iterator[Heights]:
    """The ground under a product; what is unknown of it is said at the end.

    Raises:
        SourceError: If the DEM cannot be read, or is of another place.
    """
    if options.dem is None:
        off, slope = expected_displacement(grd)
        progress.note(
            "no DEM is given: the scene can be shown, but is not terrain-corrected. Expect places to be off "
            f"by up to {off:.0f} m across the satellite's track, and by {slope:.0f} m for each 100 m by "
            "which the ground differs from the product's own heights, 10 to 20 km apart; give --dem for maps"
        )
        yield OwnHeights(grd)
        return
    with Dem(options.dem, options.dem_heights) as dem:
        dem.check_covers(bounds_of(grd))
        yield dem
        if dem.voids:
            share = 100 * dem.voids / dem.pixels
            progress.note(f"{share:.1f} % of the map has no height in {dem.name}: it is taken as sea")


@contextmanager
def opened(container: Container, options: GeocodeOptions, bands: tuple[str, ...] | None) -> Iterator[Grd]:
    """A product with the orbit and the polarisations that are wanted.

    Raises:
        SourceError: If it is none, or has no such polarisations, or the orbit file is not of it.
    """
    grd = open_grd(container)
    try:
        if missing := sorted(set(bands or ()) - set(grd.images)):
            raise SourceError(
                f"{grd.name} has {', '.join(grd.images)}, and not {', '.join(missing)}; correct --bands"
            )
        images = {name: image for name, image in grd.images.items() if name in (bands or grd.images)}
        precise = None if options.orbit is None else read_orbit(options.orbit, grd.first.annotation)
        yield replace(grd, images=images, precise=precise)
    finally:
        grd.close()


def open_grd_source(container: Container, overrides: Overrides) -> Product:
    """Open a GRD product as a source: it is geocoded here.

    Args:
        container: Its files; closed here.
        overrides: Facts that the caller gives; their bands are the polarisations to take.

    Raises:
        SourceError: If it cannot be read, or numbers are given for what is calibrated by its own tables.
        OutputError: If there is no room for the temporary file.
    """
    if overrides.numbers.is_given:
        raise SourceError(
            f"{container.path.name} is calibrated by its own tables: leave scale, offset, unit, nodata and "
            "quantity out; --radiometry chooses the quantity"
        )
    options, progress = overrides.geocoding or GeocodeOptions(), overrides.progress
    with ExitStack() as stack:
        folder = stack.enter_context(held_folder(Path(tempfile.gettempdir()), _TEMPORARY))
        with closing(container), opened(container, options, overrides.bands) as grd:
            path = folder / f"{grd.name}.tif"
            with ground_of(grd, options, progress) as ground:
                properties = geocode(grd, ground, options, path, progress, FAST)
                properties |= ground_properties(grd, ground)
            checksum = checksum_of([Path(image.file.path) for image in grd.images.values()])
            moment = grd.first.annotation.start
        bands = open_geotiff(path, replace(overrides, bands=None)).bands
        if options.incidence:
            bands.append(_incidence(incidence_beside(path)))
        return Product(
            name=container.path.name,
            bands=bands,
            default_id=grd.name,
            facts=facts_of(grd.name),
            datetime=datetime.fromtimestamp(float(moment.astype(np.int64)) / 1e9, UTC),
            default_collection="" if properties[TERRAIN_CORRECTED] else NOT_CORRECTED,
            properties=properties,
            checksum=checksum,
            marks=("Sentinel-1",),
            release=stack.pop_all().close,
        )


def ground_properties(grd: Grd, ground: Heights) -> dict[str, Any]:
    """What the Item of a scene says of the ground that it was placed by."""
    if not isinstance(ground, Dem):
        off, _ = expected_displacement(grd)
        return {TERRAIN_CORRECTED: False, DISPLACEMENT: round(off, 1)}
    return {
        TERRAIN_CORRECTED: True,
        "comeo:dem": ground.name,
        "comeo:dem_heights": ground.datum,
        "comeo:dem_void_percentage": round(100 * ground.voids / max(1, ground.pixels), 4),
    }


def _incidence(path: Path) -> RasterBand:
    """The layer of incidence as a band of degrees: on its own grid, so it is coded apart from the radar's."""
    file = GdalFile(path)
    layer = grid_of(file)
    item = band_of(file, layer, 1, Band(INCIDENCE, unit="degree"))
    height, width = (-(-side // _MEAN) for side in (layer.height, layer.width))
    grid = Grid(layer.crs, layer.transform @ Affine.scale(_MEAN), height, width)

    def means(window: Window) -> Plane:
        top, left = _MEAN * window.row, _MEAN * window.col
        tall, wide = _MEAN * window.height, _MEAN * window.width
        part = Window(top, left, min(tall, layer.height - top), min(wide, layer.width - left))
        values, valid = item.read(part)
        around = (0, tall - part.height), (0, wide - part.width)
        cells = window.height, _MEAN, window.width, _MEAN
        counts = np.pad(valid, around).reshape(cells).sum(axis=(1, 3))
        sums = np.pad(np.where(valid, values, 0), around).reshape(cells).sum(axis=(1, 3), dtype=np.float64)
        degrees = np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0) * DEGREES
        return Plane(degrees.astype(np.float32), counts > 0)

    return replace(item, grid=grid, read=means, source_dtype="")
