"""Links that a geoservice was shared by: the browser keeps their secrets in a cookie, and sends them along.

They are looked up at each request, so that one that was ended opens nothing from then on.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from flask import Response, g, request
from sqlalchemy import Connection

from tileserver.http.session import cookie_name, is_secure
from tileserver.http.sharing import ANSWER
from tileserver.store import shares
from tileserver.store.geoservices import Geoservice
from tileserver.store.shares import Scope

MOST: Final = 10
"""Links that a browser keeps; the oldest give way."""
SECONDS: Final = 365 * 86_400
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")


def opened(connection: Connection) -> dict[int, Scope]:
    """Geoservices that the links of the request open, by id."""
    tokens = _tokens()
    found = shares.opened_by(connection, tokens, datetime.now(UTC)) if tokens else {}
    if found:
        setattr(g, ANSWER, "private")
    return found


def scope_of(connection: Connection, one: Geoservice) -> Scope | None:
    """What the links of the request show of a geoservice; None if nothing.

    One that is private is so whatever links there are: they open it again when it is shared again.
    """
    if one.visibility == "private":
        return None
    return opened(connection).get(one.id)


def keep(response: Response, token: str) -> None:
    """Let the browser keep a link's secret, besides those that it has."""
    kept = [token, *(each for each in _tokens() if each != token)][:MOST]
    response.set_cookie(
        _name(), ".".join(kept), SECONDS, path="/", secure=is_secure(), httponly=True, samesite="Lax"
    )


def _tokens() -> list[str]:
    found = request.cookies.get(_name(), "").split(".", MOST)[:MOST]
    return [each for each in found if _TOKEN.fullmatch(each)]


def _name() -> str:
    return f"{cookie_name()}-shares"
