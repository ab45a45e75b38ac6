"""Backups: all tables as lines of JSON in one ZIP file, read back into an empty database of any kind."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Table, func, insert, select, text

from comeo.errors import ComeoError
from tileserver.store.database import Database, parts
from tileserver.store.migrate import revision_of, upgrade
from tileserver.store.tables import Instant, metadata

FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"


def backup(database: Database, path: Path) -> dict[str, int]:
    """Write everything into a file, which appears under its name once it is whole and on the disk.

    Args:
        database: As it is at one moment, whoever writes meanwhile.
        path: A file that does not exist.

    Returns:
        Rows by table.

    Raises:
        ComeoError: If the file exists, or the database has not been made.
    """
    if path.exists():
        raise ComeoError(f"{path} exists; name another file")
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with database.reading() as connection, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            revision = revision_of(connection)
            if revision is None:
                raise ComeoError("the database has no tables yet; there is nothing to back up")
            tables = {each.name: _write(connection, archive, each) for each in metadata.sorted_tables}
            manifest = {"format": FORMAT, "revision": revision, "tables": tables}
            archive.writestr(_MANIFEST, json.dumps(manifest, indent=2))
        _to_disk(beside)
        beside.replace(path)
        _to_disk(path.parent)
    finally:
        beside.unlink(missing_ok=True)
    return {name: int(facts["rows"]) for name, facts in tables.items()}


def _to_disk(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder, also if the power goes."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def restore(database: Database, path: Path) -> dict[str, int]:
    """Fill an empty database with what a backup holds, all of it or nothing.

    Args:
        database: Empty; its tables are made.
        path: The backup.

    Returns:
        Rows by table.

    Raises:
        ComeoError: If the database is not empty, or the file is damaged or of another version of the tables.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            if manifest.get("format") != FORMAT:
                raise ComeoError(
                    f"{path.name} is a backup of a newer version of the server; install that one"
                )
            upgrade(database, manifest["revision"])
            with database.writing() as connection:
                _check_empty(connection)
                for table in metadata.sorted_tables:
                    if table.name in manifest["tables"]:
                        _read(connection, archive, table, manifest["tables"][table.name])
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ComeoError(f"{path.name} is damaged, or no backup: {error}") from error
    upgrade(database)
    return {name: int(facts["rows"]) for name, facts in manifest["tables"].items()}


def _write(connection: Connection, archive: zipfile.ZipFile, table: Table) -> dict[str, Any]:
    """Write a table; its number of rows and digest are returned."""
    digest, rows = hashlib.sha256(), 0
    with archive.open(f"{table.name}.jsonl", "w") as file:
        for row in connection.execute(select(table).order_by(*table.primary_key.columns)):
            line = json.dumps(dict(row._mapping), default=_plain, ensure_ascii=False).encode() + b"\n"
            file.write(line)
            digest.update(line)
            rows += 1
    return {"rows": rows, "sha256": digest.hexdigest()}


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no form in a backup")


def _read(connection: Connection, archive: zipfile.ZipFile, table: Table, facts: dict[str, Any]) -> None:
    """Read a table back.

    Raises:
        ValueError: If its lines are not those that were written.
    """
    with archive.open(f"{table.name}.jsonl") as file:
        lines = file.readlines()
    if hashlib.sha256(b"".join(lines)).hexdigest() != facts["sha256"]:
        raise ValueError(f"the lines of {table.name} are not those that were written")
    times = [each.name for each in table.columns if isinstance(each.type, Instant)]
    binary = [each.name for each in table.columns if isinstance(each.type, LargeBinary)]
    for some in parts([json.loads(line) for line in lines]):
        for row in some:
            row.update({name: datetime.fromisoformat(row[name]) for name in times if row.get(name)})
            row.update({name: base64.b64decode(row[name]) for name in binary})
        connection.execute(insert(table), some)
    _go_on_counting(connection, table)


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number the next row after the last that was read; SQLite does so by itself."""
    if connection.dialect.name == "postgresql" and "id" in table.c and table.c.id.autoincrement is True:
        last = connection.execute(select(func.max(table.c.id))).scalar()
        if last is not None:
            query = text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)")
            connection.execute(query, {"table": f'"{table.name}"', "last": last})


def _check_empty(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise ComeoError("the database is not empty; name another one (COMEO_DATABASE)")
