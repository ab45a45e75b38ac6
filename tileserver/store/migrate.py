"""Bringing a database up to the tables that this version has; what was there is copied first."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from comeo.errors import ComeoError
from tileserver.store.database import Database
from tileserver.store.tables import metadata

FOLDER: Final = Path(__file__).with_name("migrations")
log = logging.getLogger(__name__)


def upgrade(database: Database, revision: str = "head") -> Path | None:
    """Bring a database up; one that is up to date is left as it is.

    Args:
        database: To bring up.
        revision: To which; the newest by default.

    Returns:
        The copy that was made of an SQLite file which had other tables; else None.

    Raises:
        ComeoError: If it is of a newer version of the server, or of something else.
    """
    with database.reading() as connection:
        current = revision_of(connection)
    newest = ScriptDirectory(str(FOLDER)).as_revision_number(revision)
    if current == newest:
        return None
    copy = None
    if current is not None and database.path is not None:
        copy = copy_aside(database, f"before-{newest}")
        log.info("database copied before it is migrated", extra={"fields": {"copy": str(copy)}})
    with database.altering() as connection:
        command.upgrade(_config(connection), revision)
    return copy


def revision_of(connection: Connection) -> str | None:
    """The revision of a database's tables; None of an empty one.

    Raises:
        ComeoError: If its tables are others, or newer than this version of the server knows.
    """
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        strange = sorted(inspect(connection).get_table_names())
        if strange:
            raise ComeoError(
                f"the database has tables of something else ({', '.join(strange[:3])}); name one of its own "
                "(COMEO_DATABASE)"
            )
        return None
    known = {each.revision for each in ScriptDirectory(str(FOLDER)).walk_revisions()}
    if current not in known:
        raise ComeoError(
            f"the database is of a newer version of the server (its tables are {current}); install that one"
        )
    return current


def differences(connection: Connection) -> list[object]:
    """How the tables of a database differ from `tables`: none once it is up to date."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def copy_aside(database: Database, label: str) -> Path:
    """Copy an SQLite file, whole and consistent, beside it.

    Raises:
        ComeoError: If the copy cannot be written.
    """
    path = database.path
    if path is None:
        raise ComeoError("only an SQLite file is copied; for PostgreSQL use pg_dump")
    target = path.with_name(f"{path.stem}-{label}{path.suffix}")
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise ComeoError(f"{path.name} cannot be copied to {target.name}: {error.strerror}") from error
    with database.refusing("copied"), database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection  # SQLite copies outside of transactions only
        driver.execute("VACUUM INTO ?", (str(target),))
    return target


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config
