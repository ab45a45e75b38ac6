"""Maps of periods: which were made, and of what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from tileserver.store.tables import gs_indicator, period_map


@dataclass(frozen=True, slots=True)
class MadeMap:
    """A map that is there.

    Attributes:
        gs_indicator: Id of what a geoservice follows.
        label: Of the period: `2026-11`.
        digest: Of all that it was made of.
        item: Id of its scene; empty where the period has no pixel there.
        made: When.
    """

    gs_indicator: int
    label: str
    digest: str
    item: str
    made: datetime


def maps_of(connection: Connection, of: int) -> list[MadeMap]:
    """Maps of a geoservice, by period and in the order of its indicators."""
    query = (
        select(period_map)
        .join(gs_indicator, gs_indicator.c.id == period_map.c.gs_indicator)
        .where(gs_indicator.c.geoservice == of)
        .order_by(period_map.c.label, gs_indicator.c.place)
    )
    return [MadeMap(**row._mapping) for row in connection.execute(query)]


def keep_map(connection: Connection, made: MadeMap) -> None:
    """Write down what a map has been made of, in the place of what it was before."""
    forget_map(connection, made)
    values = {name: getattr(made, name) for name in MadeMap.__slots__}
    connection.execute(insert(period_map).values(values))


def forget_map(connection: Connection, made: MadeMap) -> None:
    """Forget a map that has been removed."""
    own = (period_map.c.gs_indicator == made.gs_indicator) & (period_map.c.label == made.label)
    connection.execute(delete(period_map).where(own))
