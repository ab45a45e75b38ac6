"""Databases of both kinds."""

from tests.tileserver.databases import (
    address,
    database,
    kind,
    postgres,
    sqlite_database,
    sqlite_template,
)

__all__ = ["address", "database", "kind", "postgres", "sqlite_database", "sqlite_template"]
