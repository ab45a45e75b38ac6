"""What is kept of a scene to search by: the properties of its STAC Item, its footprint, its kind."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import shapely
from psycopg.types.json import Jsonb

from tileserver.catalog.base import BBox
from tileserver.catalog.footprints import box_of, footprint
from tileserver.catalog.properties import SUMMARISED
from tileserver.text import is_text

_LARGEST: Final = sys.float_info.max  # of numbers: JSON in PostgreSQL has greater ones that are no doubles


class Facts(NamedTuple):
    """What is written beside the columns that are the same in every database.

    Attributes:
        size: Bytes of the archive.
        kind: See `Kind`.
        footprint: As WKB; None where it is the box.
        properties: Of the STAC Item, as far as conditions can look at them.
        folded: Texts of these, of the id and of the collection that case folding changes, folded.
    """

    size: int | None
    kind: Kind
    footprint: bytes | None
    properties: Mapping[str, Any]
    folded: Mapping[str, Any]


class Kind(NamedTuple):
    """What many scenes have in common.

    Attributes:
        collection: STAC Collection id.
        bands: As JSON.
        crs: Of the first group.
        facts: Properties that collections are summed up by.
    """

    collection: str
    bands: str
    crs: str | None
    facts: Mapping[str, Any]

    @property
    def digest(self) -> UUID:
        """A name that no other kind has, in any database."""
        text = json.dumps([self.collection, self.bands, self.crs, self.facts], sort_keys=True)
        return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def facts_of(collection: str, item_id: str, bbox: BBox, bands: str, item: str, info: str) -> Facts:
    """Facts of a scene from its documents, which are of anybody's making."""
    document, about = json.loads(item), json.loads(info)
    given = document.get("properties")
    properties = {
        name: kept for name, value in (given if isinstance(given, dict) else {}).items()
        if _kept(name) is not None and (kept := _kept(value)) is not None
    }  # fmt: skip
    shape = footprint(json.dumps(document.get("geometry")), bbox)
    texts = {**properties, "id": item_id, "collection": collection}
    folded = {name: other for name, value in texts.items() if (other := _folded(value)) != value}
    size = about.get("archive_bytes")
    return Facts(
        size if isinstance(size, int) else None,
        Kind(
            collection,
            bands,
            _crs(about),
            {name: properties[name] for name in SUMMARISED if name in properties},
        ),
        None if shape.equals_exact(box_of(bbox), 0) else shapely.to_wkb(shape),
        properties,
        folded,
    )


def as_json(value: Mapping[str, Any]) -> Jsonb:
    """For a column of JSON."""
    return Jsonb(dict(value))


def _crs(info: Mapping[str, Any]) -> str | None:
    groups = info.get("groups")
    first = next(iter(groups.values()), None) if isinstance(groups, dict) else None
    crs = first.get("crs") if isinstance(first, dict) else None
    return crs if isinstance(crs, str) else None


def _kept(value: Any) -> Any:
    """A value of JSON as far as the database can hold it; None for what it cannot."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if is_text(value) and "\0" not in value else None
    if isinstance(value, int | float):
        return value if -_LARGEST <= value <= _LARGEST else None  # which no NaN is
    if isinstance(value, list):
        return [_kept(one) for one in value]
    return None  # of objects nobody asks


def _folded(value: Any) -> Any:
    """Texts folded, of a list in their places; anything else as it is."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, list):
        return [one.casefold() if isinstance(one, str) else one for one in value]
    return value
