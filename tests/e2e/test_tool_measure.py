"""Lengths, areas and coordinates in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from pyproj import Geod

from tests.e2e.clicks import DRAWING, Clicks, violations
from tests.e2e.conftest import Visit, until
from tests.e2e.test_viewer import FIELDS, PHONE, fragment

Visits = Callable[..., Visit]
RESULT = ".measure-result"


def test_a_length_and_an_area_are_geodesic(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    clicks = Clicks()
    clicks.click(page.get_by_role("button", name="Measure"))
    page.locator(".measure").wait_for()
    box = page.locator("#map").bounding_box()
    assert box is not None

    def at(east: float, south: float) -> tuple[float, float]:
        return box["x"] + east * box["width"], box["y"] + south * box["height"]

    places = []
    for place in ((0.4, 0.4), (0.6, 0.6)):
        page.mouse.click(*at(*place))
        page.locator(".measure-place", has_text="copied").wait_for()
        lat, lon = page.evaluate("navigator.clipboard.readText()").split(", ")
        places.append((float(lon), float(lat)))
        page.mouse.move(*at(0.5, 0.5))
    assert page.locator("#pixel").is_hidden()
    geod = Geod(ellps="WGS84")
    expected = geod.line_length([lon for lon, _ in places], [lat for _, lat in places])
    clicks.click(page.get_by_role("button", name="Length"))
    until(page, DRAWING)
    for place in ((0.4, 0.4), (0.6, 0.6), (0.6, 0.6)):
        page.mouse.click(*at(*place))
        page.wait_for_timeout(120)
    until(page, f"/km|m/.test(document.querySelector('{RESULT}').textContent)")
    page.get_by_role("button", name="Length", pressed=False).wait_for()
    value, unit = page.locator(RESULT).inner_text().split()
    assert float(value) * {"km": 1000, "m": 1}[unit] == pytest.approx(expected, rel=0.01)
    assert clicks.count == 2, "and two on the map, and one to end"

    page.get_by_role("button", name="Area", exact=True).click()
    until(page, DRAWING)
    for place in ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6), (0.4, 0.4)):
        page.mouse.click(*at(*place))
        page.wait_for_timeout(120)
    page.get_by_role("button", name="Area", exact=True, pressed=False).wait_for()
    (west, north), (east, south) = places
    square = abs(geod.polygon_area_perimeter([west, east, east, west], [north, north, south, south])[0])
    found = re.match(r"([\d.,]+) (ha|km²)", page.locator(RESULT).inner_text())
    assert found is not None
    area = float(found[1].replace(",", "")) * {"ha": 1e4, "km²": 1e6}[found[2]]
    assert area == pytest.approx(square, rel=0.01)
    assert violations(seen) == []
    assert seen.complaints == []


def test_with_the_keyboard_alone(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.locator("#map canvas").focus()
    page.keyboard.press("m")
    middle = page.get_by_role("button", name="Add the middle of the map")
    middle.focus()
    page.keyboard.press("Enter")
    page.locator("#map canvas").focus()
    before = fragment(page)
    page.keyboard.press("ArrowRight")
    assert seen.eventually(lambda: fragment(page) != before)
    page.wait_for_timeout(500)
    middle.focus()
    page.keyboard.press("Enter")
    until(page, f"/m$/.test(document.querySelector('{RESULT}').textContent)")
    assert seen.complaints == []


def test_escape_ends_a_drawing_and_then_the_tool(visit: Visits) -> None:
    seen = visit(**PHONE)
    page = seen.open(FIELDS)
    page.get_by_role("button", name="Measure").tap()
    page.get_by_role("button", name="Area", exact=True).tap()
    until(page, DRAWING)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Area", exact=True, pressed=False).wait_for()
    assert violations(seen) == []
    page.keyboard.press("Escape")
    assert page.locator("#tool").is_hidden()
    page.touchscreen.tap(195, 180)
    page.locator("#pixel").wait_for()
    assert seen.complaints == []
