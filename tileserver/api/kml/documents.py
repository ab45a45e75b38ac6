"""KML that leads to the server's own tiles: small documents, loaded one by one as the user zooms in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from comeo.errors import NotFoundError
from comeo.export.provenance import attribution
from comeo.globe import WORLD, pieces
from comeo.view.budget import Limit
from tileserver.catalog import Record, Search
from tileserver.files import kml
from tileserver.files.kml import Span
from tileserver.files.kmz import dated_scenes, day_of, node_document
from tileserver.files.pyramid import MATRIX_SET, Node, Pyramid
from tileserver.render import mosaic
from tileserver.render.describe import collection_attribution, scene_grid, zoom_range
from tileserver.render.matrixsets import matrix_set
from tileserver.render.offers import Answers
from tileserver.render.scenes import Scenes

Address = Callable[[str], str]
"""Makes a URL of a path below the scene or collection, such as `overlay/3/8/2.kml`."""


def scene_pyramid(scenes: Scenes, record: Record) -> Pyramid:
    """Tiles of a scene."""
    _, highest = zoom_range(scene_grid(scenes, record), matrix_set(MATRIX_SET))
    return Pyramid.over(pieces(record.bbox), highest)


def collection_pyramid(scenes: Scenes, search: Search) -> Pyramid:
    """Tiles of a collection.

    Raises:
        NotFoundError: If there is no such collection, or nothing in that time.
    """
    (collection,) = search.collections or ("",)
    summary = scenes.find_collection(collection)
    _, highest = mosaic.zoom_range(scenes, search, matrix_set(MATRIX_SET))
    return Pyramid.over(pieces(summary.bbox), highest)


def scene_root(
    scenes: Scenes, record: Record, title: str, legend: str | None, address: Address, until: datetime | None
) -> bytes:
    """Document of a scene.

    Args:
        scenes: Catalogue, open archives and caches.
        record: The scene.
        title: Of the style.
        legend: URL of its legend, if there is one.
        address: See `Address`.
        until: When the scene goes from the time slider; by default with its day.
    """
    credit = attribution(scenes.catalog.item(record), record.datetime)
    pyramid = scene_pyramid(scenes, record)
    return _root(f"{record.id}, {title}", credit, pyramid, legend, address, scene_span(record, until))


def collection_root(
    scenes: Scenes, search: Search, title: str, legend: str | None, address: Address
) -> bytes:
    """Document of a collection, newest valid pixel first."""
    pyramid = collection_pyramid(scenes, search)
    (collection,) = search.collections or ("",)
    credit = collection_attribution(scenes, scenes.find_collection(collection))
    return _root(f"{collection}, {title}", credit, pyramid, legend, address, None)


def node(pyramid: Pyramid, wanted: Node, picture: str, address: Address, span: Span | None) -> bytes:
    """Document of a tile.

    Raises:
        NotFoundError: If there is no such tile.
    """
    if not (wanted.exists and pyramid.lowest <= wanted.z <= pyramid.highest and pyramid.meets(wanted)):
        raise NotFoundError(f"there is no tile {wanted.z}/{wanted.x}/{wanted.y} here")
    children = [(child, address(path_of(child))) for child in pyramid.children(wanted)]
    return node_document(pyramid, wanted, picture, children, span)


def series(
    scenes: Scenes, search: Search, chosen: Answers, most: Limit, title: str, legend: str | None,
    scene_address: Callable[[Record, datetime | None], str],
) -> bytes:  # fmt: skip
    """Document of all dates, for the time slider: each is shown until the next.

    Args:
        scenes: Catalogue, open archives and caches.
        search: Which scenes.
        chosen: Which of them can be shown.
        most: How many there may be.
        title: Of the style.
        legend: URL of its legend, if there is one.
        scene_address: URL of the document of a scene that is shown until then.
    """
    links = []
    for record, span in dated_scenes(scenes, search, chosen, most):
        west, south, east, north = record.bbox
        # A region may not cross the antimeridian.
        place = record.bbox if west <= east else (WORLD[0], south, WORLD[2], north)
        name = f"{span.begin:%Y-%m-%d}, {record.id}"
        address = scene_address(record, span.end)
        links.append(kml.network_link(name, address, place, span, kml.ROOT_PIXELS))
    if legend:
        links.append(kml.legend_overlay(legend))
    return kml.document(f"{', '.join(search.collections or ())}, {title}", "", links)


def scene_span(record: Record, until: datetime | None) -> Span | None:
    """When a scene is shown on the time slider."""
    span = day_of(record)
    return Span(span.begin, until) if span and until else span


def path_of(node: Node) -> str:
    """Path of a tile's document."""
    return f"overlay/{node.z}/{node.x}/{node.y}.kml"


def _root(
    name: str, credit: str, pyramid: Pyramid, legend: str | None, address: Address, span: Span | None
) -> bytes:
    features = [
        kml.network_link(
            f"{root.z}/{root.x}/{root.y}", address(path_of(root)), root.bounds, None, kml.ROOT_PIXELS
        )
        for root in pyramid.roots()
    ]
    if legend:
        features.append(kml.legend_overlay(legend))
    return kml.document(name, credit, features, span=span)
