"""Backups: what was written is read back, into either kind of database."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from comeo.errors import ComeoError
from tests.tileserver.databases import PostgreSQL
from tileserver.store import accounts, geoservices, observed, sites
from tileserver.store.backup import backup, restore
from tileserver.store.database import Database
from tileserver.store.observed import Observed
from tileserver.store.tables import metadata

NOW = datetime(2026, 11, 29, 6, 30, 1, 123456, tzinfo=UTC)
SQUARE = {"type": "Polygon", "coordinates": [[[0.0, 0.0], [0.01, 0.0], [0.01, 0.01], [0.0, 0.0]]]}


def fill(database: Database) -> None:
    with database.writing() as connection:
        owner = accounts.add_person(connection, "Owner@example.org", "fr", NOW)
        accounts.change_person(connection, owner, {"name": "Ayşe Ọlá"})
        place = sites.add_site(connection, owner, {"en": "Field “1”", "ar": "حقل"}, SQUARE, 1.5e6, NOW)
        version = sites.leaves(connection, place)[0].id
        connection.execute(
            metadata.tables["indicator"]
            .insert()
            .values(sha256="a" * 64, id="ndvi", version="1.0.0", document="{}")
        )
        made = Observed(
            version, "a" * 64, "c", "i", "e", NOW, "done", "x", value=0.1, u=None, classes={"land": 1 / 3}
        )
        observed.keep(connection, [made])
        number = geoservices.add_geoservice(
            connection,
            {
                "slug": "fields", "title": {"en": "Fields"}, "owner": owner, "site": place, "start": NOW,
                "collections": ["c"], "period": "P1M", "timezone": "UTC", "end": None, "locales": ["en"],
                "alert_policy": {}, "bulletin_policy": {}, "visibility": "private", "created": NOW,
            },
        )  # fmt: skip
        published = {
            "geoservice": number, "label": "2026-10", "revision": 1, "state": "sent", "content": "{}",
            "content_sha": "b" * 64, "composed": NOW,
        }  # fmt: skip
        connection.execute(metadata.tables["bulletin"].insert().values(published))
        file = {"bulletin": 1, "locale": "en", "kind": "pdf", "body": b"%PDF-\x00\xff", "sha256": "c" * 64}
        connection.execute(metadata.tables["bulletin_file"].insert().values(file))


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.reading() as connection:
        return {
            each.name: [tuple(row) for row in connection.execute(select(each).order_by(*each.primary_key))]
            for each in metadata.sorted_tables
        }


def test_a_backup_is_read_back_into_an_empty_database(
    database: Database, address: str, tmp_path: Path
) -> None:
    fill(database)
    written = backup(database, tmp_path / "a.zip")
    assert written["observation"] == 1
    other = Database(str(tmp_path / "other.sqlite") if database.is_sqlite else address)
    assert restore(other, tmp_path / "a.zip") == written
    assert rows(other) == rows(database)
    with other.writing() as connection:  # numbers go on behind what was read
        assert accounts.add_person(connection, "b@example.org", "en", NOW) == 2
    with pytest.raises(ComeoError, match="not empty"):
        restore(other, tmp_path / "a.zip")
    other.close()


def test_a_backup_moves_from_sqlite_to_postgresql(
    sqlite_database: Database, postgres: PostgreSQL, tmp_path: Path
) -> None:
    fill(sqlite_database)
    backup(sqlite_database, tmp_path / "a.zip")
    other = Database(postgres.make())
    restore(other, tmp_path / "a.zip")
    assert rows(other) == rows(sqlite_database)
    other.close()


def test_a_damaged_backup_changes_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    fill(sqlite_database)
    backup(sqlite_database, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as whole, zipfile.ZipFile(tmp_path / "b.zip", "w") as broken:
        for name in whole.namelist():
            content = whole.read(name)
            broken.writestr(name, content.replace(b"0.1", b"0.2") if name == "observation.jsonl" else content)
    other = Database(str(tmp_path / "other.sqlite"))
    with pytest.raises(ComeoError, match=r"b\.zip is damaged, or no backup: the lines of observation"):
        restore(other, tmp_path / "b.zip")
    assert not any(rows(other).values())
    (tmp_path / "c.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:200])
    with pytest.raises(ComeoError, match="damaged, or no backup"):
        restore(other, tmp_path / "c.zip")
    other.close()


def test_what_exists_is_not_replaced_and_a_newer_version_is_told(
    sqlite_database: Database, tmp_path: Path
) -> None:
    backup(sqlite_database, tmp_path / "a.zip")
    with pytest.raises(ComeoError, match=r"a\.zip exists"):
        backup(sqlite_database, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "n.zip", "w") as newer:
        newer.writestr("manifest.json", json.dumps({"format": 99, "revision": "x", "tables": {}}))
    with pytest.raises(ComeoError, match="newer version of the server"):
        restore(Database(str(tmp_path / "o.sqlite")), tmp_path / "n.zip")
    assert not list(tmp_path.glob("*.part"))
