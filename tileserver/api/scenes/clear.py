"""How much of a scene is clear, as a whole and in a view."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from tileserver.catalog import Search
from tileserver.http import parameters as p
from tileserver.http.context import document_answer, scenes, state
from tileserver.render import clearness
from tileserver.render.parameters import Box, Parameters
from tileserver.render.temporal import parse_interval

api = APIBlueprint("clear", __name__, url_prefix="/collections/<collection>")
MOST_VIEWS = 200
TAG = Tag(name="Clear pixels", description="Which pixels of a scene are clear.")


class ClearQuery(Parameters):
    """Of which part."""

    bbox: Box | None = Field(
        None, description="west,south,east,north in degrees; the whole scene by default."
    )


class ViewsQuery(Parameters):
    """Of which view, and which scenes."""

    bbox: Box = Field(description="west,south,east,north in degrees.")
    datetime: str | None = Field(
        None, max_length=100, description="A time, a day, or an interval: `2024-05-01/2024-06-01`."
    )
    limit: int = Field(100, ge=1, le=MOST_VIEWS, description="Scenes to look at, the newest first.")


class Source(BaseModel):
    """Where the classes come from."""

    source: str = Field(description="`SCL`, the scene classification of the product, or `s2cloudless`.")
    version: str | None = Field(default=None, description="Of the method.")
    threshold: float | None = Field(
        default=None, description="Probability from which it calls a pixel cloud."
    )
    classes: list[str] = Field(description="Classes that the source tells apart.")


class Share(BaseModel):
    """Share of a class."""

    name: str
    title: str
    share: float | None = Field(description="In percent of the pixels that have data.")


class ClearAnswer(BaseModel):
    """Shares in percent of the pixels that have data; null where none has."""

    collection: str
    item: str
    bbox: list[float] = Field(description="West, south, east, north in degrees.")
    source: Source
    covered: float = Field(description="Share of the pixels that have data, in percent.")
    clear: float | None = Field(description="Land, water and snow together.")
    cloud: float | None = Field(description="Cloud, thin and doubtful cloud included.")
    classes: list[Share]


@api.get("/items/<item>/clear", tags=[TAG], responses={200: ClearAnswer})
def clear(path: p.ItemPath, query: ClearQuery) -> Response:
    """How much of the scene, or of a view of it, is clear; 404 where its archive does not say."""
    record = scenes().find(path.collection, path.item)
    bbox = (query.bbox[0], query.bbox[1], query.bbox[2], query.bbox[3]) if query.bbox else None
    return document_answer(clearness.shares(scenes(), record, bbox, scenes().budget()))


class View(BaseModel):
    """Shares in percent of the pixels of a scene in a view that have data; null where that is unknown."""

    collection: str
    item: str
    datetime: str | None
    covered: float | None = Field(description="Share of the view where the scene has data.")
    clear: float | None = Field(description="Land, water and snow together.")
    cloud: float | None = Field(description="Cloud, thin and doubtful cloud included.")


class ViewsAnswer(BaseModel):
    """How clear scenes are over a view, newest first."""

    bbox: list[float]
    items: list[View]
    more: bool = Field(description="Whether further scenes meet the view.")


@api.get("/clear", tags=[TAG], responses={200: ViewsAnswer})
def views(path: p.CollectionPath, query: ViewsQuery) -> Response:
    """How clear the scenes of a collection are over a view, newest first, to about one percent."""
    scenes().find_collection(path.collection)
    start, end = parse_interval(query.datetime)
    search = Search(collections=(path.collection,), start=start, end=end)
    bbox = (query.bbox[0], query.bbox[1], query.bbox[2], query.bbox[3])
    with state().gate.enter():
        found = clearness.views(scenes(), search, bbox, query.limit, scenes().budget())
    return document_answer(found)
