"""Who may do what: every route, every role, the owner, a stranger and nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from tests.tileserver.people import DEFINITION, Caller, House, house
from tileserver.accounts.rights import OF_OWNER, PUBLIC, ROLES, SIGNED_IN
from tileserver.store import accounts, bulletins, outbox
from tileserver.store.geoservices import find_geoservice
from tileserver.store.tables import alert, alert_event, gs_indicator

ADDRESSES = {
    "owner": "owner@example.org", "editor": "editor@example.org", "moderator": "moderator@example.org",
    "viewer": "viewer@example.org", "stranger": "stranger@example.org",
}  # fmt: skip
RECIPIENT = "chief@example.org"
FREE = {"/geoservices", "/account", "/account/login", "/account/login/<token>"}
TOKENS = {"/m/<token>", "/r/<token>", "/t/<token>", "/u/<token>", "/s/<token>"}
SHARED = ("view", "data", "of another")
"""Who has no account and has followed a link: of two scopes, and of another geoservice."""
BODIES: dict[tuple[str, str], Any] = {
    ("PATCH", "/geoservices/<slug>"): {"title": {"en": "New"}},
    ("PUT", "/geoservices/<slug>/visibility"): {"visibility": "private"},
    ("POST", "/geoservices/<slug>/copy"): {"slug": "copied"},
    ("POST", "/geoservices/<slug>/recipients"): {"email": "new@example.org"},
    ("PUT", "/geoservices/<slug>/roles"): {"email": "new@example.org", "role": "viewer"},
    ("POST", "/geoservices/<slug>/transfer"): {"account": 1},
    ("POST", "/alerts/<number>/decision"): {"decision": "confirm"},
    ("POST", "/geoservices/<slug>/shares"): {"scope": "data", "note": "the press"},
    **{("POST", f"/bulletins/<number>/{step}"): {} for step in ("submit", "approve", "reject")},
    ("PUT", "/sites/<number>"): {"name": {"en": "x"}, "geometry": {"type": "Point", "coordinates": [9, 47]}},
    ("PUT", "/sites/<number>/members"): {"members": []},
    ("POST", "/sites"): {"name": {"en": "x"}, "geometry": {"type": "Point", "coordinates": [9, 47]}},
    ("POST", "/geoservices"): {**DEFINITION, "slug": "another"},
    ("POST", "/geoservices/preview"): DEFINITION,
    ("PATCH", "/account"): {"name": "x"},
}  # fmt: skip


OWN = ("/geoservices", "/bulletins", "/sites", "/alerts", "/account", "/m/", "/r/", "/t/", "/u/", "/s/")


def add_alert(connection: Connection, number: int, site: int, *states: str) -> int:
    """An alert that has gone through states."""
    now = datetime.now(UTC)
    followed = connection.execute(gs_indicator.select().where(gs_indicator.c.geoservice == number)).first()
    assert followed
    date = {"item": "old", "datetime": "2021-01-01T00:00:00Z", "value": 0.1, "u": 0.01, "low": 0.2,
            "high": None, "middle": None, "spread": 0.0, "side": "low", "score": 3.0}  # fmt: skip
    values = {
        "geoservice": number, "site": site, "gs_indicator": followed.id, "kind": "low", "state": states[-1],
        "severity": 2, "score": 3.0, "first_item": "old", "first_at": now, "last_item": "old",
        "last_at": now, "opened": now, "evidence": {"rule": {}, "dates": [date], "worst": date},
        "verified": "holds", "comment": "seen by moderator",
    }  # fmt: skip
    made = connection.execute(insert(alert).values(values).returning(alert.c.id)).scalar_one()
    for after in states:
        event = {"alert": made, "at": now, "after": after, "note": "so"}
        connection.execute(insert(alert_event).values(event))
    return int(made)


def add_bulletin(connection: Connection, number: int) -> None:
    """A bulletin that was sent; its page names nobody."""
    now = datetime.now(UTC)
    values = {"geoservice": number, "label": "2021-01", "revision": 1, "content": "{}", "composed": now}
    made = bulletins.add_bulletin(connection, {**values, "state": "sent", "sent_at": now})
    assert made == 1
    for kind in ("html", "pdf"):
        bulletins.keep_file(connection, made, "en", kind, b"<style></style>")


@pytest.fixture(scope="module")
def place(
    archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[House, dict[str, Caller]]]:
    """A server with one geoservice, in which each has a role."""
    made = house(archives, tmp_path_factory.mktemp("rights"))
    callers = {name: made.enter(email) for name, email in ADDRESSES.items()}
    callers["nobody"] = made.nobody()
    answer = callers["owner"].send("POST", "/geoservices", DEFINITION)
    assert answer.status_code == 201, answer.text
    for name in ("editor", "moderator", "viewer"):
        given = {"email": ADDRESSES[name], "role": name}
        assert callers["owner"].send("PUT", "/geoservices/fields/roles", given).status_code == 200
    with made.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        add_alert(connection, one.id, one.site, "candidate")
        add_bulletin(connection, one.id)
        outbox.add_recipient(connection, one.id, RECIPIENT, "en", 1, "confirmed")
    other = {**DEFINITION, "slug": "another-place", "visibility": "link"}
    assert callers["owner"].send("POST", "/geoservices", other).status_code == 201
    set_visibility(made, "link")
    for name, slug in zip(SHARED, ("fields", "fields", "another-place"), strict=True):
        scope = "view" if name == "view" else "data"
        answer = callers["owner"].send("POST", f"/geoservices/{slug}/shares", {"scope": scope})
        callers[name] = made.nobody()
        link = answer.get_json()["link"]
        assert callers[name].get(link[link.index("/s/") :]).status_code == 303
    yield made, callers
    made.database.close()


def set_visibility(made: House, visibility: str) -> None:
    from tileserver.store.geoservices import change_geoservice

    with made.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        change_geoservice(connection, one.id, {"visibility": visibility})


def call(caller: Caller, method: str, route: str) -> int:
    """Send what changes nothing: a write rests on a state that never was."""
    path = route.replace("<slug>", "fields").replace("/recipients/<number>", "/recipients/1")
    path = path.replace("<number>", "1").replace("<name>", "0" * 16)
    if method == "GET":
        return caller.get(path).status_code
    return caller.send(method, path, BODIES.get((method, route)), If_Match='"never"').status_code


def test_every_route_is_in_the_table(place: tuple[House, dict[str, Caller]]) -> None:
    known = {route for _, route in {*ROLES, *OF_OWNER, *SIGNED_IN}} | FREE | TOKENS
    rules = {
        (method, rule.rule)
        for rule in place[0].app.url_map.iter_rules()
        if rule.rule.startswith(OWN)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {rule for _, rule in rules} == known
    assert {each for each in rules if each[1] not in FREE | TOKENS} >= set(ROLES) | OF_OWNER
    for each in rules:
        if each[1] not in FREE | TOKENS:
            assert each in ROLES or each in OF_OWNER or each in SIGNED_IN, each


@pytest.mark.parametrize("who", [*ADDRESSES, "nobody", *SHARED])
@pytest.mark.parametrize("visibility", ["private", "link", "public"])
def test_roles(place: tuple[House, dict[str, Caller]], who: str, visibility: str) -> None:
    made, callers = place
    set_visibility(made, visibility)
    for (method, route), roles in ROLES.items():
        is_open = visibility == "public" or (visibility == "link" and who in ("view", "data"))
        may = who in roles or (is_open and roles is PUBLIC)
        if "<period>" in route:  # in test_maps
            continue
        if route.startswith("/alerts/<number>") and who in ("stranger", "nobody", *SHARED):
            may = False  # nobody has confirmed it
        status = call(callers[who], method, route)
        if not may:
            assert status == 404, (method, route, status)
        elif method == "GET":
            assert status == 200, (method, route, status)
        elif not route.endswith(("/copy", "/preview")):  # which change nothing that is there
            assert status == 412, (method, route, status)


@pytest.mark.parametrize("who", [*ADDRESSES, "nobody", *SHARED])
def test_sites_are_their_owners(place: tuple[House, dict[str, Caller]], who: str) -> None:
    _, callers = place
    for method, route in OF_OWNER:
        status = call(callers[who], method, route)
        assert status == (404 if who != "owner" else 200 if method == "GET" else 412), (method, route)


def test_what_needs_an_account(place: tuple[House, dict[str, Caller]]) -> None:
    _, callers = place
    for method, route in SIGNED_IN:
        for who in ("nobody", *SHARED):
            assert call(callers[who], method, route) == 401, (method, route, who)


def test_unknown_and_forbidden_look_alike(place: tuple[House, dict[str, Caller]]) -> None:
    made, callers = place
    set_visibility(made, "private")
    hidden = callers["stranger"].get("/geoservices/fields").get_json()
    unknown = callers["stranger"].get("/geoservices/fieldz").get_json()
    assert hidden["detail"] == unknown["detail"].replace("fieldz", "fields")
    assert hidden["status"] == unknown["status"] == 404


def test_what_is_public_names_nobody(place: tuple[House, dict[str, Caller]]) -> None:
    made, callers = place
    set_visibility(made, "public")
    with made.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        number = add_alert(connection, one.id, one.site, "confirmed", "closed")
    texts = [
        callers[who].get(path).text
        for who in ("nobody", "stranger")
        for path in ("/geoservices", "/geoservices/fields", "/geoservices/fields/series",
                     "/geoservices/fields/sites.geojson", "/geoservices/fields/alerts",
                     "/geoservices/fields/alerts.atom", f"/alerts/{number}")
    ]  # fmt: skip
    assert f'"id":{number}' in "".join(texts)
    for text in texts:
        assert "@" not in text.replace("@1", ""), text
        assert "seen by moderator" not in text
    assert "seen by moderator" in callers["viewer"].get(f"/alerts/{number}").text
    alerts = callers["nobody"].get("/geoservices/fields/alerts").get_json()["alerts"]
    assert [each["id"] for each in alerts] == [number], "only what was confirmed"


def test_an_error_repeats_no_address(place: tuple[House, dict[str, Caller]]) -> None:
    _, callers = place
    bad = callers["owner"].send("PUT", "/geoservices/fields/roles", {"email": "a b@c.org", "role": "viewer"})
    assert bad.status_code == 422
    assert "c.org" not in bad.text
    own = {"email": ADDRESSES["owner"], "role": "viewer"}
    taken = callers["owner"].send("PUT", "/geoservices/fields/roles", own)
    assert taken.status_code == 409
    assert "@" not in taken.text


def test_without_the_token_of_the_session_nothing_is_written(place: tuple[House, dict[str, Caller]]) -> None:
    _, callers = place
    forged = Caller(callers["owner"].client, "0" * 64)
    for method, route in (*ROLES, *OF_OWNER, *SIGNED_IN):
        if method != "GET":
            assert call(forged, method, route) == 403, (method, route)


def test_accounts_of_roles(place: tuple[House, dict[str, Caller]]) -> None:
    made, _ = place
    with made.database.reading() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        assert {role for _, role in accounts.roles_of(connection, one.id)} >= {"owner", "editor"}
