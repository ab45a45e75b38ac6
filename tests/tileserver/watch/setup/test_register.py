"""What a user writes becomes rows, or is refused in one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from comeo.errors import ComeoError, NotFoundError, ParameterError
from tests.tileserver.watch.followed import NOW, OWNER, document, follow, square
from tileserver.errors import ConflictError
from tileserver.store import accounts, geoservices, outbox, sites
from tileserver.store.database import Database
from tileserver.store.tables import account
from tileserver.watch.document.definition import Definition
from tileserver.watch.messages.compose import About, alert_content
from tileserver.watch.setup.register import definition_of, read_definition, register

LINE = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}


def nominal(**limits: float) -> dict[str, Any]:
    return {"indicators": [{"indicator": "ndvi", "nominal": {"kind": "fixed", **limits}}]}


def feature(name: str, **geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"name": name}, "geometry": square(**geometry)}


def test_rows_are_what_was_written(database: Database) -> None:
    places = {
        "type": "FeatureCollection",
        "features": [feature("North"), feature("  South \n wood ", lat=45.0)],
    }
    made = follow(
        database, sites=places, recipients=[{"email": OWNER}, {"email": "x@y.org", "min_severity": 2}]
    )
    assert (made.slug, made.state, made.title, made.revision) == ("wood", "active", {"en": "The wood"}, 2)
    with database.reading() as connection:
        found = sites.leaves(connection, made.site)
        told = outbox.recipients_of(connection, made.id)
        (moderator,) = accounts.moderators(connection, made.id)
        assert connection.execute(select(account.c.email)).scalars().all() == [OWNER]
    assert [each.name for each in found] == [{"en": "North"}, {"en": "South wood"}]
    assert all(8_000 < each.area_m2 < 9_000 for each in found)
    assert [(each.address, each.state, each.min_severity) for each in told] == [
        (OWNER, "confirmed", 1), ("x@y.org", "pending", 2),
    ]  # fmt: skip
    assert moderator.email == OWNER


def test_a_slug_is_of_one(database: Database) -> None:
    follow(database)
    with pytest.raises(ConflictError, match="there is a geoservice wood; choose another slug"):
        follow(database)
    with database.reading() as connection:
        assert len(geoservices.geoservices(connection)) == 1
    follow(database, slug="another")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"slug": "No Slug"}, "slug: "),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"start": "2026-02-30"}, "start: "),
        ({"start": "0001-01-01", "timezone": "Asia/Tokyo"}, "start: "),
        ({"end": "9999-12-31"}, "end: "),
        ({"end": "2025-01-01"}, "the document: it ends (2025-01-01) before it starts"),
        ({"timezone": "Mars/Base"}, "timezone: 'Mars/Base' is no time zone"),
        ({"alerts": {"dates": 4}}, "alerts: 4 of 3 dates cannot be outside"),
        ({"indicators": []}, "indicators: "),
        ({"title": {"en": "a\x00b"}}, "title.en: it has the character U+0000"),
        ({"recipients": [{"email": "a@b.org\r\nBcc: x@y.org"}]}, "recipients.0.email: "),
        ({"recipients": [{"email": "a@b.org, x@y.org"}]}, "recipients.0.email: "),
        ({"recipients": [{"email": "a\x00@b.org"}]}, "recipients.0.email: "),
        (nominal(), "indicators.0.nominal.fixed: give low"),
        (nominal(low=float("nan")), "indicators.0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError) as told:
        definition_of(document(**changes))
    assert str(told.value).startswith(sentence)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("changes", "owner", "kind", "sentence"),
    [
        ({}, "nobody", ParameterError, "'nobody' is no e-mail address"),
        ({}, "a@b.org\r\nBcc: x@y.org", ParameterError, "is no e-mail address"),
        ({}, "a@b.org\n", ParameterError, "is no e-mail address"),
        ({}, "x" * 300 + "@b.org", ParameterError, "is no e-mail address"),
        ({"sites": feature("a\x00b")}, OWNER, ParameterError, "the name of site 1 cannot be read: it has"),
        ({"sites": LINE}, OWNER, ParameterError, "LineString"),
        ({"indicators": [{"indicator": "none", "nominal": {"kind": "change"}}]}, OWNER, NotFoundError,
         "indicators.0: there is no indicator none; see /pof"),
    ],
)  # fmt: skip
def test_nothing_is_kept_of_what_is_refused(
    sqlite_database: Database, changes: dict[str, Any], owner: str, kind: type[ComeoError], sentence: str
) -> None:
    definition = definition_of(document(**changes))
    with pytest.raises(kind) as told, sqlite_database.writing() as connection:
        register(connection, definition, owner, 1000, NOW)
    assert sentence in str(told.value)
    with sqlite_database.reading() as connection:
        assert connection.execute(select(account)).all() == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [(b"slug = ", "toml"), (b"\xff", "toml"), (b"{", "json"), (b"[" * 100_000, "json"), (b"1", "json")],
)  # fmt: skip
def test_what_cannot_be_read_is_said(text: bytes, kind: str) -> None:
    with pytest.raises(ParameterError):
        read_definition(text, kind)


def test_both_ways_of_writing_are_the_same() -> None:
    toml = b"""
        slug = "wood"
        title = { en = "The wood" }
        collections = ["scenes"]
        start = 2026-01-01
        recipients = [{ email = "owner@example.org" }]
        sites = { type = "Point", coordinates = [10.0, 46.0] }
        [[indicators]]
        indicator = "ndvi"
        nominal = { kind = "fixed", low = 0.5 }
    """
    written = document(sites={"type": "Point", "coordinates": [10.0, 46.0]})
    assert read_definition(toml, "toml") == read_definition(json.dumps(written).encode(), "json")
    assert isinstance(read_definition(toml, "toml"), Definition)


@pytest.mark.parametrize(
    "name", ["Wood\r\nBcc: x@y.org", "Line\nDecide: http://elsewhere", "x" * 900, "a\tb"]
)
def test_names_stay_in_their_line(sqlite_database: Database, name: str) -> None:
    """Titles may have several lines; subjects, and what a message says line by line, may not."""
    from tests.tileserver.watch.alerts.test_lifecycle import Case

    case = Case(sqlite_database)
    case.see({1: 0.4, 2: 0.4})
    (alert,) = case.alerts()
    about = About({"en": name}, {"en": name}, {"en": name}, "", "UTC")
    content = alert_content(alert, about, "en", "moderate", {"decide": "http://here/m/token"})
    subject, text = content.subject, content.text
    assert len(subject.splitlines()) == 1
    assert len(subject) <= 500
    assert [each for each in text.splitlines() if each.startswith("Decide")] == [
        "Decide: http://here/m/token"
    ]
    assert not any(each.startswith("Bcc") for each in text.splitlines())


def test_a_message_says_since_when_it_is_over(sqlite_database: Database) -> None:
    from tests.tileserver.watch.alerts.test_lifecycle import Case

    case = Case(sqlite_database)
    case.see({1: 0.4, 2: 0.4, 20: 0.6, 21: 0.6})
    (alert,) = case.alerts()
    about = About({"en": "G"}, {"en": "S"}, {"en": "NDVI"}, "", "UTC")
    text = alert_content(alert, about, "en", "closed", {}).text
    assert "since January 22, 2026" in text
