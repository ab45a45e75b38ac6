"""What a relay's geoservices tell the origin above it: what was told, and, at the origin, what came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, get_args

from sqlalchemy import Connection, delete, func, insert, select, update

from tileserver.store.database import insert_new
from tileserver.store.tables import (
    alert_event,
    bulletin_event,
    geoservice,
    observation,
    relay,
    report,
    reported,
    reporting,
    site_version,
)

Kind = Literal["geoservice", "site", "observation", "alert", "bulletin"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that is told.

    Attributes:
        kind: What it is.
        key: Which one, from the slug of its geoservice on.
        body: What is said of it; None: it is no more.
    """

    kind: Kind
    key: str
    body: Mapping[str, Any] | None

    @property
    def digest(self) -> str:
        """Of the body."""
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()


class Relay(NamedTuple):
    """A relay that has told something.

    Attributes:
        name: As the operator of the origin calls it.
        epoch: Of its database.
        seq: Of the last parcel that was taken.
        at: When that came.
    """

    name: str
    epoch: str
    seq: int
    at: datetime


def told(connection: Connection, origin: str) -> dict[tuple[Kind, str], str]:
    """Digests of what an origin was told and still has, by kind and key."""
    query = select(reported.c.kind, reported.c.key, reported.c.digest).where(reported.c.origin == origin)
    return {(kind, key): digest for kind, key, digest in connection.execute(query)}


def mark_told(connection: Connection, origin: str, some: Iterable[Report]) -> None:
    """Write down what an origin has taken."""
    for each in some:
        own = (reported.c.origin == origin) & (reported.c.kind == each.kind) & (reported.c.key == each.key)
        connection.execute(delete(reported).where(own))
        if each.body is not None:
            values = {"origin": origin, "kind": each.kind, "key": each.key, "digest": each.digest}
            connection.execute(insert(reported).values(values))


def next_number(connection: Connection, origin: str) -> int:
    """The number of the next parcel for an origin: no two have the same."""
    insert_new(connection, reporting, {"origin": origin, "seq": 0})
    query = update(reporting).where(reporting.c.origin == origin).values(seq=reporting.c.seq + 1)
    return int(connection.execute(query.returning(reporting.c.seq)).scalar_one())


def tellable(connection: Connection) -> tuple[object, ...]:
    """What is another whenever there may be something new to tell, but for what the catalogue says."""
    newest = [
        connection.execute(select(func.max(each.c.id))).scalar()
        for each in (observation, alert_event, bulletin_event, site_version)
    ]
    own = select(geoservice.c.id, geoservice.c.revision, geoservice.c.state).order_by(geoservice.c.id)
    return (*newest, *(tuple(row) for row in connection.execute(own)))


def relays(connection: Connection) -> list[Relay]:
    """Relays that have told something, by name."""
    return [Relay(*row) for row in connection.execute(select(relay).order_by(relay.c.name))]


def take(
    connection: Connection, name: str, epoch: str, seq: int, some: Sequence[Report], now: datetime
) -> bool:
    """Keep a parcel of a relay; False if it, or a later one, was taken before.

    A relay's word stands under its own name, and takes the place of what it said before of the same thing.
    """
    known = connection.execute(select(relay).where(relay.c.name == name)).first()
    if known is None:
        connection.execute(insert(relay).values(name=name, epoch=epoch, seq=seq, at=now))
    elif known.epoch == epoch and known.seq >= seq:
        return False
    else:
        connection.execute(update(relay).where(relay.c.name == name).values(epoch=epoch, seq=seq, at=now))
    for each in some:
        own = (report.c.relay == name) & (report.c.kind == each.kind) & (report.c.key == each.key)
        connection.execute(delete(report).where(own))
        if each.body is not None:
            values = {"relay": name, "kind": each.kind, "key": each.key, "body": each.body, "at": now}
            connection.execute(insert(report).values(values))
    return True


def reports_of(connection: Connection, name: str, kind: Kind, prefix: str = "") -> list[Report]:
    """What a relay says of a kind, by key: all, or what begins with a prefix."""
    query = select(report.c.kind, report.c.key, report.c.body).where(
        report.c.relay == name, report.c.kind == kind, report.c.key.startswith(prefix, autoescape=True)
    )
    return [Report(*row) for row in connection.execute(query.order_by(report.c.key))]
