"""A database of before there were accounts that sign in is brought up with its rows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from tileserver.store.accounts import person_of
from tileserver.store.database import Database
from tileserver.store.migrate import differences, upgrade


def test_accounts_of_before_stay(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "comeo.sqlite"))
    upgrade(database, "0001")
    with database.writing() as connection:
        row = "INSERT INTO account (email, name, locale, created) VALUES ('a@b.org', 'a', 'en', '2021-01-01')"
        connection.execute(text(row))
    assert upgrade(database) is not None
    with database.reading() as connection:
        assert not differences(connection)
        found = person_of(connection, "a@b.org")
        assert found
        assert found.epoch == 0
    database.close()
