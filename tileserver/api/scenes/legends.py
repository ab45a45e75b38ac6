"""Legends of styles."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from comeo.errors import NotFoundError, ParameterError
from comeo.scene import Band
from tileserver.http.context import image_answer, scene_max_age, scenes
from tileserver.http.parameters import CollectionPath, Identifier, ItemPath, LanguageQuery
from tileserver.render.fingerprint import fingerprint
from tileserver.render.legend import legend
from tileserver.render.offers import collection_styles
from tileserver.render.styles import Style, find_style, in_language, styles_for

api = APIBlueprint("legends", __name__, url_prefix="/collections/<collection>")
TAG = Tag(name="Styles", description="Legends of styles.")


class CollectionStylePath(CollectionPath):
    """A style of a collection."""

    style: Identifier = Field(description="A style that `info` lists.")


class ItemStylePath(ItemPath, CollectionStylePath):
    """A style of a scene."""


@api.get("/styles/<style>/legend.png", tags=[TAG])
def collection_legend(path: CollectionStylePath, query: LanguageQuery) -> Response:
    """Legend of a collection's style."""
    sets = scenes().find_collection(path.collection).band_sets
    offered = collection_styles(sets).get(path.style)
    if offered is not None:
        return _answer(offered, query)
    able = next((found.bands for found in sets if path.style in styles_for(found.bands)), sets[0].bands)
    return _answer(_find(path.style, able), query)


@api.get("/items/<item>/styles/<style>/legend.png", tags=[TAG])
def item_legend(path: ItemStylePath, query: LanguageQuery) -> Response:
    """Legend of a scene's style."""
    return _answer(_find(path.style, scenes().find(path.collection, path.item).bands), query)


def _find(name: str, bands: tuple[Band, ...]) -> Style:
    try:
        return find_style(name, bands)
    except ParameterError as error:
        raise NotFoundError(str(error)) from error


def _answer(style: Style, query: LanguageQuery) -> Response:
    style = in_language(style, query.lang)
    return image_answer("png", fingerprint("legend", style), scene_max_age(style.name), lambda: legend(style))
