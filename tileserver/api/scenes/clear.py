"""How much of a scene is clear, as a whole and in a view."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from tileserver.http import parameters as p
from tileserver.http.context import document_answer, scenes
from tileserver.render import clearness
from tileserver.render.parameters import Box, Parameters

api = APIBlueprint("clear", __name__, url_prefix="/collections/<collection>/items/<item>")
TAG = Tag(name="Clear pixels", description="Which pixels of a scene are clear.")


class ClearQuery(Parameters):
    """Of which part."""

    bbox: Box | None = Field(
        None, description="west,south,east,north in degrees; the whole scene by default."
    )


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


@api.get("/clear", tags=[TAG], responses={200: ClearAnswer})
def clear(path: p.ItemPath, query: ClearQuery) -> Response:
    """How much of the scene, or of a view of it, is clear; 404 where its archive does not say."""
    record = scenes().find(path.collection, path.item)
    bbox = (query.bbox[0], query.bbox[1], query.bbox[2], query.bbox[3]) if query.bbox else None
    return document_answer(clearness.shares(scenes(), record, bbox, scenes().budget()))
