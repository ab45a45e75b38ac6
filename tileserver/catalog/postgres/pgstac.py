"""pgstac beside the catalogue: its Items are written in the same transactions, where its schema is there.

So other programs that read pgstac (eoAPI, titiler-pgstac, stac-fastapi-pgstac) have what this server has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tileserver.catalog.postgres.database import Connection
from tileserver.catalog.postgres.schema import SCHEMA


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
    """Write an Item, and its Collection if there is none.

    Args:
        db: In a transaction.
        collection: STAC Collection id.
        item: The Item as JSON.
    """
    if db.execute("SELECT FROM pgstac.collections WHERE id = %s", [collection]).fetchone() is None:
        _within(db, "SELECT pgstac.create_collection(%s::jsonb)", json.dumps(_collection(collection)))
    _within(
        db, "SELECT pgstac.upsert_item(%s::jsonb)", json.dumps({**json.loads(item), "collection": collection})
    )


def remove(db: Connection, scenes: Sequence[tuple[Any, ...]]) -> None:
    """Remove Items, by collection and id, that are there."""
    for collection, item in scenes:
        if db.execute(
            "SELECT FROM pgstac.items WHERE collection = %s AND id = %s", [collection, item]
        ).fetchone():
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
