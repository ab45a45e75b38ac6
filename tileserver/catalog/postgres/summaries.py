"""Collections and searches summed up in SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from comeo.globe import union_of_boxes
from comeo.scene import Band
from tileserver.catalog.base import NAMED_ODD, BBox, CollectionSummary, Coverage, Search
from tileserver.catalog.kinds import BandSet, OddScene, differences
from tileserver.catalog.postgres.database import Connection
from tileserver.catalog.postgres.queries import Part, bands_of, conditions, is_few, joined, source, values_of
from tileserver.catalog.postgres.schema import BINS, NEWEST, UNKNOWN_OLDEST
from tileserver.catalog.properties import MOST_VALUES, SUMMARISED, summed_up
from tileserver.catalog.rows import bands_to_json, moment_of

_DAY: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)
# From day to day by the index of a collection, whatever lies between.
_DAYS: Final = f"""
    WITH RECURSIVE found AS (
        (SELECT datetime FROM items WHERE collection = %s ORDER BY {NEWEST} DESC LIMIT 1)
        UNION ALL
        SELECT (
            SELECT datetime FROM items
            WHERE collection = %s AND {NEWEST} < floor(found.datetime / {_DAY}::numeric)::bigint * {_DAY}
            ORDER BY {NEWEST} DESC LIMIT 1
        ) FROM found WHERE found.datetime IS NOT NULL
    )
    SELECT floor(datetime / {_DAY}::numeric)::integer FROM found WHERE datetime IS NOT NULL
"""  # noqa: S608


class _Of(NamedTuple):
    """Scenes of one kind: how many, when the newest and oldest are of, and the newest one."""

    kind: UUID
    scenes: int
    newest: int
    start: int | None
    end: int | None
    name: tuple[str, str]


def collection_names(db: Connection) -> list[str]:
    """See `Catalog.collection_names`."""
    rows = db.execute(
        "SELECT DISTINCT collection FROM kinds "
        "WHERE EXISTS (SELECT FROM items WHERE items.kind = kinds.kind) ORDER BY collection"
    )
    return [name for (name,) in rows]


def collection(db: Connection, name: str) -> CollectionSummary | None:
    """See `Catalog.collection`."""
    search = Search(collections=(name,))
    kinds = _kinds(db, search)
    if not kinds:
        return None
    boxes = [box for _, _, box in _boxes(db, search)]
    times = [moment for one in kinds for moment in (one.start, one.end) if moment is not None]
    sets = _sets(db, kinds)
    return CollectionSummary(
        name, sum(one.scenes for one in kinds), union_of_boxes(boxes), moment_of(min(times, default=None)),
        moment_of(max(times, default=None)), sets, _properties(db, kinds), *_odd(db, name, sets),
    )  # fmt: skip


def coverage(db: Connection, search: Search) -> Coverage | None:
    """See `Catalog.coverage`."""
    rows = _boxes(db, search)
    if not rows:
        return None
    named = db.execute("SELECT kind, crs FROM kinds WHERE kind = ANY(%s)", [[kind for kind, _, _ in rows]])
    crs: dict[UUID, str | None] = dict(named.fetchall())
    boxes: dict[str | None, list[BBox]] = {}
    for kind, _, box in rows:
        boxes.setdefault(crs.get(kind), []).append(box)
    by_crs = {name: union_of_boxes(found) for name, found in boxes.items() if name is not None}
    total = sum(scenes for _, scenes, _ in rows)
    return Coverage(total, union_of_boxes(box for found in boxes.values() for box in found), by_crs)


def band_sets(db: Connection, search: Search) -> tuple[BandSet, ...]:
    """See `Catalog.band_sets`."""
    return _sets(db, _kinds(db, search))


def days(db: Connection, name: str) -> list[str]:
    """See `Catalog.days`."""
    rows = db.execute(_DAYS, [name, name]).fetchall()
    return [(_EPOCH + timedelta(days=day)).isoformat() for (day,) in reversed(rows)]


def _kinds(db: Connection, search: Search) -> list[_Of]:
    """Kinds of the scenes of a search."""
    if search == Search(collections=search.collections):
        where = conditions(db, search)
        own, values = "items WHERE true", list[Any]()
        found = Part(
            f"SELECT kind, sum(scenes) AS scenes, coalesce(max(latest), {UNKNOWN_OLDEST}) AS newest, "  # noqa: S608
            f"min(oldest) AS first, max(latest) AS last FROM bins JOIN kinds USING (kind) "
            f"WHERE {joined(where)} GROUP BY kind",
            values_of(where),
        )
    else:
        where, near = conditions(db, search), source(search, few=is_few(db, search))
        own, values = f"{near.text} WHERE {joined(where)}", [*near.values, *values_of(where)]
        found = Part(
            f"SELECT kind, count(*) AS scenes, max({NEWEST}) AS newest, min(datetime) AS first, "  # noqa: S608
            f"max(datetime) AS last FROM {own} GROUP BY kind",
            values,
        )
    rows = _all(
        db,
        f"WITH found AS ({found.text}) "  # noqa: S608
        "SELECT found.kind, scenes::bigint, newest, first, last, one.collection, one.id FROM found, LATERAL ("
        f"SELECT collection, id FROM {own} AND items.kind = found.kind AND {NEWEST} = found.newest "
        "ORDER BY collection, id LIMIT 1) AS one",
        [*found.values, *values],
    )
    return [
        _Of(kind, scenes, newest, start, end, (name, item))
        for kind, scenes, newest, start, end, name, item in rows
    ]


def _sets(db: Connection, kinds: Sequence[_Of]) -> tuple[BandSet, ...]:
    """Band sets of kinds, in the order of `Catalog.band_sets`."""
    known = bands_of(db, (one.kind for one in kinds))
    together: dict[tuple[Band, ...], list[_Of]] = {}
    for one in kinds:
        together.setdefault(known[one.kind], []).append(one)
    found = [
        (bands, sum(one.scenes for one in own), max(own, key=lambda one: one.newest))
        for bands, own in together.items()
    ]
    found.sort(key=lambda one: (-one[1], -one[2].newest, bands_to_json(one[0])))
    return tuple(BandSet(bands, scenes, newest.name) for bands, scenes, newest in found)


def _boxes(db: Connection, search: Search) -> list[tuple[UUID, int, BBox]]:
    """Boxes of the scenes of a search, those that begin within a degree as one; their kinds and numbers."""
    where = conditions(db, search)
    if search == Search(collections=search.collections):
        text = f"SELECT bins.* FROM bins JOIN kinds USING (kind) WHERE {joined(where)}"  # noqa: S608
        rows = db.execute(text, values_of(where)).fetchall()
    else:
        near = source(search, few=is_few(db, search))
        text = f"{BINS} FROM {near.text} WHERE {joined(where)} GROUP BY kind, bin"
        rows = _all(db, text, [*near.values, *values_of(where)])
    return [
        (kind, scenes, (west, south, east, north)) for kind, _, scenes, west, south, east, north, *_ in rows
    ]


def _odd(db: Connection, name: str, sets: Sequence[BandSet]) -> tuple[tuple[OddScene, ...], int]:
    """Scenes that differ from most of a collection, the first ones by name, and their number."""
    differing = differences(sets)
    found: list[OddScene] = []
    for odd, reason in differing:
        rows = db.execute(
            "SELECT id FROM items JOIN kinds USING (kind) WHERE kinds.collection = %s AND bands = %s "
            "ORDER BY id LIMIT %s",
            [name, bands_to_json(odd.bands), NAMED_ODD - len(found)],
        )
        found += [OddScene(item, reason) for (item,) in rows]
    return tuple(found), sum(one.scenes for one, _ in differing)


def _properties(db: Connection, kinds: Sequence[_Of]) -> dict[str, list[Any]]:
    """Values that scenes have in the properties that a summary lists."""
    rows = db.execute("SELECT facts FROM kinds WHERE kind = ANY(%s)", [[one.kind for one in kinds]])
    facts: list[Mapping[str, Any]] = [row[0] for row in rows]
    found: dict[str, list[Any]] = {}
    for key in SUMMARISED:
        values = {_as_text(one[key]): None for one in facts if key in one}
        found[key] = list(values)[:MOST_VALUES]
    return summed_up(found)


def _all(db: Connection, text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows of a question that looks at all scenes, or many: the table is read as it lies."""
    with db.transaction():
        db.execute("SET LOCAL enable_seqscan = on")
        return db.execute(text, values).fetchall()


def _as_text(value: Any) -> Any:
    """A list as JSON, which can be told apart from others; a truth as a number."""
    if isinstance(value, list):
        return json.dumps(value)
    return int(value) if isinstance(value, bool) else value
