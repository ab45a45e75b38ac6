"""Rows of scenes that no archive has: a million in half a minute, the same for the same number."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from comeo.archive import open_archive
from comeo.view.display import bands_to_show
from tileserver.catalog.rows import bands_to_json, microseconds

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
NAME, COLLECTION = "the name", "the collection"
FIRST_DAY = datetime(2015, 7, 1, 10, 30, tzinfo=UTC)
DAYS = 3800
LANDS = (
    (-17, -34, 50, 37), (-10, 37, 40, 70), (60, 5, 140, 55), (-120, 15, -60, 60), (-80, -50, -35, 10),
    (115, -38, 153, -12),
)  # fmt: skip
PLACES = [
    (float(west), float(south))
    for left, low, right, high in LANDS
    for west in range(left, right) for south in range(low, high)
]  # fmt: skip
SHARES = ("sentinel-2-l2a",) * 7 + ("sentinel-2-l1c", "sentinel-1-rtc", "sentinel-1-rtc")


class Row(NamedTuple):
    """Columns of the table of items: see `tileserver.catalog.rows`."""

    path: str
    signature: str
    collection: str
    id: str
    datetime: int
    west: float
    south: float
    east: float
    north: float
    etag: str
    bands: str
    item: str
    info: str

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) in degrees."""
        return self.west, self.south, self.east, self.north


def rows(count: int, seed: int = 0) -> Iterator[Row]:
    """Scenes over ten years, in the order in which they were taken, as archives come."""
    chance = random.Random(seed)
    bands, info = _sample()
    for number in range(count):
        yield _row(number, count, chance, bands, info)


def _sample() -> tuple[str, str]:
    """Bands of a sample, and what `comeo info` tells of it, with marks for its id and collection."""
    with open_archive(min(SAMPLES.glob("S2_*.zarr.zip"))) as archive:
        info = {**archive.info(), "id": NAME, "collection": COLLECTION}
        return bands_to_json(bands_to_show(archive)), json.dumps(info)


def key_of(number: int) -> tuple[str, str]:
    """Collection and id of a scene."""
    return SHARES[number % len(SHARES)], f"S2_{number:07}"


def _row(number: int, count: int, chance: random.Random, bands: str, info: str) -> Row:
    collection, name = key_of(number)
    west, south = chance.choice(PLACES)
    box = (west, south, west + 1.1, south + 1.0)
    moment = FIRST_DAY + timedelta(days=DAYS * number / count)
    ring = [[west, south], [box[2], south], [box[2] - 0.1, box[3]], [west, box[3]], [west, south]]
    time, crs = moment.isoformat().replace("+00:00", "Z"), f"EPSG:326{31 + int(west) % 29}"
    properties = {
        "datetime": time, "instruments": ["msi"], "constellation": "sentinel-2", "gsd": 10, "proj:code": crs,
        "platform": chance.choice(("sentinel-2a", "sentinel-2b")), "processing:level": "L2A",
        "eo:cloud_cover": round(chance.uniform(0, 100), 2), "grid:code": f"MGRS-{int(west)}-{int(south)}",
        "sat:relative_orbit": (int(west) + int(south) // 10) % 143 + 1,
    }  # fmt: skip
    item = {
        "type": "Feature", "stac_version": "1.1.0", "id": name, "collection": collection, "bbox": box,
        "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties,
        "assets": {}, "links": [],
    }  # fmt: skip
    path = f"/archives/{collection}/{moment.year}/{name}.zarr.zip"
    return Row(
        path, f"{number}-{number}-13000000", collection, name, microseconds(moment), *box, f"{number:064x}",
        bands, json.dumps(item), info.replace(NAME, name).replace(COLLECTION, collection),
    )  # fmt: skip
