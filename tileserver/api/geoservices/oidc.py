"""Signing in at the provider of identities that the operator names."""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, datetime
from typing import Final

from flask import Response, redirect, request
from flask_openapi3.blueprint import APIBlueprint
from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import Field

from tileserver.accounts import identities, sessions
from tileserver.accounts.login import GOOD_FOR
from tileserver.accounts.oidc import Provider
from tileserver.api.geoservices.account import TAG
from tileserver.errors import ForbiddenError
from tileserver.http.context import base_url, scenes, state
from tileserver.http.database import database
from tileserver.http.session import cookie_name, is_secure, keep_cookie
from tileserver.render.parameters import Parameters
from tileserver.render.scenes import Scenes
from tileserver.store import accounts
from tileserver.store.tokens import digest_of, new_token

api = APIBlueprint("oidc", __name__)
SECONDS: Final = int(GOOD_FOR.total_seconds())
AGAIN: Final = "this way of signing in was not begun in this browser, is used or too old; begin again"
PATH: Final = r"^/([^/\\\x00-\x20\x7f][^\\\x00-\x20\x7f]*)?$"
"""A path on this server: with two slashes, or a backslash, browsers would go to another one."""


class StartQuery(Parameters):
    """Where to go on."""

    next: str = Field("/", pattern=PATH, max_length=500, description="A path of this server, signed in.")


class ReturnQuery(Parameters):
    """What the provider says; more that it may say is not read."""

    state: str = Field("", max_length=200)
    code: str = Field("", max_length=4000)
    error: str = Field("", max_length=200)
    iss: str | None = Field(None, max_length=500)


@api.get("/account/oidc/login", tags=[TAG], responses={"303": None})
def start(query: StartQuery) -> Response:
    """Go to the provider to sign in there."""
    own = [new_token(), new_token(), secrets.token_urlsafe(48)]
    address = _provider().start(_callback(), *own)
    with database().writing() as connection:
        signer = _signer(accounts.make_secret(connection, sessions.KEY))
    cookie = str(signer.dumps([*own, query.next, int(datetime.now(UTC).timestamp())]))
    response: Response = redirect(address, 303)  # type: ignore[assignment]
    response.set_cookie(_name(), cookie, SECONDS, path="/", secure=is_secure(), httponly=True, samesite="Lax")
    return _unkept(response)


@api.get("/account/oidc/callback", tags=[TAG], responses={"303": None})
def finish(query: ReturnQuery) -> Response:
    """Come back from the provider, signed in."""
    provider = _provider()
    verifier, nonce, path = _begun(query.state)
    if query.error or not query.code:
        raise ForbiddenError(f"{provider.name} has not signed you in; begin again, or sign in by mail")
    identity = provider.finish(_callback(), query.code, verifier, nonce, query.iss)
    now = datetime.now(UTC)
    with database().writing() as connection:
        person = identities.enter(connection, identity, now, sign_up=scenes().settings.sign_up)
        cookie = sessions.begin(connection, person, now)
    response: Response = redirect(f"{base_url()}{path}", 303)  # type: ignore[assignment]
    keep_cookie(response, cookie)
    response.delete_cookie(_name(), path="/", secure=is_secure(), httponly=True, samesite="Lax")
    return _unkept(response)


def provider_of(own: Scenes) -> Provider:
    """The provider of the settings."""
    settings = own.settings
    secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None
    return Provider(settings.oidc_issuer, settings.oidc_client_id, secret, settings.oidc_button)


def _provider() -> Provider:
    return state().part(provider_of)


def _begun(given: str) -> tuple[str, str, str]:
    """Verifier, nonce and path of what this browser has begun, once.

    Raises:
        ForbiddenError: If it has begun nothing of this state, too long ago, or has come back with it before.
    """
    now = datetime.now(UTC)
    with database().writing() as connection:
        key = accounts.make_secret(connection, sessions.KEY)
        try:
            own, nonce, verifier, path, since = _signer(key).loads(request.cookies.get(_name(), ""))
        except (BadSignature, ValueError, TypeError):
            raise ForbiddenError(AGAIN) from None
        is_ours = hmac.compare_digest(own.encode(), given.encode())
        if not is_ours or not 0 <= now.timestamp() - since + 1 <= SECONDS:
            raise ForbiddenError(AGAIN)
        begun = datetime.fromtimestamp(since, UTC)
        if accounts.count_attempt(connection, digest_of(own), begun, now - GOOD_FOR) > 1:
            raise ForbiddenError(AGAIN)
    return verifier, nonce, path


def _callback() -> str:
    """Where the provider sends people back to: never by what a request's Host says."""
    return f"{scenes().settings.own_address}/account/oidc/callback"


def _signer(key: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt="comeo oidc")


def _name() -> str:
    return f"{cookie_name()}-oidc"


def _unkept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # the callback's address holds a code
    return response
