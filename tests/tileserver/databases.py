"""Databases that geoservices are kept in, of both kinds, as fixtures: `address`, and `database` with tables.

A PostgreSQL of our own runs for the session, without a port: its socket is in a folder of its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event

from tileserver.store.database import Database
from tileserver.store.migrate import upgrade

KINDS = ("sqlite", "postgresql")
_FAST = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"  # it lasts for a session
_numbers = count()


class PostgreSQL:
    """A server; whoever may not run one, root, runs it as `postgres`.

    Args:
        programs: Folder of `initdb` and `pg_ctl`.
        options: More of the server's options: `-c shared_buffers=1GB`.
    """

    def __init__(self, programs: Path, options: str = "") -> None:
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path is short
        if self._user:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "-D", "data", "-U", "comeo", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {self.folder} -c listen_addresses='' {_FAST} {options}"
        self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", options, "start")

    @classmethod
    def found(cls, options: str = "") -> PostgreSQL:
        """Of the newest programs of this machine.

        Raises:
            FileNotFoundError: If there are none.
        """
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
            Path(each) for each in [shutil.which("initdb")] if each
        ]
        if not found:
            raise FileNotFoundError(
                "no PostgreSQL on this machine (initdb); on Debian: apt install postgresql"
            )
        return cls(found[-1].parent, options)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, cwd=self.folder, user=self._user, check=True, stdout=subprocess.DEVNULL)

    def address(self, name: str = "postgres") -> str:
        """Of a database of the server."""
        return f"postgresql+psycopg://comeo@/{name}?host={self.folder}"

    def make(self, template: str = "template1") -> str:
        """Make a database; its address is returned."""
        return self.make_named(f"test{next(_numbers)}", template)

    def make_named(self, name: str, template: str = "template1") -> str:
        """Make a database of a name; its address is returned."""
        engine = create_engine(self.address(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        engine.dispose()
        return self.address(name)

    def close(self) -> None:
        """Stop it, and remove what it wrote."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)


def catalogue_at(file: Path) -> Path | str:
    """Where a server of tests keeps its catalogue: in a file, or a new database with COMEO_TEST_CATALOG.

    Raises:
        FileNotFoundError: If that is `postgres`, and there are no programs of it.
    """
    return _shared().make() if os.environ.get("COMEO_TEST_CATALOG") == "postgres" else file


@cache
def _shared() -> PostgreSQL:
    """A server for catalogues of tests."""
    server = PostgreSQL.found()
    atexit.register(server.close)
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    """A server with PostgreSQL; skipped where its programs are missing."""
    try:
        server = PostgreSQL.found()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    upgrade_and_close(server.make_named("migrated"))
    yield server
    server.close()


def upgrade_and_close(address: str) -> None:
    """Make the tables of a database."""
    database = Database(address)
    upgrade(database)
    database.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which database a test is of."""
    return str(request.param)


@pytest.fixture
def address(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Address of an empty database."""
    if kind == "sqlite":
        return str(tmp_path / "comeo.sqlite")
    server: PostgreSQL = request.getfixturevalue("postgres")
    return server.make()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with tables."""
    path = tmp_path_factory.mktemp("template") / "comeo.sqlite"
    upgrade_and_close(str(path))
    return path


def hurry(connection: Any, _record: object) -> None:
    """Have SQLite wait for no disk."""
    connection.execute("PRAGMA synchronous = OFF")  # no test cuts the power


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """An SQLite file with tables and no rows."""
    opened = Database(str(shutil.copy(sqlite_template, tmp_path / "comeo.sqlite")))
    event.listen(opened.engine, "connect", hurry)
    yield opened
    opened.close()


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database with tables and no rows."""
    if kind == "sqlite":
        yield request.getfixturevalue("sqlite_database")
        return
    server: PostgreSQL = request.getfixturevalue("postgres")
    opened = Database(server.make("migrated"))
    yield opened
    opened.close()
