"""A STAC API on loopback: Items of small GeoTIFFs, searched, sorted and paged as servers do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

SORT = "https://api.stacspec.org/v1.0.0/item-search#sort"


@dataclass
class Api:
    """What it has, and what it was asked.

    Attributes:
        files: Folder that assets are in.
        items: By id.
        sorts: Whether it says, and does, so.
        page: Most Items of a page.
        asked: Paths with their queries.
        broken: Answer everything with 500.
        token: That has to be sent, if there is one.
    """

    files: Path
    items: list[dict[str, Any]] = field(default_factory=list)
    sorts: bool = True
    page: int = 100
    asked: list[str] = field(default_factory=list)
    broken: bool = False
    token: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def add(
        self, name: str, moment: str, updated: str, *, baseline: str = "05.11", cloud: float = 10.0,
        asset: str = "", lon: float = 8.6,
    ) -> None:  # fmt: skip
        """Enter an Item; its asset is a file of `files`."""
        ring = [[lon, 47.4], [lon + 0.1, 47.4], [lon + 0.1, 47.5], [lon, 47.5], [lon, 47.4]]
        file = asset or name
        self.items.append({
            "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "sentinel-2-l2a",
            "geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": [lon, 47.4, lon + 0.1, 47.5],
            "properties": {
                "datetime": moment, "updated": updated, "eo:cloud_cover": cloud,
                "s2:processing_baseline": baseline, "platform": "sentinel-2a",
            },
            "links": [], "assets": {
                key: {"href": f"/files/{file}-{key}.tif", "type": "image/tiff; application=geotiff",
                      "eo:bands": [{"name": key}], "roles": ["data"]} for key in ("B04", "B08")
            },
        })  # fmt: skip

    def search(self, query: dict[str, list[str]]) -> dict[str, Any]:
        found = list(self.items)
        if "datetime" in query:
            first, _, last = query["datetime"][0].partition("/")
            found = [
                item for item in found
                if (first == ".." or _time(first) <= _time(item["properties"]["datetime"]))
                and (last == ".." or _time(item["properties"]["datetime"]) <= _time(last))
            ]  # fmt: skip
        if self.sorts and query.get("sortby") == ["-properties.updated"]:
            found.sort(key=lambda item: _time(item["properties"]["updated"]), reverse=True)
        start = int(query.get("start", ["0"])[0])
        size = min(self.page, int(query["limit"][0]))
        links = []
        if start + size < len(found):
            more = {**{key: value[0] for key, value in query.items()}, "start": start + size}
            links = [{"rel": "next", "href": f"{self.url}/search?{urlencode(more)}"}]
        return {
            "type": "FeatureCollection",
            "features": [self.linked(item) for item in found[start : start + size]], "links": links,
        }  # fmt: skip

    def linked(self, item: dict[str, Any]) -> dict[str, Any]:
        href = f"{self.url}/collections/{item['collection']}/items/{item['id']}"
        return {**item, "links": [{"rel": "self", "href": href}]}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


class _Handler(BaseHTTPRequestHandler):
    api: Api

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, *, head: bool) -> None:
        api, parts = self.api, urlsplit(self.path)
        api.asked.append(self.path)
        if api.broken:
            return self.send_error(500)
        if api.token and parts.path.startswith("/api") and self.headers["Authorization"] != api.token:
            return self.send_error(401)
        if parts.path == "/api":
            return self._json({"conformsTo": [SORT] if api.sorts else []})
        if parts.path == "/api/search":
            return self._json(api.search(parse_qs(parts.query)))
        if parts.path.startswith("/api/collections/"):
            name = parts.path.rpartition("/")[2]
            return self._json(next(api.linked(item) for item in reversed(api.items) if item["id"] == name))
        return self._file(api.files / parts.path.removeprefix("/files/"), head=head)

    def _json(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/geo+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, path: Path, *, head: bool) -> None:
        if not path.is_file():
            return self.send_error(404)
        body, size = path.read_bytes(), path.stat().st_size
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            stop = min(size, int(last or size) + 1)
            body = body[int(first) : stop]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not head:
            self.wfile.write(body)
        return None

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(api: Api) -> Iterator[Api]:
    """The API at a port, which it has again when it is served again."""
    handler = type("Handler", (_Handler,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", api.port), handler)
    server.daemon_threads = True
    api.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
