"""Images of a whole collection: the newest valid pixel first, of radar those of one relative orbit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from morecantile import TileMatrixSet
from rio_tiler.models import ImageData

from comeo.errors import BoundError, NotFoundError
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
from tileserver.render.plan import RenderPlan, RenderRequest
from tileserver.render.scenes import Scenes


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


def degrees(grid: Grid) -> BBox | None:
    """(west, south, east, north) of a grid, or None where it cannot be expressed in degrees."""
    return move_bounds(grid.crs, WGS84, grid.bounds)


def _tile(
    scenes: Scenes, search: Search, grid: Grid, request: RenderRequest, extension: str, budget: Budget
) -> bytes:
    image, plan = compose(scenes, search, grid, request, budget, picture=extension in PICTURES)
    return finish(image, plan, extension, collection_tags(search.collections or (), plan))


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
