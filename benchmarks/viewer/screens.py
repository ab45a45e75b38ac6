"""Pictures of the page in every state, to be looked at: python -m benchmarks.viewer.screens FOLDER.

Each screen (large, low, phone) × light and dark × language × job: at first, each tool of the toolbar open, a
pixel read. With --only a part of them: names are like `low-dark-fr-compare`.
"""

from __future__ import annotations

import argparse
import re
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, Page

from benchmarks.tile_speed.servers import comeo_server
from benchmarks.viewer.__main__ import SAMPLES
from benchmarks.viewer.link import VIEWPORTS, chromium, wait_alive

SCREENS: Final[dict[str, dict[str, Any]]] = {
    "large": {"viewport": {"width": 1440, "height": 900}},
    "low": {"viewport": {"width": 1280, "height": 640}},
    "phone": VIEWPORTS["phone"],
}
Look = tuple[str, Literal["light", "dark"], str]
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
LANGUAGES: Final = ("en", "fr", "ar")
SCENE: Final = "collection=romania-forest&item=S2_romania_2019-07-01"
SETTLED_MS: Final = 1200
PATIENCE_MS: Final = 180_000


def take(browser: Browser, address: str, folder: Path, look: Look, only: re.Pattern[str]) -> int:
    """Take the pictures of one look; answers how many."""
    screen, theme, language = look
    prefix = "-".join(look)
    calm: dict[str, Any] = {"reduced_motion": "reduce", "service_workers": "block", "locale": language}
    context = browser.new_context(**SCREENS[screen], **calm, color_scheme=theme)
    page = context.new_page()
    page.goto(f"{address}#{SCENE}&lang={language}")
    wait_alive(page)
    taken = 0
    for job in ["first", *tools(page), "pixel"]:
        name = f"{prefix}-{job}"
        if not only.search(name):
            continue
        enter(page, job)
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=folder / f"{name}.png", timeout=PATIENCE_MS)
        page.keyboard.press("Escape")
        taken += 1
    context.close()
    return taken


def tools(page: Page) -> list[str]:
    """The tools by id, in the toolbar's order."""
    found = page.locator("#toolbar button[aria-controls=tool]")
    return [str(found.nth(i).get_attribute("id")).removeprefix("open-") for i in range(found.count())]


def enter(page: Page, job: str) -> None:
    """Bring the page into the state of a job."""
    if job == "pixel":
        box = page.locator("#map").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.35)
    elif job != "first":
        page.locator(f"#open-{job}").click()


def main() -> None:
    """Take what the command line asks for."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.viewer.screens", description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument(
        "--only", type=re.compile, default=re.compile(""), help="regular expression of names"
    )
    options.add_argument("--archives", type=Path, default=SAMPLES)
    arguments = options.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with comeo_server(arguments.archives) as server, chromium() as browser:
        address = f"http://127.0.0.1:{server.port}/"
        for look in product(SCREENS, THEMES, LANGUAGES):
            print("-".join(look), take(browser, address, arguments.folder, look, arguments.only), flush=True)


if __name__ == "__main__":
    main()
