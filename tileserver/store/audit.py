"""What people have changed, written down in the transaction that changes it.

Accounts are named by their ids: no address, no secret and no free text is in here, and rows stay when what
they are of has gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, insert, select

from tileserver.store.tables import account, audit

Kind = Literal["geoservice", "site", "account"]
END: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed.

    Attributes:
        id: Numbers go up with time.
        at: When.
        actor: Id of the account; None of the operator, and of who acts by a link without an account.
        name: Of the account.
        action: What was done: `role.given`.
        object: Of what: `geoservice:3`.
        detail: Its particulars.
    """

    id: int
    at: datetime
    actor: int | None
    name: str | None
    action: str
    object: str
    detail: Mapping[str, Any]


def write(
    connection: Connection, now: datetime, actor: int | None, action: str, kind: Kind, number: int,
    **detail: int | str | None,
) -> None:  # fmt: skip
    """Write down that somebody changes something.

    Args:
        connection: In the transaction that changes it.
        now: Time.
        actor: Id of the account; None of the operator, and of who acts by a link without an account.
        action: What is done.
        kind: Of what it is done to.
        number: Its id.
        **detail: Numbers and words of the server's own; never an address, a secret or what somebody wrote.
    """
    values = {"at": now, "actor": actor, "action": action, "object": f"{kind}:{number}", "detail": detail}
    connection.execute(insert(audit).values(values))


def changes_of(
    connection: Connection, kind: Kind, number: int, since: datetime, before: int, most: int
) -> list[Change]:
    """Changes of one object, newest first.

    Args:
        connection: In a transaction.
        kind: Of the object.
        number: Its id.
        since: When it was made: SQLite may give the number of a draft that was deleted again.
        before: Ids before this one.
        most: How many at most.
    """
    own = (audit.c.object == f"{kind}:{number}") & (audit.c.at >= since) & (audit.c.id < before)
    query = _joined().where(own).order_by(audit.c.id.desc()).limit(most)
    return [_change(row) for row in connection.execute(query)]


def newest(connection: Connection, most: int) -> list[Change]:
    """The last changes of all, oldest first."""
    query = _joined().order_by(audit.c.id.desc()).limit(most)
    return [_change(row) for row in connection.execute(query)][::-1]


def _joined() -> Any:
    return select(audit, account.c.name).join(account, account.c.id == audit.c.actor, isouter=True)


def _change(row: Row[Any]) -> Change:
    return Change(**row._mapping)
