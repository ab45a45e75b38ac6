"""What geoservices have observed: series of their sites, and the sites with their latest values."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any, Final, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field
from sqlalchemy import Connection

from comeo.errors import BoundError, NotFoundError
from tileserver.api.geoservices.common import TAG, SlugPath, of_slug
from tileserver.api.geoservices.coverages import COVERAGE_JSON, coverages
from tileserver.api.tables import CSV, PARQUET, Kind, csv_text, parquet_bytes
from tileserver.http.conditional import answer_by_content
from tileserver.http.context import scenes
from tileserver.http.database import database
from tileserver.http.writes import state_answer
from tileserver.render.parameters import Parameters
from tileserver.render.temporal import Interval, parse_interval, rfc3339
from tileserver.store import alerts as stored
from tileserver.store import geoservices, observed, sites
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.observed import Archived, Observed
from tileserver.store.sites import SiteVersion
from tileserver.watch.alerts.baseline import Verdict
from tileserver.watch.alerts.counting import counts, verdicts
from tileserver.watch.alerts.lifecycle import sites_in
from tileserver.watch.document.rules import rule_of
from tileserver.watch.observing.observe import standing

api = APIBlueprint("followed_series", __name__)
COLUMNS: Final = (
    "collection", "item", "datetime", "value", "uncertainty", "pixels", "covered", "clear_fraction",
    "cloud_nearby", "ratio", "low", "high", "side", "score", "reason",
)  # fmt: skip
_KINDS: Final[dict[str, Kind]] = {
    "site": "count", "collection": "text", "item": "text", "datetime": "time",
    "side": "text", "reason": "text",
}  # fmt: skip


class IndicatorQuery(Parameters):
    """Of which indicator."""

    indicator: str | None = Field(None, max_length=100, description="Its id; by default the first.")


class SeriesQuery(IndicatorQuery):
    """What a series is of."""

    site: int | None = Field(None, ge=1, le=2**31 - 1, description="Id of a site; by default all.")
    datetime: str | None = Field(None, max_length=100, description="A day, an instant, or start/end.")
    f: Literal["json", "csv", "parquet", "coveragejson"] = Field("json", description="Format of the answer.")


@api.get("/geoservices/<slug>/series", tags=[TAG])
def series(path: SlugPath, query: SeriesQuery) -> Response:
    """Values of sites over time with their uncertainty, nominal limits, and why a date does not count."""
    interval = parse_interval(query.datetime)
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        indicator = _indicator(connection, one, query.indicator)
        places = sites.leaves(connection, one.site)
        if query.site is not None:
            places = [each for each in places if each.site == query.site]
            if not places:
                raise NotFoundError(f"{one.slug} has no site {query.site}")
        known = observed.of_sites(connection, [each.id for each in places], indicator.sha256)
    archives = standing(scenes(), one, places)
    found = [
        _site_series(one, indicator, place, _counting(known[place.id], archives), interval)
        for place in places
    ]
    most = scenes().settings.max_observations
    if (number := sum(len(each["observations"]) for each in found)) > most:
        raise BoundError(
            f"there are {number} observations, more than {most}; name a site, or a shorter datetime",
            "max_observations",
        )
    document = indicator.read()
    if query.f == "coveragejson":
        geometries = {each.site: each.geometry for each in places}
        return state_answer(coverages(found, geometries, document), content_type=COVERAGE_JSON)
    if query.f != "json":
        return _table(found, query)
    return state_answer(
        {"geoservice": one.slug, "indicator": document.id, "unit": document.value.unit, "series": found}
    )


@api.get("/geoservices/<slug>/sites.geojson", tags=[TAG])
def latest(path: SlugPath, query: IndicatorQuery) -> Response:
    """The sites with their latest clear value, its uncertainty and state, for maps of programs like QGIS."""
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        indicator = _indicator(connection, one, query.indicator)
        places = sites.leaves(connection, one.site)
        known = observed.of_sites(connection, [each.id for each in places], indicator.sha256)
        told = stored.told_of(connection, one.id)
    archives = standing(scenes(), one, places)
    features = [
        {
            "type": "Feature", "id": place.site, "geometry": dict(place.geometry),
            "properties": {
                "name": dict(place.name), "area_m2": place.area_m2,
                **_latest(one, indicator, place, _counting(known[place.id], archives)),
                "alert": any(
                    each.is_open and each.gs_indicator == indicator.id and place.site in sites_in(each)
                    for each in told
                ),
            },
        }
        for place in places
    ]  # fmt: skip
    return state_answer(
        {"type": "FeatureCollection", "features": features}, content_type="application/geo+json"
    )


def _indicator(connection: Connection, one: Geoservice, wanted: str | None) -> Followed:
    """An indicator of a geoservice.

    Raises:
        NotFoundError: If it follows no such one.
    """
    for each in geoservices.followed(connection, one.id):
        if wanted in (None, each.read().id):
            return each
    raise NotFoundError(f"{one.slug} follows no indicator {wanted}")


def _counting(known: Iterable[Observed], archives: Set[Archived]) -> list[Observed]:
    return [each for each in known if each.archive in archives]


def _site_series(
    one: Geoservice, indicator: Followed, place: SiteVersion, seen: list[Observed], interval: Interval
) -> dict[str, Any]:
    rule = rule_of(one, indicator, place.site)
    by_item = {each.point.item: each for each in verdicts(seen, rule)}
    start, end = interval
    rows = [
        _row(each, by_item.get(each.item), counts(each, rule.policy))
        for each in seen
        if (start is None or each.datetime >= start) and (end is None or each.datetime <= end)
    ]
    return {"site": place.site, "name": dict(place.name), "area_m2": place.area_m2, "observations": rows}


def _row(one: Observed, verdict: Verdict | None, reason: str | None) -> dict[str, Any]:
    told = verdict if reason is None else None
    return {
        "collection": one.collection, "item": one.item, "datetime": rfc3339(one.datetime), "value": one.value,
        "uncertainty": one.u, "pixels": one.pixels, "covered": one.covered, "clear_fraction": one.clear,
        "cloud_nearby": one.cloud_near, "ratio": one.ratio,
        "low": told and told.low, "high": told and told.high, "side": told and told.side,
        "score": told and told.score, "reason": reason,
    }  # fmt: skip


def _latest(one: Geoservice, indicator: Followed, place: SiteVersion, seen: list[Observed]) -> dict[str, Any]:
    told = verdicts(seen, rule_of(one, indicator, place.site))
    if not told:
        return {"value": None, "uncertainty": None, "datetime": None, "state": "unknown"}
    last = told[-1]
    state = last.side or ("nominal" if last.is_known else "learning")
    point = last.point
    return {"value": point.value, "uncertainty": point.u, "datetime": rfc3339(point.at), "state": state}


def _table(found: list[dict[str, Any]], query: SeriesQuery) -> Response:
    """Series as a table, a row an observation."""
    names = ("site", *COLUMNS)
    rows = [{"site": each["site"], **row} for each in found for row in each["observations"]]
    if query.f == "csv":
        return answer_by_content(Response(csv_text(names, rows), content_type=CSV))
    return answer_by_content(Response(parquet_bytes(names, rows, _KINDS), content_type=PARQUET))
