"""GeoTIFFs of a scene or a part of it, within the server's bounds: see `comeo.export.extract`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rio_tiler.models import ImageData

from comeo.errors import BoundError
from comeo.export.extract import Extraction
from comeo.export.request import ExtractRequest, grid_of
from comeo.grid import Grid
from comeo.meridian import from_greenwich
from comeo.progress import Progress
from comeo.view.budget import Budget
from comeo.view.reader import ArchiveReader
from tileserver.catalog import Record
from tileserver.render.change import compared, compared_image
from tileserver.render.difference import Other, resolve_compared
from tileserver.render.images import against_tags, colour_tags
from tileserver.render.picture import painted
from tileserver.render.plan import RenderPlan, RenderRequest
from tileserver.render.scenes import Scenes

FileRequest = ExtractRequest[RenderRequest]


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a file may be.

    Attributes:
        samples: Pixels × bands.
        side: Pixels of a side.
        name: Of the setting for `samples`.
        advice: A way for the user to stay within the limit.
    """

    samples: int
    side: int
    name: str
    advice: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """Facts about a file before it is made.

    Attributes:
        width: Columns.
        height: Rows.
        bands: Number of bands.
        dtype: Of the bands.
        crs: Of the file.
        raw_bytes: Of its pixels.
        bytes: Of the file, approximately.
    """

    width: int
    height: int
    bands: int
    dtype: str
    crs: str
    raw_bytes: int
    bytes: int


def direct_limits(scenes: Scenes) -> Limits:
    """Limits of a file that is made while the client waits."""
    settings = scenes.settings
    advice = "request a smaller area or fewer pixels with max_size, or POST it to …/extracts as a job"
    return Limits(settings.max_output_samples, settings.max_image_side, "max_output_samples", advice)


def job_limits(scenes: Scenes) -> Limits:
    """Limits of a file that is made as a job."""
    advice = "request a smaller area, fewer bands, or fewer pixels with max_size"
    return Limits(scenes.settings.max_extract_samples, 1 << 17, "max_extract_samples", advice)


def write(
    scenes: Scenes, record: Record, request: FileRequest, limits: Limits, budget: Budget, output: Path,
    progress: Progress,
) -> None:  # fmt: skip
    """Write a part of a scene as a Cloud-Optimized GeoTIFF.

    Args:
        scenes: Catalogue, open archives and caches.
        record: The scene.
        request: Area and pixels; with `rescale` the file is a picture of 8 bits.
        limits: How large the file may be.
        budget: Of all the work for it.
        output: The file.
        progress: Receives every piece; any error that it raises ends the work.

    Raises:
        RequestError: If the request does not fit the scene, exceeds a bound, or the scene has gone.
        OutputError: If the file cannot be written.
    """
    with _prepared(scenes, record, request, limits, budget) as (extraction, _):
        extraction.write(output, progress)


def estimate(
    scenes: Scenes, record: Record, request: FileRequest, limits: Limits, budget: Budget
) -> Estimate:
    """Estimate the file of a request from a few samples of its pixels.

    Raises:
        RequestError: If the request does not fit the scene, or exceeds a bound.
    """
    with _prepared(scenes, record, request, limits, budget) as (extraction, grid):
        raster, written = extraction.raster(), from_greenwich(grid)
        return Estimate(
            grid.width, grid.height, len(raster.bands), raster.dtype.name, written.crs.to_string(),
            raster.raw_bytes, extraction.estimated_bytes(),
        )  # fmt: skip


def check(grid: Grid, bands: int, limits: Limits) -> None:
    """Refuse a file that is too large, before any work.

    Raises:
        BoundError: Naming the bound.
    """
    if max(grid.height, grid.width) > limits.side:
        raise BoundError(
            f"the image would have {grid.width}×{grid.height} pixels, more than {limits.side} a side; "
            f"{limits.advice}", "max_image_side",
        )  # fmt: skip
    samples = grid.height * grid.width * bands
    if samples > limits.samples:
        raise BoundError(
            f"the image would have {samples} samples (pixels × bands), more than {limits.samples}; "
            f"{limits.advice}", limits.name,
        )  # fmt: skip


@contextmanager
def _prepared(
    scenes: Scenes, record: Record, request: FileRequest, limits: Limits, budget: Budget
) -> Iterator[tuple[Extraction, Grid]]:
    """The pixels to be written, of one scene or of two that are compared, while their archives are open."""
    other = compared(scenes, record, request.pixels)
    plan = resolve_compared(request.pixels, record.bands, scenes.settings, picture=False)
    with ExitStack() as stack:
        reader = stack.enter_context(scenes.reader(record, budget))
        grid = grid_of(reader, request, plan.bands)
        check(grid, max(len(plan.bands), plan.results), limits)
        read = None
        if other is not None:
            before = stack.enter_context(scenes.reader(other.record, budget))
            read = partial(_compared_part, reader, before, plan, other)
        paint = (lambda image: painted(image, plan)) if plan.is_picture else None
        tags = colour_tags(plan) | against_tags(other)
        yield (
            Extraction(reader, plan, grid, geometry=request.geometry, paint=paint, tags=tags, read=read),
            grid,
        )


def _compared_part(
    reader: ArchiveReader, before: ArchiveReader, plan: RenderPlan, other: Other, grid: Grid
) -> ImageData:
    return compared_image(reader, before, grid, plan, other)
