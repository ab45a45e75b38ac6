"""Geoservices over the bundled forest in Romania: real dates, limits that were learned, real alerts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tileserver.signing import public_text
from tileserver.store import reports
from tileserver.store.database import Database
from tileserver.store.reports import Kind
from tileserver.watch.reports.model import check
from tileserver.watch.reports.parcel import private_key

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
OWNER = "owner@example.org"
NAMES = ("North slope", "Valley", "Old clearing", "Brook")


def _square(number: int) -> dict[str, Any]:
    west, south = 22.1470 + number * 0.0026, 45.2022 + number % 2 * 0.003
    east, north = west + 0.0010, south + 0.0008
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature", "properties": {"name": NAMES[number]},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }  # fmt: skip


def _definition(slug: str, sites: range, **changes: object) -> dict[str, Any]:
    return {
        "slug": slug,
        "title": {"en": f"Forest {slug}", "fr": f"Forêt {slug}"},
        "collections": ["romania-forest"],
        "start": "2018-01-01",
        "visibility": "public",
        "sites": {"type": "FeatureCollection", "features": [_square(number) for number in sites]},
        "indicators": [
            {"indicator": "ndvi", "nominal": {"kind": "seasonal"}},
            {"indicator": "savi", "nominal": {"kind": "change", "side": "both"}},
        ],
        "alerts": {"moderation": "none"},
        **changes,
    }


SERVICES = (
    _definition("many", range(4)),
    _definition(
        "one", range(1), indicators=[{"indicator": "ndvi", "nominal": {"kind": "fixed", "low": 0.6}}]
    ),
    _definition(
        "learning", range(2),
        indicators=[{"indicator": "ndvi", "nominal": {"kind": "seasonal", "min_dates": 90}}],
    ),
    _definition("private", range(2), visibility="private"),
)  # fmt: skip
"""What is followed; the last one stays a draft."""


COMMANDS: Final = """
import json, sys
from tileserver.cli.main import cli
for arguments in json.loads(sys.argv[1]):
    cli.main(arguments, standalone_mode=False)
"""


def comeo(database: Path, *commands: Sequence[str]) -> str:
    """What commands print, one after the other in one process."""
    environment = {**os.environ, "COMEO_DATABASE": str(database), "COMEO_THREADS": "2"}
    line = [sys.executable, "-c", COMMANDS, json.dumps(commands)]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def follow(folder: Path, database: Path) -> None:
    """Fill a folder with the archives of the forest, and a database with what they say."""
    folder.mkdir(exist_ok=True)
    for archive in SAMPLES.glob("S2_romania_*.zarr.zip"):
        (folder / archive.name).symlink_to(archive)
    commands = []
    for service in SERVICES:
        path = database.with_name(f"{service['slug']}.json")
        path.write_text(json.dumps(service))
        commands.append(["geoservice", "add", str(path), "--owner", OWNER])
        if service["visibility"] == "public":
            commands.append(["geoservice", "activate", service["slug"], str(folder)])
    comeo(database, *commands, ["work", str(folder), "--once"])


def sign_in_path(database: Path, email: str) -> str:
    """Path of a link that signs somebody in."""
    link = comeo(database, ["account", "link", email]).strip()
    return link[link.index("/account/login/") :]


def told_by_relay(database: Path) -> Path:
    """Have a relay tell of its geoservice; the file that allows it to."""
    first = {"datetime": "2026-10-01T10:00:00Z", "value": 0.7, "u": 0.01, "clear": 1.0}
    last = {**first, "datetime": "2026-10-11T10:00:00Z", "value": 0.312}
    alert = {
        "site": 1, "indicator": "ndvi", "kind": "low", "state": "notified", "severity": 2, "score": -4.0,
        "verified": "holds", "first": "2026-10-06T10:00:00Z", "last": "2026-10-11T10:00:00Z",
        "opened": "2026-10-11T12:00:00Z", "closed": None,
    }  # fmt: skip
    described = {
        "title": {"en": "Northern wood", "ar": "غابة الشمال"}, "state": "active", "timezone": "UTC",
        "collections": ["romania-forest"],
        "indicators": [{"id": "ndvi", "title": {"en": "Vegetation (NDVI)"}, "unit": None}],
    }  # fmt: skip
    site = {"name": {"en": "Ridge"}, "geometry": {"type": "Point", "coordinates": [22.1, 45.2]}, "area_m2": 0}
    printed = "<h1>Of a relay</h1><script>document.title = 'x'</script>"
    bodies: list[tuple[Kind, str, dict[str, Any]]] = [
        ("geoservice", "wood", described), ("site", "wood/1", site), ("alert", "wood/4", alert),
        ("observation", "wood/ndvi/1/romania-forest/first", first),
        ("observation", "wood/ndvi/1/romania-forest/last", last),
        ("bulletin", "wood/2026-09-r1/en", {"html": printed}),
    ]  # fmt: skip
    some = [check(*each) for each in bodies]
    with Database(str(database)).writing() as connection:
        reports.take(connection, "north", "ab" * 32, 1, some, datetime(2026, 10, 12, tzinfo=UTC))
    path = database.with_name("relays.toml")
    key = public_text(private_key("11" * 32))
    path.write_text(f'[[relay]]\nname = "north"\nkey = "{key}"\npublic = true\n')
    return path
