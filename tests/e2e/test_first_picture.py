"""What comes first, and how much of it: the picture before the map, and the bytes of the build."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.e2e.conftest import STATIC, Visit
from tests.e2e.test_viewer import FIELDS, PHONE, has_four_colours, is_green, is_red

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

Visits = Callable[..., Visit]
ASSET = re.compile(r'(?:href|src)="(assets/[^"]+(?<!\.png))"')
"""PNG icons are for those who put the page on their home screen."""
MAP_CODE = "**/assets/map-*.js"
DIST = STATIC / "dist"


def weight(name: str) -> int:
    """Bytes of a built file as it is sent: compressed where that was worth it."""
    compressed = DIST / f"{name}.br"
    return (compressed if compressed.is_file() else DIST / name).stat().st_size


def named(page: str) -> list[str]:
    """Files that a page fetches at once."""
    text = (DIST / page).read_text(encoding="utf-8")
    awaited, heaviest, rest = re.split(r'<template id="map-code">(.*)</template>', text)
    assert len(ASSET.findall(heaviest)) == 1, (
        "most of the map's code, which comes once the picture is asked for"
    )
    return ASSET.findall(awaited + rest)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_what_the_first_picture_takes_is_small(built: None, language: str) -> None:
    page = f"index.{language}.html"
    files = named(page)
    assert not any(Path(name).name.startswith("map-") for name in files)
    before = weight(page) + sum(map(weight, files))
    assert before <= 33_500, "60 kB with a picture of 17 kB"
    first = "".join((DIST / name).read_text(encoding="utf-8") for name in files if name.endswith(".js"))
    own = [path for path in DIST.glob("assets/map-*.js") if path.name in first]  # not that of /follow
    (code,) = (path.relative_to(DIST).as_posix() for path in own)
    of_map = needed(code) - set(files)
    assert sum(map(weight, of_map)) > 150_000, "the library is among them"
    assert before + sum(map(weight, of_map)) <= 275_500


def needed(name: str) -> set[str]:
    """A script, and every one that it cannot run without."""
    found, waiting = set[str](), [name]
    while waiting:
        script = waiting.pop()
        if script in found:
            continue
        found.add(script)
        text = (DIST / script).read_text(encoding="utf-8")
        names = re.findall(r'(?:\bfrom|\bimport)\s*"\./([\w-]+\.js)"', text)
        waiting += [f"assets/{each}" for each in names]
    return found


def hold_map(page: Page) -> list[Route]:
    """Keep the map's code back; answers what is held."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(MAP_CODE, hold)
    return held


def place(page: Page) -> dict[str, float]:
    """Where the first picture lies."""
    found = page.locator("#first-picture").bounding_box()
    assert found is not None
    return {"x": found["x"], "y": found["y"], "width": found["width"], "height": found["height"]}


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_the_first_picture_lies_where_the_map_will_show_it(visit: Visits, device: dict[str, object]) -> None:
    seen = visit(**device)
    page = seen.page
    held = hold_map(page)
    page.goto(seen.address)
    page.locator("#first-picture").wait_for()
    box = place(page)
    corners = [(x, y) for x in (0.3, 0.7) for y in (0.2, 0.8)]
    before = colours(seen, box, corners)
    assert is_red(before[0])
    assert is_green(before[2])
    assert page.evaluate("performance.getEntriesByType('resource').every(e => !e.name.includes('/tiles/'))")
    assert "Loading 1 May 2020" in page.locator("#view").inner_text()
    assert seen.eventually(lambda: bool(held))
    for route in held:
        route.continue_()
    page.get_by_role("heading", name="1 May 2020", exact=True).wait_for()
    assert page.locator("#first-picture").count() == 0
    after = colours(seen, box, corners)
    assert np.abs(np.array(before) - np.array(after)).max() < 40
    assert seen.complaints == []


def colours(
    seen: Visit, box: dict[str, float], shares: list[tuple[float, float]]
) -> list[tuple[int, int, int]]:
    """Colours at shares of a rectangle of the page."""
    whole = seen.page.locator("#map").bounding_box()
    assert whole is not None
    return [
        seen.colour(
            (box["x"] + x * box["width"] - whole["x"]) / whole["width"],
            (box["y"] + y * box["height"] - whole["y"]) / whole["height"],
        )
        for x, y in shares
    ]


def test_the_picture_of_a_link_is_in_its_place_and_style(visit: Visits) -> None:
    seen = visit()
    first = seen.open(FIELDS)
    link = first.evaluate("location.hash")
    assert seen.eventually(lambda: has_four_colours(seen))
    other = visit()
    hold_map(other.page)
    other.page.goto(f"{other.address}/{link}")
    other.page.locator("#first-picture").wait_for()
    assert other.eventually(lambda: has_four_colours(other))
    source = other.page.locator("#first-picture").get_attribute("src")
    assert source is not None
    assert "items/colours/" in source
    assert "style=true-color" in source


def test_a_picture_that_fails_does_not_hold_the_map_up(visit: Visits) -> None:
    seen = visit()
    seen.page.route("**/bbox/**", lambda route: route.abort())
    seen.open(FIELDS)
    assert seen.eventually(lambda: has_four_colours(seen))
