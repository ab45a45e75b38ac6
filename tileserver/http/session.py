"""Who sends a request, by its cookie; and that no page of another site may use that cookie."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from flask import Response, g, request
from sqlalchemy import Connection

from tileserver.accounts import sessions
from tileserver.errors import ForbiddenError, SignInError
from tileserver.http.context import base_url
from tileserver.http.sharing import ANSWER
from tileserver.store.accounts import Person

HEADER: Final = "X-CSRF-Token"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")


def caller(connection: Connection) -> Person | None:
    """Who sends the request; None of somebody who is not signed in.

    Raises:
        ForbiddenError: If it writes, and its CSRF token is not that of its session.
    """
    g.setdefault(ANSWER, "varies")
    found = sessions.find(connection, request.cookies.get(cookie_name(), ""), datetime.now(UTC))
    if found is None:
        return None
    setattr(g, ANSWER, "private")
    person, token = found
    if request.method not in _SAFE and not hmac.compare_digest(
        request.headers.get(HEADER, "").encode(), token.encode()
    ):
        raise ForbiddenError(f"send the header {HEADER} with the token that GET /account gives")
    return person


def signed_in(connection: Connection) -> Person:
    """Who sends the request.

    Raises:
        SignInError: If nobody is signed in.
        ForbiddenError: See `caller`.
    """
    person = caller(connection)
    if person is None:
        raise SignInError
    return person


def csrf_token(connection: Connection) -> str | None:
    """The CSRF token of the session; None without one."""
    found = sessions.find(connection, request.cookies.get(cookie_name(), ""), datetime.now(UTC))
    return None if found is None else found[1]


def own_page_only() -> None:
    """Refuse what a page of another site sends: it could sign its visitor in as somebody else.

    Raises:
        ForbiddenError: Saying so.
    """
    origin = request.headers.get("Origin")
    parts = urlsplit(base_url())
    if origin is not None and origin != f"{parts.scheme}://{parts.netloc}":
        raise ForbiddenError("pages of other sites may not sign anybody in; open the link itself")


def keep_cookie(response: Response, cookie: str) -> None:
    """Let the client keep a session's cookie."""
    response.set_cookie(
        cookie_name(), cookie, sessions.SECONDS, path="/", secure=is_secure(), httponly=True, samesite="Lax"
    )


def drop_cookie(response: Response) -> None:
    """Let the client forget its session's cookie."""
    response.delete_cookie(cookie_name(), path="/", secure=is_secure(), httponly=True, samesite="Lax")


def cookie_name() -> str:
    """Of the cookie; with its prefix, which others share, browsers take it from no other host, over https."""
    return "__Host-comeo" if is_secure() else "comeo"


def is_secure() -> bool:
    """Whether browsers reach the server over https."""
    return base_url().startswith("https://")
