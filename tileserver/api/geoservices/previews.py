"""What a geoservice would have said, before it starts; nothing of it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, time
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field
from pydantic_core import to_json

from comeo.indicators.document import Document
from comeo.indicators.model import Language
from tileserver.api.geoservices.common import TAG, SlugPath, of_slug
from tileserver.http.context import scenes, state
from tileserver.http.database import database
from tileserver.http.session import signed_in
from tileserver.render.parameters import Parameters
from tileserver.render.temporal import rfc3339
from tileserver.watch.alerts.counting import counts
from tileserver.watch.alerts.detect import Episode
from tileserver.watch.alerts.sight import advice_words
from tileserver.watch.document.definition import AlertPolicy, Day, Definition
from tileserver.watch.setup.preview import Asked, Previewed, asked_of, asked_of_kept, preview_of
from tileserver.watch.setup.register import area_of, own_site

api = APIBlueprint("previews", __name__)


class PreviewQuery(Parameters):
    """Of what."""

    site: int | None = Field(None, ge=0, le=9_999, description="A site, counted from 0; by default all.")
    until: Day | None = Field(None, description="End of the two years; by default the newest scene's time.")
    locale: Language | None = Field(None, description="Of advice; by default that of the account.")


@api.post("/geoservices/preview", tags=[TAG])
def of_document(query: PreviewQuery, body: Definition) -> Response:
    """Say what a geoservice would have told in two years, how often, and what its sites see.

    Sites are best previewed one by one: each answer then comes within seconds. One that takes longer than a
    series may is 503.
    """
    with database().reading() as connection:
        person = signed_in(connection)
        if body.site is not None:
            own_site(connection, body.site, person.id)
        asked = asked_of(scenes(), body, connection)
    return _answer(asked, query, query.locale or person.locale)


@api.post("/geoservices/<slug>/preview", tags=[TAG])
def of_kept(path: SlugPath, query: PreviewQuery) -> Response:
    """The same of a geoservice that is there."""
    with database().reading() as connection:
        one, person, _ = of_slug(connection, path.slug)
        asked = asked_of_kept(connection, one)
    locale = query.locale or (person.locale if person else "en")
    return _answer(asked, query, locale)


def _answer(asked: Asked, query: PreviewQuery, locale: str) -> Response:
    part = asked.only(query.site)
    until = None if query.until is None else datetime.combine(query.until, time(23, 59, 59), UTC)
    with state().gate.enter():
        found = preview_of(scenes(), part, until, scenes().settings.series_seconds)
    told = {
        "since": rfc3339(found.since), "until": rfc3339(found.until), "sites": len(asked.places),
        "cost": {
            "seconds": round(found.seconds, 3), "observations": found.observations,
            "messages": found.messages,
        },
        "indicators": [
            _indicator(part, document, all_sites, locale) for document, all_sites in found.indicators
        ],
    }  # fmt: skip
    response = Response(to_json(told), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _indicator(
    asked: Asked, document: Document, all_sites: Sequence[Previewed], locale: str
) -> dict[str, Any]:
    unit = document.value.unit or ""
    rows = zip(asked.places, asked.names, all_sites, strict=True)
    return {
        "id": document.id, "version": document.version, "title": dict(document.title), "unit": unit,
        "sites": [
            {"name": dict(name), "area_m2": area_of(place.area.geometry),
             **_site(one, asked.policy, unit, locale)}
            for place, name, one in rows
        ],
    }  # fmt: skip


def _site(one: Previewed, policy: AlertPolicy, unit: str, locale: str) -> Mapping[str, Any]:
    by_item = {each.point.item: each for each in one.verdicts}
    dates = []
    for each in one.observations:
        verdict, reason = by_item.get(each.item), counts(each, policy)
        dates.append(
            {"item": each.item, "datetime": rfc3339(each.datetime), "value": each.value,
             "uncertainty": each.u, "clear_fraction": each.clear, "low": verdict and verdict.low,
             "high": verdict and verdict.high, "side": verdict and verdict.side, "reason": reason}
        )  # fmt: skip
    return {
        "clear_dates": len(one.verdicts), "sight": asdict(one.sight),
        "advice": {
            **asdict(one.advice), "sentence": advice_words(one.advice, one.sight, unit, locale),
        },
        "deviations": [_deviation(each) for each in one.episodes], "observations": dates,
    }  # fmt: skip


def _deviation(one: Episode) -> dict[str, Any]:
    return {
        "side": one.side, "first": rfc3339(one.first.point.at), "last": rfc3339(one.last.point.at),
        "over": one.over and rfc3339(one.over.point.at), "severity": one.worst.severity,
        "alert": one.persistent,
    }  # fmt: skip
