"""Pixels of an archive as a Cloud-Optimized GeoTIFF on the scene's own grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform_bounds

from comeo.archive import Archive, ArchiveGroup, Level
from comeo.errors import ArchiveError
from comeo.export.cog import Piece, Raster, RasterBand, pieces_of, write_cog
from comeo.progress import Progress, Silent
from comeo.scene import Window

_PIECE_BLOCKS = 4


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
    raster = Raster(
        finest.crs, level.transform @ Affine.translation(window.col, window.row), window.height, window.width,
        finest.dtype, finest.nodata, tuple(RasterBand.of(group.bands[index]) for group, index in homes),
        provenance(archive),
    )  # fmt: skip
    watch = progress or Silent()
    write_cog(output, raster, _pieces(archive, homes, level, window, watch), watch)


def provenance(archive: Archive) -> dict[str, str]:
    """What a file of an archive's pixels says of where they come from and how they were coded."""
    source, moment = archive.source, archive.datetime
    tags = {
        "TIFFTAG_DATETIME": moment.strftime("%Y:%m:%d %H:%M:%S") if moment else "",
        "TIFFTAG_IMAGEDESCRIPTION": f"{archive.id}, decoded from a COMEO archive",
        "TIFFTAG_SOFTWARE": f"COMEO {version('comeo')}",
        "COMEO_ID": archive.id,
        "COMEO_COLLECTION": archive.collection,
        "COMEO_DATETIME": moment.isoformat() if moment else "",
        "COMEO_ARCHIVE": archive.etag,
        "COMEO_SOURCE": source["name"],
        "COMEO_SOURCE_SHA256": source["sha256"],
        "COMEO_CODEC": archive.codec,
        "COMEO_MODEL": archive.model or "",
        "COMEO_RATIO": f"{archive.ratio:.2f}",
        "COMEO_STEP": f"{archive.step:g}",
        "COMEO_EXPECTED_RMSE": expected_rmse(archive),
    }
    return {name: value for name, value in tags.items() if value}


def expected_rmse(archive: Archive, bands: Sequence[str] | None = None) -> str:
    """Certified RMSE over the scene, in stored numbers, as `B02=41.2,B03=38.9`; empty where it is not known.

    Args:
        archive: An open archive.
        bands: Names of bands. None: all.
    """
    if archive.certificate is None:
        return ""
    return ",".join(
        f"{band.name}={rmse:.4g}"
        for name, group in archive.groups.items()
        for band, rmse in zip(group.bands, archive.certificate.groups[name].rmse, strict=True)
        if (bands is None or band.name in bands) and math.isfinite(rmse)
    )


def _pieces(
    archive: Archive, homes: Sequence[tuple[ArchiveGroup, int]], level: Level, window: Window, watch: Progress
) -> Iterator[Piece]:
    """Decode a window piece by piece along its blocks, so that no block is decoded twice."""
    places = pieces_of(window.height, window.width, _PIECE_BLOCKS * level.block, (window.row, window.col))
    watch.start("extracting", len(places))
    for place in places:
        inside = Window(window.row + place.row, window.col + place.col, place.height, place.width)
        yield Piece(place, _read(archive, homes, level, inside))
        watch.advance()


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


def _read(
    archive: Archive, homes: Sequence[tuple[ArchiveGroup, int]], level: Level, place: Window
) -> NDArray[Any]:
    """Decode a place of each group once and lay the bands out in order."""
    decoded = {
        group.name: archive.read(group.levels[0], place)
        if group.name == level.group
        else _interpolate(archive, group, level, place)
        for group, _ in homes
    }
    return np.stack([decoded[group.name][index] for group, index in homes])


def _interpolate(archive: Archive, group: ArchiveGroup, level: Level, place: Window) -> NDArray[Any]:
    """Decode what a place of a finer level covers in a coarser group, on the finer grid."""
    coarse = group.levels[0]
    to_coarse = ~coarse.transform @ level.transform
    left, top = to_coarse @ (place.col, place.row)
    right, bottom = to_coarse @ (place.col + place.width, place.row + place.height)
    row, col = max(0, math.floor(top) - 2), max(0, math.floor(left) - 2)
    height = min(coarse.height, math.ceil(bottom) + 2) - row
    width = min(coarse.width, math.ceil(right) + 2) - col
    source = archive.read(coarse, Window(row, col, height, width))
    out = np.zeros((coarse.bands, place.height, place.width), coarse.dtype)
    reproject(
        source, out, src_crs=group.crs, dst_crs=group.crs, resampling=Resampling.bilinear,
        src_transform=coarse.transform @ coarse.transform.translation(col, row),
        dst_transform=level.transform @ level.transform.translation(place.col, place.row),
        src_nodata=group.nodata, dst_nodata=group.nodata,
    )  # fmt: skip
    return out
