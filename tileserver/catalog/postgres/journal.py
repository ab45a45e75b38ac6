"""The journal of changes, which triggers write: see `schema`."""

from __future__ import annotations

from tileserver.catalog.feed import MOST_GONE, Change, Changes, Position, check_place, new_epoch
from tileserver.catalog.postgres.database import Connection
from tileserver.catalog.postgres.queries import first
from tileserver.catalog.rows import moment_of


def position(db: Connection) -> Position:
    """See `Catalog.position`."""
    return Position(*first(db, "SELECT epoch, last FROM journal"))


def revision(db: Connection) -> int:
    """See `Catalog.revision`."""
    return int(first(db, "SELECT revision FROM journal")[0])


def raise_revision(db: Connection) -> None:
    """Make the revision greater than it has ever been, even if the clock was set back."""
    db.execute(
        "UPDATE journal SET revision = "
        "greatest(revision + 1, (1000 * extract(epoch FROM clock_timestamp()))::bigint)"
    )


def changes(db: Connection, after: Position | None, limit: int) -> Changes:
    """See `Catalog.changes`."""
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        epoch, last, forgotten = first(db, "SELECT epoch, last, forgotten FROM journal")
        start = after or Position(epoch, 0, last)
        check_place(start, epoch, last, forgotten if after else 0)
        rows = db.execute(
            "SELECT seq, collection, id, etag, bytes, datetime FROM change WHERE seq > %s "
            "ORDER BY seq LIMIT %s",
            [start.seq, limit + 1],
        ).fetchall()
    found = [
        Change(seq, collection, item, etag, size, moment_of(moment))
        for seq, collection, item, etag, size, moment in rows[:limit]
    ]
    more = len(rows) > limit
    end = Position(epoch, found[-1].seq, start.began) if more else Position(epoch, last)
    return Changes(found, end, more)


def shorten(db: Connection, most: int = MOST_GONE) -> None:
    """Forget the scenes that went first, but for so many that went last."""
    row = db.execute(
        "SELECT seq FROM change WHERE etag IS NULL ORDER BY seq DESC LIMIT 1 OFFSET %s", [most]
    ).fetchone()
    if row:
        db.execute("DELETE FROM change WHERE etag IS NULL AND seq <= %s", row)
        db.execute("UPDATE journal SET forgotten = %s", row)


def forget(db: Connection) -> None:
    """Remove all changes, and begin an epoch."""
    db.execute("DELETE FROM change")
    db.execute("UPDATE journal SET epoch = %s, last = 0, forgotten = 0, scenes = 0", [new_epoch()])
