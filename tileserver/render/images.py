"""Images of one scene: tiles, previews, parts."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rio_tiler.models import ImageData

from comeo.export.cog import Raster, encode_geotiff
from comeo.export.extract import filled
from comeo.export.provenance import raster_bands, scene_tags
from comeo.grid import WGS84, Bounds, Grid
from comeo.view.budget import Budget
from comeo.view.clear import check_mask, clear_of
from comeo.view.pixels import mask_of, read_pixels
from comeo.view.polygon import Cutter, geometry_bounds, near_scene
from comeo.view.propagation import certificate_of
from comeo.view.reader import ArchiveReader
from tileserver.catalog import Record
from tileserver.render.change import compared, compared_image
from tileserver.render.difference import Other, resolve_compared
from tileserver.render.encode import PICTURES, encode
from tileserver.render.fingerprint import fingerprint, tile_fingerprint
from tileserver.render.partial import etag_of, marked
from tileserver.render.picture import colour, painted
from tileserver.render.plan import RenderPlan, RenderRequest
from tileserver.render.scenes import Scenes
from tileserver.render.stretch import settled


@dataclass(frozen=True)
class SceneTile:
    """A tile of one scene; plan and ETag are computed once, when they are first needed.

    Attributes:
        scenes: Catalogue, open archives and caches.
        record: The scene.
        grid: Of the tile.
        request: Pixels that are requested, and how to show them.
        extension: Of the image.
    """

    scenes: Scenes
    record: Record
    grid: Grid
    request: RenderRequest
    extension: str

    @cached_property
    def etag(self) -> str:
        """ETag, known before any pixel is read."""
        content = _content(self.record, self.compared)
        made = tile_fingerprint(content, self.grid, self.request, self.extension)
        return etag_of(made, _shown(self.record, self.compared))

    @cached_property
    def compared(self) -> Other | None:
        """The scene that it is compared with, if the tile shows a change.

        Raises:
            RequestError: If they cannot be compared.
        """
        return compared(self.scenes, self.record, self.request)

    @cached_property
    def plan(self) -> RenderPlan:
        """How the tile is read and shown.

        Raises:
            RequestError: If the request does not fit the scene.
        """
        picture = self.extension in PICTURES
        return resolve_compared(self.request, self.record.bands, self.scenes.settings, picture=picture)

    def render(self, budget: Budget) -> bytes:
        """Render the tile within a budget; identical tiles requested at the same time are rendered once.

        Raises:
            RequestError: If the request does not fit the scene, exceeds a bound, or the scene has gone.
        """
        return self.scenes.rendered.get(self.etag, lambda: self._render(budget))

    def coding(self) -> Mapping[str, str]:
        """HTTP headers that say how the pixels were coded and how far off they are expected to be."""
        return self.scenes.coding(self.record, self.plan.bands)

    def _render(self, budget: Budget) -> bytes:
        with self.scenes.reader(self.record, budget) as reader:
            self.scenes.note_coding(reader.archive, self.plan.bands)
            return _render(self.scenes, reader, self.grid, self.plan, self.extension, self.compared)


def preview(
    scenes: Scenes, record: Record, max_size: int, request: RenderRequest, extension: str, budget: Budget
) -> bytes:
    """Render the whole scene in its own projection, no side longer than `max_size`."""
    picture = extension in PICTURES
    plan = resolve_compared(request, record.bands, scenes.settings, picture=picture)
    with scenes.reader(record, budget) as reader:
        grid = reader.native_grid(plan.bands).fitted(max_size)
        return _render(scenes, reader, grid, plan, extension, compared(scenes, record, request))


def preview_etag(
    scenes: Scenes, record: Record, max_size: int, request: RenderRequest, extension: str
) -> str:
    """ETag of a preview, known before any pixel is read.

    Raises:
        RequestError: If the request compares scenes that cannot be compared.
    """
    other = compared(scenes, record, request)
    made = fingerprint(_content(record, other), "preview", max_size, request, extension)
    return etag_of(made, _shown(record, other))


def _content(record: Record, other: Other | None) -> object:
    """What the pixels of a scene, or of two that are compared, are known by."""
    return record.etag if other is None else (record.etag, other.record.etag)


def _shown(record: Record, other: Other | None) -> list[Record]:
    """The scenes of an image."""
    return [record] if other is None else [record, other.record]


def check(scenes: Scenes, record: Record, request: RenderRequest, extension: str) -> None:
    """Refuse what a tile would refuse, before its URL is given out."""
    picture = extension in PICTURES
    plan = resolve_compared(request, record.bands, scenes.settings, picture=picture)
    other = compared(scenes, record, request)
    with contextlib.ExitStack() as stack:
        if plan.difference and plan.significant and other is not None:
            for each in (record, other.record):
                certificate_of(stack.enter_context(scenes.lease(each)))
        if plan.error or plan.classes or plan.stretched or plan.mask is not None:
            archive = stack.enter_context(scenes.lease(record))
            settled(archive, plan)
            if plan.error:
                certificate_of(archive)
            if plan.classes:
                clear_of(archive)
            if plan.mask is not None:
                check_mask(archive, plan.mask)


def part(
    scenes: Scenes, record: Record, bbox: Bounds, request: RenderRequest, extension: str, budget: Budget, *,
    dst_crs: CRS | None = None, size: tuple[int | None, int | None] = (None, None),
    max_size: int | None = None, shape: Mapping[str, Any] | None = None,
) -> bytes:  # fmt: skip
    """Render a picture of a part of a scene; GeoTIFFs are made by `tileserver.files.extract`.

    Args:
        scenes: Catalogue, open archives and caches.
        record: The scene.
        bbox: (left, bottom, right, top) in degrees, which the picture covers exactly.
        request: Pixels that are requested, and how to show them.
        extension: One of `PICTURES`.
        budget: Of the request.
        dst_crs: Projection; degrees by default.
        size: (height, width), if given.
        max_size: Longest side in pixels, if given.
        shape: GeoJSON polygon outside of which pixels are masked.
    """
    plan = resolve_compared(request, record.bands, scenes.settings, picture=True)
    other = compared(scenes, record, request)
    with scenes.reader(record, budget) as reader:
        grid = reader.part_grid(
            bbox, WGS84, dst_crs or WGS84, height=size[0], width=size[1], bands=plan.bands
        )
        grid = grid.fitted(max_size) if max_size else grid
        return _render(scenes, reader, grid, plan, extension, other, shape)


def feature(
    scenes: Scenes, record: Record, shape: Mapping[str, Any], request: RenderRequest, extension: str,
    budget: Budget, *, dst_crs: CRS | None = None, max_size: int | None = None,
) -> bytes:  # fmt: skip
    """Render a picture of the pixels inside a GeoJSON polygon (WGS 84): see `part`."""
    bbox = geometry_bounds(shape)
    return part(
        scenes, record, bbox, request, extension, budget, dst_crs=dst_crs, max_size=max_size, shape=shape
    )


def finish(
    image: ImageData, plan: RenderPlan, extension: str, tags: Mapping[str, str] | None = None
) -> bytes:
    """Colour an image, if it is a picture, and encode it.

    Args:
        image: Values, as `read_pixels` returns them.
        plan: By which they were read.
        extension: A key of `MEDIA_TYPES`.
        tags: For a GeoTIFF.
    """
    if extension != "tif":
        return encode(colour(image, plan), plan, extension)
    shown = painted(image, plan)
    grid = Grid(image.crs, image.transform, image.height, image.width)
    raster = Raster(
        grid.crs, grid.transform, grid.height, grid.width, shown.array.dtype,
        None if shown.nodata is None else float(shown.nodata),
        raster_bands(plan, shown.count if plan.is_picture else None),
        {**(tags or {}), **colour_tags(plan)}, masked=bool(mask_of(shown).any()),
    )  # fmt: skip
    return encode_geotiff(raster, filled(shown), np.logical_not(mask_of(shown).any(axis=0)))


def colour_tags(plan: RenderPlan) -> dict[str, str]:
    """Tag of a GeoTIFF whose values were shown as colours."""
    if not plan.rescale:
        return {}
    return {"COMEO_RESCALE": ";".join(f"{low:g},{high:g}" for low, high in plan.rescale)}


def against_tags(other: Other | None) -> dict[str, str]:
    """Tag of a GeoTIFF of two scenes that are compared."""
    return {} if other is None else {"COMEO_AGAINST": other.record.id}


def _render(
    scenes: Scenes, reader: ArchiveReader, grid: Grid, plan: RenderPlan, extension: str,
    other: Other | None = None, shape: Mapping[str, Any] | None = None,
) -> bytes:  # fmt: skip
    scenes.check_grid(grid, max(len(plan.bands), plan.results), reader.budget)
    plan = settled(reader.archive, plan)
    if other is None:
        image = read_pixels(reader, grid, plan)
    else:
        reader.budget.coarser = None  # pixels of two sizes differ where nothing has changed
        with scenes.reader(other.record, reader.budget) as before:
            image = compared_image(reader, before, grid, plan, other)
    if shape is not None:
        image = Cutter(near_scene(shape, grid), grid.crs).cut(image)
    tags = None
    if extension == "tif":
        tags = scene_tags(reader.archive, plan, grid) | against_tags(other)
    return marked(finish(image, plan, extension, tags), reader.budget)
