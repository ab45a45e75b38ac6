"""Images of a whole collection: the newest valid pixel first, of radar those of one relative orbit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from morecantile import TileMatrixSet
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from rio_tiler.models import ImageData

from comeo.archive import Archive
from comeo.errors import BoundError, NotFoundError
from comeo.export.provenance import collection_tags
from comeo.grid import WGS84, Grid
from comeo.scene import TERRAIN_CORRECTED
from comeo.view.budget import Budget
from comeo.view.clear import check_mask, clear_of
from comeo.view.pixels import mask_of, read_pixels
from comeo.view.projection import move_bounds, move_points
from comeo.view.reader import ArchiveReader
from tileserver.catalog import BBox, Record, Search
from tileserver.render import describe
from tileserver.render.encode import PICTURES
from tileserver.render.fingerprint import tile_fingerprint
from tileserver.render.images import finish
from tileserver.render.offers import answers
from tileserver.render.orbits import by_track
from tileserver.render.plan import RenderPlan, RenderRequest
from tileserver.render.scenes import Scenes

EDGE_POINTS = 17


def tile_etag(scenes: Scenes, search: Search, grid: Grid, request: RenderRequest, extension: str) -> str:
    """ETag of a collection's tile: of every scene that it could be made of."""
    plan = answers(scenes, search, request, picture=extension in PICTURES).plan
    shown = (plan.sources, plan.names, plan.rescale, plan.colormap)
    etags: list[str] = []
    # A tile that is not full after so many scenes is refused: those beyond the bound cannot be part of it.
    with contextlib.suppress(BoundError):
        etags += (record.etag for record in candidates(scenes, search, degrees(grid)))
    return tile_fingerprint((etags, shown), grid, request, extension)


def tile(
    scenes: Scenes, search: Search, grid: Grid, request: RenderRequest, extension: str, etag: str,
    budget: Budget,
) -> bytes:  # fmt: skip
    """Render a collection's tile within a budget.

    Raises:
        NotFoundError: If no scene of the collection has the bands.
        ParameterError: If none can be shown in this way.
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
    answers(scenes, search, request, picture=extension in PICTURES)


def zoom_range(scenes: Scenes, search: Search, tms: TileMatrixSet) -> tuple[int, int]:
    """Zoom levels that show a collection: those of the newest scene of the most common bands.

    Raises:
        NotFoundError: If it is empty.
    """
    sets = scenes.catalog.band_sets(search)
    if not sets:
        raise NotFoundError("the collection has no scene in that time")
    return describe.zoom_range(describe.scene_grid(scenes, scenes.find(*sets[0].newest)), tms)


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
    told = Told()
    chosen = answers(scenes, search, request, picture=picture)
    for record in by_track(scenes, candidates(scenes, search, degrees(grid))):
        plan = chosen.plan_for(record.bands)
        if plan is None:
            continue
        if mosaic is None:
            scenes.check_grid(grid, max(len(plan.bands), plan.results), budget)
            mosaic = _Mosaic(grid, chosen.plan)
        if not mosaic.may_gain_from(record):
            continue
        with scenes.reader(record, budget) as reader:
            if not mosaic.gains_from(record, reader, plan):
                continue
            if not told.by(reader.archive, plan):
                continue
            mosaic.add(read_pixels(reader, grid, plan))
        if mosaic.full:
            break
    told.check()
    mosaic = mosaic or _Mosaic(grid, chosen.plan)
    tags = collection_tags(search.collections or (), mosaic.plan)
    return finish(mosaic.image(), mosaic.plan, extension, tags)


class Told:
    """Which scenes of a collection can say what a request has to know of their pixels, and where these lie.

    A scene that does not say which of its pixels are clear is left out where a mask is wanted: a cloud of it
    would hide the clear pixels of the next one. Where none of the scenes says it, that is an error.
    """

    def __init__(self) -> None:
        self._refused: NotFoundError | None = None
        self._some = False

    def by(self, archive: Archive, plan: RenderPlan) -> bool:
        """Whether an archive has the classes that a plan needs."""
        try:
            check_placed(archive)
            if plan.classes:
                clear_of(archive)
            if plan.mask is not None:
                check_mask(archive, plan.mask)
        except NotFoundError as error:
            self._refused = self._refused or error
            return False
        self._some = True
        return True

    def check(self) -> None:
        """Refuse an answer of which every scene was left out.

        Raises:
            NotFoundError: As the first one said it.
        """
        if self._refused is not None and not self._some:
            raise self._refused


class _Mosaic:
    """Values being filled, newest scene first."""

    def __init__(self, grid: Grid, plan: RenderPlan) -> None:
        self.plan = plan
        self._grid = grid
        self._values: NDArray[Any] | None = None
        self._missing = np.ones((grid.height, grid.width), bool)
        self._nodata: float | None = 0
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
        found = self._restated(image)
        if self._values is None:
            self._values = found.copy()
        else:
            if self._values.dtype != found.dtype:
                self._values = self._values.astype(np.float32)
            self._values[:, valid] = found[:, valid]
        self._nodata = None if image.nodata is None else self._nodata
        self._missing &= ~valid

    def image(self) -> ImageData:
        """The image as far as it has been filled."""
        values, nodata = self._values, self._nodata
        if values is None:
            values, nodata = np.zeros((self.plan.results, *self._missing.shape), self._empty), None
        if nodata is not None:
            nodata = float("nan") if values.dtype.kind == "f" else 0
        mask = np.broadcast_to(self._missing, values.shape)
        stored: dict[str, Any] = {}
        if self._is_stored:
            sources = self.plan.sources
            stored = {"scales": [one.scale for one in sources], "offsets": [one.offset for one in sources]}
        return ImageData(
            np.ma.MaskedArray(values, mask=mask), bounds=self._grid.bounds, crs=self._grid.crs,
            band_names=list(self.plan.names), band_descriptions=list(self.plan.names), nodata=nodata,
            **stored,
        )  # fmt: skip

    @property
    def _is_stored(self) -> bool:
        """Whether values are stored numbers, with a scale and an offset: not physical, results, classes."""
        return not (self.plan.physical or self.plan.expression is not None or self.plan.classes)

    @property
    def _empty(self) -> type[Any]:
        """Type of the values where no scene has any."""
        if self.plan.classes:
            return np.uint8
        return np.uint16 if self._is_stored else np.float32

    def _restated(self, image: ImageData) -> NDArray[Any]:
        """Values of an image as numbers of the plan's scale and offset: scenes may have their own."""
        sources = self.plan.sources
        own = list(zip(image.scales, image.offsets, strict=True))
        if not self._is_stored or own == [(band.scale, band.offset) for band in sources]:
            return image.data
        scale, offset = (np.array(column, np.float32)[:, None, None] for column in zip(*own, strict=True))
        other_scale = np.array([band.scale for band in sources], np.float32)[:, None, None]
        other_offset = np.array([band.offset for band in sources], np.float32)[:, None, None]
        values: NDArray[Any] = (image.data * scale + offset - other_offset) / other_scale
        if image.data.dtype.kind == "u" and (np.abs(other_scale) <= 1.001 * np.abs(scale)).all():
            values = np.clip(np.rint(values), 1, np.iinfo(image.data.dtype).max).astype(image.data.dtype)
        return values


def check_placed(archive: Archive) -> None:
    """Refuse a scene whose pixels lie only roughly where they should, for use beside others.

    Raises:
        NotFoundError: If it came from radar geometry without a DEM.
    """
    if archive.item.get("properties", {}).get(TERRAIN_CORRECTED) is False:
        raise NotFoundError(
            "scenes that are not terrain-corrected are shown alone, not with others of their "
            "collection; make their archives anew with --dem"
        )


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
    return 180.0 if grid.crs.is_geographic else 2e7 / float(grid.crs.units_factor[1])
