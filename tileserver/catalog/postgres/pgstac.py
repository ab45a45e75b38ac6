"""pgstac beside the catalogue: its Items are written in the same transactions, where its schema is there.

So other programs that read pgstac (eoAPI, titiler-pgstac, stac-fastapi-pgstac) have what this server has.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import OperationalError

from tileserver.catalog.postgres.database import Connection
from tileserver.catalog.postgres.schema import SCHEMA

log = logging.getLogger(__name__)


def is_there(db: Connection) -> bool:
    """Whether the database has pgstac, and this server may write there."""
    row = db.execute(
        # in this order: to name what lies in a schema that one may not use is an error, not NULL
        "SELECT CASE WHEN has_schema_privilege(oid, 'USAGE') THEN "
        "to_regproc('pgstac.upsert_item') IS NOT NULL "
        "AND has_table_privilege(to_regclass('pgstac.items'), 'INSERT') END "
        "FROM pg_namespace WHERE nspname = 'pgstac'"
    ).fetchone()
    return bool(row and row[0])


def put(db: Connection, collection: str, item: str) -> None:
    """Write an Item, and its Collection if there is none; what pgstac refuses stays out of it, and is logged.

    Args:
        db: In a transaction.
        collection: STAC Collection id.
        item: The Item as JSON.
    """
    document = {**json.loads(item), "collection": collection}
    known = "SELECT 1 FROM pgstac.collections WHERE id = %s"
    try:
        with db.transaction():
            if db.execute(known, [collection]).fetchone() is None:
                _within(db, "SELECT pgstac.create_collection(%s::jsonb)", json.dumps(_collection(collection)))
            _within(db, "SELECT pgstac.upsert_item(%s::jsonb)", json.dumps(document))
    except OperationalError:  # the database is away, or too slow: nothing that the Item is to blame for
        raise
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__
        fields = {"collection": collection, "item": document["id"], "error": reason}
        log.warning("pgstac refuses an Item, which stays out of it", extra={"fields": fields})


def remove(db: Connection, scenes: Sequence[tuple[Any, ...]]) -> None:
    """Remove Items, by collection and id, that are there."""
    known = "SELECT 1 FROM pgstac.items WHERE collection = %s AND id = %s"
    for collection, item in scenes:
        if db.execute(known, [collection, item]).fetchone() is not None:
            _within(db, "SELECT pgstac.delete_item(%s, %s)", item, collection)


def _within(db: Connection, text: str, *values: str) -> None:
    """Call a function of pgstac, which looks for its own and PostGIS's by the search path."""
    db.execute("SET LOCAL search_path = pgstac, public, pg_catalog")
    db.execute(text, values)
    db.execute(f"SET LOCAL search_path = {SCHEMA}, pg_catalog")


def _collection(name: str) -> dict[str, Any]:
    """The least that makes a Collection; whoever knows more may write it."""
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    return {
        "type": "Collection", "stac_version": "1.0.0", "id": name, "description": name, "license": "other",
        "extent": extent, "links": [],
    }  # fmt: skip
