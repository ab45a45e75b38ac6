"""Overviews and statistics of rasters in decibels, as means of power: GDAL would average the decibels.

GDAL's COG driver takes overviews and statistics that a source has already, and a VRT can say where they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import SubElement

import numpy as np
import rasterio
from defusedxml.ElementTree import parse
from numpy.typing import NDArray
from rasterio.shutil import copy as copy_dataset
from rasterio.windows import Window

from comeo.decibel import Reduction

COARSEST_SIDE: Final = 512
"""Overviews go on until no side is longer: as with GDAL's COG driver."""
_STRIP: Final = 256  # rows of an overview that are made at once


def with_overviews(plain: Path, folder: Path, reduction: Reduction) -> Path:
    """Make the overviews of a GeoTIFF.

    Args:
        plain: The GeoTIFF, its invalid pixels NaN or another number.
        folder: For the overviews.
        reduction: What means of its bands are means of.

    Returns:
        A VRT of the GeoTIFF with overviews and statistics.
    """
    files = [plain]
    while max(_size(files[-1])) > COARSEST_SIDE:
        half = folder / f"overview-{len(files)}.tif"
        _halve(files[-1], half, reduction)
        files.append(half)
    combined = folder / "overviews.vrt"
    copy_dataset(plain, combined, driver="VRT")
    tree = parse(combined)
    for band, summary in enumerate(_statistics(plain, reduction), 1):
        element = tree.findall("VRTRasterBand")[band - 1]
        for file in files[1:]:
            overview = SubElement(element, "Overview")
            SubElement(overview, "SourceFilename", relativeToVRT="1").text = file.name
            SubElement(overview, "SourceBand").text = str(band)
        metadata = element.find("Metadata")
        metadata = SubElement(element, "Metadata") if metadata is None else metadata
        for name, value in summary.items():
            SubElement(metadata, "MDI", key=f"STATISTICS_{name}").text = f"{value:.14g}"
    tree.write(combined)
    return combined


def _size(file: Path) -> tuple[int, int]:
    with rasterio.open(file) as dataset:
        return dataset.height, dataset.width


def _halve(source: Path, target: Path, reduction: Reduction) -> None:
    """Write a GeoTIFF of half the size."""
    with rasterio.open(source) as fine:
        height, width = -(-fine.height // 2), -(-fine.width // 2)
        profile = {**fine.profile, "height": height, "width": width}
        with rasterio.open(target, "w", **profile) as coarse:
            for row in range(0, height, _STRIP):
                rows = min(_STRIP, height - row)
                values = reduction.down(_read(fine, 2 * row, 2 * rows), 1)
                coarse.write(_numbers(values, coarse), window=Window(0, row, width, rows))


def _read(dataset: Any, row: int, rows: int) -> NDArray[np.float32]:
    """Some rows (bands, y, x), NaN where invalid."""
    rows = min(rows, dataset.height - row)
    values: NDArray[Any] = dataset.read(window=Window(0, row, dataset.width, rows))
    numbers = values.astype(np.float32)
    if dataset.nodata is not None:
        numbers[values == dataset.nodata] = np.nan
    return numbers


def _numbers(values: NDArray[np.float32], dataset: Any) -> NDArray[Any]:
    """Values as a dataset has them."""
    kind = np.dtype(dataset.dtypes[0])
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    whole = np.clip(np.rint(values), limits.min + 1, limits.max)
    return np.where(np.isnan(values), dataset.nodata or 0, whole).astype(kind)


def _statistics(file: Path, reduction: Reduction) -> Iterator[dict[str, float]]:
    """GDAL's statistics of each band, the mean being that of power; the deviation is that of the numbers."""
    with rasterio.open(file) as dataset:
        parts = [_sums(part, reduction) for part in _strips(dataset)]
        pixels = dataset.height * dataset.width
    count, lowest, highest, total, squares, power = (np.stack(each) for each in zip(*parts, strict=True))
    counts = count.sum(axis=0)
    known = np.maximum(counts, 1)
    means = total.sum(axis=0) / known
    deviations = np.sqrt(np.maximum(squares.sum(axis=0) / known - means**2, 0))
    power_means = reduction.after((power.sum(axis=0) / known).astype(np.float32))
    for band, number in enumerate(counts):
        if number:
            yield {
                "MINIMUM": lowest.min(axis=0)[band], "MAXIMUM": highest.max(axis=0)[band],
                "MEAN": power_means[band], "STDDEV": deviations[band],
                "VALID_PERCENT": math.floor(1e4 * number / pixels) / 100,
            }  # fmt: skip
        else:
            yield {}


def _strips(dataset: Any) -> Iterator[NDArray[np.float32]]:
    for row in range(0, dataset.height, _STRIP):
        yield _read(dataset, row, _STRIP)


def _sums(values: NDArray[np.float32], reduction: Reduction) -> tuple[NDArray[np.float64], ...]:
    """Of each band: number, lowest, highest, sum and squares of its pixels, and what is averaged summed."""
    known = ~np.isnan(values)
    every = (1, 2)
    filled = np.where(known, values, 0).astype(np.float64)
    powers = np.where(known, reduction.before(values), 0)
    return (
        known.sum(axis=every), np.min(values, axis=every, where=known, initial=np.inf),
        np.max(values, axis=every, where=known, initial=-np.inf), filled.sum(axis=every),
        np.square(filled).sum(axis=every), powers.sum(axis=every, dtype=np.float64),
    )  # fmt: skip
