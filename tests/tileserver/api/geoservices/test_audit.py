"""Each change by a person is written down, by whichever route."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.tileserver.api.geoservices.test_rights import OWN, add_alert
from tests.tileserver.people import DEFINITION, Caller, House, house
from tileserver.store import alerts, audit, outbox
from tileserver.store.geoservices import find_geoservice, set_state
from tileserver.store.tables import audit as table
from tileserver.watch.bulletins import steps
from tileserver.watch.bulletins.content import material_of
from tileserver.watch.document.calendar import Month

ME, OTHER = "me@example.org", "other@example.org"
POINT = {"type": "Point", "coordinates": [9.0, 47.0]}
NO_CHANGE = {
    ("POST", "/account/login"),  # asks for a link: nobody is known to have asked
    ("POST", "/geoservices/preview"),
    ("POST", "/geoservices/<slug>/preview"),  # keep nothing
}
Step = tuple[str, str, Any, str]


class Walk:
    """Somebody who goes through all routes that write, each at a moment at which it does."""

    def __init__(self, made: House) -> None:
        self.made = made
        self.me = made.enter(ME)
        self.other = made.enter(OTHER)
        self.number = self.other.get("/account").get_json()["account"]["id"]

    def secret_of_alert(self, states: tuple[str, ...]) -> tuple[int, str]:
        """An alert, and a link by which it is decided on."""
        now = datetime.now(UTC)
        with self.made.database.writing() as connection:
            one = find_geoservice(connection, "fields")
            assert one
            alert = alerts.find_alert(connection, add_alert(connection, one.id, one.site, *states))
            assert alert
            given = alerts.give_token(connection, alert, one.owner, now, now + timedelta(days=1))
            return alert.id, given

    def recipient(self) -> outbox.Recipient:
        with self.made.database.reading() as connection:
            one = find_geoservice(connection, "fields")
            assert one
            return outbox.recipients_of(connection, one.id)[0]

    def settle(self, slug: str, state: Any) -> None:
        with self.made.database.writing() as connection:
            one = find_geoservice(connection, slug)
            assert one
            set_state(connection, one.id, state)

    def draft(self, month: int) -> int:
        """The bulletin of a month, as the worker composes it."""
        with self.made.database.writing() as connection:
            one = find_geoservice(connection, "fields")
            assert one
            material = material_of(connection, one, set())
            draft = steps.due(connection, material, Month(2021, month, "UTC"), [])
            assert draft
            number = steps.write(connection, draft, datetime.now(UTC))
            assert number
            return number

    def published(self) -> Iterator[tuple[Step, str]]:
        """What is done with bulletins: one is rejected and composed anew, another one approved."""
        note = {"note": "secret words"}
        done = {"submit": "submitted", "reject": "rejected", "recompose": "composed", "approve": "approved"}
        for number, decisions in (
            (self.draft(2), ("submit", "reject", "recompose")),
            (self.draft(3), ("submit", "approve")),
        ):
            for each in decisions:
                where = f"/bulletins/{number}/{each}"
                body = None if each == "recompose" else note
                yield ("POST", where, body, f"bulletin.{done[each]}"), f"/bulletins/<number>/{each}"

    def steps(self) -> Iterator[tuple[Step, str]]:
        """Requests with their routes, in an order in which each can be."""
        gs, of = "/geoservices/<slug>", "/geoservices/fields"
        yield ("POST", "/geoservices", DEFINITION, "geoservice.added"), "/geoservices"
        yield ("PATCH", of, {"title": {"en": "New"}}, "geoservice.changed"), gs
        yield ("PUT", f"{of}/visibility", {"visibility": "link"}, "geoservice.visibility"), f"{gs}/visibility"
        yield ("POST", f"{of}/shares", {"note": "secret words"}, "share.given"), f"{gs}/shares"
        name = self.me.get(f"{of}/shares").get_json()["shares"][0]["name"]
        yield ("DELETE", f"{of}/shares/{name}", None, "share.ended"), f"{gs}/shares/<name>"
        told = {"email": "chief@example.org"}
        yield ("POST", f"{of}/recipients", told, "recipient.added"), f"{gs}/recipients"
        token = self.recipient().token
        yield ("POST", f"/r/{token}", None, "recipient.confirmed"), "/r/<token>"
        yield ("POST", f"/u/{token}", None, "recipient.unsubscribed"), "/u/<token>"
        where = f"{of}/recipients/{self.recipient().id}"
        hook = {"webhook": "https://hooks.example.org/secret-path"}
        yield ("POST", f"{of}/recipients", hook, "recipient.added"), f"{gs}/recipients"
        renewed = "/recipients/<number>/secret"
        yield ("POST", f"{of}/recipients/2/secret", None, "recipient.secret"), f"{gs}{renewed}"
        yield ("DELETE", where, None, "recipient.removed"), f"{gs}/recipients/<number>"
        yield ("PUT", f"{of}/roles", {"email": OTHER, "role": "editor"}, "role.given"), f"{gs}/roles"
        yield ("DELETE", f"{of}/roles/{self.number}", None, "role.taken"), f"{gs}/roles/<number>"
        alert, _ = self.secret_of_alert(("candidate",))
        decision = {"decision": "dismiss", "reason": "cloud", "comment": "secret words"}
        where = f"/alerts/{alert}/decision"
        yield ("POST", where, decision, "alert.decided"), "/alerts/<number>/decision"
        alert, secret = self.secret_of_alert(("candidate",))
        yield ("POST", f"/m/{secret}", {"decision": "confirm"}, "alert.decided"), "/m/<token>"
        yield from self.published()
        yield ("POST", f"{of}/copy", {"slug": "copied"}, "geoservice.added"), f"{gs}/copy"
        yield ("DELETE", "/geoservices/copied", None, "geoservice.deleted"), gs
        self.settle("fields", "paused")
        yield ("POST", f"{of}/activate", None, "geoservice.active"), f"{gs}/activate"
        yield ("POST", f"{of}/pause", None, "geoservice.paused"), f"{gs}/pause"
        self.me.send("PUT", f"{of}/roles", {"email": OTHER, "role": "editor"})
        owner = {"account": self.number}
        yield ("POST", f"{of}/transfer", owner, "geoservice.transferred"), f"{gs}/transfer"
        yield ("POST", f"{of}/archive", None, "geoservice.archived"), f"{gs}/archive"
        site = {"name": {"en": "A"}, "geometry": POINT}
        yield ("POST", "/sites", site, "site.added"), "/sites"
        group = self.me.send("POST", "/sites", {"name": {"en": "G"}, "members": []}).get_json()["id"]
        one = self.me.get("/sites").get_json()["features"][-2]["id"]
        yield ("PUT", f"/sites/{one}", site, "site.changed"), "/sites/<number>"
        members = f"/sites/{group}/members"
        yield ("PUT", members, {"members": [one]}, "site.members"), "/sites/<number>/members"
        yield ("DELETE", f"/sites/{group}", None, "site.archived"), "/sites/<number>"
        yield ("PATCH", "/account", {"name": "N"}, "account.changed"), "/account"
        yield ("POST", "/account/logout", None, "account.left"), "/account/logout"
        yield ("POST", self.made.link(ME), None, "account.entered"), "/account/login/<token>"


@pytest.fixture
def made(archives: Path, tmp_path: Path) -> House:
    return house(archives, tmp_path)


def rows(made: House) -> list[audit.Change]:
    with made.database.reading() as connection:
        return audit.newest(connection, 1000)


def ask(me: Caller, step: Step) -> int:
    method, path, body, _ = step
    if path.startswith("/m/"):
        return me.client.post(path, data=body).status_code
    return me.send(method, path, body).status_code


def in_view(made: House) -> dict[str, Any]:
    """A definition of a place that scenes show."""
    extent = made.app.test_client().get("/stac/collections/optical").get_json()["extent"]
    west, south, east, north = extent["spatial"]["bbox"][0]
    middle = {"type": "Point", "coordinates": [(west + east) / 2, (south + north) / 2]}
    return {**DEFINITION, "sites": middle}


def test_every_route_that_writes_is_written_down(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEFINITION, "sites", in_view(made)["sites"])
    walk, walked = Walk(made), set()
    for step, route in walk.steps():
        before = len(rows(made))
        status = ask(walk.me, step)
        assert 200 <= status < 400, (step, status)
        new = rows(made)[before:]
        assert [each.action for each in new] == [step[3]], step
        walked.add((step[0], route))
    writing = {
        (method, rule.rule)
        for rule in made.app.url_map.iter_rules()
        if rule.rule.startswith(OWN)
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }
    assert writing - NO_CHANGE == walked
    text = json.dumps([(each.action, each.object, dict(each.detail)) for each in rows(made)])
    for secret in ("@", "secret words", "chief"):
        assert secret not in text
    with made.database.reading() as connection:
        for token in [each.token for each in outbox.recipients_of(connection, 1)]:
            assert token not in text


def test_what_is_refused_is_not_written_down(made: House) -> None:
    me = made.enter(ME)
    me.send("POST", "/geoservices", DEFINITION)
    before = len(rows(made))
    assert me.send("PATCH", "/geoservices/fields", {"title": {"en": "x"}}, If_Match='"no"').status_code == 412
    assert me.send("POST", "/geoservices", DEFINITION).status_code == 409
    assert me.send("POST", "/geoservices/fields/pause").status_code == 409
    assert len(rows(made)) == before


def test_the_owner_reads_who_has_changed_what(made: House) -> None:
    me, other = made.enter(ME), made.enter(OTHER)
    me.send("POST", "/geoservices", DEFINITION)
    me.send("PUT", "/geoservices/fields/roles", {"email": OTHER, "role": "editor"})
    other.send("PATCH", "/geoservices/fields", {"title": {"en": "x"}})
    found = me.get("/geoservices/fields/audit").get_json()["changes"]
    assert [(each["action"], each["actor"]["name"]) for each in found] == [
        ("geoservice.changed", "other"), ("role.given", "me"), ("geoservice.added", "me"),
    ]  # fmt: skip
    assert found[1]["detail"] == {"account": found[0]["actor"]["account"], "role": "editor"}
    first = me.get("/geoservices/fields/audit?limit=2").get_json()
    rest = me.get(f"/geoservices/fields/audit?limit=2&before={first['before']}").get_json()
    assert (first["changes"] + rest["changes"], rest["before"]) == (found, None)
    assert other.get("/geoservices/fields/audit").status_code == 404


def test_a_new_owner_of_a_number_does_not_read_of_the_draft_before(made: House) -> None:
    me, other = made.enter(ME), made.enter(OTHER)
    me.send("POST", "/geoservices", DEFINITION)
    assert me.send("DELETE", "/geoservices/fields").status_code == 204
    other.send("POST", "/geoservices", DEFINITION)
    found = other.get("/geoservices/fields/audit").get_json()["changes"]
    assert [(each["action"], each["actor"]["name"]) for each in found] == [("geoservice.added", "other")]
    with made.database.reading() as connection:
        number = select(func.count()).select_from(table).where(table.c.action == "geoservice.deleted")
        assert connection.execute(number).scalar() == 1, "the operator still sees it"
