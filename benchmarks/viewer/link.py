"""A headless Chromium on a slow link, and what it received and when."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
# A software renderer: the same picture on any machine, slower than a graphics card
RENDERING: Final = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
BITS_PER_SECOND: Final = 256_000
LATENCY_MS: Final = 400
PICTURES: Final = ("/tiles/", "/preview", "/bbox/")
REFERENCE: Final = ("/assets/reference-", "/assets/gazetteer-")
VIEWPORTS: Final[dict[str, dict[str, Any]]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}
_ENTRIES: Final = """() => ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type))
    .map(({name, startTime, responseEnd, transferSize}) => ({name, startTime, responseEnd, transferSize}))"""
_ALIVE: Final = """() => document.querySelector('#map canvas') !== null
    && document.querySelector('#stage')?.getAttribute('aria-busy') === 'false'
    && performance.getEntriesByType('resource')
        .some((e) => e.name.includes('/tiles/WebMercatorQuad/') && e.responseEnd > 0)"""


@dataclass(frozen=True)
class Received:
    """One answer: address without the host, when it had come (ms from the start), bytes over the link."""

    path: str
    at: float
    size: int

    @property
    def part(self) -> str:
        """What it was for: `imagery`, `reference`, `data` (answers about scenes) or `page`."""
        if "/tilejson" not in self.path and any(each in self.path for each in PICTURES):
            return "imagery"
        if any(each in self.path for each in REFERENCE):
            return "reference"
        if self.path.startswith(("/stac", "/collections", "/viewer-config", "/pof")):
            return "data"
        return "page"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Headless Chromium of this machine.

    Raises:
        SystemExit: If there is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit(
            f"There is no Chromium here ({', '.join(BROWSERS)}). On Debian: apt install chromium."
        )
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=list(RENDERING))
        yield running
        running.close()


@contextmanager
def visit(browser: Browser, viewport: str, *, slow: bool = True) -> Iterator[tuple[Page, CDPSession]]:
    """A page with an empty cache, on a link of 256 kbit/s and 400 ms where `slow`."""
    context = browser.new_context(**VIEWPORTS[viewport], locale="en-GB", service_workers="block")
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    if slow:
        rate = BITS_PER_SECOND / 8
        conditions = {
            "offline": False,
            "latency": LATENCY_MS,
            "downloadThroughput": rate,
            "uploadThroughput": rate,
        }
        session.send("Network.emulateNetworkConditions", conditions)
    yield page, session
    context.close()


def received(page: Page) -> list[Received]:
    """All that came, by the browser's own count, in order of arrival."""
    origin = str(page.evaluate("location.origin"))
    entries = [
        each for each in page.evaluate(_ENTRIES) if each["name"].startswith(origin) and each["responseEnd"]
    ]
    found = [
        Received(each["name"][len(origin) :], each["responseEnd"], each["transferSize"]) for each in entries
    ]
    return sorted(found, key=lambda each: each.at)


def now(page: Page) -> float:
    """Milliseconds since the page was asked for."""
    return float(page.evaluate("performance.now()"))


def wait_alive(page: Page, seconds: float = 90.0) -> float:
    """Wait until the map has drawn the imagery and stands still; milliseconds since the page was asked for.

    Raises:
        TimeoutError: If it never does.
    """
    while not page.evaluate(_ALIVE):
        if now(page) > seconds * 1000:
            raise TimeoutError(f"the map was not alive within {seconds:g} s")
        page.wait_for_timeout(50)
    return now(page)
