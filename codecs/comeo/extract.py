"""Pixels of an archive as a Cloud-Optimized GeoTIFF on the scene's own grid."""

from __future__ import annotations

import contextlib
import math
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.shutil import copy as copy_dataset
from rasterio.warp import reproject, transform_bounds
from rasterio.windows import Window as RasterWindow

from comeo.archive import Archive, ArchiveGroup, Level
from comeo.errors import ArchiveError
from comeo.progress import Progress, Silent
from comeo.scene import Window

_STRIP_BLOCKS = 4


def extract_geotiff(
    archive: Archive,
    output: Path,
    *,
    bbox: tuple[float, float, float, float] | None = None,
    bands: Sequence[str] | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write bands of an archive, at the finest resolution among them, coarser ones interpolated bilinearly.

    Args:
        archive: An open archive.
        output: The GeoTIFF. It appears only when it is whole.
        bbox: West, south, east, north in degrees; the smallest window of whole pixels around it. None: all.
        bands: Names of bands, in the order of the file. None: all of the finest group.
        force: Replace a file of that name.
        progress: Told how far the work has come.

    Raises:
        ArchiveError: If a band is unknown, the area lies outside the scene, the archive is damaged, or
            the file can't be written.
    """
    if output.exists() and not force:
        raise ArchiveError(f"{output} exists already; use --force to replace it")
    groups = list(archive.groups.values())
    names = list(bands) if bands else [band.name for band in groups[0].bands]
    homes = [_home(archive, name) for name in names]
    finest = min((group for group, _ in homes), key=groups.index)
    level = finest.levels[0]
    window = Window(0, 0, level.height, level.width) if bbox is None else _window(archive, finest, bbox)
    watch = progress or Silent()
    watch.start("extracting", math.ceil(window.height / (_STRIP_BLOCKS * level.block)))
    with (
        _writing(output),
        tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder,
    ):
        plain = Path(folder) / "plain.tif"
        with rasterio.open(plain, "w", **_profile(finest, window, len(names))) as target:
            _describe(target, archive, homes)
            for strip in _strips(window, level):
                pixels = _read_strip(archive, homes, level, strip)
                target.write(
                    pixels, window=RasterWindow(0, strip.row - window.row, strip.width, strip.height)
                )
                watch.advance()
        whole = Path(folder) / f"{uuid.uuid4().hex}.tif"
        copy_dataset(
            plain, whole, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", LEVEL="6",
            OVERVIEW_RESAMPLING="AVERAGE", NUM_THREADS="ALL_CPUS", BIGTIFF="IF_SAFER",
        )  # fmt: skip
        whole.replace(output)


@contextlib.contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Make the folder, and say what could not be written: neither GDAL's message nor the system's does."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, RasterioError) as error:
        reason = getattr(error, "strerror", None) or error.__cause__ or error
        raise ArchiveError(f"{output} can't be written: {reason}") from error


def _home(archive: Archive, name: str) -> tuple[ArchiveGroup, int]:
    """The group that holds a band and the band's place in it."""
    for group in archive.groups.values():
        for index, band in enumerate(group.bands):
            if band.name == name:
                return group, index
    known = ", ".join(band.name for group in archive.groups.values() for band in group.bands)
    raise ArchiveError(f"{archive.id} has no band {name}; it has {known}")


def _window(archive: Archive, group: ArchiveGroup, bbox: tuple[float, float, float, float]) -> Window:
    west, south, east, north = bbox
    if not (all(math.isfinite(x) for x in bbox) and west < east and south < north):
        raise ArchiveError(
            "the area is west, south, east, north in degrees, with west < east and south < north"
        )
    level = group.levels[0]
    outside = ArchiveError(f"the area lies outside {archive.id}, which covers {archive.item['bbox']}")
    box = transform_bounds("EPSG:4326", group.crs, *_near(archive, bbox))
    if not all(math.isfinite(x) for x in box):  # too far away for the scene's projection
        raise outside
    corners = [~level.transform @ (x, y) for x in box[::2] for y in box[1::2]]
    first_col = max(0, math.floor(min(x for x, _ in corners)))
    first_row = max(0, math.floor(min(y for _, y in corners)))
    last_col = min(level.width, math.ceil(max(x for x, _ in corners)))
    last_row = min(level.height, math.ceil(max(y for _, y in corners)))
    if first_col >= last_col or first_row >= last_row:
        raise outside
    return Window(first_row, first_col, last_row - first_row, last_col - first_col)


def _near(archive: Archive, bbox: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The part of an area near the scene, if there is one: far away its projection may have no numbers."""
    west, south, east, north = archive.item["bbox"]
    if west > east:  # across the antimeridian
        west, east = bbox[0], bbox[2]
    margin = 0.1
    near = (
        max(bbox[0], west - margin), max(bbox[1], south - margin),
        min(bbox[2], east + margin), min(bbox[3], north + margin),
    )  # fmt: skip
    return near if near[0] < near[2] and near[1] < near[3] else bbox


def _profile(group: ArchiveGroup, window: Window, count: int) -> dict[str, Any]:
    transform = group.levels[0].transform
    return {
        "driver": "GTiff", "dtype": group.dtype.name, "count": count, "height": window.height,
        "width": window.width, "crs": group.crs, "nodata": group.nodata, "tiled": True, "blockxsize": 256,
        "blockysize": 256, "bigtiff": "if_safer", "interleave": "band",
        "transform": transform @ transform.translation(window.col, window.row),
    }  # fmt: skip


def _describe(target: Any, archive: Archive, homes: Sequence[tuple[ArchiveGroup, int]]) -> None:
    """Say in the file what it is, from what, and how it was coded."""
    bands = [group.bands[index] for group, index in homes]
    target.descriptions = [band.name for band in bands]
    target.scales = [band.scale for band in bands]
    target.offsets = [band.offset for band in bands]
    target.update_tags(
        TIFFTAG_DATETIME=archive.datetime.strftime("%Y:%m:%d %H:%M:%S"),
        TIFFTAG_IMAGEDESCRIPTION=f"{archive.id}, decoded from a COMEO archive",
        COMEO_CODEC=archive.codec,
        COMEO_RATIO=f"{archive.ratio:.2f}",
        COMEO_STEP=f"{archive.step:g}",
        **({"COMEO_MODEL": archive.model} if archive.model else {}),
    )


def _strips(window: Window, level: Level) -> Iterator[Window]:
    """Cut a window along rows of blocks, so that no block is decoded twice."""
    height = _STRIP_BLOCKS * level.block
    row = window.row
    while row < window.row + window.height:
        bottom = min((row // height + 1) * height, window.row + window.height)
        yield Window(row, window.col, bottom - row, window.width)
        row = bottom


def _read_strip(
    archive: Archive, homes: Sequence[tuple[ArchiveGroup, int]], level: Level, strip: Window
) -> NDArray[Any]:
    """Decode a strip of each group once and lay the bands out in order."""
    decoded = {
        group.name: archive.read(group.levels[0], strip)
        if group.name == level.group
        else _interpolate(archive, group, level, strip)
        for group, _ in homes
    }
    return np.stack([decoded[group.name][index] for group, index in homes])


def _interpolate(archive: Archive, group: ArchiveGroup, level: Level, strip: Window) -> NDArray[Any]:
    """Decode what a strip of a finer level covers in a coarser group, on the finer grid."""
    coarse = group.levels[0]
    to_coarse = ~coarse.transform @ level.transform
    left, top = to_coarse @ (strip.col, strip.row)
    right, bottom = to_coarse @ (strip.col + strip.width, strip.row + strip.height)
    row, col = max(0, math.floor(top) - 2), max(0, math.floor(left) - 2)
    height = min(coarse.height, math.ceil(bottom) + 2) - row
    width = min(coarse.width, math.ceil(right) + 2) - col
    source = archive.read(coarse, Window(row, col, height, width))
    out = np.zeros((coarse.bands, strip.height, strip.width), coarse.dtype)
    reproject(
        source, out, src_crs=group.crs, dst_crs=group.crs, resampling=Resampling.bilinear,
        src_transform=coarse.transform @ coarse.transform.translation(col, row),
        dst_transform=level.transform @ level.transform.translation(strip.col, strip.row),
        src_nodata=group.nodata, dst_nodata=group.nodata,
    )  # fmt: skip
    return out
