"""What clients ask for: tiles above all, as a map does, and a little of everything else."""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import quote

import mercantile

from benchmarks.tile_speed.servers import fetch

NO_DOCUMENT: Final = (OSError, HTTPException, RuntimeError, ValueError)
"""What `fetch` and reading JSON raise where a server does not answer as it should."""
_RENEWED_SECONDS: Final = 5.0
_ZOOMS: Final = range(8, 15)
_STYLES: Final = ("", "?style=true-color", "?style=false-color", "?style=ndvi", "?bands=B04&rescale=0,0.3")
_WMTS: Final = "/wmts?service=WMTS&request=GetCapabilities"


@dataclass(frozen=True, slots=True)
class Place:
    """A scene that can be asked for.

    Attributes:
        path: Of its Item, without the server.
        collection: Its collection.
        bbox: West, south, east, north.
    """

    path: str
    collection: str
    bbox: tuple[float, float, float, float]

    def tile(self, chance: random.Random) -> str:
        """A tile that meets it, as zoom/column/row."""
        west, south, east, north = self.bbox
        lon, lat = chance.uniform(west, east), chance.uniform(south, north)
        tile = mercantile.tile(lon, lat, chance.choice(_ZOOMS))
        return f"{tile.z}/{tile.x}/{tile.y}"

    def point(self, chance: random.Random) -> str:
        """A point in it, as longitude,latitude."""
        west, south, east, north = self.bbox
        return f"{chance.uniform(west, east):.5f},{chance.uniform(south, north):.5f}"


class Known:
    """The scenes that clients know of: what the server listed some seconds ago, as a map's page does.

    Attributes:
        port: Of the server.
        places: The scenes; replaced as a whole.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.places = self._listed()

    def renew(self, stop: threading.Event) -> None:
        """List them again and again until told to stop."""
        while not stop.wait(_RENEWED_SECONDS):
            with contextlib.suppress(*NO_DOCUMENT):  # clients note what the server does not answer
                self.places = self._listed()

    def _listed(self) -> list[Place]:
        found = json.loads(fetch(self.port, "/stac/search?limit=1000"))["features"]
        return [_place(item) for item in found if item["bbox"][0] < item["bbox"][2]]


def _place(item: dict[str, Any]) -> Place:
    collection, name = quote(item["collection"]), quote(item["id"])
    return Place(f"/collections/{collection}/items/{name}", collection, tuple(item["bbox"]))


def draw(known: Sequence[Place], chance: random.Random) -> tuple[str, str]:
    """Draw a request: its kind, and its path."""
    place = chance.choice(known)
    kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
    style = chance.choice(_STYLES)
    west, south, east, north = place.bbox
    paths = {
        "tile": f"{place.path}/tiles/WebMercatorQuad/{place.tile(chance)}.webp{style}",
        "collection tile": (
            f"/collections/{place.collection}/tiles/WebMercatorQuad/{place.tile(chance)}.png{style}"
        ),
        "point": f"{place.path}/point/{place.point(chance)}",
        "preview": f"{place.path}/preview.webp{style}",
        "info": f"{place.path}/info",
        "tilejson": f"{place.path}/tilejson.json",
        "search": f"/stac/search?bbox={west},{south},{east},{north}&limit={chance.randint(1, 50)}",
        "item": f"/stac{place.path}",
        "capabilities": _WMTS,
        "health": "/healthz",
    }
    return kind, paths[kind]


# Of a hundred requests
_KINDS: Final = {
    "tile": 70, "collection tile": 12, "point": 4, "preview": 2, "info": 2, "tilejson": 2, "search": 4,
    "item": 2, "capabilities": 1, "health": 1,
}  # fmt: skip
