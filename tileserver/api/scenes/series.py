"""Values of points, polygons and many fields over time."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from geojson_pydantic import Feature, MultiPolygon, Point, Polygon
from geojson_pydantic.features import FeatureCollection
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainValidator, RootModel

from comeo.errors import ParameterError
from tileserver.catalog import Search
from tileserver.http import parameters as p
from tileserver.http.conditional import answer_by_content
from tileserver.http.context import document_answer, scenes, state
from tileserver.http.openapi import Answers
from tileserver.render import series as time_series
from tileserver.render.geojson import check_object
from tileserver.render.observations import observations_of
from tileserver.render.parameters import Box, split_commas
from tileserver.render.sites import Site, box_site, point_site, sites_of
from tileserver.render.temporal import parse_interval

api = APIBlueprint("series", __name__, url_prefix="/collections/<collection>")
TAG = Tag(name="Series", description="Values of points, polygons and many fields over time.")
COLUMNS = (
    "id", "item", "datetime", "value", "uncertainty", "spread", "pixels", "covered", "clear_fraction",
    "cloudy",
)  # fmt: skip


def _position(value: list[float]) -> list[float]:
    if len(value) != 2 or not (abs(value[0]) <= 180 and abs(value[1]) <= 90):
        raise ValueError("a point is lon,lat in degrees")
    return value


_Shape = Point | Polygon | MultiPolygon
_Shapes = _Shape | Feature[_Shape, dict[str, Any]] | FeatureCollection[Feature[_Shape, dict[str, Any]]]
SitesDocument = Annotated[dict[str, Any], PlainValidator(check_object, json_schema_input_type=_Shapes)]


class SitesBody(RootModel[SitesDocument]):
    """GeoJSON: a Point, Polygon or MultiPolygon in degrees, a Feature, or a FeatureCollection of them."""


class SeriesQuery(p.CollectionQuery):
    """What a series is of."""

    max_size: int = Field(
        512, ge=1, description="Longest side in pixels of the image that each mean is made of."
    )
    min_clear: float = Field(
        0.9, ge=0, le=1, description="Share of an area that has to be clear; dates with less are `cloudy`."
    )
    f: Literal["json", "csv"] = Field("json", description="Format of the answer.")


class PlaceQuery(SeriesQuery):
    """The same of one place."""

    point: Annotated[
        list[float] | None, BeforeValidator(split_commas), AfterValidator(lambda v: v and _position(v))
    ] = Field(None, description="lon,lat in degrees: the pixel there.")
    bbox: Box | None = Field(None, description="west,south,east,north in degrees: its mean.")


class ObservationDocument(BaseModel):
    """A value of an area in a scene."""

    item: str
    datetime: str
    value: float | None = Field(description="Mean of the pixels that count; null where none does.")
    uncertainty: float | None = Field(
        description="Standard uncertainty u of the mean that compression and hidden parts leave: the true "
        "one lies within 2u in 95 of 100 cases. Null where it is unknown."
    )
    spread: float | None = Field(description="Standard deviation of the pixels that count.")
    pixels: float = Field(description="How many count, parts of pixels included.")
    covered: float = Field(description="Share of the area that the scene has data of, 0 to 1.")
    clear_fraction: float | None = Field(description="Share of that which is clear; null if unknown.")
    cloudy: bool = Field(description="Whether `clear_fraction` is less than `min_clear`.")
    classes: dict[str, float] | None = Field(description="Shares of the classes there; null if unknown.")
    orbit_state: str | None
    relative_orbit: int | None
    looks: float | None = Field(description="Of radar: independent looks of the mean.")


class FeatureDocument(BaseModel):
    """An area, as it was sent, and its observations, oldest first."""

    id: str | int | None
    properties: dict[str, Any] | None
    observations: list[ObservationDocument]


class SeriesDocument(BaseModel):
    """Values of areas over time."""

    collection: str
    value: str = Field(description="Name of the value: of a style, a band or an expression.")
    features: list[FeatureDocument]


ANSWERS: Answers = {"200": SeriesDocument}


@api.get("/series", tags=[TAG], responses=ANSWERS)
def place_series(path: p.CollectionPath, query: PlaceQuery) -> Response:
    """Values at a point or in a box in each scene, oldest first."""
    given = (query.point, query.bbox)
    if (given[0] is None) == (given[1] is None):
        raise ParameterError("give either point=lon,lat or bbox=west,south,east,north; POST takes polygons")
    if query.point is not None:
        site = point_site(query.point[0], query.point[1])
    else:
        site = box_site(query.bbox or [])
    return _answer(path, query, [site])


@api.post("/series", tags=[TAG], responses=ANSWERS)
def series(path: p.CollectionPath, query: SeriesQuery, body: SitesBody) -> Response:
    """Means of points and polygons in degrees in each scene, oldest first; ids and properties are kept.

    Pixels that are not clear do not count, unless `mask` says which do; dates on which the area is cloudy are
    there and marked. An answer that takes too long is 503 with `Retry-After`: the same request then goes on.
    """
    settings = scenes().settings
    return _answer(path, query, sites_of(body.root, settings.max_vertices, settings.max_sites))


def _answer(path: p.CollectionPath, query: SeriesQuery, sites: Sequence[Site]) -> Response:
    start, end = parse_interval(query.datetime)
    search = Search(collections=(path.collection,), start=start, end=end)
    wanted = time_series.SeriesRequest(search, sites, query.render_request(), query.max_size)
    with state().gate.enter():
        found = time_series.observe(scenes(), wanted, state().part(observations_of))
    document = time_series.document(scenes(), wanted, found, query.min_clear)
    if query.f == "json":
        return document_answer(document)
    return answer_by_content(Response(_csv(document), content_type="text/csv; charset=utf-8"))


def _csv(document: Mapping[str, Any]) -> str:
    """A line an observation; areas without an id have their number, from 0."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    lines.writerow(COLUMNS)
    for number, feature in enumerate(document["features"]):
        own = number if feature["id"] is None else feature["id"]
        for each in feature["observations"]:
            lines.writerow([own, *(each[name] for name in COLUMNS[1:])])
    return text.getvalue()
