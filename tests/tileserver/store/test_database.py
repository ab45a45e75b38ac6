"""Transactions: all or nothing, one writer after the other, and sentences where they are refused."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from comeo.errors import ComeoError
from tests.tileserver.databases import PostgreSQL
from tileserver.errors import BusyError
from tileserver.store import database as module
from tileserver.store.database import Database, insert_new
from tileserver.store.lock import only_worker
from tileserver.store.tables import account

NOW = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)


def row(email: str) -> dict[str, object]:
    return {"email": email, "name": "A", "locale": "en", "created": NOW}


def emails(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(select(account.c.email).order_by(account.c.id)).scalars())


def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        _ = connection.execute(insert(account).values(row("a@b.org"))).rowcount / 0
    assert emails(database) == []
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(insert(account), [row("a@b.org"), row("a@b.org")])
    assert emails(database) == []


def test_what_is_there_is_not_inserted_again(database: Database) -> None:
    with database.writing() as connection:
        assert insert_new(connection, account, row("a@b.org")) == 1
        assert insert_new(connection, account, [row("a@b.org"), row("c@d.org")]) == 1
        assert insert_new(connection, account, []) == 0
    assert emails(database) == ["a@b.org", "c@d.org"]


def test_a_reader_sees_one_state(database: Database) -> None:
    with database.reading() as reader:
        assert reader.execute(select(account.c.email)).all() == []
        with database.writing() as writer:
            writer.execute(insert(account).values(row("a@b.org")))
        assert reader.execute(select(account.c.email)).all() == []
    assert emails(database) == ["a@b.org"]


def test_a_reader_changes_nothing(database: Database) -> None:
    with database.reading() as connection:
        try:
            connection.execute(insert(account).values(row("a@b.org")))
        except DBAPIError:
            assert not database.is_sqlite
    assert emails(database) == []


def test_times_come_back_as_they_were(database: Database) -> None:
    east = NOW.astimezone(timezone(timedelta(hours=5)))
    with database.writing() as connection:
        connection.execute(insert(account).values({**row("a@b.org"), "confirmed": east}))
    with database.reading() as connection:
        found = connection.execute(select(account.c.confirmed, account.c.disabled)).one()
    assert found == (NOW, None)
    assert found[0].utcoffset() == timedelta(0)
    with pytest.raises(StatementError, match="has no time zone"), database.writing() as connection:
        connection.execute(insert(account).values({**row("x@y.org"), "confirmed": datetime(2026, 1, 1)}))


@pytest.fixture
def impatient(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The database, whose writers wait for a moment only."""
    monkeypatch.setattr(module, "_BUSY_MS", 200)
    return Database(
        str(database.path) if database.path else database.url.render_as_string(hide_password=False)
    )


def test_a_writer_that_waits_for_long_is_told_so(impatient: Database) -> None:
    with impatient.writing() as first:
        first.execute(insert(account).values(row("a@b.org")))
        with pytest.raises(BusyError, match="the database is busy; try again"), impatient.writing() as second:
            second.execute(insert(account).values(row("a@b.org")))
    assert emails(impatient) == ["a@b.org"]
    impatient.close()


def test_two_writers_come_one_after_the_other(database: Database) -> None:
    """Each adds one to what it has read: none of the steps is lost."""
    with database.writing() as connection:
        connection.execute(insert(account).values({**row("a@b.org"), "name": "0"}))

    def add() -> None:
        for _ in range(20):
            with database.writing() as connection:
                count = connection.execute(select(account.c.name).with_for_update()).scalar_one()
                connection.execute(text("UPDATE account SET name = :name"), {"name": str(int(count) + 1)})

    threads = [threading.Thread(target=add) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with database.reading() as connection:
        assert connection.execute(select(account.c.name)).scalar_one() == "40"


def test_a_full_disk_is_said_and_changes_nothing(sqlite_database: Database) -> None:
    def small(connection: object, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]  # that is: no larger than it is

    event.listen(sqlite_database.engine, "connect", small)
    long = {**row("a@b.org"), "name": "x" * 1_000_000}
    full = pytest.raises(ComeoError, match=r"comeo.sqlite cannot be written: database or disk is full")
    with full, sqlite_database.writing() as connection:
        connection.execute(insert(account).values(long))
    assert emails(sqlite_database) == []


def test_a_connection_that_is_lost_is_said(postgres: PostgreSQL) -> None:
    database = Database(postgres.make("migrated"))
    end = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(ComeoError, match=r"cannot be written: .*terminat"), database.writing() as connection:
        connection.execute(end)
    assert emails(database) == []  # by another connection
    database.close()


def _hold(address: str, says: multiprocessing.connection.Connection) -> None:
    with only_worker(Database(address)) as held:
        says.send(held)
        says.recv()


def test_one_worker_at_a_time_and_another_takes_over_when_it_is_killed(database: Database) -> None:
    address = database.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    first = context.Process(target=_hold, args=(address, theirs))
    first.start()
    assert ours.recv() is True
    with only_worker(database) as held:
        assert not held
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    first.close()
    for _ in range(500):  # PostgreSQL notices a moment later
        with only_worker(database) as held:
            if held:
                break
            threading.Event().wait(0.01)
    assert held
    with only_worker(database) as held:  # and it is free again afterwards
        assert held
    ours.close()
    theirs.close()
