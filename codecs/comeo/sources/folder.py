"""A folder of band files, one each, whose names say which: `T33UUU_20170216T102101_B04.jp2`, `B04.tif`."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from comeo.errors import SourceError
from comeo.missions import ancillary_file, band_name, band_order, native_gsd, nodata_in
from comeo.scene import Band
from comeo.sources import gdal
from comeo.sources.assemble import Product
from comeo.sources.jp2 import Jp2File, TileCache, jp2_band, tile_cache
from comeo.sources.naming import NameFacts, facts_of
from comeo.sources.paths import inside
from comeo.sources.raster import RasterBand

logger = logging.getLogger(__name__)

GEOTIFF_SUFFIXES: Final = (".tif", ".tiff")
JP2_SUFFIXES: Final = (".jp2", ".j2k")


def band_files(path: Path) -> list[Path]:
    """The raster files of a folder, or of its folders by resolution (R10m, R20m, R60m).

    Raises:
        SourceError: If one is a link that leads out of the folder.
    """
    suffixes = GEOTIFF_SUFFIXES + JP2_SUFFIXES
    files = [file for folder in (path, *path.glob("R[126]0m")) for file in folder.iterdir()]
    return sorted(inside(path, file) for file in files if file.suffix.lower() in suffixes and file.is_file())


def open_folder(path: Path, wanted: tuple[str, ...] | None) -> Product:
    """Open a folder of band files.

    Args:
        path: The folder.
        wanted: Names of the bands to take; by default all.

    Raises:
        SourceError: If its files are not understood, or are not of one scene.
    """
    files = _choose(path, _by_band(path), wanted)
    facts = _shared_facts(path, files)
    cache = tile_cache()
    bands: list[RasterBand] = []
    try:
        bands.extend(open_band(file, Band(name), cache) for name, file in files.items())
    except BaseException:
        for band in bands:
            band.close()
        raise
    return Product(path.name, bands, path.name, facts)


def _by_band(path: Path) -> dict[str, list[Path]]:
    """Files by the band they hold, in the instrument's order."""
    found: dict[str, list[Path]] = {}
    for file in band_files(path):
        if layer := ancillary_file(file.stem):
            logger.info("%s: %s is the layer %s, not a band, and is left out", path.name, file.name, layer)
            continue
        name = band_in(file.stem)
        if name is None:
            raise SourceError(
                f"{path.name}: the name of {file.name} does not say which band it holds; "
                "rename it, as B04.tif, or remove it"
            )
        found.setdefault(name, []).append(file)
    return dict(sorted(found.items(), key=lambda item: band_order(item[0])))


def band_in(stem: str) -> str | None:
    """The band that a file's name states; the last word that can be one counts."""
    words = reversed(re.split(r"[^A-Za-z0-9]+", stem))
    return next((name for word in words if (name := band_name(word))), None)


def _choose(path: Path, found: dict[str, list[Path]], wanted: tuple[str, ...] | None) -> dict[str, Path]:
    """One file a band: where a band comes at several resolutions, the one at its own."""
    if wanted is not None:
        names = tuple(band_name(name) or name for name in wanted)
        if missing := [name for name in names if name not in found]:
            raise SourceError(
                f"{path.name} has no file of band {', '.join(missing)}: it has {', '.join(found)}"
            )
        found = {name: files for name, files in found.items() if name in names}
    chosen: dict[str, Path] = {}
    for name, files in found.items():
        native = [file for file in files if file.stem.endswith(f"_{native_gsd(name)}m")]
        candidates = native or files
        if len(candidates) > 1:
            raise SourceError(
                f"{path.name} has more than one file of band {name}: {', '.join(f.name for f in files)}"
            )
        chosen[name] = candidates[0]
    return chosen


def _shared_facts(path: Path, files: dict[str, Path]) -> NameFacts:
    """Facts in the names of the folder and its files together.

    Raises:
        SourceError: If the files are of several scenes.
    """
    own = facts_of(path.name)
    each = [facts_of(file.stem) for file in files.values()]
    for what, values in (
        ("times", {facts.instant for facts in each if facts.instant}),
        ("dates", {facts.day for facts in each if facts.day and not facts.instant}),
        ("tiles", {facts.properties["s2:mgrs_tile"] for facts in each if "s2:mgrs_tile" in facts.properties}),
    ):
        if len(values) > 1:
            raise SourceError(f"{path.name} holds files of several scenes: their names have different {what}")
    first = each[0] if each else NameFacts()
    return replace(
        own,
        mission=own.mission or first.mission,
        level=own.level or first.level,
        instant=first.instant or own.instant,
        day=first.day or own.day,
        properties=own.properties | first.properties,
    )


def open_band(file: Path, band: Band, cache: TileCache, nodata: float | None = None) -> RasterBand:
    """Open a file that holds one band.

    Args:
        file: GeoTIFF or JPEG 2000.
        band: Its description; scale, offset and unit that are the defaults are taken from the file.
        cache: Keeps decoded tiles of JPEG 2000.
        nodata: Number that marks invalid pixels where the file itself states none.

    Raises:
        SourceError: If it cannot be read, or has several bands.
    """
    is_jp2 = file.suffix.lower() in JP2_SUFFIXES
    raster = gdal.GdalFile(file, gdal.JPEG2000 if is_jp2 else gdal.GEOTIFF)
    gdal.warn_of_side_files(file)
    try:
        grid = gdal.grid_of(raster)
        with raster.handle() as dataset:
            count = len(dataset.indexes) - len(gdal.alpha_indexes(dataset))
            if count != 1:
                raise SourceError(f"{file.name} has {count} bands; a file in a folder of bands has one")
            stated = (float(dataset.scales[0]), float(dataset.offsets[0]))
            unit, own_nodata = dataset.units[0] or "", dataset.nodatavals[0]
        if (band.scale, band.offset) == (1.0, 0.0):
            band = replace(band, scale=stated[0], offset=stated[1], unit=band.unit or unit)
        if not is_jp2:
            return gdal.band_of(raster, grid, 1, band, nodata)
        raster.close()
        marker = own_nodata if nodata is None else nodata
        marker = nodata_in(file.stem) if marker is None else marker
        return jp2_band(Jp2File(file, cache), grid, band, None if marker is None else int(marker))
    except BaseException:
        raster.close()
        raise
