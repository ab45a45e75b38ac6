"""Images of a whole collection: the newest valid pixel first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from morecantile import TileMatrixSet
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from rio_tiler.models import ImageData

from comeo.errors import BoundError, NotFoundError, ParameterError, RequestError
from comeo.export.provenance import collection_tags
from comeo.grid import WGS84, Grid
from comeo.scene import Band
from comeo.view.budget import Budget
from comeo.view.pixels import mask_of, read_pixels
from comeo.view.projection import move_bounds, move_points
from comeo.view.reader import ArchiveReader
from tileserver.catalog import BBox, Record, Search
from tileserver.render import describe
from tileserver.render.encode import PICTURES
from tileserver.render.fingerprint import fingerprint
from tileserver.render.images import finish
from tileserver.render.plan import RenderPlan, RenderRequest, resolve
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings

EDGE_POINTS = 17


def tile_etag(scenes: Scenes, search: Search, grid: Grid, request: RenderRequest, extension: str) -> str:
    """ETag of a collection's tile: of every scene that it could be made of."""
    etags: list[str] = []
    # A tile that is not full after so many scenes is refused: those beyond the bound cannot be part of it.
    with contextlib.suppress(BoundError):
        etags += (record.etag for record in candidates(scenes, search, degrees(grid)))
    return fingerprint(etags, grid.crs.to_string(), tuple(grid.transform), grid.height, grid.width,
                       request, extension)  # fmt: skip


def tile(
    scenes: Scenes, search: Search, grid: Grid, request: RenderRequest, extension: str, etag: str,
    budget: Budget,
) -> bytes:  # fmt: skip
    """Render a collection's tile within a budget.

    Raises:
        NotFoundError: If no scene of the collection has the bands.
        BoundError: If too many scenes would meet it, or the budget does not suffice.
        BusyError: If an archive turns out to be damaged or to have gone: the ETag promises its pixels.
    """
    return scenes.rendered.get(etag, lambda: _tile(scenes, search, grid, request, extension, budget))


def check(scenes: Scenes, search: Search, request: RenderRequest, extension: str) -> None:
    """Refuse a request that every tile would refuse, before their URL is given out.

    Raises:
        ParameterError: If no scene can be shown in this way.
        NotFoundError: If no scene has the bands.
    """
    refused: RequestError | None = None
    for bands in scenes.catalog.band_sets(search):
        try:
            plan_of(request, bands, scenes.settings, picture=extension in PICTURES)
        except (ParameterError, NotFoundError) as error:
            refused = refused or error
        else:
            return
    if refused:
        raise refused


def zoom_range(scenes: Scenes, search: Search, tms: TileMatrixSet) -> tuple[int, int]:
    """Zoom levels that show a collection: those of its newest scene.

    Raises:
        NotFoundError: If it is empty.
    """
    newest = scenes.catalog.search(search, 1)
    if not newest:
        raise NotFoundError("the collection has no scene in that time")
    return describe.zoom_range(describe.scene_grid(scenes, newest[0]), tms)


def plan_of(
    request: RenderRequest, bands: Sequence[Band], settings: Settings, *, picture: bool
) -> RenderPlan:  # fmt: skip
    """See `resolve`. Expected errors belong to the blocks of one scene, so a mosaic has none.

    Raises:
        ParameterError: If expected errors are requested.
    """
    plan = resolve(request, bands, settings, picture=picture)
    if plan.error:
        raise ParameterError("expected errors are those of one scene; use style=error with an item")
    return plan


def candidates(scenes: Scenes, search: Search, bbox: BBox | None) -> Iterator[Record]:
    """Scenes of a search that meet a box, newest first.

    Args:
        scenes: Catalogue, open archives and caches.
        search: Collections and times.
        bbox: (west, south, east, north) in degrees; None: everywhere.

    Raises:
        BoundError: If there are more than `max_candidates`, once those have been given.
    """
    most = scenes.settings.max_candidates
    for number, record in enumerate(scenes.catalog.records(replace(search, bbox=bbox))):
        if number == most:
            raise BoundError(
                f"more than {most} scenes lie here and the newest of them are not enough; "
                "narrow datetime, or zoom in",
                "max_candidates",
            )
        yield record


def degrees(grid: Grid) -> BBox | None:
    """(west, south, east, north) of a grid, or None where it cannot be expressed in degrees."""
    return move_bounds(grid.crs, WGS84, grid.bounds)


def _tile(
    scenes: Scenes, search: Search, grid: Grid, request: RenderRequest, extension: str, budget: Budget
) -> bytes:
    picture = extension in PICTURES
    mosaic: _Mosaic | None = None
    refused: RequestError | None = None
    for record in candidates(scenes, search, degrees(grid)):
        try:
            plan = plan_of(request, record.bands, scenes.settings, picture=picture)
        except (ParameterError, NotFoundError) as error:
            refused = refused or error
            continue
        if mosaic is None:
            scenes.check_grid(grid, max(len(plan.bands), plan.results), budget)
            mosaic = _Mosaic(grid, plan)
        elif plan.results != mosaic.plan.results:
            continue
        if not mosaic.may_gain_from(record):
            continue
        with scenes.reader(record, budget) as reader:
            if not mosaic.gains_from(record, reader, plan):
                continue
            mosaic.add(read_pixels(reader, grid, plan))
        if mosaic.full:
            break
    if mosaic is None:
        if refused:
            raise refused
        plan = _any_plan(scenes, search, request, picture=picture)
        mosaic = _Mosaic(grid, plan)
    tags = collection_tags(search.collections or (), mosaic.plan)
    return finish(mosaic.image(), mosaic.plan, extension, tags)


def _any_plan(scenes: Scenes, search: Search, request: RenderRequest, *, picture: bool) -> RenderPlan:
    """Plan of a tile without scenes: what the collection's newest would have."""
    newest = scenes.catalog.search(Search(search.collections), 1)
    if not newest:
        raise NotFoundError(f"collection {', '.join(search.collections or ())} does not exist")
    return plan_of(request, newest[0].bands, scenes.settings, picture=picture)


class _Mosaic:
    """Values being filled, newest scene first."""

    def __init__(self, grid: Grid, plan: RenderPlan) -> None:
        self.plan = plan
        self._grid = grid
        self._values: NDArray[Any] | None = None
        self._missing = np.ones((grid.height, grid.width), bool)
        self._nodata: float | None = None
        self._first: ImageData | None = None
        self._inside: dict[BBox, NDArray[np.bool_]] = {}

    @property
    def full(self) -> bool:
        """Whether every pixel has its value."""
        return not self._missing.any()

    def may_gain_from(self, record: Record) -> bool:
        """Whether a scene could add pixels, as far as is known without opening it.

        Scenes of one place lie on the same pixels, so the area of each place is computed once.
        """
        inside = self._inside.get(record.bbox)
        return inside is None or bool((inside & self._missing).any())

    def gains_from(self, record: Record, reader: ArchiveReader, plan: RenderPlan) -> bool:
        """Whether a scene has pixels where some are missing, its outermost ones aside."""
        if record.bbox not in self._inside:
            inside = footprint_mask(reader.native_grid(plan.bands), self._grid)
            if inside is None:
                return True
            self._inside[record.bbox] = inside
        return self.may_gain_from(record)

    def add(self, image: ImageData) -> None:
        """Fill what is missing."""
        valid = ~mask_of(image).any(axis=0) & self._missing
        if self._values is None or self._first is None:
            self._first = image
            self._values = image.data.copy()
        else:
            if self._values.dtype != image.data.dtype:
                self._values = self._values.astype(np.float32)
            self._values[:, valid] = _restated(image, self._first)[:, valid]
        self._missing &= ~valid

    def image(self) -> ImageData:
        """The image as far as it has been filled."""
        values = self._values
        if values is None or self._first is None:
            values = np.zeros((self.plan.results, self._grid.height, self._grid.width), np.uint16)
            values = values.astype(np.float32) if self.plan.physical else values
            return ImageData(
                np.ma.MaskedArray(values, mask=True), bounds=self._grid.bounds, crs=self._grid.crs
            )
        first = self._first
        mask = np.broadcast_to(self._missing, values.shape)
        return ImageData(
            np.ma.MaskedArray(values, mask=mask), bounds=first.bounds, crs=first.crs,
            band_names=first.band_names, band_descriptions=first.band_descriptions,
            scales=first.scales, offsets=first.offsets, nodata=first.nodata,
        )  # fmt: skip


def _restated(image: ImageData, other: ImageData) -> NDArray[Any]:
    """Values of an image as numbers of another one's scale and offset, which processing baselines changed."""
    pairs = [(image.scales, image.offsets), (other.scales, other.offsets)]
    if pairs[0] == pairs[1]:
        return image.data
    columns = [np.array(column, np.float32)[:, None, None] for pair in pairs for column in pair]
    scale, offset, other_scale, other_offset = columns
    values = (image.data * scale + offset - other_offset) / other_scale
    if image.data.dtype.kind == "u":
        values = np.clip(np.rint(values), 1, np.iinfo(image.data.dtype).max)
    return values.astype(image.data.dtype)


def footprint_mask(native: Grid, grid: Grid) -> NDArray[np.bool_] | None:
    """Where a scene's raster, without its outermost pixels, covers a grid; None where that is unknown."""
    along = np.linspace(0, 1, EDGE_POINTS)[:-1]
    cols = np.concatenate([along, np.ones_like(along), 1 - along, np.zeros_like(along)])
    rows = np.concatenate([np.zeros_like(along), along, np.ones_like(along), 1 - along])
    affine = native.transform
    x = affine.a * cols * native.width + affine.b * rows * native.height + affine.c
    y = affine.d * cols * native.width + affine.e * rows * native.height + affine.f
    xs, ys = move_points(native.crs, grid.crs, x, y)
    ring = np.column_stack([xs, ys])
    if not np.isfinite(ring).all() or np.ptp(ring[:, 0]) > _half_globe(grid):
        return None
    shape = {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}
    inside = geometry_mask([shape], (grid.height, grid.width), grid.transform, all_touched=True, invert=True)
    return _eroded(inside)


def _eroded(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without pixels that touch the outside; the array's own border counts as inside."""
    padded = np.pad(inside, 2, mode="edge")
    out = inside.copy()
    for row in range(5):
        for col in range(5):
            out &= padded[row : row + inside.shape[0], col : col + inside.shape[1]]
    return out


def _half_globe(grid: Grid) -> float:
    """Half the globe in a grid's units: a wider outline goes around the back."""
    return 180.0 if grid.crs.is_geographic else 2e7
