"""What a moderator works through: alerts that wait, over all geoservices, and what each rests on in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field
from sqlalchemy import Connection

from comeo.indicators.model import Language
from tileserver.accounts.rights import DECIDES
from tileserver.api.geoservices.alerts import alert_of, document_of
from tileserver.api.geoservices.common import MOST_ROWS, TAG, NumberPath
from tileserver.http.database import database
from tileserver.http.session import signed_in
from tileserver.http.writes import state_answer
from tileserver.render.parameters import Parameters
from tileserver.store import accounts
from tileserver.store import alerts as stored
from tileserver.store.alerts import Alert
from tileserver.store.geoservices import Geoservice
from tileserver.watch.document.definition import SLUG
from tileserver.watch.messages.evidence import evidence_in
from tileserver.watch.messages.tell import Names
from tileserver.watch.words import LANGUAGES

api = APIBlueprint("queue", __name__)


class WaitingQuery(Parameters):
    """Which."""

    geoservice: str = Field("", pattern=rf"^$|{SLUG}", description="Of one geoservice alone, by its slug.")
    limit: int = Field(100, ge=1, le=MOST_ROWS)


class EvidenceQuery(Parameters):
    """In which language."""

    locale: Language | None = Field(None, description="By default that of the account, else English.")


@api.get("/alerts", tags=[TAG])
def waiting(query: WaitingQuery) -> Response:
    """Alerts that one is to decide on: the most severe first, of these the oldest."""
    with database().reading() as connection:
        person = signed_in(connection)
        mine = [
            one
            for one, role in accounts.seen_by(connection, person.id)
            if role in DECIDES and query.geoservice in ("", one.slug)
        ]
        found = [
            (each, one)
            for one in mine
            for each in stored.alerts_of(connection, one.id)
            if each.state == "candidate"
        ]
        found.sort(key=lambda pair: (-pair[0].severity, pair[0].first_at, pair[0].id))
        rows = _rows(connection, found[: query.limit])
    return state_answer({"alerts": rows, "waiting": len(found)})


@api.get("/alerts/<number>/evidence", tags=[TAG])
def evidence(path: NumberPath, query: EvidenceQuery) -> Response:
    """What an alert rests on, in words: sentences, values with limits, and addresses of pictures."""
    with database().reading() as connection:
        alert, _, person, _ = alert_of(connection, path.number)
        locale = query.locale or (person.locale if person else LANGUAGES[0])
        shown = asdict(evidence_in(connection, alert, locale))
    rows = [dict(zip(("day", "value", "nominal", "outside"), each, strict=True)) for each in shown["rows"]]
    dates = alert.evidence["dates"]
    return state_answer({"alert": alert.id, "locale": locale, **shown, "rows": rows, "dates": dates})


def _rows(connection: Connection, found: list[tuple[Alert, Geoservice]]) -> list[dict[str, Any]]:
    names = {one.id: Names(connection, one) for _, one in found}
    rows = []
    for alert, one in found:
        about = names[one.id].of(alert)
        told = {"geoservice": about.geoservice, "site": about.site, "indicator": about.indicator}
        rows.append(
            {
                **document_of(alert, one, "moderator", names[one.id]),
                "names": {key: dict(each) for key, each in told.items()},
            }
        )
    return rows
