"""Images of a whole collection: the newest valid pixel first, of radar those of one relative orbit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from morecantile import TileMatrixSet
from rasterio.crs import CRS
from rio_tiler.models import ImageData

from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.export.provenance import collection_tags
from comeo.grid import WGS84, Grid
from comeo.view.budget import Budget
from comeo.view.projection import move_bounds
from tileserver.catalog import BBox, Record, Search
from tileserver.render import describe
from tileserver.render.composite import Composition, check_selection
from tileserver.render.encode import PICTURES
from tileserver.render.fingerprint import tile_fingerprint
from tileserver.render.images import finish
from tileserver.render.offers import answers
from tileserver.render.orbits import by_track
from tileserver.render.partial import etag_of, marked
from tileserver.render.plan import RenderPlan, RenderRequest
from tileserver.render.scenes import Scenes


def tile_etag(scenes: Scenes, search: Search, grid: Grid, request: RenderRequest, extension: str) -> str:
    """ETag of a collection's tile: of every scene that it could be made of."""
    plan = answers(scenes, search, request, picture=extension in PICTURES).plan
    shown = (plan.sources, plan.names, plan.rescale, plan.colormap)
    records: list[Record] = []
    # A tile that is not full after so many scenes is refused: those beyond the bound cannot be part of it.
    with contextlib.suppress(BoundError):
        records += candidates(scenes, search, degrees(grid))
    etags = [record.etag for record in records]
    return etag_of(tile_fingerprint((etags, shown), grid, request, extension), records)


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
    chosen = answers(scenes, search, request, picture=extension in PICTURES)
    check_selection(request, chosen.plan)


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


def part(
    scenes: Scenes, search: Search, bbox: BBox, request: RenderRequest, extension: str, budget: Budget, *,
    crs: CRS, size: tuple[int | None, int | None], max_size: int,
) -> bytes:  # fmt: skip
    """Render an area of a collection, as densely as its newest scene there has pixels.

    Args:
        scenes: Catalogue, open archives and caches.
        search: Collections and times.
        bbox: (west, south, east, north) in degrees, which the image covers exactly.
        request: Pixels that are requested, and how to show them.
        extension: `tif`, or one of `PICTURES`.
        budget: Of the request.
        crs: Projection of the image.
        size: (height, width), if given.
        max_size: Longest side in pixels.

    Raises:
        NotFoundError: If no scene lies there.
        RequestError: See `tile`.
    """
    grid = _part_grid(scenes, search, bbox, crs, size, budget).fitted(max_size)
    return _tile(scenes, search, grid, request, extension, budget)


def _part_grid(
    scenes: Scenes, search: Search, bbox: BBox, crs: CRS, size: tuple[int | None, int | None], budget: Budget
) -> Grid:
    for record in candidates(scenes, search, bbox):
        with scenes.reader(record, budget) as reader, contextlib.suppress(NotFoundError):
            grid = reader.part_grid(bbox, WGS84, WGS84, height=size[0], width=size[1])
            if crs == WGS84:
                return grid
            box = move_bounds(WGS84, crs, bbox)
            if box is None:
                raise ParameterError("the area has no place in that projection; choose another dst_crs")
            return Grid.over(box, crs, grid.height, grid.width)
    raise NotFoundError("no scene lies in this area at that time; widen datetime or the area")


def degrees(grid: Grid) -> BBox | None:
    """(west, south, east, north) of a grid, or None where it cannot be expressed in degrees."""
    return move_bounds(grid.crs, WGS84, grid.bounds)


def _tile(
    scenes: Scenes, search: Search, grid: Grid, request: RenderRequest, extension: str, budget: Budget
) -> bytes:
    image, plan = compose(scenes, search, grid, request, budget, picture=extension in PICTURES)
    body = finish(image, plan, extension, collection_tags(search.collections or (), plan))
    return marked(body, budget)


def compose(
    scenes: Scenes, search: Search, grid: Grid, request: RenderRequest, budget: Budget, *, picture: bool
) -> tuple[ImageData, RenderPlan]:
    """Pixels of a collection on a grid, chosen or combined as the request's `selection` says.

    Returns:
        The image, and the plan of its numbers.

    Raises:
        RequestError: See `tile`.
    """
    chosen = answers(scenes, search, request, picture=picture)
    check_selection(request, chosen.plan)
    records = by_track(scenes, candidates(scenes, search, degrees(grid)))
    work = Composition(scenes, grid, chosen, budget, request.selection)
    image = work.image_of(records)
    return image, chosen.plan
