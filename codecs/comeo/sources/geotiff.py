"""A multi-band GeoTIFF whose band descriptions name the bands."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.missions import ClassLayer, ancillary_name, class_layer, described_band, unit_in
from comeo.scene import Band, Window
from comeo.sources import gdal
from comeo.sources.assemble import Product
from comeo.sources.naming import facts_of, parse_time
from comeo.sources.raster import RasterBand

logger = logging.getLogger(__name__)

_TIME_TAGS: Final = ("datetime", "acquisition_datetime", "sensing_time", "SENSING_TIME", "acquisition_date")
_STRIP_PIXELS: Final = 1 << 22


def open_geotiff(path: Path, names: tuple[str, ...] | None) -> Product:
    """Open a GeoTIFF.

    Args:
        path: The file.
        names: Names of its bands in order; by default their descriptions.

    Raises:
        SourceError: If its bands are not named, or no scene can be made of it.
    """
    file = gdal.GdalFile(path)
    gdal.warn_of_side_files(path)
    try:
        return _product(file, path, names)
    except BaseException:
        file.close()
        raise


def _product(file: gdal.GdalFile, path: Path, names: tuple[str, ...] | None) -> Product:
    grid = gdal.grid_of(file)
    with file.handle() as dataset:
        alpha = gdal.alpha_indexes(dataset)
        indexes = [index for index in dataset.indexes if index not in alpha]
        descriptions = [dataset.descriptions[index - 1] or "" for index in indexes]
        tags = dataset.tags()
        scales, offsets, units = dataset.scales, dataset.offsets, dataset.units
    facts = facts_of(path.stem)
    names = _band_names(path, descriptions, names, facts.mission)
    bands: list[RasterBand] = []
    properties: dict[str, Any] = {}
    for index, name in zip(indexes, names, strict=True):
        unit = str(units[index - 1] or unit_in(path.stem, name))
        band = Band(name, float(scales[index - 1]), float(offsets[index - 1]), unit)
        raster = gdal.band_of(file, grid, index, band)
        if layer := ancillary_name(name):
            logger.warning("%s: layer %s is not a band and is left out", path.name, name)
            if classes := class_layer(layer):
                properties |= class_shares(raster, classes)
            continue
        bands.append(raster)
    return Product(path.name, bands, path.stem, facts, _time(tags, path), properties=properties)


def _band_names(
    path: Path, descriptions: list[str], names: tuple[str, ...] | None, mission: str
) -> tuple[str, ...]:
    """Return each band's name, as given or as described."""
    if names is not None:
        if len(names) != len(descriptions):
            raise SourceError(f"{path.name} has {len(descriptions)} bands, but {len(names)} names were given")
        found = names
    else:
        found = tuple(text.strip() for text in descriptions)
        if unnamed := [str(i) for i, text in enumerate(found, 1) if not text]:
            raise SourceError(
                f"{path.name} does not name its band {', '.join(unnamed)}; name all its bands "
                "with `--bands`, or write descriptions into the file"
            )
    found = tuple(described_band(text, mission) for text in found)
    if twice := [name for name, count in Counter(found).items() if count > 1]:
        raise SourceError(
            f"{path.name} has more than one band named {', '.join(twice)}; name them with `--bands`"
        )
    return found


def _time(tags: dict[str, str], path: Path) -> datetime | None:
    """Acquisition as a metadata item of the file states it.

    The TIFF tag DateTime is not used: it says when the file was written.
    """
    for name in _TIME_TAGS:
        if text := tags.get(name):
            return parse_time(text, path.name).astimezone(UTC)
    return None


def class_shares(scene_classes: RasterBand, layer: ClassLayer) -> dict[str, float]:
    """Cloud cover and the like from a layer of classes, in percent of its valid pixels."""
    counts = np.zeros(256, np.int64)
    grid: Grid = scene_classes.grid
    rows = max(1, _STRIP_PIXELS // grid.width)
    for row in range(0, grid.height, rows):
        values, valid = scene_classes.read(Window(row, 0, min(rows, grid.height - row), grid.width))
        counts += np.bincount(np.clip(values[valid], 0, 255).astype(np.int64), minlength=256)
    total = int(counts[1:].sum())
    if not total:
        return {}
    return {
        name: round(100.0 * int(counts[list(classes)].sum()) / total, 4)
        for name, classes in layer.shares.items()
    }
