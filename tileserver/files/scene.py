"""A file of a scene or a part of it, GeoTIFF or KMZ: its model as JSON, its estimate, its making."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator

from comeo.errors import OutputError
from comeo.export.request import ExtractRequest
from comeo.grid import Bounds
from comeo.progress import Progress
from comeo.view.budget import Budget
from comeo.view.projection import named_crs
from tileserver.catalog import Record, Search
from tileserver.errors import BusyError
from tileserver.files import extract, kmz
from tileserver.files.extract import FileRequest, Limits
from tileserver.files.kmz import KmzLimits
from tileserver.render.geojson import PolygonDocument, polygon_of
from tileserver.render.parameters import EpsgCode, RenderParameters, Side, check_area
from tileserver.render.scenes import Scenes
from tileserver.settings import MEBIBYTE

# A KMZ that is answered at once may have this part of the pictures of one that a job makes: a few seconds.
DIRECT_PART = 64
# Beyond this number of samples a GeoTIFF takes more than a few seconds.
QUICK_SAMPLES = 8 * MEBIBYTE
QUICK_TILES = 48
SERIES_PICTURES = 64
# Of a map tile with its document; they are small next to what the bound is for.
TILE_BYTES = 40_000

FileFormat = Literal["tif", "kmz"]
log = logging.getLogger(__name__)


class ExtractBody(RenderParameters):
    """A GeoTIFF or KMZ of a scene or a part of it. Unknown keys are refused: `polygon` would ask for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: FileFormat = Field("tif", description="A Cloud-Optimized GeoTIFF, or a KMZ for Google Earth.")
    bbox: tuple[float, float, float, float] | None = Field(
        None, description="West, south, east, north in degrees; the whole scene by default."
    )
    geometry: PolygonDocument | None = Field(
        None, description="GeoJSON polygon in degrees outside of which pixels are masked, instead of bbox."
    )
    dst_crs: EpsgCode | None = Field(
        None, description="Projection of a GeoTIFF, `EPSG:3857`; by default the scene's own pixels."
    )
    max_size: int | None = Field(None, ge=1, description="Longest side in pixels.")
    width: Side | None = Field(None, description="In pixels.")
    height: Side | None = Field(None, description="In pixels.")

    @field_validator("bbox")
    @classmethod
    def _is_area(cls, value: Bounds | None) -> Bounds | None:
        return None if value is None else check_area(value)

    def file_request(self, max_vertices: int) -> FileRequest:
        """The same for `tileserver.files`.

        Args:
            max_vertices: Most vertices of the geometry.

        Raises:
            RequestError: If the geometry is not valid or too large, or the projection is unknown.
        """
        geometry = polygon_of(self.geometry, max_vertices) if self.geometry is not None else None
        crs = named_crs(self.dst_crs) if self.dst_crs else None
        return ExtractRequest(
            self.render_request(), self.bbox, geometry, crs, self.height, self.width, self.max_size
        )


def estimate(
    scenes: Scenes, record: Record, request: FileRequest, file_format: str, budget: Budget
) -> dict[str, Any]:
    """Estimate a file's size, and whether making it takes so long that a job should (`job`).

    Raises:
        RequestError: If it cannot be made, or is too large even for a job.
    """
    if file_format == "kmz":
        tiles = kmz.count_tiles(scenes, record, request, budget)
        kmz.check_tiles(tiles, scenes.settings.max_kmz_tiles)
        return {"format": "kmz", "pictures": tiles, "bytes": tiles * TILE_BYTES, "job": tiles > QUICK_TILES}
    found = extract.estimate(scenes, record, request, extract.job_limits(scenes), budget)
    samples = found.width * found.height * found.bands
    return {"format": "tif", **asdict(found), "job": samples > QUICK_SAMPLES}


def disk_bytes(estimated: Mapping[str, Any]) -> int:
    """Most bytes on disk while a file is made: a GeoTIFF's pixels as they are, and packed without gain."""
    return int(estimated["bytes"]) + 2 * int(estimated.get("raw_bytes", estimated["bytes"]))


def kmz_limits(scenes: Scenes, *, job: bool) -> KmzLimits:
    """How large a KMZ may be."""
    most = scenes.settings.max_kmz_tiles
    return KmzLimits(most if job else max(1, most // DIRECT_PART), extract.direct_limits(scenes))


def write(
    scenes: Scenes,
    record: Record,
    request: FileRequest,
    file_format: str,
    output: Path,
    progress: Progress,
    *,
    job: bool,
) -> None:
    """Write a file.

    Args:
        scenes: Catalogue, open archives and caches.
        record: The scene.
        request: The part of it, and how it looks.
        file_format: `tif` or `kmz`.
        output: The file.
        progress: Advanced by each piece; an error that it raises ends the work.
        job: Whether the bounds of jobs hold, instead of those of requests.

    Raises:
        RequestError: If it cannot be made, or is too large.
        BusyError: If the scene has gone or turns out to be damaged, or the server's disk is full.
    """
    budget = scenes.job_budget() if job else scenes.budget()
    with writing():
        if file_format == "kmz":
            kmz.write(scenes, record, request, kmz_limits(scenes, job=job), budget, output, progress)
            return
        limits: Limits = extract.job_limits(scenes) if job else extract.direct_limits(scenes)
        extract.write(scenes, record, request, limits, budget, output, progress)


def write_series(
    scenes: Scenes, search: Search, request: FileRequest, output: Path, progress: Progress
) -> None:
    """Write a KMZ of all dates of a collection over an area, while the client waits.

    Raises:
        RequestError: If it cannot be made, or is too large.
        BusyError: See `write`.
    """
    with writing():
        kmz.write_series(scenes, search, request, series_limits(scenes), scenes.budget(), output, progress)


def series_limits(scenes: Scenes) -> KmzLimits:
    """How large a KMZ of a series may be."""
    direct = kmz_limits(scenes, job=False)
    return KmzLimits(min(direct.tiles, SERIES_PICTURES), direct.image)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Say in the server's own words that it cannot write a file: names of its folders are not for clients."""
    try:
        yield
    except (OutputError, OSError) as error:
        reason = error.reason if isinstance(error, OutputError) else error.strerror
        log.error("file not written", extra={"fields": {"error": str(error)}})
        raise BusyError(f"the server cannot write the file ({reason}); try again later") from error
