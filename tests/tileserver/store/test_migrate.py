"""Databases are brought up from whatever they are, or refused with a sentence; both kinds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from comeo.errors import ComeoError
from comeo.settings import SettingsError
from tests.tileserver.databases import PostgreSQL
from tileserver.store import migrate
from tileserver.store.database import Database
from tileserver.store.migrate import copy_aside, differences, revision_of, upgrade
from tileserver.store.tables import metadata

NEWEST = ScriptDirectory(str(migrate.FOLDER)).get_current_head() or ""
SECOND = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "NEWEST", None, None


def upgrade():
    with op.batch_alter_table("account") as table:  # others refer to it
        table.alter_column("name", existing_type=sa.String(200), type_=sa.Text())
        table.add_column(sa.Column("note", sa.Text()))
"""
BREAKING = """
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "NEWEST", None, None


def upgrade():
    op.execute("DELETE FROM account")
"""


@pytest.fixture
def opened(address: str) -> Database:
    return Database(address)


def newer(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """Have a second migration."""
    shutil.copytree(migrate.FOLDER, folder)
    (folder / "versions" / "9999_second.py").write_text(text.replace("NEWEST", NEWEST))
    monkeypatch.setattr(migrate, "FOLDER", folder)


def add_data(database: Database) -> None:
    """An account, and a site that refers to it."""
    with database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO account (id, email, name, locale, created)"
                " VALUES (7, 'a@b.org', 'A', 'en', '2026-01-01 00:00:00')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO site (id, owner, name, kind, created)"
                " VALUES (3, 7, '{\"en\": \"Wood\"}', 'elementary', '2026-01-01 00:00:00')"
            )
        )


def test_an_empty_database_gets_the_tables_of_the_code(opened: Database) -> None:
    assert upgrade(opened) is None
    with opened.reading() as connection:
        assert differences(connection) == []
        assert set(metadata.tables) < set(inspect(connection).get_table_names())
        assert revision_of(connection) == NEWEST
    assert upgrade(opened) is None  # and stays


def test_data_of_the_first_tables_live_on(
    opened: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(opened)
    add_data(opened)
    newer(monkeypatch, tmp_path / "migrations", SECOND)
    copy = upgrade(opened)
    with opened.reading() as connection:
        assert revision_of(connection) == "9999"
        assert connection.execute(text("SELECT id, email, note FROM account")).all() == [(7, "a@b.org", None)]
        assert connection.execute(text("SELECT owner FROM site")).scalar_one() == 7
    with pytest.raises(Exception, match=r"FOREIGN KEY|foreign key"), opened.writing() as connection:
        connection.execute(text("DELETE FROM account"))  # references are kept again
    if not opened.is_sqlite:
        assert copy is None
        return
    assert copy == tmp_path / "comeo-before-9999.sqlite"
    with sqlite3.connect(copy) as before:
        assert before.execute("SELECT version_num FROM alembic_version").fetchone() == (NEWEST,)
        assert before.execute("SELECT email FROM account").fetchall() == [("a@b.org",)]
    before.close()


def test_a_migration_that_would_lose_what_others_refer_to_changes_nothing(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_data(sqlite_database)
    newer(monkeypatch, tmp_path / "migrations", BREAKING)
    with pytest.raises(ComeoError, match="would break references of site"):
        upgrade(sqlite_database)
    with sqlite_database.reading() as connection:
        assert revision_of(connection) == NEWEST
        assert connection.execute(text("SELECT count(*) FROM account")).scalar_one() == 1


def test_tables_of_something_else_are_refused_and_left_alone(opened: Database) -> None:
    with opened.writing() as connection:
        connection.execute(text("CREATE TABLE places (url TEXT)"))
    before = Path(opened.path).read_bytes() if opened.path else b""
    with pytest.raises(ComeoError, match=r"tables of something else \(places\); name one of its own"):
        upgrade(opened)
    if opened.path:
        opened.close()
        assert Path(opened.path).read_bytes() == before


def test_tables_of_a_newer_version_are_refused(opened: Database) -> None:
    upgrade(opened)
    with opened.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(ComeoError, match=r"newer version of the server \(its tables are 0999\)"):
        upgrade(opened)


def test_there_is_no_way_back(opened: Database) -> None:
    upgrade(opened)
    with opened.altering() as connection, pytest.raises((NotImplementedError, AttributeError)):
        command.downgrade(migrate._config(connection), "base")


def test_two_processes_may_begin_at_once(address: str) -> None:
    failed: list[BaseException] = []

    def begin() -> None:
        database = Database(address)
        try:
            upgrade(database)
        except BaseException as error:  # noqa: BLE001 - told to the test
            failed.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []


@pytest.mark.parametrize("content", [b"no database, and longer than a header of one\n" * 10, b"%PDF-1.7"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(content)
    with pytest.raises(ComeoError, match=r"report.pdf cannot be read: file is not a database"):
        upgrade(Database(str(path)))
    assert path.read_bytes() == content


def test_a_damaged_database_is_said(sqlite_database: Database) -> None:
    add_data(sqlite_database)
    path = sqlite_database.path
    assert path is not None
    with sqlite3.connect(path) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    plain.close()
    sqlite_database.close()
    path.write_bytes(path.read_bytes()[: 5 * 4096] + bytes(4096) * 60)
    with pytest.raises(ComeoError, match=r"comeo.sqlite cannot be read: .*malformed"):
        upgrade(sqlite_database)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(ComeoError, match=r"cannot be read: unable to open database file \(COMEO_DATABASE\)"):
        upgrade(Database(str(tmp_path)))


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ComeoError, match=r"cannot be read: .*No such file or directory") as told:
        upgrade(Database(f"postgresql://u:secret@/x?host={tmp_path}"))
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "given",
    ["mysql://h/x", "sqlite://", "sqlite:///:memory:", "postgresql://", "postgresql+asyncpg://h/x", "://"],
)
def test_other_addresses_are_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="COMEO_DATABASE"):
        Database(given)


def test_a_copy_that_cannot_be_written_is_said(sqlite_database: Database) -> None:
    assert sqlite_database.path is not None
    (sqlite_database.path.parent / "comeo-x.sqlite").mkdir()
    with pytest.raises(ComeoError, match=r"cannot be copied"):
        copy_aside(sqlite_database, "x")


def test_only_files_are_copied(postgres: PostgreSQL) -> None:
    with pytest.raises(ComeoError, match="use pg_dump"):
        copy_aside(Database(postgres.address()), "x")


def test_a_copy_is_whole_while_others_write(sqlite_database: Database) -> None:
    add_data(sqlite_database)
    copy = copy_aside(sqlite_database, "x")
    assert os.path.getsize(copy) > 0  # noqa: PTH202
    other = Database(str(copy))
    assert upgrade(other) is None
    with other.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM site")).scalar_one() == 1
    other.close()
