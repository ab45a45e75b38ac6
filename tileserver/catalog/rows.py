"""Rows of the table of items, and the values in them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from comeo.scene import Band
from tileserver.catalog.base import Record
from tileserver.catalog.entry import Entry

RECORD_COLUMNS = (
    "path", "signature", "collection", "id", "datetime", "west", "south", "east", "north", "etag", "bands",
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record_of(row: Sequence[Any]) -> Record:
    """A record from the values of `RECORD_COLUMNS`."""
    path, signature, collection, item, moment, west, south, east, north, etag, bands = row
    return Record(
        path, signature, collection, item, moment_of(moment), (west, south, east, north), etag,
        bands_from_json(bands),
    )  # fmt: skip


def row_of(path: str, signature: str, entry: Entry) -> tuple[Any, ...]:
    """All columns of an item, in the order of the table."""
    moment = None if entry.datetime is None else microseconds(entry.datetime)
    return (
        path, signature, entry.collection, entry.id, moment, *entry.bbox, entry.etag,
        bands_to_json(entry.bands), json.dumps(entry.item), json.dumps(entry.info),
    )  # fmt: skip


def microseconds(moment: datetime) -> int:
    """Time as it is stored: microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(stored: int | None) -> datetime | None:
    """The inverse of `microseconds`; None where the time is unknown."""
    return None if stored is None else _EPOCH + timedelta(microseconds=stored)


def bands_to_json(bands: Iterable[Band]) -> str:
    """Write bands for the database."""
    return json.dumps([dataclasses.asdict(band) for band in bands])


@lru_cache(maxsize=1024)
def bands_from_json(text: str) -> tuple[Band, ...]:
    """Read bands from the database."""
    return tuple(
        Band(**{**fields, "display": tuple(fields["display"]) if fields.get("display") else None})
        for fields in json.loads(text)
    )
