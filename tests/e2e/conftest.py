"""A real server over archives of known colours, and a real browser that can reach nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest

from comeo.compression import compress
from comeo.scene import Scene
from tests.e2e import following, gis
from tests.e2e.serving import serving
from tests.scenes import array_group, array_scene

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BANDS = ("B02", "B03", "B04", "B08")
SIDE = 512
# Reflectances of the bands
RED = (0.01, 0.01, 0.25, 0.05)
GREEN = (0.01, 0.25, 0.01, 0.40)
BLUE = (0.25, 0.01, 0.01, 0.02)
GREY = (0.15, 0.15, 0.15, 0.15)
STATIC = Path(__file__).resolve().parents[2] / "static"


def pytest_configure(config: pytest.Config) -> None:
    """Let rasterio multiply affines as it has always done."""
    config.addinivalue_line("filterwarnings", "ignore:Use `@` matmul:PendingDeprecationWarning:rasterio")
    # OWSLib asks elements whether they have children, in a way that Python will change.
    config.addinivalue_line("filterwarnings", "ignore:Truth-testing of elements:FutureWarning")


def numbers(*reflectances: float) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Digital numbers of `array_group`'s bands, (bands, 1, 1): reflectance is DN × 0.0001 − 0.1."""
    return np.array([round((value + 0.1) * 10_000) for value in reflectances], np.uint16)[:, None, None]


def quadrants(scene_id: str, collection: str) -> Scene:
    """Red in the north-west, green in the north-east, blue in the south-west, grey in the south-east."""
    values = np.empty((len(BANDS), SIDE, SIDE), np.uint16)
    half = SIDE // 2
    values[:, :half, :half], values[:, :half, half:] = numbers(*RED), numbers(*GREEN)
    values[:, half:, :half], values[:, half:, half:] = numbers(*BLUE), numbers(*GREY)
    return array_scene(array_group(values, names=BANDS), scene_id=scene_id, collection=collection)


def plain(scene_id: str, collection: str, day: int, reflectances: tuple[float, ...]) -> Scene:
    """A small scene of one colour, inside the area of `quadrants`."""
    values = np.broadcast_to(numbers(*reflectances), (len(BANDS), 128, 128)).copy()
    return array_scene(array_group(values, names=BANDS), scene_id=scene_id, collection=collection, day=day)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one scene of four colours, and a series of three dates: red, green, blue."""
    folder = tmp_path_factory.mktemp("archives")
    series = {1: RED, 11: GREEN, 21: BLUE}
    scenes = [quadrants("colours", "fields"), *(plain(f"day-{d}", "series", d, c) for d, c in series.items())]
    for scene in scenes:
        compress(scene, folder / f"{scene.id}.zarr.zip", codec="jpeg2000", step=20.0)
    return folder


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(address: str) -> bool:
    """Whether a server is up."""
    try:
        with urlopen(f"{address}/readyz", timeout=2):
            return True
    except (URLError, OSError):
        return False


@dataclass
class Server:
    """A server of its own process, started by `comeo serve`."""

    folder: Path
    log: Path
    address: str = ""
    port: int = field(default_factory=free_port)
    # statistics for a page that a test has closed are still at work when the next one asks for some
    environment: dict[str, str] = field(default_factory=lambda: {**os.environ, "COMEO_THREADS": "12"})

    def command(self) -> list[str]:
        """What is run."""
        start = [sys.executable, "-c", "from tileserver.cli.main import main; main()"]
        return [*start, "serve", str(self.folder), "--port", str(self.port), "--workers", "1"]

    def __enter__(self) -> Server:
        self.address = f"http://127.0.0.1:{self.port}"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=subprocess.STDOUT, env=self.environment
            )
        deadline = time.monotonic() + 60
        while not answers(self.address):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                pytest.fail(f"the server did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="session")
def built() -> None:
    """The viewer has been built, from the sources as they are."""
    page = STATIC / "dist" / "index.html"
    if not page.is_file():
        pytest.fail("the viewer is not built: run `make install`")
    newest = max(path.stat().st_mtime for path in (STATIC / "src").rglob("*") if path.is_file())
    if page.stat().st_mtime < newest:
        pytest.fail("the viewer was built from older sources: run `make install`")


@pytest.fixture(scope="session")
def server(built: None, archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of `archives`."""
    with Server(archives, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running.address


@pytest.fixture(scope="session")
def gis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of the scenes of `tests.e2e.gis`."""
    folder = tmp_path_factory.mktemp("gis")
    gis.write_archives(folder)
    with Server(folder, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running.address


@dataclass(frozen=True)
class Followed:
    """A server of geoservices, and its database."""

    address: str
    database: Path


@pytest.fixture(scope="session")
def followed(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """A server of the geoservices of `tests.e2e.following`."""
    folder = tmp_path_factory.mktemp("followed")
    database = folder / "comeo.sqlite"
    following.follow(folder / "archives", database)
    relays = following.told_by_relay(database)
    with serving(folder / "archives", COMEO_DATABASE=str(database), COMEO_RELAYS=str(relays)) as running:
        yield Followed(running.address, database)


def until(page: Page, expression: str, seconds: float = 20) -> None:
    """Wait until JavaScript is true. Playwright's own wait needs `eval`, which the page's policy forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {expression}")
        page.wait_for_timeout(50)


@dataclass
class Visit:
    """A page with what went wrong on it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    tiles: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Take down errors, and requests to anybody but the server."""
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda line: self.complaints.append(line.text) if line.type == "error" else None
        )
        self.page.on("request", lambda request: self._take_down(request.url))

    def _take_down(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(url)
        if "/tiles/WebMercatorQuad/" in url:
            self.tiles.append(url)

    def open(self, fragment: str = "") -> Page:
        """Go to the viewer and wait until the map has drawn its tiles."""
        self.page.goto(f"{self.address}/{fragment}")
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until all tiles asked for have been drawn, and the list of scenes is there."""
        until(self.page, "performance.getEntriesByType('resource').some(e => e.name.includes('/tiles/Web'))")
        self.page.wait_for_selector("#stage[aria-busy=false]")
        self.page.wait_for_selector("[role=listbox][aria-busy=false]", state="attached")

    def eventually(self, holds: Callable[[], bool], seconds: float = 20) -> bool:
        """Whether something comes true in time: pictures follow clicks at the pace of the machine."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            self.page.wait_for_timeout(100)
        return True

    def colour(self, east: float, south: float) -> tuple[int, int, int]:
        """Mean colour of 9×9 pixels of the screen; the place is a share of the map's width and height."""
        import io

        from PIL import Image

        box = self.page.locator("#map").bounding_box()
        assert box is not None
        x, y = box["x"] + east * box["width"], box["y"] + south * box["height"]
        clip = self.page.screenshot(clip={"x": x - 4, "y": y - 4, "width": 9, "height": 9})
        pixels = np.asarray(Image.open(io.BytesIO(clip)).convert("RGB"), float).reshape(-1, 3).mean(0)
        return (round(pixels[0]), round(pixels[1]), round(pixels[2]))


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Callable[..., Visit]]:
    """Opens pages, by default on a desktop with a light theme: `visit(address, **options of the context)`."""
    contexts = []

    def new(address: str = server, **options: Any) -> Visit:
        defaults = {
            "viewport": {"width": 1280, "height": 800},
            # a quarter of the pixels: software draws them, which is most of what a page costs here
            "device_scale_factor": 0.5,
            "reduced_motion": "reduce",
            "color_scheme": "light",
            "locale": "en-GB",
            "service_workers": "block",
        }
        context = browser.new_context(**{**defaults, **options})
        contexts.append(context)
        context.set_default_timeout(20_000)
        made = Visit(context.new_page(), address)
        made.listen()
        return made

    yield new
    for context in contexts:
        context.close()
