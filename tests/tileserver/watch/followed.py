"""Geoservices of tests, and observations that are made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from comeo.indicators.document import Document
from tileserver.outgoing.addresses import read_networks
from tileserver.render.documents import find_document
from tileserver.store import geoservices, sites
from tileserver.store.database import Database
from tileserver.store.geoservices import Geoservice
from tileserver.store.observed import Observed
from tileserver.watch.document.rules import Rule, rule_of
from tileserver.watch.setup.register import definition_of, register

OWNER = "owner@example.org"
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HERE = read_networks("127.0.0.0/8")
"""Where webhooks of tests are."""
LIMIT = 0.5
"""Below it values are outside."""


def square(lon: float = 10.0, lat: float = 46.0, side: float = 0.001) -> dict[str, Any]:
    """A polygon."""
    ring = [[lon, lat], [lon + side, lat], [lon + side, lat + side], [lon, lat + side], [lon, lat]]
    return {"type": "Polygon", "coordinates": [ring]}


def document(**changes: Any) -> dict[str, Any]:
    """What a user writes."""
    return {
        "slug": "wood", "title": {"en": "The wood"}, "collections": ["scenes"], "sites": square(),
        "indicators": [{"indicator": "ndvi", "nominal": {"kind": "fixed", "low": LIMIT}}],
        "start": "2026-01-01", "recipients": [{"email": OWNER}], **changes,
    }  # fmt: skip


def follow(database: Database, **changes: Any) -> Geoservice:
    """An active geoservice."""
    definition = definition_of(document(**changes))
    with database.writing() as connection:
        number = register(connection, definition, OWNER, 1000, NOW, HERE)
        geoservices.set_state(connection, number, "active")
        return geoservices.get_geoservice(connection, number)


def ndvi() -> Document:
    """The indicator of the geoservices."""
    found = find_document("ndvi")
    assert found is not None
    return found


def rule(database: Database, geoservice: Geoservice) -> Rule:
    """Of its first indicator and site."""
    with database.reading() as connection:
        (indicator,) = geoservices.followed(connection, geoservice.id)
        return rule_of(geoservice, indicator, sites.leaves(connection, geoservice.site)[0].site)


def observation(day: float, value: float, *, version: int = 1, etag: str = "e", **changes: Any) -> Observed:
    """What a clear scene says, so many days after the geoservice began."""
    values: dict[str, Any] = {
        "datetime": START + timedelta(days=day), "value": value, "u": 0.01, "covered": 1.0, "clear": 1.0,
        "cloud_near": 0.0, "pixels": 100.0, "p10": value, "p50": value, "p90": value, **changes,
    }  # fmt: skip
    item = changes.pop("item", f"day-{day:g}")
    values.pop("item", None)
    return Observed(
        version, ndvi().fingerprint, "scenes", item, etag, values.pop("datetime"), "done", "test", **values
    )
