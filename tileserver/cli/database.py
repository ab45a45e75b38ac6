"""What commands about geoservices share: their database, the scenes that they are asked of; and backups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comeo.errors import ComeoError, NotFoundError
from tileserver.cli.options import database_option
from tileserver.cli.places import LocalOrBucketPath, LocalPath

if TYPE_CHECKING:
    from tileserver.render.scenes import Scenes
    from tileserver.settings import Settings
    from tileserver.store.database import Database
    from tileserver.store.geoservices import Geoservice

archives_argument = click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=LocalOrBucketPath("geoservices observe archives on disk and in buckets"),
)


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def open_database(settings: Settings) -> Database:
    """The database of the settings, up to date.

    Raises:
        ComeoError: If none is set, or it cannot be opened.
    """
    from tileserver.store.database import Database
    from tileserver.store.migrate import upgrade

    if settings.database is None:
        raise ComeoError("there is no database of geoservices; name one with --database (COMEO_DATABASE)")
    database = Database(settings.database)
    upgrade(database)
    return database


@contextmanager
def open_scenes(settings: Settings) -> Iterator[Scenes]:
    """Scenes for a process that is no server."""
    from tileserver.catalog import open_catalog, placed
    from tileserver.relay.indexing.index import bucket_index
    from tileserver.render.scenes import Scenes

    settings = placed(settings)
    catalog = open_catalog(settings, index=bucket_index(settings))
    catalog.refresh(force=True)
    try:
        yield Scenes.open(settings, catalog)
    finally:
        catalog.close()


def find_geoservice(connection: Any, slug: str) -> Geoservice:
    """The geoservice of a slug.

    Raises:
        NotFoundError: If there is none.
    """
    from tileserver.store import geoservices

    found = geoservices.find_geoservice(connection, slug)
    if found is None:
        raise NotFoundError(f"there is no geoservice {slug}; `comeo geoservice list` names them")
    return found


@click.command()
@click.argument("file", type=LocalPath())
@database_option
def backup(file: Path, database: str | None) -> None:
    """Write sites, geoservices, observations, alerts and messages into FILE (.zip)."""
    from tileserver.settings import Settings
    from tileserver.store.backup import backup as write

    rows = write(open_database(Settings.from_environment(database=database)), file)
    click.echo(f"{file}  {sum(rows.values()):,} rows, {file.stat().st_size:,} bytes")


@click.command()
@click.argument("file", type=LocalPath(exists=True, dir_okay=False))
@database_option
def restore(file: Path, database: str | None) -> None:
    """Fill an empty database with what the backup FILE holds."""
    from tileserver.settings import Settings
    from tileserver.store.backup import restore as read
    from tileserver.store.database import Database

    settings = Settings.from_environment(database=database)
    if settings.database is None:
        raise ComeoError("there is no database to fill; name one with --database (COMEO_DATABASE)")
    rows = read(Database(settings.database), file)
    click.echo(f"{sum(rows.values()):,} rows restored")
