"""Alerts, what happened to each, and tokens of links that act on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, Select, case, func, insert, select, update

from tileserver.store.tables import OPEN_STATES, alert, alert_event, share, site
from tileserver.store.tokens import digest_of, new_token

State = Literal[
    "verifying", "candidate", "confirmed", "notified", "closed", "dismissed", "expired", "withdrawn"
]
Kind = Literal["low", "high"]
Verified = Literal["unknown", "holds", "withdrawn", "unreachable"]
MOST_NOTE: Final = 1000
"""Characters of what is written down of an event; the rest is cut."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of the table: see there."""

    id: int
    geoservice: int
    site: int
    gs_indicator: int
    kind: Kind
    state: State
    severity: int
    score: float | None
    first_item: str
    first_at: datetime
    last_item: str
    last_at: datetime
    opened: datetime
    closed: datetime | None
    evidence: Mapping[str, Any]
    moderator: int | None
    decision: str | None
    comment: str | None
    verified: Verified

    @property
    def is_open(self) -> bool:
        """Whether it is going on."""
        return self.state in OPEN_STATES


def alerts_of(connection: Connection, geoservice: int) -> list[Alert]:
    """All alerts of a geoservice, oldest first."""
    query = select(alert).where(alert.c.geoservice == geoservice).order_by(alert.c.first_at, alert.c.id)
    return [_row(each) for each in connection.execute(query)]


def told_of(connection: Connection, geoservice: int) -> list[Alert]:
    """Alerts of a geoservice that were confirmed once, oldest first: what everybody may know."""
    query = (
        select(alert)
        .where(alert.c.geoservice == geoservice, alert.c.id.in_(_confirmed()))
        .order_by(alert.c.first_at, alert.c.id)
    )
    return [_row(each) for each in connection.execute(query)]


def open_counts(connection: Connection) -> dict[int, tuple[int, int]]:
    """Of each geoservice with alerts that are going on: how many, and how many of them were confirmed."""
    told = func.sum(case((alert.c.id.in_(_confirmed()), 1), else_=0))
    query = select(alert.c.geoservice, func.count(), told).where(alert.c.state.in_(OPEN_STATES))
    rows = connection.execute(query.group_by(alert.c.geoservice))
    return {number: (count, confirmed) for number, count, confirmed in rows}


def in_states(connection: Connection, *states: State) -> list[Alert]:
    """All alerts in states, oldest first."""
    query = select(alert).where(alert.c.state.in_(states)).order_by(alert.c.first_at, alert.c.id)
    return [_row(each) for each in connection.execute(query)]


def find_alert(connection: Connection, number: int) -> Alert | None:
    """The alert of an id."""
    found = connection.execute(select(alert).where(alert.c.id == number)).first()
    return None if found is None else _row(found)


def add_alert(connection: Connection, values: Mapping[str, Any]) -> int:
    """Add an alert; its id is returned."""
    return int(connection.execute(insert(alert).values(values).returning(alert.c.id)).scalar_one())


def change_alert(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    """Change fields of an alert that are no state."""
    connection.execute(update(alert).where(alert.c.id == number).values(values))


def set_state(
    connection: Connection, number: int, before: State, after: State, values: Mapping[str, Any]
) -> bool:
    """Bring an alert from one state into another; False if somebody else has changed it meanwhile."""
    query = update(alert).where(alert.c.id == number, alert.c.state == before)
    return connection.execute(query.values(state=after, **values)).rowcount == 1


def add_event(
    connection: Connection, number: int, before: State | None, after: State, note: str, now: datetime,
    actor: int | None = None,
) -> None:  # fmt: skip
    """Write down what happened to an alert."""
    values = {
        "alert": number,
        "at": now,
        "actor": actor,
        "before": before,
        "after": after,
        "note": note[:MOST_NOTE],
    }
    connection.execute(insert(alert_event).values(values))


def events_of(connection: Connection, number: int) -> list[Row[Any]]:
    """What happened to an alert, oldest first."""
    query = select(alert_event).where(alert_event.c.alert == number).order_by(alert_event.c.id)
    return list(connection.execute(query))


def last_event(connection: Connection, geoservice: int) -> int:
    """Id of what happened last to an alert of a geoservice; 0 if nothing has."""
    query = (
        select(func.max(alert_event.c.id))
        .join(alert, alert.c.id == alert_event.c.alert)
        .where(alert.c.geoservice == geoservice)
    )
    return int(connection.execute(query).scalar() or 0)


def site_names(connection: Connection, geoservice: int) -> dict[int, Mapping[str, str]]:
    """Names of all sites that a geoservice has had alerts of, also of those it no longer follows."""
    of_alerts = select(alert.c.site).where(alert.c.geoservice == geoservice)
    query = select(site.c.id, site.c.name).where(site.c.id.in_(of_alerts))
    return {row.id: row.name for row in connection.execute(query)}


def give_token(connection: Connection, of: Alert, account: int, now: datetime, expires: datetime) -> str:
    """A link's secret by which an account decides on an alert; only its digest is kept."""
    token = new_token()
    values = {
        "token_sha": digest_of(token), "geoservice": of.geoservice, "scope": "moderate", "alert": of.id,
        "account": account, "created": now, "expires": expires,
    }  # fmt: skip
    connection.execute(insert(share).values(values))
    return token


def tokens_of(connection: Connection, of: Alert, account: int) -> list[datetime]:
    """When each link of an account to an alert ends, in the order in which they were given."""
    query = select(share.c.expires).where(share.c.alert == of.id, share.c.account == account)
    return list(connection.execute(query.order_by(share.c.created)).scalars())


def was_asked(connection: Connection, of: Alert) -> bool:
    """Whether anybody has got a link to decide on an alert."""
    return connection.execute(select(share.c.alert).where(share.c.alert == of.id)).first() is not None


def bearer(connection: Connection, token: str, now: datetime) -> tuple[int, int] | None:
    """Alert and account of a link's secret; None if it is unknown, used or too old."""
    query = select(share.c.alert, share.c.account).where(
        share.c.token_sha == digest_of(token), share.c.scope == "moderate", share.c.expires > now,
        share.c.used.is_(None),
    )  # fmt: skip
    found = connection.execute(query).first()
    return None if found is None else (found.alert, found.account)


def _confirmed() -> Select[int]:
    """Ids of alerts that were confirmed once."""
    return select(alert_event.c.alert).where(alert_event.c.after == "confirmed")


def _row(row: Row[Any]) -> Alert:
    return Alert(**row._mapping)
