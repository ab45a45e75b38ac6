"""Scenes that no archive has, as the indexer would write them: thousands in the time of one archive."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from comeo.scene import Band
from tileserver.catalog.entry import Entry
from tileserver.catalog.ledger import Found
from tileserver.catalog.reading import Reading
from tileserver.catalog.rows import row_of

BANDS = {
    "ocean": (Band("B02"), Band("B03")),
    "forest": (Band("B04"), Band("B08"), Band("B11")),
}
PLATFORMS: tuple[Any, ...] = ("sentinel-2a", "Sentinel-2B", "STRASSE", "straße", "", None, 7)
CLOUDS: tuple[Any, ...] = (0, 3, 12.5, 99.25, "much", None, [1], True)
START = datetime(2016, 1, 1, 10, tzinfo=UTC)


def found(
    name: str,
    collection: str = "ocean",
    *,
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    moment: datetime | None = START,
    properties: Mapping[str, Any] | None = None,
    geometry: Mapping[str, Any] | None = None,
    bands: tuple[Band, ...] | None = None,
) -> Found:
    """An archive that has been read."""
    item = {"type": "Feature", "id": name, "geometry": geometry, "properties": dict(properties or {})}
    info = {
        "groups": {"r10m": {"crs": f"EPSG:326{31 + int(box[0]) % 30}"}},
        "archive_bytes": 1000 + len(name),
    }
    own = bands if bands is not None else BANDS.get(collection, BANDS["ocean"])
    entry = Entry(collection, name, moment, box, f"etag-{name}", item, info, own)
    path, signature = f"/archives/{collection}/{name}.zarr.zip".replace("\0", "_"), "1-1-1"
    row = tuple(json.loads(json.dumps(row_of(path, signature, entry))))  # as the process that reads tells it
    return Found(path, signature, Reading(row))


def various(count: int, seed: int = 0) -> Iterator[Found]:
    """Scenes of all sorts: without times, across the antimeridian, with odd values."""
    chance = random.Random(seed)
    for number in range(count):
        west, south = chance.choice([-180, -179.5, 0, 8.25, 179.5, 170]), chance.uniform(-80, 78)
        east = west + chance.choice([0.5, 1.0, 12.0])
        box = (west, south, east - 360 if east > 180 else east, south + 1)
        moment = None if chance.random() < 0.1 else START + timedelta(days=chance.randrange(300))
        name = f"S{number:04}é" if number % 7 == 0 else f"s{number:04}"
        properties = {
            "platform": chance.choice(PLATFORMS), "eo:cloud_cover": chance.choice(CLOUDS),
            "instruments": chance.choice([["msi"], ["MSI", "sar"], "msi", [], [3, None], None]),
            "sat:relative_orbit": chance.randrange(5), "odd\n name": 1,
        }  # fmt: skip
        if chance.random() < 0.2:
            del properties["eo:cloud_cover"]
        yield found(
            name, chance.choice(["ocean", "forest"]), box=box,
            moment=moment, properties=properties, geometry=_geometry(chance, box),
        )  # fmt: skip


def _geometry(chance: random.Random, box: tuple[float, float, float, float]) -> Mapping[str, Any] | None:
    """A triangle in a box, nothing, or no geometry at all."""
    west, south, east, north = box
    if chance.random() < 0.4 or east < west:
        return None
    if chance.random() < 0.1:
        return {"type": "Polygon", "coordinates": "none"}
    ring = [[west, south], [east, south], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
