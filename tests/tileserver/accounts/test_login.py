"""Signing in: links are good once and for a while, and say nothing of who is known."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.tileserver.people import House, house
from tileserver.accounts import sessions
from tileserver.accounts.login import MOST_BY_ADDRESS
from tileserver.http.session import HEADER
from tileserver.store import accounts
from tileserver.store.tables import attempt, login_link

ME = "me@example.org"


def test_a_link_signs_in_once(server_of: House) -> None:
    link = server_of.link(ME)
    first, second = server_of.app.test_client(), server_of.app.test_client()
    page = first.get(link)
    assert page.status_code == 200
    assert first.get(link).status_code == 200, "opening changes nothing"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert first.post(link).status_code == 303
    assert first.get("/account").get_json()["account"]["email"] == ME
    assert second.post(link).status_code == 404
    assert second.get(link).status_code == 404


def test_a_link_is_too_old_after_a_quarter_of_an_hour(server_of: House) -> None:
    link = server_of.link(ME)
    with server_of.database.writing() as connection:
        expires = connection.execute(select(login_link.c.expires)).scalar_one()
        assert timedelta(minutes=14) < expires - datetime.now(UTC) <= timedelta(minutes=15)
        connection.execute(update(login_link).values(expires=datetime.now(UTC)))
    client = server_of.app.test_client()
    assert client.get(link).status_code == 404
    assert client.post(link).status_code == 404


def test_the_token_is_kept_as_a_digest(server_of: House) -> None:
    token = server_of.link(ME).rpartition("/")[2]
    with server_of.database.reading() as connection:
        assert connection.execute(select(login_link.c.token_sha)).scalar_one() != token


def test_the_answer_does_not_tell_whether_an_address_is_known(tmp_path: Path) -> None:
    closed = house(tmp_path, tmp_path, sign_up=False)
    now = datetime.now(UTC)
    with closed.database.writing() as connection:
        accounts.add_person(connection, ME, "en", now)
        gone = accounts.add_person(connection, "gone@example.org", "en", now)
        accounts.change_person(connection, gone, {"disabled": now})
    client = closed.app.test_client()
    told = [
        client.post("/account/login", json={"email": each})
        for each in (ME, "gone@example.org", "stranger@example.org")
    ]
    assert {(each.status_code, each.data) for each in told} == {(202, told[0].data)}
    assert [each.address for each in closed.mail()] == [ME]


def test_links_lead_to_the_server_and_not_to_what_a_request_says(server_of: House) -> None:
    client = server_of.app.test_client()
    client.post("/account/login", json={"email": ME}, headers={"Host": "evil.example.net"})
    assert "evil" not in server_of.mail()[0].body["text"]


def test_asking_too_often_is_refused_for_known_and_unknown_alike(server_of: House) -> None:
    client = server_of.app.test_client()
    statuses = [
        client.post("/account/login", json={"email": ME}).status_code for _ in range(MOST_BY_ADDRESS + 1)
    ]
    assert statuses == [202] * MOST_BY_ADDRESS + [429]
    with server_of.database.reading() as connection:
        keys = list(connection.execute(select(attempt.c.key)).scalars())
    assert keys
    assert all(len(each) == 64 for each in keys), "digests: no address is kept"


def test_the_cookie_is_for_this_server_alone(tmp_path: Path) -> None:
    safe = house(tmp_path, tmp_path, public_url="https://comeo.example.org")
    answer = safe.app.test_client().post(safe.link(ME))
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-comeo=")
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Domain" not in cookie


def test_other_sites_cannot_sign_anybody_in(server_of: House) -> None:
    link, client = server_of.link(ME), server_of.app.test_client()
    assert client.post(link, headers={"Origin": "https://evil.example.net"}).status_code == 403
    assert client.post(link, headers={"Origin": "http://localhost"}).status_code == 303


def test_a_session_ends_with_its_account(server_of: House) -> None:
    me = server_of.enter(ME)
    with server_of.database.writing() as connection:
        number = me.get("/account").get_json()["account"]["id"]
        accounts.change_person(connection, number, {"disabled": datetime.now(UTC)})
    assert me.get("/account").get_json() == {"account": None}
    assert me.get("/sites").status_code == 401


def test_signing_out_ends_copies_of_the_cookie(server_of: House) -> None:
    me = server_of.enter(ME)
    copy = server_of.app.test_client()
    cookie = me.client.get_cookie("comeo")
    assert cookie
    copy.set_cookie("comeo", cookie.value)
    assert copy.get("/account").get_json()["account"]
    assert me.send("POST", "/account/logout").status_code == 204
    assert copy.get("/account").get_json() == {"account": None}


def test_forged_and_old_cookies_are_nobodys(server_of: House) -> None:
    me = server_of.enter(ME)
    with server_of.database.writing() as connection:
        person = accounts.person_of(connection, ME)
        assert person
        now = datetime.now(UTC)
        cookie = sessions.begin(connection, person, now)
        assert sessions.find(connection, cookie, now)
        assert sessions.find(connection, cookie, now + timedelta(seconds=sessions.SECONDS + 1)) is None
        for forged in (cookie[:-1], f"x{cookie}", "", "[]", cookie.partition(".")[0]):
            assert sessions.find(connection, forged, now) is None
    assert me.get("/account").get_json()["account"]


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_writes_need_the_token_of_the_session(server_of: House, token: str) -> None:
    me = server_of.enter(ME)
    answer = me.send("PATCH", "/account", {"name": "x"}, X_CSRF_Token=token)
    assert answer.status_code == 403
    other = server_of.enter("other@example.org")
    assert me.send("PATCH", "/account", {"name": "x"}, X_CSRF_Token=other.token).status_code == 403
    assert me.send("PATCH", "/account", {"name": "x"}).status_code == 200


def test_what_rests_on_a_cookie_is_read_by_no_other_site(server_of: House) -> None:
    me = server_of.enter(ME)
    for path in ("/account", "/sites", "/geoservices"):
        headers = me.get(path, headers={"Origin": "https://evil.example.net"}).headers
        assert "Access-Control-Allow-Origin" not in headers
        assert "Access-Control-Allow-Credentials" not in headers
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "private, no-store"
        assert "Cookie" in headers["Vary"]
    public = server_of.nobody().get("/geoservices").headers
    assert public["Access-Control-Allow-Origin"] == "*"
    assert "Cookie" in public["Vary"]


def test_lost_updates_are_refused(server_of: House) -> None:
    me = server_of.enter(ME)
    tag = me.get("/account").headers["ETag"]
    assert me.client.patch("/account", json={"name": "a"}, headers={HEADER: me.token}).status_code == 428
    assert me.send("PATCH", "/account", {"name": "a"}, If_Match=tag).status_code == 200
    assert me.send("PATCH", "/account", {"name": "b"}, If_Match=tag).status_code == 412
    assert me.get("/account").get_json()["account"]["name"] == "a"


def test_logs_have_neither_links_nor_addresses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logged = house(tmp_path, tmp_path, access_log=True)
    with caplog.at_level(logging.DEBUG, "tileserver"):
        link = logged.link(ME)
        client = logged.app.test_client()
        client.get(link)
        client.post(link)
        client.post(link)
    text = "".join(f"{each.getMessage()} {getattr(each, 'fields', '')}" for each in caplog.records)
    assert "/account/login" in text
    assert link.rpartition("/")[2] not in text
    assert ME not in text
    assert ME not in client.post(link).text


def test_without_a_database_there_are_no_accounts(client: FlaskClient) -> None:
    for path in ("/account", "/geoservices", "/sites", "/alerts/1"):
        assert client.get(path).status_code == 404
