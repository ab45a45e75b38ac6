"""Telling damage of the database from what passes, and from mistakes."""

from __future__ import annotations

import sqlite3
from enum import Enum
from typing import Final

_PASSES: Final = frozenset(
    (
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
    )
)  # fmt: skip
_DAMAGED: Final = frozenset(
    (
        sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_INTERNAL, sqlite3.SQLITE_PROTOCOL,
    )
)  # fmt: skip
_PRIMARY_CODE: Final = 0xFF


class Verdict(Enum):
    """What an error says of the file."""

    PASSES = "passes"
    DAMAGED = "damaged"
    DOUBTFUL = "doubtful"
    """A mistake of the program or of a request makes such errors, and so does damage: the file tells."""


def verdict_of(error: Exception) -> Verdict:
    """Judge an error that came of asking the database."""
    if not isinstance(error, sqlite3.DatabaseError):
        return Verdict.DOUBTFUL
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # Python's own, for text that is not UTF-8
        return Verdict.DAMAGED if isinstance(error, sqlite3.OperationalError) else Verdict.DOUBTFUL
    if code == sqlite3.SQLITE_READONLY_DBMOVED or code & _PRIMARY_CODE in _DAMAGED:
        return Verdict.DAMAGED
    if code & _PRIMARY_CODE in _PASSES or code & _PRIMARY_CODE == sqlite3.SQLITE_READONLY:
        return Verdict.PASSES
    return Verdict.DOUBTFUL
