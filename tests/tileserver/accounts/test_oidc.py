"""Signing in by OpenID Connect, at a provider that does what it should, and at one that does not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from comeo.settings import SettingsError
from tests.tileserver.accounts.provider import CLIENT, SECRET, FakeProvider
from tests.tileserver.people import House, house
from tileserver.accounts import identities
from tileserver.accounts.oidc import Identity
from tileserver.api.geoservices.oidc import SECONDS
from tileserver.errors import ForbiddenError
from tileserver.settings import Settings
from tileserver.store import accounts, audit
from tileserver.store.database import Database
from tileserver.store.tables import account

ME = "me@example.org"
PUBLIC = "http://localhost"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # on loopback
    made = FakeProvider(f"{PUBLIC}/account/oidc/callback")
    yield made
    made.close()


def served(tmp_path: Path, provider: FakeProvider, **changes: Any) -> House:
    given = {
        "oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET,
        "public_url": PUBLIC, "access_log": True, **changes,
    }  # fmt: skip
    return house(tmp_path, tmp_path, **given)


@pytest.fixture
def made(tmp_path: Path, provider: FakeProvider) -> House:
    return served(tmp_path, provider)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


def go(address: str) -> str:
    """Sign in at the provider; where it sends people back to, on this server."""
    from urllib.error import HTTPError

    try:
        build_opener(_Stay).open(address)
    except HTTPError as answer:
        location = answer.headers["Location"]
        answer.close()
        assert location, address
        return str(location).removeprefix(PUBLIC)
    raise AssertionError("the provider did not send anybody back")


def begin(client: FlaskClient, query: str = "") -> str:
    """Where the provider sends somebody back to who has begun to sign in."""
    begun = client.get(f"/account/oidc/login{query}")
    assert begun.status_code == 303, begun.text
    return go(begun.headers["Location"])


def who(client: FlaskClient) -> Any:
    return client.get("/account").get_json()["account"]


def test_signing_in(made: House, provider: FakeProvider) -> None:
    client = made.app.test_client()
    told = client.get("/account").get_json()
    assert told["account"] is None
    assert told["oidc"]["href"] == f"{PUBLIC}/account/oidc/login"
    begun = client.get(told["oidc"]["href"].removeprefix(PUBLIC) + "?next=/follow%23geoservice=fields")
    sent = parse_qs(urlsplit(begun.headers["Location"]).query)
    assert sent["code_challenge_method"] == ["S256"]
    assert sent["redirect_uri"] == [f"{PUBLIC}/account/oidc/callback"]
    assert all(len(sent[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))
    cookie = begun.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert f"Max-Age={SECONDS}" in cookie
    back = client.get(go(begun.headers["Location"]))
    assert (back.status_code, back.headers["Location"]) == (303, f"{PUBLIC}/follow#geoservice=fields")
    assert back.headers["Cache-Control"] == "no-store"
    assert back.headers["Referrer-Policy"] == "no-referrer"
    assert who(client)["email"] == ME
    assert client.get_cookie("comeo-oidc") is None
    assert "oidc" not in client.get("/account").get_json()
    with made.database.reading() as connection:
        actions = [each.action for each in audit.newest(connection, 10)]
    assert actions == ["account.linked", "account.entered"]


def refused(answer: TestResponse, client: FlaskClient) -> None:
    assert answer.status_code == 403, answer.text
    assert who(client) is None
    detail = answer.get_json()["detail"]
    assert "eyJ" not in answer.text
    assert "\n" not in detail


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "somebody-else"},
        {"aud": None},
        {"aud": [CLIENT, "somebody-else"]},
        {"aud": [CLIENT, "somebody-else"], "azp": "somebody-else"},
        {"iss": "https://evil.example.net"},
        {"iss": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 17},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email": None},
        {"email": "no address"},
        {"at_hash": "wrong"},
    ],
    ids=str,
)
def test_tokens_that_are_not_for_us_are_refused(
    made: House, provider: FakeProvider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    client = made.app.test_client()
    refused(client.get(begin(client)), client)
    with made.database.reading() as connection:
        assert connection.execute(select(account)).all() == []


def test_signatures_of_others_are_refused(made: House, provider: FakeProvider) -> None:
    client = made.app.test_client()
    provider.forger = RSAKey.generate_key(2048, {"kid": "one"})
    refused(client.get(begin(client)), client)
    for algorithm in ("HS256", "none"):
        provider.algorithm = algorithm
        refused(client.get(begin(client)), client)
        assert provider.tokens[-1].startswith("eyJhbGciOi")


def test_new_keys_are_asked_for(made: House, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    from tileserver.accounts import oidc

    client = made.app.test_client()
    assert client.get(begin(client)).status_code == 303
    provider.change_keys()
    refused(client.get(begin(made.app.test_client())), made.app.test_client())
    monkeypatch.setattr(oidc, "AGAIN_SECONDS", 0.0)
    other = made.app.test_client()
    assert other.get(begin(other)).status_code == 303
    assert provider.asked.count("metadata") == 1


def test_a_code_is_good_once(made: House, provider: FakeProvider) -> None:
    client = made.app.test_client()
    path = begin(client)
    cookie = client.get_cookie("comeo-oidc")
    assert cookie
    assert client.get(path).status_code == 303
    thief = made.app.test_client()
    refused(thief.get(path), thief)
    thief.set_cookie("comeo-oidc", cookie.value)
    refused(thief.get(path), thief)


def test_a_code_that_the_provider_knows_no_longer(made: House, provider: FakeProvider) -> None:
    client = made.app.test_client()
    path = begin(client)
    provider.codes.clear()
    refused(client.get(path), client)


def test_a_code_of_another_s_is_refused(made: House, provider: FakeProvider) -> None:
    """It is of another challenge; and its state another browser's."""
    mine, evil = made.app.test_client(), made.app.test_client()
    stolen = parse_qs(urlsplit(begin(evil)).query)["code"][0]
    state = parse_qs(urlsplit(begin(mine)).query)["state"][0]
    refused(mine.get(f"/account/oidc/callback?code={stolen}&state={state}"), mine)
    other = made.app.test_client()
    begin(other)
    refused(other.get(begin(evil)), other)


def test_what_was_not_begun_here_is_refused(made: House, provider: FakeProvider) -> None:
    client = made.app.test_client()
    for path in ("", "?code=x", "?code=x&state=y", "?error=access_denied&state=y"):
        refused(client.get(f"/account/oidc/callback{path}"), client)
    for text in ("x", "W10.x", "é"):
        client.set_cookie("comeo-oidc", text)
        refused(client.get("/account/oidc/callback?code=x&state=y"), client)


def test_beginning_is_too_old_after_a_while(
    made: House, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tileserver.api.geoservices import oidc

    client = made.app.test_client()
    path = begin(client)
    monkeypatch.setattr(oidc, "SECONDS", -1)
    refused(client.get(path), client)


def test_who_does_not_want_to_is_not_signed_in(made: House, provider: FakeProvider) -> None:
    client = made.app.test_client()
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    answer = client.get(f"/account/oidc/callback?error=access_denied&error_description=x&state={state}")
    refused(answer, client)


def test_issuers_are_not_mixed_up(tmp_path: Path, made: House, provider: FakeProvider) -> None:
    client = made.app.test_client()
    provider.adds = "&iss=https%3A%2F%2Fevil.example.net"
    refused(client.get(begin(client)), client)
    provider.adds = f"&iss={provider.issuer}"
    assert client.get(begin(client)).status_code == 303


def test_a_provider_that_says_who_sends_has_to_say_so(tmp_path: Path, provider: FakeProvider) -> None:
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    client = served(tmp_path, provider).app.test_client()
    refused(client.get(begin(client)), client)


def test_a_document_of_another_issuer_is_refused(tmp_path: Path, provider: FakeProvider) -> None:
    provider.metadata = {"issuer": "https://evil.example.net"}
    client = served(tmp_path, provider).app.test_client()
    refused(client.get("/account/oidc/login"), client)


def test_a_provider_that_is_away(tmp_path: Path, provider: FakeProvider) -> None:
    client = served(tmp_path, provider).app.test_client()
    path = begin(client)
    provider.close()
    again = served(tmp_path, provider).app.test_client()
    assert again.get("/account/oidc/login").status_code == 503
    assert client.get(path).status_code == 503


@pytest.mark.parametrize(
    "path",
    ["//evil.example.net", "/\\evil.example.net", "https://evil.example.net", "@evil.example.net", "",
     "/a\\b", "/a%0d%0aSet-Cookie: x", "javascript:alert(1)", "/%09/evil.example.net"],
)  # fmt: skip
def test_nobody_is_led_elsewhere(made: House, path: str) -> None:
    answer = made.app.test_client().get(f"/account/oidc/login?next={path}")
    assert answer.status_code == 422


def test_disabled_accounts_and_strangers_are_refused(tmp_path: Path, provider: FakeProvider) -> None:
    closed = served(tmp_path, provider, sign_up=False)
    client = closed.app.test_client()
    refused(client.get(begin(client)), client)
    with closed.database.writing() as connection:
        number = accounts.add_person(connection, ME, "en", NOW)
    assert client.get(begin(client)).status_code == 303
    with closed.database.writing() as connection:
        accounts.change_person(connection, number, {"disabled": NOW})
    refused(client.get(begin(client)), client)


def test_who_is_known_stays_so_with_another_address(made: House, provider: FakeProvider) -> None:
    client = made.app.test_client()
    client.get(begin(client))
    number = who(client)["id"]
    provider.claims = {"email": "new@example.org", "email_verified": False}
    again = made.app.test_client()
    assert again.get(begin(again)).status_code == 303
    assert (who(again)["id"], who(again)["email"]) == (number, ME)


def test_logs_have_neither_tokens_nor_codes_nor_addresses(
    made: House, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        good, bad = made.app.test_client(), made.app.test_client()
        paths = [begin(good)]
        good.get(paths[0])
        provider.claims = {"nonce": "another"}
        paths.append(begin(bad))
        bad.get(paths[1])
    own = [each for each in caplog.records if each.name.startswith(("tileserver", "comeo", "urllib3"))]
    text = "".join(f"{each.getMessage()} {getattr(each, 'fields', '')}" for each in own)
    assert "/account/oidc/callback" in text
    assert "refused" in text
    secrets = [*provider.tokens, SECRET, ME, "subject-1"]
    for path in paths:
        secrets += [values[0] for values in parse_qs(urlsplit(path).query).values()]
    for secret in secrets:
        assert secret not in text


def identity(subject: str = "s", email: str | None = ME, issuer: str = "https://a.example.org") -> Identity:
    return Identity(issuer, subject, email, "pt-BR")


def test_accounts_are_found_by_subject_then_by_address(database: Database) -> None:
    with database.writing() as connection:
        known = accounts.add_person(connection, ME, "fr", NOW)
        first = identities.enter(connection, identity(), NOW, sign_up=False)
        assert first.id == known
        assert identities.enter(connection, identity(email=None), NOW, sign_up=False).id == known
        with pytest.raises(ForbiddenError, match="somebody else"):
            identities.enter(connection, identity("other"), NOW, sign_up=True)
        with pytest.raises(ForbiddenError, match="somebody else"):
            identities.enter(connection, identity(issuer="https://b.example.org"), NOW, sign_up=True)
        with pytest.raises(ForbiddenError, match="not verified"):
            identities.enter(connection, identity("other", None), NOW, sign_up=True)
        with pytest.raises(ForbiddenError, match="may not sign in"):
            identities.enter(connection, identity("other", "new@example.org"), NOW, sign_up=False)
        made = identities.enter(connection, identity("other", "NEW@example.org"), NOW, sign_up=True)
        assert (made.email, made.locale) == ("new@example.org", "pt")
        assert accounts.find_person(connection, made.id).confirmed == NOW  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "issuer", ["http://login.example.org", "ftp://x", "https://x/?a", "http://localhost.evil.net"]
)
def test_a_provider_is_asked_over_https(issuer: str) -> None:
    with pytest.raises(SettingsError, match="COMEO_OIDC_ISSUER"):
        Settings.from_environment({"COMEO_OIDC_ISSUER": issuer})


def test_a_provider_needs_an_id(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="COMEO_OIDC_CLIENT_ID"):
        house(tmp_path, tmp_path, oidc_issuer="https://login.example.org")


def test_settings_that_are_written_down_hold_no_secret() -> None:
    settings = Settings(oidc_client_secret=SECRET)  # type: ignore[arg-type]
    assert SECRET not in settings.model_dump_json() + repr(settings)


def test_without_a_provider_there_is_no_route(server_of: House) -> None:
    client = server_of.app.test_client()
    assert client.get("/account/oidc/login").status_code == 404
    assert client.get("/account").get_json() == {"account": None}
