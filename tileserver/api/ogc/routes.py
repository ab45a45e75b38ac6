"""OGC API – Tiles, under `/ogc`: `/` is the viewer and `/stac` the landing page of STAC."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field, model_validator

from comeo.errors import NotFoundError
from tileserver.api.ogc import documents as ogc
from tileserver.catalog import Search
from tileserver.http.context import (
    base_url,
    document_answer,
    image_answer,
    matrix_set_of,
    picture_budget,
    scenes,
    state,
)
from tileserver.http.openapi import Answers
from tileserver.http.parameters import CollectionPath, Identifier, PixelSelection
from tileserver.render.encode import MEDIA_TYPES
from tileserver.render.layers import Layer, Layers, Scope
from tileserver.render.layertiles import LayerTile, tile_in
from tileserver.render.links import Link, resolve_name
from tileserver.render.parameters import Names, Parameters, RenderParameters, mask_of_words
from tileserver.render.temporal import parse_interval

api = APIBlueprint("ogc", __name__, url_prefix="/ogc")
TAG = Tag(name="OGC API – Tiles", description="Map tiles of collections as OGC 20-057 has them.")
TILESETS = "/collections/<collection>/map/tiles"
STYLED_TILESETS = "/collections/<collection>/styles/<style>/map/tiles"
TILE = "/<tms>/<matrix>/<row>/<col>"
ELSEWHERE = "take /collections/…/tiles/…, which has it, or leave it out"
IMAGE: Answers = {
    "200": {"description": "Tile.", "content": {MEDIA_TYPES[name]: {} for name in ogc.TILE_FORMATS}}
}
DOCUMENT: Answers = {"200": {"description": "JSON.", "content": {ogc.JSON: {"schema": {"type": "object"}}}}}


class MatrixSetPath(Parameters):
    """A tile matrix set."""

    tms: str = Field(max_length=64, description="Tile matrix set.")


class StyledPath(CollectionPath):
    """A collection in a style."""

    style: Identifier = Field(description="A style that `info` lists.")


class TilesetPath(CollectionPath, MatrixSetPath):
    """A tileset."""


class StyledTilesetPath(StyledPath, MatrixSetPath):
    """A tileset in a style."""


class _Tile(Parameters):
    matrix: str = Field(max_length=20, description="Tile matrix.")
    row: int = Field(ge=0, description="From the top.")
    col: int = Field(ge=0, description="From the left.")


class TilePath(TilesetPath, _Tile):
    """A tile."""


class StyledTilePath(StyledTilesetPath, _Tile):
    """A tile in a style."""


class TileQuery(Parameters):
    """Which scenes, and how the tile is to be written."""

    datetime: str | None = Field(
        None, max_length=100, description="A time, a day, or an interval: `2024-05-01/..`."
    )
    mask: Names | None = Field(None, description="What pixels have to show to be drawn: `clear`, `land`, …")
    pixel_selection: PixelSelection = "first"
    f: Literal["png", "webp", "jpg", "jpeg"] | None = Field(
        None, description="Format; else what Accept likes best, else PNG."
    )

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Any) -> Any:
        """Refuse to drop what the tiles of the map would honour (OGC 17-069r4, 7.8: unknown is 400)."""
        for name in values if isinstance(values, dict) else ():
            if name in RenderParameters.model_fields and name not in cls.model_fields:
                raise ValueError(f"{name} is not for these tiles, which are of a style; {ELSEWHERE}")
        return values


@api.get("", tags=[TAG], responses=DOCUMENT)
def landing_page() -> Response:
    """Landing page."""
    return document_answer(ogc.landing_page(base_url()))


@api.get("/conformance", tags=[TAG], responses=DOCUMENT)
def conformance() -> Response:
    """Conformance classes of the API."""
    return document_answer({"conformsTo": list(ogc.CONFORMANCE)})


@api.get("/collections", tags=[TAG], responses=DOCUMENT)
def collections() -> Response:
    """All collections that can be shown."""
    return document_answer(ogc.collections_document(state().part(Layers).of(Scope()), base_url()))


@api.get("/collections/<collection>", tags=[TAG], responses=DOCUMENT)
def collection(path: CollectionPath) -> Response:
    """One collection."""
    return document_answer(ogc.collection_document(_layer(path), base_url()))


@api.get(TILESETS, tags=[TAG], responses=DOCUMENT)
def tilesets(path: CollectionPath) -> Response:
    """Tilesets of a collection in its first style."""
    return document_answer(ogc.tilesets_document(_layer(path), None, base_url()))


@api.get(STYLED_TILESETS, tags=[TAG], responses=DOCUMENT)
def styled_tilesets(path: StyledPath) -> Response:
    """Tilesets of a collection in a style."""
    layer = _layer(path)
    return document_answer(ogc.tilesets_document(layer, _style(layer, path.style), base_url()))


@api.get(f"{TILESETS}/<tms>", tags=[TAG], responses=DOCUMENT)
def tileset(path: TilesetPath) -> Response:
    """Tileset: which tiles there are."""
    layer = _layer(path)
    return document_answer(ogc.tileset_document(layer, None, _link(layer, path.tms), base_url()))


@api.get(f"{STYLED_TILESETS}/<tms>", tags=[TAG], responses=DOCUMENT)
def styled_tileset(path: StyledTilesetPath) -> Response:
    """Tileset in a style."""
    layer = _layer(path)
    style = _style(layer, path.style)
    return document_answer(ogc.tileset_document(layer, style, _link(layer, path.tms), base_url()))


@api.get(f"{TILESETS}{TILE}", tags=[TAG], responses=IMAGE)
def tile(path: TilePath, query: TileQuery) -> Response:
    """Map tile of a collection in its first style."""
    layer = _layer(path)
    return _tile(layer, next(iter(layer.styles)), path, query)


@api.get(f"{STYLED_TILESETS}{TILE}", tags=[TAG], responses=IMAGE)
def styled_tile(path: StyledTilePath, query: TileQuery) -> Response:
    """Map tile of a collection in a style."""
    layer = _layer(path)
    return _tile(layer, _style(layer, path.style), path, query)


@api.get("/tileMatrixSets", tags=[TAG], responses=DOCUMENT)
def matrix_sets() -> Response:
    """Tile matrix sets."""
    return document_answer(ogc.matrix_sets_document(base_url()))


@api.get("/tileMatrixSets/<tms>", tags=[TAG], responses=DOCUMENT)
def matrix_set(path: MatrixSetPath) -> Response:
    """A tile matrix set, those of UTM zones included: `UTM36SWGS84Quad`."""
    return document_answer(ogc.matrix_set_document(matrix_set_of(path.tms)))


def _layer(path: CollectionPath) -> Layer:
    return state().part(Layers).layer(Scope(path.collection))


def _style(layer: Layer, name: str) -> str:
    if name not in layer.styles:
        raise NotFoundError(f"there is no style {name}; there are {', '.join(layer.styles)}")
    return name


def _link(layer: Layer, name: str) -> Link:
    link = layer.links.get(resolve_name(name))
    if link is None:
        raise NotFoundError(f"{layer.identifier} has no tiles in {name}; it has {', '.join(layer.links)}")
    return link


def _tile(layer: Layer, style: str, path: TilePath | StyledTilePath, query: TileQuery) -> Response:
    start, end = parse_interval(query.datetime)
    grid = tile_in(layer, path.tms, path.matrix, path.row, path.col)
    search = Search(collections=(layer.identifier,), start=start, end=end)
    found = LayerTile(
        layer, search, grid, style, _format(query.f), mask_of_words(query.mask), query.pixel_selection
    )
    etag = found.etag(scenes())
    max_age = scenes().settings.mosaic_max_age
    budget = picture_budget(found.extension)
    answer = image_answer(found.extension, etag, max_age, lambda: found.render(scenes(), etag, budget))
    if query.f is None:
        answer.vary.add("Accept")
    return answer


def _format(requested: str | None) -> str:
    """Extension of a tile: the requested one, else the one that the client prefers."""
    if requested is not None:
        return "jpg" if requested == "jpeg" else requested
    types = {MEDIA_TYPES[name]: name for name in ogc.TILE_FORMATS}
    best = request.accept_mimetypes.best_match(list(types), default=MEDIA_TYPES["png"])
    return types[best]
