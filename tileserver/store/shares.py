"""Links by which a geoservice is shared with people who have no account; only their digests are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, delete, insert, select

from tileserver.store.tables import share
from tileserver.store.tokens import digest_of, new_token

Scope = Literal["view", "data"]
SCOPES: Final[tuple[Scope, ...]] = ("view", "data")
NAME_LENGTH: Final = 16
"""Hexadecimal digits of the digest by which a share is named: too few to find its link."""


@dataclass(frozen=True, slots=True)
class Share:
    """A link that was given.

    Attributes:
        name: By which it is ended.
        scope: What it shows.
        note: Whom it was given to.
        created: When.
        expires: When it ends by itself.
    """

    name: str
    scope: Scope
    note: str
    created: datetime
    expires: datetime


def give(
    connection: Connection, geoservice: int, scope: Scope, note: str, now: datetime, expires: datetime
) -> tuple[str, Share]:
    """Share a geoservice; the link's secret, which is kept nowhere, is returned with it."""
    token = new_token()
    digest = digest_of(token)
    values = {"token_sha": digest, "geoservice": geoservice, "scope": scope, "note": note, "created": now,
              "expires": expires}  # fmt: skip
    connection.execute(insert(share).values(values))
    return token, Share(digest[:NAME_LENGTH], scope, note, now, expires)


def shares_of(connection: Connection, geoservice: int) -> list[Share]:
    """Links of a geoservice, those that have expired included, in the order in which they were given."""
    query = (
        select(share)
        .where(share.c.geoservice == geoservice, share.c.scope.in_(SCOPES))
        .order_by(share.c.created, share.c.token_sha)
    )
    return [
        Share(row.token_sha[:NAME_LENGTH], row.scope, row.note or "", row.created, row.expires)
        for row in connection.execute(query)
    ]


def end(connection: Connection, geoservice: int, name: str) -> bool:
    """Let a link be good no longer; False if the geoservice has none of that name."""
    own = (share.c.geoservice == geoservice) & share.c.scope.in_(SCOPES)
    query = delete(share).where(own, share.c.token_sha.startswith(name, autoescape=True))
    return connection.execute(query).rowcount > 0


def opened_by(connection: Connection, tokens: Sequence[str], now: datetime) -> dict[int, Scope]:
    """Geoservices that secrets open now, by id, each with the widest scope."""
    digests = [digest_of(each) for each in tokens]
    query = select(share.c.geoservice, share.c.scope).where(
        share.c.token_sha.in_(digests), share.c.scope.in_(SCOPES), share.c.expires > now
    )
    found: dict[int, Any] = {}
    for row in connection.execute(query):
        if found.get(row.geoservice) != "data":
            found[row.geoservice] = row.scope
    return found
