"""What can be ordered of a scene: read from JSON, estimated, made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from comeo.export.request import ExtractRequest
from comeo.grid import Bounds
from comeo.progress import Progress
from tileserver.catalog import Record, SqliteCatalog
from tileserver.files import extract, kmz
from tileserver.files.extract import FileRequest, Limits
from tileserver.files.kmz import KmzLimits
from tileserver.http.context import crs_of
from tileserver.http.parameters import AppearanceQuery
from tileserver.render import geojson
from tileserver.render.scenes import Scenes
from tileserver.settings import MEBIBYTE, Settings

# What is answered at once has a part of the pictures that a job may have, and takes a few seconds.
DIRECT_TILES = 64
# Beyond so many samples a GeoTIFF takes more than a few seconds.
QUICK_SAMPLES = 8 * MEBIBYTE
QUICK_TILES = 48
# Of a map tile with its document; they are small next to what the bound is for.
TILE_BYTES = 40_000
WORKER_CACHE_BYTES = 128 * MEBIBYTE

FileFormat = Literal["tif", "kmz"]


class OrderBody(AppearanceQuery):
    """A GeoTIFF or KMZ of a scene or a part of it."""

    format: FileFormat = Field("tif", description="A Cloud-Optimized GeoTIFF, or a KMZ for Google Earth.")
    bbox: tuple[float, float, float, float] | None = Field(
        None, description="West, south, east, north in degrees; the whole scene by default."
    )
    geometry: dict[str, Any] | None = Field(
        None, description="GeoJSON polygon in degrees outside of which there is nothing, instead of bbox."
    )
    dst_crs: str | None = Field(
        None, max_length=20, pattern=r"^(?i:EPSG:)\d{4,6}$",
        description="Projection of a GeoTIFF, `EPSG:3857`; by default the scene's own pixels.",
    )  # fmt: skip
    max_size: int | None = Field(None, ge=1, description="Longest side in pixels.")
    width: int | None = Field(None, ge=1, description="In pixels.")
    height: int | None = Field(None, ge=1, description="In pixels.")

    @field_validator("bbox")
    @classmethod
    def _is_area(cls, value: Bounds | None) -> Bounds | None:
        return None if value is None else check_bbox(value)

    def wish(self, max_vertices: int) -> FileRequest:
        """As services know it.

        Raises:
            RequestError: If the geometry is none, or there is no such projection.
        """
        geometry = geojson.polygon_of(self.geometry, max_vertices) if self.geometry is not None else None
        return ExtractRequest(
            self.appearance(), self.bbox, geometry, crs_of(self.dst_crs), self.height, self.width,
            self.max_size,
        )  # fmt: skip


def as_json(query: AppearanceQuery) -> dict[str, Any]:
    """Parameters as JSON that `OrderBody` reads again."""
    document = query.model_dump(mode="json", exclude_none=True, exclude={"rescale"})
    if query.rescale:
        document["rescale"] = [f"{low!r},{high!r}" for low, high in query.rescale]
    return document


def check_bbox(value: Bounds) -> Bounds:
    """Refuse an area that is none.

    Raises:
        ValueError: Saying what an area is.
    """
    west, south, east, north = value
    if not (all(map(math.isfinite, value)) and -180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise ValueError("an area is west,south,east,north in degrees: west of east, south of north")
    return value


def estimate(scenes: Scenes, record: Record, body: OrderBody) -> dict[str, Any]:
    """Say how large a file would be, and whether it is one for a job.

    Raises:
        RequestError: If it can't be had, or not even as a job.
    """
    wish = body.wish(scenes.settings.max_vertices)
    if body.format == "kmz":
        tiles = kmz.count_tiles(scenes, record, wish)
        kmz.check_tiles(tiles, scenes.settings.max_kmz_tiles)
        return {"format": "kmz", "pictures": tiles, "bytes": tiles * TILE_BYTES, "job": tiles > QUICK_TILES}
    found = extract.estimate(scenes, record, wish, extract.job_limits(scenes))
    samples = found.width * found.height * found.bands
    return {"format": "tif", **asdict(found), "job": samples > QUICK_SAMPLES}


def disk_bytes(estimated: Mapping[str, Any]) -> int:
    """What work takes on disk at most: of a GeoTIFF the pixels as they are, and packed without gain."""
    return int(estimated["bytes"]) + 2 * int(estimated.get("raw_bytes", estimated["bytes"]))


def kmz_limits(scenes: Scenes, *, job: bool) -> KmzLimits:
    """How large a KMZ may be."""
    most = scenes.settings.max_kmz_tiles
    return KmzLimits(most if job else max(1, most // DIRECT_TILES), extract.direct_limits(scenes))


def write(
    scenes: Scenes,
    record: Record,
    wish: FileRequest,
    file_format: str,
    output: Path,
    progress: Progress,
    *,
    job: bool,
) -> None:
    """Make a file.

    Raises:
        RequestError: If it can't be had, or is too large.
        ArchiveError: If the archive is damaged, or the file can't be written.
    """
    if file_format == "kmz":
        kmz.write(scenes, record, wish, kmz_limits(scenes, job=job), output, progress)
        return
    limits: Limits = extract.job_limits(scenes) if job else extract.direct_limits(scenes)
    extract.write(scenes, record, wish, limits, output, progress)


def make(settings: Settings, order: Mapping[str, Any], output: Path, progress: Progress) -> str:
    """Do a job's work in a process of its own.

    Args:
        settings: Of the server; `catalog` is the file that it uses.
        order: As `OrderBody` gives it, with `collection` and `item`.
        output: The file.
        progress: Told how far the work has come.

    Returns:
        The file's extension.
    """
    small = settings.model_copy(
        update={"workers": 1, "block_cache_bytes": WORKER_CACHE_BYTES, "tile_cache_bytes": 0}
    )
    if settings.catalog is None:
        raise ValueError("the catalogue's file has to be given")
    scenes = Scenes.open(small, SqliteCatalog(settings.paths, settings.catalog, settings.scan_seconds))
    body = OrderBody.model_validate(order["body"])
    record = scenes.find(order["collection"], order["item"])
    write(scenes, record, body.wish(settings.max_vertices), body.format, output, progress, job=True)
    return body.format
