"""Links by which a geoservice is seen without an account."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.tileserver.api.geoservices.test_rights import add_alert
from tests.tileserver.people import DEFINITION, Caller, House, house
from tileserver.http.shares import MOST
from tileserver.store.database import Database
from tileserver.store.geoservices import add_geoservice, find_geoservice
from tileserver.store.shares import give, opened_by, shares_of
from tileserver.store.sites import add_site
from tileserver.store.tables import account, share

ME = "me@example.org"
PATHS = ("", "/series", "/sites.geojson", "/alerts", "/alerts.atom")


@pytest.fixture
def me(server_of: House) -> Caller:
    """The owner of a geoservice that is shared by links."""
    found = server_of.enter(ME)
    found.send("POST", "/geoservices", {**DEFINITION, "visibility": "link"})
    return found


def shared(me: Caller, scope: str = "view", slug: str = "fields") -> str:
    """A link's path."""
    made = me.send("POST", f"/geoservices/{slug}/shares", {"scope": scope, "note": "Press, the"})
    assert made.status_code == 201, made.text
    link = made.get_json()["link"]
    return str(link[link.index("/s/") :])


def statuses(caller: Caller, slug: str = "fields") -> set[int]:
    return {caller.get(f"/geoservices/{slug}{path}").status_code for path in PATHS}


def test_a_link_opens_one_geoservice_for_reading(server_of: House, me: Caller) -> None:
    reader = server_of.nobody()
    assert statuses(reader) == {404}
    followed = reader.get(shared(me))
    assert followed.status_code == 303
    assert followed.headers["Location"] == "http://localhost/follow#geoservice=fields"
    assert statuses(reader) == {200}
    assert [each["slug"] for each in reader.get("/geoservices").get_json()["geoservices"]] == ["fields"]
    assert reader.get("/geoservices/fields").get_json()["role"] is None
    assert reader.send("POST", "/geoservices/fields/pause").status_code == 404
    assert statuses(server_of.nobody()) == {404}
    assert server_of.nobody().get("/geoservices").get_json()["geoservices"] == []


def test_who_has_a_link_sees_what_everybody_might(server_of: House, me: Caller) -> None:
    with server_of.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        undecided = add_alert(connection, one.id, one.site, "candidate")
        told = add_alert(connection, one.id, one.site, "confirmed", "closed")
    reader = server_of.nobody()
    reader.get(shared(me, "data"))
    assert reader.get(f"/alerts/{undecided}").status_code == 404
    assert reader.get(f"/alerts/{told}").status_code == 200
    assert "seen by moderator" not in reader.get(f"/alerts/{told}").text
    for path in PATHS:
        assert ME not in reader.get(f"/geoservices/fields{path}").text


def test_values_as_a_file_are_of_the_wider_scope(server_of: House, me: Caller) -> None:
    view, data = server_of.nobody(), server_of.nobody()
    view.get(shared(me))
    data.get(shared(me, "data"))
    path = "/geoservices/fields/series"
    assert [each.get(path).status_code for each in (view, data)] == [200, 200]
    for form in ("csv", "parquet", "coveragejson"):
        assert [each.get(f"{path}?f={form}").status_code for each in (view, data)] == [404, 200]
    view.get(shared(me, "data"))
    assert view.get(f"{path}?f=csv").status_code == 200, "the widest of one's links"


def test_ending_a_link_ends_it_at_once(server_of: House, me: Caller) -> None:
    path, reader = shared(me), server_of.nobody()
    kept, other = shared(me), server_of.nobody()
    reader.get(path)
    other.get(kept)
    ((first, _),) = [me.get("/geoservices/fields/shares").get_json()["shares"]]
    tag = me.get("/geoservices/fields/shares").headers["ETag"]
    assert me.send("DELETE", f"/geoservices/fields/shares/{first['name']}", If_Match=tag).status_code == 204
    ended, on = sorted((reader, other), key=lambda each: statuses(each) == {200})
    assert (statuses(ended), statuses(on)) == ({404}, {200})
    assert me.send("DELETE", f"/geoservices/fields/shares/{first['name']}").status_code == 404
    gone = path if ended is reader else kept
    assert server_of.nobody().get(gone).status_code == 404


def test_private_and_old_links_open_nothing(server_of: House, me: Caller) -> None:
    path, reader = shared(me), server_of.nobody()
    reader.get(path)
    me.send("PUT", "/geoservices/fields/visibility", {"visibility": "private"})
    assert statuses(reader) == {404}
    assert reader.get("/geoservices").get_json()["geoservices"] == []
    assert server_of.nobody().get(path).status_code == 404
    refused = me.send("POST", "/geoservices/fields/shares", {})
    assert (refused.status_code, "visibility" in refused.get_json()["detail"]) == (409, True)
    me.send("PUT", "/geoservices/fields/visibility", {"visibility": "link"})
    assert statuses(reader) == {200}
    with server_of.database.writing() as connection:
        connection.execute(update(share).values(expires=datetime.now(UTC)))
    assert statuses(reader) == {404}
    assert server_of.nobody().get(path).status_code == 404


def test_a_link_opens_no_other_geoservice(server_of: House, me: Caller) -> None:
    me.send("POST", "/geoservices", {**DEFINITION, "slug": "others", "visibility": "link"})
    reader = server_of.nobody()
    reader.get(shared(me, slug="others"))
    assert (statuses(reader, "others"), statuses(reader)) == ({200}, {404})
    reader.get(shared(me))
    assert (statuses(reader, "others"), statuses(reader)) == ({200}, {200}), "both are kept"
    (name,) = [each["name"] for each in me.get("/geoservices/others/shares").get_json()["shares"]]
    assert me.send("DELETE", f"/geoservices/fields/shares/{name}").status_code == 404
    assert statuses(reader, "others") == {200}


def test_links_that_decide_are_no_links_that_show(server_of: House, me: Caller) -> None:
    from tileserver.store import alerts

    now = datetime.now(UTC)
    with server_of.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        alert = alerts.find_alert(connection, add_alert(connection, one.id, one.site, "candidate"))
        assert alert
        token = alerts.give_token(connection, alert, one.owner, now, now + timedelta(days=1))
        (digest,) = connection.execute(select(share.c.token_sha)).scalars()
    reader = server_of.nobody()
    assert reader.get(f"/s/{token}").status_code == 404
    reader.client.set_cookie("comeo-shares", token)
    assert statuses(reader) == {404}
    assert reader.get(shared(me).replace("/s/", "/m/")).status_code == 404
    assert digest[:16] not in me.get("/geoservices/fields/shares").text
    assert me.send("DELETE", f"/geoservices/fields/shares/{digest[:16]}").status_code == 404


def test_only_the_digest_is_kept_and_the_link_is_told_once(server_of: House, me: Caller) -> None:
    token = shared(me).removeprefix("/s/")
    assert token not in me.get("/geoservices/fields/shares").text
    with server_of.database.reading() as connection:
        row = connection.execute(select(share)).one()
        assert token not in repr(row)
        assert opened_by(connection, [row.token_sha, token[:-1]], datetime.now(UTC)) == {}


def test_a_link_is_neither_kept_nor_passed_on(server_of: House, me: Caller) -> None:
    reader, path = server_of.nobody(), shared(me)
    followed = reader.get(path)
    assert followed.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in followed.headers["Cache-Control"]
    token = path.removeprefix("/s/")
    assert token not in followed.headers["Location"]
    cookie = followed.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    for where in PATHS:
        headers = reader.get(f"/geoservices/fields{where}").headers
        assert headers["Cache-Control"] == "private, no-store"
        assert "Access-Control-Allow-Origin" not in headers
        assert "Cookie" in headers["Vary"]
    made = me.send("POST", "/geoservices/fields/shares", {})
    assert made.headers["Cache-Control"] == "private, no-store"


def test_a_cookie_holds_few_links_and_takes_any_text(server_of: House, me: Caller) -> None:
    reader = server_of.nobody()
    for _ in range(MOST + 2):
        assert reader.get(shared(me)).status_code == 303
    kept = reader.client.get_cookie("comeo-shares")
    assert kept
    assert len(kept.value.split(".")) == MOST
    for text in ("", ".", "x" * 4000, "é", ".".join(["a" * 32] * 100)):
        reader.client.set_cookie("comeo-shares", text)
        assert reader.get("/geoservices/fields").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"scope": "moderate"}, 422),
        ({"expires": "2000-01-01T00:00:00Z"}, 422),
        ({"expires": "2200-01-01T00:00:00Z"}, 422),
        ({"expires": "2027-01-01T00:00:00"}, 422),
        ({"note": "x" * 201}, 422),
        ({"note": "two\nlines"}, 422),
        ({"token": "mine"}, 422),
        ({}, 201),
    ],
)
def test_what_a_link_may_be(me: Caller, body: dict[str, str], status: int) -> None:
    assert me.send("POST", "/geoservices/fields/shares", body).status_code == status


def test_a_draft_that_is_shared_is_deleted_with_its_links(server_of: House, me: Caller) -> None:
    shared(me)
    assert me.send("DELETE", "/geoservices/fields").status_code == 204
    with server_of.database.reading() as connection:
        assert connection.execute(select(share)).all() == []


def test_logs_have_no_links(archives: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logged = house(archives, tmp_path, access_log=True)
    with caplog.at_level(logging.DEBUG):
        me = logged.enter(ME)
        me.send("POST", "/geoservices", {**DEFINITION, "visibility": "link"})
        path, reader = shared(me), logged.nobody()
        reader.get(path)
        reader.get(path[:-1] + "_")
        statuses(reader)
    text = "".join(f"{each.getMessage()} {getattr(each, 'fields', '')}" for each in caplog.records)
    assert "/s/" in text
    assert path not in text
    assert path[:-1] not in text


def test_shares_are_kept_by_both_databases(database: Database) -> None:
    now = datetime.now(UTC)
    later = now + timedelta(days=1)
    with database.writing() as connection:
        values = {"email": ME, "name": "A", "locale": "en", "created": now}
        owner = connection.execute(account.insert().values(values).returning(account.c.id)).scalar_one()
        site = add_site(connection, owner, {"en": "S"}, {"type": "Point", "coordinates": [9, 47]}, 0.0, now)
        numbers = [
            add_geoservice(
                connection,
                {"slug": slug, "title": {"en": slug}, "owner": owner, "site": site, "collections": [],
                 "period": "P1M", "timezone": "UTC", "start": now, "end": None, "locales": ["en"],
                 "alert_policy": {}, "bulletin_policy": {}, "visibility": "link", "created": now},
            )
            for slug in ("a", "b")
        ]  # fmt: skip
        narrow, made = give(connection, numbers[0], "view", "x", now, later)
        wide, _ = give(connection, numbers[0], "data", "", now, later)
        other, _ = give(connection, numbers[1], "view", "", now, later)
        assert opened_by(connection, [narrow, wide, other, "no"], now) == {
            numbers[0]: "data",
            numbers[1]: "view",
        }
        assert opened_by(connection, [narrow], later) == {}
        assert {each.name for each in shares_of(connection, numbers[0])} > {made.name}
