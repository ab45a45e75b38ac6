"""KMZ: a scene, or a series of scenes, as a file for Google Earth that needs no server."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from pathlib import Path

import shapely
from lxml import etree
from shapely.geometry import mapping

from comeo.errors import BoundError, NotFoundError, ParameterError, RequestError
from comeo.export.provenance import attribution
from comeo.export.request import ExtractRequest
from comeo.globe import intersections, pieces, rolled
from comeo.grid import WGS84, Bounds, Grid
from comeo.progress import Progress
from comeo.view.budget import Budget, Limit
from comeo.view.pixels import mask_of, read_pixels
from comeo.view.polygon import Cutter, geometry_bounds
from comeo.view.reader import ArchiveReader
from tileserver.catalog import Record, Search
from tileserver.files import kml
from tileserver.files.extract import FileRequest, Limits, check
from tileserver.files.kml import Span
from tileserver.files.pyramid import MATRIX_SET, Node, Pyramid
from tileserver.render.describe import zoom_range
from tileserver.render.encode import encode
from tileserver.render.fitting import check_fits
from tileserver.render.legend import legend
from tileserver.render.matrixsets import matrix_set
from tileserver.render.offers import Answers, answers
from tileserver.render.picture import colour, palette_of
from tileserver.render.plan import RenderPlan, RenderRequest, resolve
from tileserver.render.scenes import SAMPLE_BYTES, Scenes
from tileserver.render.styles import Style, find_style, styles_for

# Up to this many pixels a side an area is one picture.
SINGLE_SIDE = 2048
SERIES_SIDE = 1024
DOCUMENT = "doc.kml"
LEGEND = "legend.png"
DAY_ENDS = time(23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KmzLimits:
    """How large a KMZ may be.

    Attributes:
        tiles: Number of pictures.
        image: Of one picture.
    """

    tiles: int
    image: Limits


@dataclass(frozen=True, slots=True)
class _View:
    """The part of a scene that is shown, and how."""

    record: Record
    reader: ArchiveReader
    plan: RenderPlan
    boxes: list[Bounds]
    cutter: Cutter | None

    def picture(self, grid: Grid) -> tuple[bytes, str] | None:
        """Render a picture of a grid, as (bytes, extension); None without a valid pixel."""
        self.reader.budget.make(grid.height * grid.width * len(self.plan.bands) * SAMPLE_BYTES)
        image = read_pixels(self.reader, grid, self.plan)
        if self.cutter is not None:
            image = self.cutter.cut(image)
        invalid = mask_of(image).any(axis=0)
        if invalid.all():
            return None
        # JPEG takes a fifth of PNG's bytes; it has no transparent pixels and no colour map.
        extension = "png" if invalid.any() or palette_of(self.plan) is not None else "jpg"
        return encode(colour(image, self.plan), self.plan, extension), extension


def write(
    scenes: Scenes,
    record: Record,
    request: FileRequest,
    limits: KmzLimits,
    budget: Budget,
    output: Path,
    progress: Progress,
) -> None:
    """Write a scene or a part of it: one picture if it is small, else a pyramid of tiles.

    Args:
        scenes: Catalogue, open archives and caches.
        record: The scene.
        request: Area and pixels. With `max_size`, `height` or `width` it is one picture.
        limits: How large the file may be.
        budget: Of all the work for it.
        output: The file.
        progress: Receives every picture; any error that it raises ends the work.

    Raises:
        RequestError: If the request does not fit the scene, exceeds a bound, or the scene has gone.
    """
    with scenes.reader(record, budget) as reader:
        view = _view(scenes, record, reader, request)
        grids = _single_grids(view, request)
        style = style_of(request.pixels, record, view.plan)
        credit = attribution(scenes.catalog.item(record), record.datetime)
        title = f"{record.id}, {style.title}"

        def document(features: list[etree._Element]) -> bytes:
            features.append(kml.legend_overlay(LEGEND))
            return kml.document(title, credit, features, span=day_of(record))

        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(LEGEND, legend(style), zipfile.ZIP_STORED)
            if grids:
                for grid in grids:
                    check(grid, len(view.plan.bands), limits.image)
                archive.writestr(DOCUMENT, document(_single(archive, view, grids, progress)))
            else:
                pyramid = _pyramid(view)
                check_tiles(pyramid.count, limits.tiles)
                _announce(view, pyramid)
                links = [
                    kml.network_link(_name(node), f"{_name(node)}.kml", node.bounds, None, kml.ROOT_PIXELS)
                    for node in pyramid.roots()
                ]
                # Google Earth opens the first document that it finds.
                archive.writestr(DOCUMENT, document(links))
                _write_tiles(archive, view, pyramid, progress)


def check_tiles(count: int, most: int) -> None:
    """Refuse too many pictures, before any work.

    Raises:
        BoundError: Naming the bound.
    """
    if count > most:
        raise BoundError(
            f"the file would have {count} pictures, more than {most}; request a smaller area, one picture "
            "with max_size, or POST it to …/extracts as a job", "max_kmz_tiles",
        )  # fmt: skip


def count_tiles(scenes: Scenes, record: Record, request: FileRequest, budget: Budget) -> int:
    """Count the pictures that a KMZ would have.

    Raises:
        RequestError: If the request does not fit the scene.
    """
    with scenes.reader(record, budget) as reader:
        view = _view(scenes, record, reader, request)
        return len(_single_grids(view, request)) or _pyramid(view).count


def day_of(record: Record) -> Span | None:
    """From a scene's acquisition to the end of that day; None where the time is unknown."""
    moment = record.datetime
    if moment is None:
        return None
    return Span(moment, max(moment, datetime.combine(moment.astimezone(UTC), DAY_ENDS)))


def style_of(wanted: RenderRequest, record: Record, plan: RenderPlan) -> Style:
    """Return the style of a picture, or one made from its bands or expression."""
    if not (wanted.bands or wanted.expression):
        name = wanted.style or next(iter(styles_for(record.bands)))
        return find_style(name, record.bands)
    text = plan.expression.text if plan.expression else ";".join(plan.bands)
    return Style("", text, "", text, plan.rescale or (), plan.colormap)


def _view(scenes: Scenes, record: Record, reader: ArchiveReader, request: FileRequest) -> _View:
    check_fits(scenes, record, request.pixels.style)
    plan = resolve(request.pixels, record.bands, scenes.settings, picture=True)
    asked = geometry_bounds(request.geometry) if request.geometry else request.bbox
    shared = [record.bbox] if asked is None else intersections(record.bbox, asked)
    if not shared:
        raise NotFoundError("the area lies outside the scene")
    shape = request.geometry
    if asked and not shape:
        shape = mapping(shapely.multipolygons([shapely.box(*part) for part in pieces(asked)]))
    parts = [part for box in shared for part in pieces(box)]
    return _View(record, reader, plan, parts, Cutter(shape, WGS84) if shape else None)


def _single_grids(view: _View, request: FileRequest) -> list[Grid]:
    """Grid of an area that is one picture, two across the antimeridian; none where it is a pyramid.

    Raises:
        ParameterError: If one picture's rows and columns are given for two.
    """
    given = request.height or request.width
    if len(view.boxes) > 1 and given:
        raise ParameterError(
            "the area lies across the antimeridian and becomes two pictures; give max_size, not a width"
        )
    try:
        grids = [
            view.reader.part_grid(
                box, WGS84, WGS84, height=request.height, width=request.width, bands=view.plan.bands
            )
            for box in view.boxes
        ]
    except NotFoundError:
        if request.bbox is None and request.geometry is None:
            return []
        raise
    if request.max_size:
        return [grid.fitted(request.max_size) for grid in grids]
    small = max(max(grid.height, grid.width) for grid in grids) <= SINGLE_SIDE
    return grids if given or small else []


def _pyramid(view: _View) -> Pyramid:
    native = view.reader.native_grid(view.plan.bands)
    return Pyramid.over(view.boxes, zoom_range(native, matrix_set(MATRIX_SET))[1])


def _announce(view: _View, pyramid: Pyramid) -> None:
    """Count all blocks that a pyramid needs before the first one is decoded."""
    if view.plan.error or view.plan.classes:
        return
    nodes = pyramid.roots()
    while nodes:
        node = nodes.pop()
        view.reader.budget.announce(view.reader.decoding(node.grid(), view.plan.bands))
        nodes += pyramid.children(node)


def _single(
    archive: zipfile.ZipFile, view: _View, grids: Sequence[Grid], progress: Progress
) -> list[etree._Element]:
    """Write the picture of each grid that has valid pixels, and place it."""
    overlays = []
    progress.start("drawing", len(grids))
    for index, grid in enumerate(grids):
        found = view.picture(grid)
        progress.advance()
        if found is None:
            continue
        name = f"overlay{index or ''}.{found[1]}"
        archive.writestr(name, found[0], zipfile.ZIP_STORED)
        place = rolled(grid.bounds)
        overlays.append(kml.ground_overlay(view.record.id, name, place, span=day_of(view.record)))
    if not overlays:
        raise _nothing()
    return overlays


def _write_tiles(archive: zipfile.ZipFile, view: _View, pyramid: Pyramid, progress: Progress) -> None:
    progress.start("drawing", pyramid.count)
    seen = False
    for node in pyramid.roots():
        if _write_node(archive, view, pyramid, node, progress):
            seen = True
        else:  # the document links to it
            archive.writestr(f"{_name(node)}.kml", node_document(pyramid, node, None, [], None))
    if not seen:
        raise _nothing()


def _write_node(
    archive: zipfile.ZipFile, view: _View, pyramid: Pyramid, node: Node, progress: Progress
) -> bool:
    """Write a tile and all below it; False without a valid pixel."""
    children = [
        child for child in pyramid.children(node) if _write_node(archive, view, pyramid, child, progress)
    ]
    found = view.picture(node.grid())
    progress.advance()
    if found is None and not children:
        return False
    href = f"{node.y}.{found[1]}" if found else None
    if found:
        archive.writestr(f"{node.z}/{node.x}/{href}", found[0], zipfile.ZIP_STORED)
    body = node_document(
        pyramid, node, href, [(child, f"../../{_name(child)}.kml") for child in children], day_of(view.record)
    )
    archive.writestr(f"{_name(node)}.kml", body)
    return True


def node_document(
    pyramid: Pyramid, node: Node, picture: str | None, children: Sequence[tuple[Node, str]], span: Span | None
) -> bytes:
    """Write the document of a tile, which shows the tile and links to those below it."""
    least = kml.ROOT_PIXELS if node.z == pyramid.lowest else kml.TILE_PIXELS
    features = [kml.network_link(_name(child), href, child.bounds) for child, href in children]
    if picture:
        overlay = kml.ground_overlay(
            _name(node), picture, node.bounds, draw_order=node.z, span=span, least_pixels=least
        )
        features.insert(0, overlay)
    return kml.document(_name(node), "", features, place=node.bounds, least_pixels=least)


def _name(node: Node) -> str:
    return f"{node.z}/{node.x}/{node.y}"


def write_series(
    scenes: Scenes,
    search: Search,
    request: FileRequest,
    limits: KmzLimits,
    budget: Budget,
    output: Path,
    progress: Progress,
) -> None:
    """Write all dates of a collection over an area, a picture each, for the time slider.

    A date is shown until the next one.

    Raises:
        NotFoundError: If no scene has a known date.
        BoundError: If there are too many.
    """
    chosen = answers(scenes, search, request.pixels, picture=True)
    dated = dated_scenes(scenes, search, chosen, Limit(limits.tiles, "max_kmz_tiles"))
    request = replace(request, pixels=chosen.request)
    request = request if request.max_size or request.height or request.width else _sized(request)
    progress.start("drawing", len(dated))
    folders: list[etree._Element] = []
    style: Style | None = None
    refused: RequestError | None = None
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for record, span in dated:
            try:
                feature, shown = _series_member(scenes, record, request, limits, budget, archive, span)
            except (ParameterError, NotFoundError) as error:
                refused = refused or error
            else:
                folders.append(feature)
                style = style or shown
            progress.advance()
        if style is None:
            raise refused or _nothing()
        archive.writestr(LEGEND, legend(style), zipfile.ZIP_STORED)
        name = f"{', '.join(search.collections or ())}, {style.title}"
        folders.append(kml.legend_overlay(LEGEND))
        archive.writestr(DOCUMENT, kml.document(name, "", folders))


def dated_scenes(scenes: Scenes, search: Search, chosen: Answers, most: Limit) -> list[tuple[Record, Span]]:
    """Scenes that can be shown and whose date is known, oldest first, each from its own day to the next.

    No two days overlap.

    Raises:
        NotFoundError: If no scene has a known date.
        BoundError: If there are too many.
    """
    found = scenes.catalog.search(search, most.amount + 1)
    if len(found) > most.amount:
        raise BoundError(f"there are more than {most.amount} scenes; narrow datetime or bbox", most.setting)
    able = [record for record in found if chosen.plan_for(record) is not None]
    moments = [(record.datetime.astimezone(UTC), record) for record in able if record.datetime]
    if not moments:
        raise NotFoundError("the collection has no scene there in that time")
    days = sorted({moment.date() for moment, _ in moments})
    following = dict(itertools.pairwise(days))
    out = []
    for moment, record in sorted(moments, key=lambda pair: pair[0]):
        after = following.get(moment.date())
        end = datetime.combine(after or moment, time(tzinfo=UTC) if after else DAY_ENDS)
        out.append((record, Span(datetime.combine(moment, time(tzinfo=UTC)), end)))
    return out


def _sized(request: FileRequest) -> FileRequest:
    return ExtractRequest(request.pixels, request.bbox, request.geometry, None, None, None, SERIES_SIDE)


def _series_member(
    scenes: Scenes,
    record: Record,
    request: FileRequest,
    limits: KmzLimits,
    budget: Budget,
    archive: zipfile.ZipFile,
    span: Span,
) -> tuple[etree._Element, Style]:
    with scenes.reader(record, budget) as reader:
        view = _view(scenes, record, reader, request)
        overlays = []
        for index, box in enumerate(view.boxes):
            grid = reader.part_grid(box, WGS84, WGS84, bands=view.plan.bands).fitted(
                request.max_size or SERIES_SIDE
            )
            check(grid, len(view.plan.bands), limits.image)
            found = view.picture(grid)
            if found is None:
                continue
            name = f"{record.id}-{index}.{found[1]}"
            archive.writestr(name, found[0], zipfile.ZIP_STORED)
            overlays.append(kml.ground_overlay(record.id, name, rolled(grid.bounds), span=span))
        if not overlays:
            raise _nothing()
        name = f"{span.begin:%Y-%m-%d}, {record.id}"
        return kml.folder(name, overlays, span), style_of(request.pixels, record, view.plan)


def _nothing() -> NotFoundError:
    return NotFoundError("there is no valid pixel in this area")
