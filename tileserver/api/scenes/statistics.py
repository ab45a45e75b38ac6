"""Statistics of an area in periods of time: `POST /statistics`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from geojson_pydantic import MultiPolygon, Point, Polygon
from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from comeo.indicators.document import Document, read_document
from tileserver.api.tables import CSV, PARQUET, Kind, csv_text, parquet_bytes
from tileserver.catalog import Search
from tileserver.http.conditional import answer_by_content
from tileserver.http.context import document_answer, scenes, state
from tileserver.http.openapi import Answers
from tileserver.render import series, statistics
from tileserver.render.documents import find_document, lent
from tileserver.render.geojson import check_object
from tileserver.render.observations import observations_of
from tileserver.render.parameters import Names, Parameters, mask_of_words
from tileserver.render.periods import parse_step
from tileserver.render.plan import RenderRequest
from tileserver.render.sites import sites_of
from tileserver.render.temporal import parse_interval

api = APIBlueprint("period_statistics", __name__)
TAG = Tag(name="Series", description="Values of points, polygons and many fields over time.")
_KINDS: Final[dict[str, Kind]] = {"from": "time", "to": "time", "dates": "count", "cloudy_dates": "count"}
_STATS = (
    "mean", "stDev", "min", "max", "sampleCount", "noDataCount", "value", "uncertainty", "dates",
    "cloudy_dates", "clear_fraction", "archive_ratio",
)  # fmt: skip
_Geometry = Annotated[
    dict[str, Any], PlainValidator(check_object, json_schema_input_type=Point | Polygon | MultiPolygon)
]


class StatisticsBody(BaseModel):
    """What statistics are of."""

    model_config = ConfigDict(extra="forbid")

    collection: str = Field(min_length=1, max_length=200, description="STAC Collection id.")
    geometry: _Geometry = Field(description="GeoJSON Point, Polygon or MultiPolygon in degrees.")
    indicator: Annotated[str, Field(min_length=1, max_length=200)] | dict[str, Any] = Field(
        description="Id of an indicator (`ndvi`, `ndvi@1.0.0`, `draft-…`) or of a band (`vv`), or a document."
    )
    datetime: str | None = Field(None, max_length=100, description="`2024-01-01/2024-12-31`; by default all.")
    interval: str = Field("P1M", max_length=8, description="Length of a period: `P1D`, `P10D`, `P1M`, `P1Y`.")
    percentiles: Annotated[list[Annotated[float, Field(ge=0, le=100)]], Field(max_length=20)] = Field(
        [5, 25, 50, 75, 95], description="Of the pixels."
    )
    statistic: str | None = Field(
        None, max_length=40, description="By which the means of the dates become `value`: `mean`, `median`, "
        "`min`, `max`, `latest`, `count`, `slope` (a year), `percentile(q)`, `days-above(x)`. By default "
        "that of the indicator's `temporal`, else `mean`.",
    )  # fmt: skip
    mask: Names | None = Field(None, description="What pixels have to show to count; by default clear ones.")
    min_clear: float | None = Field(
        None, ge=0, le=1, description="Share of the area that has to be clear on a date that counts. By "
        "default that of the indicator's `spatial`, else 0.9.",
    )  # fmt: skip
    max_size: int = Field(
        512, ge=1, description="Longest side in pixels of the image that each mean is made of."
    )


class StatisticsQuery(Parameters):
    """How they are answered."""

    f: Literal["json", "csv", "parquet"] = Field("json", description="Format of the answer.")


class Stats(BaseModel):
    """Of a period. Null is what there is none of."""

    min: float | None
    max: float | None
    mean: float | None = Field(description="Of all pixels of dates that count; of decibels that of power.")
    stDev: float | None  # noqa: N815 (as in Sentinel Hub)
    percentiles: dict[str, float | None]
    sampleCount: float = Field(description="Pixels of the area that scenes have, on all dates.")  # noqa: N815
    noDataCount: float = Field(description="Those of them that do not count: cloudy, say.")  # noqa: N815
    value: float | None = Field(description="`statistic` of the dates' means.")
    uncertainty: float | None = Field(
        description="Standard uncertainty u of `value`; null if unknown (percentiles)."
    )
    dates: int = Field(description="Scenes that count.")
    cloudy_dates: int = Field(description="Scenes that do not, since less than `min_clear` is clear.")
    clear_fraction: float | None = Field(description="Share of what scenes show of the area that is clear.")
    archive_ratio: float | None = Field(
        description="How many times smaller than their sources the archives are."
    )


class Period(BaseModel):
    """A period; `outputs` is {indicator: {"bands": {"B0": {"stats": …}}}}."""

    interval: dict[Literal["from", "to"], str] = Field(description="From a time to before another.")
    outputs: dict[str, dict[Literal["bands"], dict[Literal["B0"], dict[Literal["stats"], Stats]]]]


class StatisticsDocument(BaseModel):
    """Statistics, in the form of Sentinel Hub's."""

    status: Literal["OK"]
    collection: str
    indicator: dict[str, Any] = Field(description="Its id, version, sha256 and unit.")
    statistic: str
    data: list[Period]


ANSWERS: Answers = {"200": StatisticsDocument}


@api.post("/statistics", tags=[TAG], responses=ANSWERS)
def period_statistics(query: StatisticsQuery, body: StatisticsBody) -> Response:
    """Statistics of an indicator over an area, in each period of an interval.

    Pixels count that are clear, on dates on which the area is clear enough; periods without any are there,
    too. An answer that takes too long is 503 with `Retry-After`: the same request then goes on.
    """
    document = _document(body.indicator)
    if document is not None:
        statistics.check_document(document)
    with lent(document if isinstance(body.indicator, dict) else None) as name:
        style = name or str(body.indicator)
        found = _found(body, RenderRequest(style=style, mask=mask_of_words(body.mask)), document)
    return _answer(found, query.f)


def _document(indicator: str | dict[str, Any]) -> Document | None:
    """The document; None of a style that is no indicator's."""
    if isinstance(indicator, str):
        return find_document(indicator)
    return read_document(json.dumps(indicator).encode(), "json")


def _found(body: StatisticsBody, pixels: RenderRequest, document: Document | None) -> dict[str, Any]:
    settings = scenes().settings
    start, end = parse_interval(body.datetime)
    sites = sites_of(body.geometry, settings.max_vertices, 1)
    search = Search(collections=(body.collection,), start=start, end=end)
    wanted = series.SeriesRequest(search, sites, pixels, body.max_size)
    asked = _asked(body, document)
    with state().gate.enter():
        found = series.observe(scenes(), wanted, state().part(observations_of))
        return statistics.document(scenes(), wanted, found, asked)


def _asked(body: StatisticsBody, document: Document | None) -> statistics.Asked:
    """What is asked, with what the document says where the request leaves it open."""
    temporal = document.temporal if document else None
    spatial = document.spatial if document else None
    statistic = body.statistic or (temporal.statistic if temporal else "mean")
    of_mean = spatial is None or spatial.statistic == "mean"  # nothing else has uncertainties to weigh by
    weights = temporal.weights if temporal and statistic == "mean" and of_mean else "equal"
    own_clear = spatial.min_clear if spatial else statistics.MIN_CLEAR
    return statistics.Asked(
        parse_step(body.interval), body.percentiles, statistics.checked(statistic), weights,
        temporal.min_dates if temporal else 1, own_clear if body.min_clear is None else body.min_clear,
        spatial.min_pixels if spatial else 0, document,
    )  # fmt: skip


def _answer(found: dict[str, Any], form: str) -> Response:
    if form == "json":
        return document_answer(found)
    rows = list(_rows(found))
    names = list(rows[0])
    if form == "csv":
        return answer_by_content(Response(csv_text(names, rows), content_type=CSV))
    return answer_by_content(Response(parquet_bytes(names, rows, _KINDS), content_type=PARQUET))


def _rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A flat row a period."""
    for each in found["data"]:
        (output,) = each["outputs"].values()
        stats = output["bands"]["B0"]["stats"]
        yield {
            **each["interval"],
            **{name: stats[name] for name in _STATS},
            **{f"p{key.removesuffix('.0')}": value for key, value in stats["percentiles"].items()},
        }
