"""The whole way of a scene, on one machine: python -m tools.demo_relay SAMPLES FOLDER [--stay].

Products appear at a STAC API, are compressed by an origin, and travel to a relay over 256 kbit/s with cuts.
There they are on the map, a geoservice raises an alert, which is looked up in the original at the origin; and
what came of it, with a bulletin, goes up again. All of it are the commands that operators run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import rasterio
from rasterio.warp import transform_geom

from tests.badline import BadLine, Weather, bad_line
from tests.e2e.conftest import free_port
from tests.tileserver.ingest.stac_api import Api, serving
from tileserver import confined

DAYS: Final = ("2019-07-01", "2020-06-30", "2020-07-05")
"""Before and after trees of the bundled forest were felled."""
VEGETATION: Final = 4
"""Class of Sen2Cor: these days are clear."""
BANDS: Final = ("B02", "B03", "B04", "B08")
COLLECTION: Final = "romania-forest"
SLUG, MONTH, RELAY = "east-stand", "2020-07", "north"
CHIEF: Final = "chief@example.org"
PATIENCE: Final = 300.0
LINE: Final = Weather(kbps=256, latency=0.3, cut_every=4.0, down=0.5)
STAND: Final = [
    [22.15586, 45.20436], [22.15737, 45.20419], [22.15701, 45.20259], [22.15551, 45.20277],
    [22.15586, 45.20436],
]  # fmt: skip
GEOSERVICE: Final = {
    "slug": SLUG, "title": {"en": "East stand", "fr": "Parcelle est"}, "collections": [COLLECTION],
    "start": "2019-06-01", "visibility": "public", "locales": ["en", "fr"],
    "indicators": [{"indicator": "ndvi", "nominal": {"kind": "fixed", "low": 0.83}}],
    "sites": {"type": "Feature", "properties": {"name": "East stand"},
              "geometry": {"type": "Polygon", "coordinates": [STAND]}},
    "alerts": {"moderation": "none"},
}  # fmt: skip


@dataclass(slots=True)
class Demo:
    """Where everything is, and what was seen on the way.

    Attributes:
        samples: Archives of the bundled series, of which products are made.
        folder: Of everything.
        say: Tells people.
        seen: Facts by name.
    """

    samples: Path
    folder: Path
    say: Any = print
    seen: dict[str, Any] = field(default_factory=dict)

    def comeo(self, *words: object, **settings: object) -> str:
        """Run a command, as an operator does; what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", "from tileserver.cli.main import main; main()", *map(str, words)],
            env=environment(**settings), capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"comeo {words[0]} failed: {done.stderr.strip()[-1000:]}")
        return done.stdout

    @contextmanager
    def running(self, *words: object) -> Iterator[None]:
        """A command that goes on until it is ended."""
        command = [sys.executable, "-c", "from tileserver.cli.main import main; main()", *map(str, words)]
        with (self.folder / f"{words[0]}.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)

    @contextmanager
    def server(self, archives: Path, port: int, **settings: object) -> Iterator[str]:
        """`comeo serve` over a folder of archives."""
        command = [
            sys.executable, "-c", "from tileserver.cli.main import main; main()", "serve", str(archives),
            "--port", str(port), "--workers", "1", "--geoservices", "--no-work",
        ]  # fmt: skip
        with (self.folder / f"{port}.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment(**settings), stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)

    def run(self) -> Iterator[None]:
        """The way, up to where everything can be looked at; then it ends."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        origin, relay = self.folder / "origin", self.folder / "relay"
        origin.mkdir()
        with ExitStack() as up:
            source = up.enter_context(serving(Api(self.folder / "products")))
            self.publish_products(source)
            self.ingest(source, origin)
            port = free_port()
            above = up.enter_context(self.origin_server(source, origin, port))
            line = up.enter_context(bad_line(port, LINE))
            self.bring(line, above, relay)
            below = up.enter_context(self.server(relay / "archives", free_port(), **self.of_relay(line)))
            self.follow(line, relay)
            self.look(above, below)
            yield

    def publish_products(self, source: Api) -> None:
        """Products of some days, as a ground segment offers them: STAC Items with one GeoTIFF a band."""
        for day in DAYS:
            path = self.folder / f"{day}.tif"
            self.comeo("extract", self.samples / f"S2_romania_{day}.zarr.zip", "--output", path)
            source.items.append(item_of(path, day, source.files))
            path.unlink()
        self.say(f"{len(DAYS)} products appear at {source.url}")

    def ingest(self, source: Api, origin: Path) -> None:
        """The compression service of the origin."""
        document = self.folder / "SOURCE.toml"
        document.write_text(
            f'kind = "stac"\nurl = "{source.url}"\noutput = "{origin}"\n'
            "[filter]\nsince = 2019-01-01\n[limits]\nmin_free = 0\n[[quality]]\nstep = 100\n"
        )
        self.comeo("ingest", document, "--once")
        archives = sorted(origin.rglob("*.zarr.zip"))
        self.seen["compressed"] = [each.stat().st_size for each in archives]
        self.say(f"comeo ingest: {len(archives)} archives, {sum(self.seen['compressed']):,} bytes")

    @contextmanager
    def origin_server(self, source: Api, origin: Path, port: int) -> Iterator[str]:
        """The origin: its feed, its originals, and the relay that may tell it."""
        key = self.comeo("geoservice", "key", COMEO_DATABASE=self.folder / "relay.sqlite").strip()
        allowed = self.folder / "relays.toml"
        allowed.write_text(f'[[relay]]\nname = "{RELAY}"\nkey = "{key}"\npublic = true\n')
        with self.server(
            origin, port, COMEO_RELAY=1, COMEO_DATABASE=self.folder / "origin.sqlite", COMEO_RELAYS=allowed,
            COMEO_ORIGINAL_ITEMS=f"{source.url}/collections/{{collection}}/items/{{source}}",
        ) as address:  # fmt: skip
            yield address

    def bring(self, line: BadLine, above: str, relay: Path) -> None:
        """What the relay fetches, over the line."""
        key = read(f"{above}/relay/v1/")["key"]
        document = self.folder / "RELAY.toml"
        document.write_text(
            f'folder = "{relay}"\n[origin]\nurl = "{line.address}"\nkey = "{key}"\n'
            f'[[subscription]]\nname = "forest"\ncollections = ["{COLLECTION}"]\nlayers = ["all"]\n'
            "[disk]\nfree = 0\n"
        )
        began = time.monotonic()
        wanted = len(self.seen["compressed"])
        with self.running("relay", "run", document):
            while len(whole := sorted((relay / "archives").rglob("*.zarr.zip"))) < wanted:
                if time.monotonic() - began > PATIENCE:
                    raise SystemExit("the relay does not get on: see the logs in the folder")
                time.sleep(0.2)
        useful = sum(each.stat().st_size for each in whole)
        wire = line.down_bytes + line.up_bytes
        self.seen |= {"relayed": len(whole), "useful": useful, "wire": wire, "cuts": line.cuts}
        self.say(
            f"comeo relay run: {len(whole)} scenes in {time.monotonic() - began:.0f} s over "
            f"{LINE.kbps:.0f} kbit/s with {line.cuts} cuts; {wire:,} bytes on the wire for {useful:,}"
        )

    def of_relay(self, line: BadLine) -> dict[str, object]:
        """Settings of the relay."""
        return {
            "COMEO_DATABASE": self.folder / "relay.sqlite", "COMEO_ORIGINAL_SERVER": line.address,
            "COMEO_REPORT_TO": line.address, "COMEO_REPORT_NAME": RELAY,
        }  # fmt: skip

    def follow(self, line: BadLine, relay: Path) -> None:
        """The relay's geoservice: observations, an alert, its verification, a bulletin, and the report."""
        archives, settings = relay / "archives", self.of_relay(line)
        document = self.folder / "geoservice.json"
        document.write_text(json.dumps(GEOSERVICE))
        self.comeo("geoservice", "add", document, "--owner", CHIEF, **settings)
        self.comeo("geoservice", "activate", SLUG, archives, **settings)
        self.comeo("work", archives, "--once", **settings)
        self.comeo("bulletin", "compose", SLUG, MONTH, archives, **settings)
        number = f"{SLUG}-{MONTH}-r1"
        for step in ("submit", "approve"):
            self.comeo("bulletin", step, number, "--as", CHIEF, **settings)
        for _ in range(10):  # a line that was cut just then is tried again
            self.comeo("work", archives, "--once", **settings)
            if self.is_told(line):
                return
        raise SystemExit("the origin was not told: see the logs in the folder")

    def is_told(self, line: BadLine) -> bool:
        """Whether the origin has the bulletin."""
        try:
            found = read(f"http://127.0.0.1:{line.target}/relays/{RELAY}/geoservices/{SLUG}")
        except URLError:
            return False
        return bool(found["bulletins"])

    def look(self, above: str, below: str) -> None:
        """What people see."""
        scenes = read(f"{below}/stac/collections/{COLLECTION}/items?limit=100")["features"]
        told = read(f"{above}/relays/{RELAY}/geoservices/{SLUG}")
        (alert,) = told["alerts"]
        self.seen |= {"on the map": len(scenes), "told": told, "alert": alert}
        self.say(f"on the relay's map ({below}): {len(scenes)} scenes")
        self.say(
            f"its geoservice: {alert['kind']} since {alert['first'][:10]}, severity {alert['severity']}; "
            f"the original at the origin {alert['verified']}"
        )
        self.say(f"at the origin ({above}/follow): {', '.join(told['bulletins'])}")


def item_of(path: Path, day: str, files: Path) -> dict[str, Any]:
    """The Item of a product, its bands written beside as GeoTIFFs."""
    files.mkdir(exist_ok=True)
    name = f"S2_romania_{day}"
    with rasterio.open(path) as source:
        profile = {**source.profile, "count": 1}
        names = [str(each) for each in source.descriptions]
        bounds = source.bounds
        ring = [(bounds.left, bounds.bottom), (bounds.right, bounds.bottom), (bounds.right, bounds.top),
                (bounds.left, bounds.top), (bounds.left, bounds.bottom)]  # fmt: skip
        outline = transform_geom(source.crs, "EPSG:4326", {"type": "Polygon", "coordinates": [ring]})
        for band in BANDS:
            index = names.index(band) + 1
            with rasterio.open(files / f"{name}-{band}.tif", "w", **profile) as out:
                out.write(source.read(index), 1)
                out.scales, out.offsets = (source.scales[index - 1],), (source.offsets[index - 1],)
        classes = np.full((source.height, source.width), VEGETATION, np.uint8)
        with rasterio.open(files / f"{name}-SCL.tif", "w", **{**profile, "dtype": "uint8"}) as out:
            out.write(classes, 1)
    corners = list(zip(*outline["coordinates"][0], strict=True))
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": COLLECTION,
        "geometry": {"type": "Polygon", "coordinates": [[list(each) for each in outline["coordinates"][0]]]},
        "bbox": [min(corners[0]), min(corners[1]), max(corners[0]), max(corners[1])],
        "properties": {
            "datetime": f"{day}T09:20:31Z", "updated": f"{day}T18:00:00Z", "platform": "sentinel-2a",
            "s2:processing_baseline": "02.14",
        },
        "links": [],
        "assets": {
            band: {
                "href": f"/files/{name}-{band}.tif", "type": "image/tiff; application=geotiff",
                "eo:bands": [{"name": band}], "roles": ["data"],
                "raster:bands": [{"scale": 1e-4, "offset": 0.0, "nodata": 0}],
            } for band in BANDS
        } | {"SCL": {"href": f"/files/{name}-SCL.tif", "type": "image/tiff; application=geotiff",
                     "roles": ["data"]}},
    }  # fmt: skip


def environment(**settings: object) -> dict[str, str]:
    """Of a command: these settings, and nothing that happens to be set here."""
    own = {name: str(value) for name, value in settings.items()}
    return confined.environment(COMEO_SCAN_SECONDS="0", **own)


def read(url: str) -> Any:
    """A document of a server."""
    with urlopen(url, timeout=30) as answer:
        return json.load(answer)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    for _ in range(600):
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise SystemExit("a server did not start: see the logs in the folder")


def main() -> None:
    """Show it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples", type=Path)
    parser.add_argument("--folder", type=Path, help="Of everything; by default a temporary one.")
    parser.add_argument("--stay", action="store_true", help="Leave both servers up, to be looked at.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="comeo-demo-") as temporary:
        for _ in Demo(given.samples, given.folder or Path(temporary) / "demo").run():
            if given.stay:
                input("Both servers are up; press Enter to end them. ")


if __name__ == "__main__":
    main()
