"""Accounts: a link by mail signs in; there are no passwords."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Response, redirect, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import to_json

from comeo.errors import NotFoundError
from comeo.indicators.model import Language, OneLine
from tileserver.accounts import login, sessions
from tileserver.api.geoservices.links import TokenPath
from tileserver.api.geoservices.pages import page
from tileserver.http.context import base_url, scenes
from tileserver.http.database import database
from tileserver.http.session import caller, csrf_token, drop_cookie, keep_cookie, own_page_only, signed_in
from tileserver.http.writes import check_unchanged, state_answer
from tileserver.store import accounts, audit
from tileserver.store.accounts import Person
from tileserver.watch.document.definition import Email
from tileserver.watch.words import LANGUAGES, word

api = APIBlueprint("account", __name__)
TAG = Tag(name="Accounts", description="Sign in by a link in a mail.")
ASKED = "if this address may sign in, a link is on its way to it; it is good for 15 minutes, once"


class LoginBody(BaseModel):
    """Who wants to sign in."""

    model_config = ConfigDict(extra="forbid")

    email: Email


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


class AccountBody(BaseModel):
    """What is changed of an account."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[OneLine, BeforeValidator(_stripped), Field(min_length=1, max_length=200)] | None = None
    locale: Language | None = None


@api.post("/account/login", tags=[TAG], responses={"202": None})
def ask(body: LoginBody) -> Response:
    """Have a link sent; the answer is the same for all addresses."""
    settings, now = scenes().settings, datetime.now(UTC)
    client = request.remote_addr or ""
    with database().writing() as connection:
        login.limit(connection, body.email, client, now)
    locale = request.accept_languages.best_match(LANGUAGES, "en") or "en"
    with database().writing() as connection:
        login.ask(connection, body.email, locale, settings.own_address, now, sign_up=settings.sign_up)
    response = Response(to_json({"detail": ASKED}), 202, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


@api.get("/account/login/<token>", tags=[TAG])
def look(path: TokenPath) -> Response:
    """A page with a button. Opening it changes nothing: mail servers look at links, too."""
    with database().reading() as connection:
        found = accounts.find_login(connection, path.token, datetime.now(UTC))
    if found is None:
        raise NotFoundError(login.NO_LINK)
    email, locale = found
    sentence = word(locale, "login-question", address=email)
    response = page("answer.html", locale, word(locale, "page-login"), sentence=sentence, asks=True)
    response.headers["Referrer-Policy"] = "same-origin"  # else browsers leave the form's Origin out
    return response


@api.post("/account/login/<token>", tags=[TAG], responses={"303": None})
def enter(path: TokenPath) -> Response:
    """Sign in, and go to the page of geoservices."""
    own_page_only()
    now = datetime.now(UTC)
    with database().writing() as connection:
        cookie = sessions.begin(connection, login.sign_in(connection, path.token, now), now)
    response: Response = redirect(f"{base_url()}/follow", 303)  # type: ignore[assignment]
    keep_cookie(response, cookie)
    response.headers["Cache-Control"] = "no-store"
    return response


@api.get("/account", tags=[TAG])
def show() -> Response:
    """Who is signed in, or null, and then where else one may. Writes send back the header X-CSRF-Token."""
    with database().reading() as connection:
        person = caller(connection)
        response = state_answer(_document(person) | ({} if person else _providers()) | _offers())
        token = csrf_token(connection) if person else None
    if token:
        response.headers["X-CSRF-Token"] = token
    response.headers["Cache-Control"] = "no-store"
    return response


@api.patch("/account", tags=[TAG])
def change(body: AccountBody) -> Response:
    """Change one's name and language."""
    with database().writing() as connection:
        person = signed_in(connection)
        check_unchanged(_document(person))
        values = body.model_dump(exclude_none=True)
        if values:
            accounts.change_person(connection, person.id, values)
            fields = " ".join(sorted(values))
            audit.write(
                connection, datetime.now(UTC), person.id, "account.changed", "account", person.id,
                fields=fields,
            )  # fmt: skip
        return state_answer(_document(accounts.find_person(connection, person.id)))


@api.post("/account/logout", tags=[TAG], responses={"204": None})
def leave() -> Response:
    """Sign out, wherever one is signed in."""
    with database().writing() as connection:
        number = signed_in(connection).id
        accounts.end_sessions(connection, number)
        audit.write(connection, datetime.now(UTC), number, "account.left", "account", number)
    response = Response(status=204)
    drop_cookie(response)
    return response


def _providers() -> dict[str, Any]:
    """Where one may sign in besides by mail."""
    settings = scenes().settings
    if not settings.oidc_issuer:
        return {}
    return {"oidc": {"name": settings.oidc_button, "href": f"{base_url()}/account/oidc/login"}}


def _offers() -> dict[str, Any]:
    """What else those who are signed in may do, for the page."""
    return {"compressions": True} if scenes().settings.compressions else {}


def _document(person: Person | None) -> dict[str, Any]:
    if person is None:
        return {"account": None}
    return {"account": {"id": person.id, "email": person.email, "name": person.name, "locale": person.locale}}
