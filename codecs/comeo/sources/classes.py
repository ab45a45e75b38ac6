"""The classes beside a product's bands, Sentinel-2's SCL: found, opened, brought to those of archives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.missions import ClassLayer
from comeo.missions.sentinel2 import CLASSES
from comeo.scene import Band, ClassRaster, ClassSource
from comeo.sources.bandfile import open_band
from comeo.sources.container import Container
from comeo.sources.jp2 import tile_cache
from comeo.sources.raster import Plane, RasterBand

NATIVE_GSD: Final = 20
"""Metres: what the classification is made at; products carry resampled copies of it as well."""
_BAND: Final = Band(CLASSES.name)


def class_source(where: str, layer: ClassLayer, open_layer: Callable[[], RasterBand]) -> ClassSource:
    """A product's classes, opened when they are needed.

    Args:
        where: The product's name.
        layer: What its numbers mean.
        open_layer: Opens it as a band of numbers.
    """

    def open_() -> ClassRaster:
        try:
            band = open_layer()
        except (SourceError, OSError) as error:
            raise _unreadable(where, layer, str(error)) from error
        grid = band.grid
        return ClassRaster(
            grid.height, grid.width, grid.crs, grid.transform,
            lambda window: np.array(layer.clear, np.uint8)[_numbers(where, layer, band.read(window))],
            lambda window: _labels(layer, _numbers(where, layer, band.read(window))),
            lambda: class_shares(band, layer), band.close,
        )  # fmt: skip

    return ClassSource(layer.name, open_)


def file_source(
    container: Container, names: Iterable[str], grids: Mapping[int, Grid] | None = None,
    check: Callable[[str], None] = lambda _: None,
) -> ClassSource | None:  # fmt: skip
    """Classes in one of the files of a product, or None where it has none.

    Args:
        container: The product's files.
        names: Those of the scene.
        grids: By pixel size in metres, where the product's metadata state them; None for the files' own.
        check: Called with the file's name before it is opened; raises `SourceError` if it is damaged.

    Raises:
        SourceError: When they are opened, if the file cannot be read.
    """
    found = {name: _gsd(match.group(1), name) for name in names if (match := CLASSES.file.search(name))}
    if not found:
        return None
    chosen, gsd = min(found.items(), key=lambda item: (abs(item[1] - NATIVE_GSD), item[0]))

    def open_layer() -> RasterBand:
        check(chosen)
        return open_band(container.local(chosen), _BAND, tile_cache(), 0.0, (grids or {}).get(gsd))

    return class_source(container.path.name, CLASSES, open_layer)


def _gsd(stated: str | None, name: str) -> int:
    """Pixel size in metres of a file of classes, by its name or its folder's."""
    folder = re.fullmatch(r"R(\d\d)m", PurePosixPath(name).parent.name, re.IGNORECASE)
    return int(stated or (folder.group(1) if folder else NATIVE_GSD))


def _unreadable(where: str, layer: ClassLayer, reason: str) -> SourceError:
    return SourceError(f"the {layer.name} of {where} cannot be read: {reason}")


def _labels(layer: ClassLayer, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(np.isin(numbers, layer.unusable), -1, numbers)


def _numbers(where: str, layer: ClassLayer, plane: Plane) -> NDArray[np.int64]:
    """A layer's numbers, 0 where it has no data.

    Raises:
        SourceError: If one is none of its classes.
    """
    values = np.where(plane.valid, plane.values, 0)
    numbers = values.astype(np.int64)
    if (numbers != values).any() or numbers.min() < 0 or numbers.max() >= len(layer.clear):
        odd = values[(numbers != values) | (numbers < 0) | (numbers >= len(layer.clear))].flat[0]
        reason = f"it has the number {odd:g}, and its classes are 0 to {len(layer.clear) - 1}"
        raise _unreadable(where, layer, reason)
    return numbers


def class_shares(classes: RasterBand, layer: ClassLayer) -> dict[str, float]:
    """Cloud cover and the like from a layer of classes, in percent of its valid pixels."""
    counts = np.zeros(256, np.int64)
    for values, valid in classes.strips():
        counts += np.bincount(np.clip(values[valid], 0, 255).astype(np.int64), minlength=256)
    total = int(counts[1:].sum())
    if not total:
        return {}
    return {
        name: round(100.0 * int(counts[list(numbers)].sum()) / total, 4)
        for name, numbers in layer.shares.items()
    }
