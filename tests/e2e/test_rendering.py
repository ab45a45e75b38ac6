"""What the page requests: words in its language, and of every picture what its tiles are requested by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from tests.e2e.conftest import Visit
from tests.e2e.test_viewer import FIELDS

if TYPE_CHECKING:
    from playwright.sync_api import Route

Visits = Callable[..., Visit]
FORMULA = "(B08 - B04) / (B08 + B04)"
OWN = quote(json.dumps({"title": "Mine", "formula": FORMULA, "range": [0, 0.5], "colormap": "viridis"}))
SERIES = "#collection=series"


def own_query(url: str) -> bool:
    """Whether an address is one of the page's own indicator, in its colours."""
    query = parse_qs(urlsplit(url).query)
    return query.get("expression") == [FORMULA] and "own" not in query.get("style", [])


def test_what_the_server_says_is_french_on_a_french_page(visit: Visits) -> None:
    seen = visit(locale="fr-FR")
    page = seen.open(FIELDS)
    page.get_by_text("Couleurs naturelles").first.wait_for()
    page.locator(".more-styles summary").click()
    assert page.get_by_text("Bande B08 (proche infrarouge)").is_visible()
    good_for = page.locator(".fidelity .hint").inner_text()
    assert "isolés" in good_for or "ensemble" in good_for
    assert seen.complaints == []


def test_an_indicator_of_ones_own_is_what_every_tool_asks_for(visit: Visits) -> None:
    seen = visit()
    page = seen.open(f"{SERIES}&item=day-21&style=own&indicator={OWN}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Timelapse").click()
    page.locator(".timelapse-main:enabled").click()
    assert seen.eventually(lambda: sum("/bbox/" in url and own_query(url) for url in asked) >= 3)
    page.get_by_role("button", name="Download").click()
    page.get_by_text("Numbers (GeoTIFF)").click()
    page.get_by_label("Numbers", exact=True).select_option("style")
    with page.expect_download() as file:
        page.locator(".download-tool").get_by_role("button", name="Download").click()
    assert own_query(file.value.url)
    page.get_by_text("Links for a GIS").click()
    for name in ("XYZ tiles", "TileJSON", "Google Earth"):
        assert own_query(page.get_by_label(name, exact=True).input_value()), name
    page.get_by_role("button", name="Compare").click()
    page.locator(".compare select").first.select_option("series/day-1")
    assert seen.eventually(lambda: any("/items/day-1/tiles/" in url and own_query(url) for url in asked))
    assert not [url for url in asked if "style=own" in url]
    assert seen.complaints == []


def test_an_answer_that_comes_late_takes_no_newer_ones_place(visit: Visits) -> None:
    seen = visit()
    page = seen.open(f"{SERIES}&item=day-21")
    page.get_by_text("Mosaic", exact=True).click()
    page.get_by_label("Pixels", exact=True).select_option("median")
    page.get_by_role("heading", name="Median of clear").wait_for()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile(r"/stac/search\?.*datetime=2020-05-01[^&]*%2F\.\."), hold)
    page.get_by_label("Period from").fill("2020-05-01")
    assert seen.eventually(lambda: bool(held))
    page.get_by_label("Period to").fill("2020-05-15")
    both = page.get_by_role("heading", name="Median of clear, 1 May 2020 – 15 May 2020")
    both.wait_for()
    asked = len(seen.tiles)
    held[0].continue_()
    page.wait_for_timeout(1500)
    assert both.is_visible()
    assert len(seen.tiles) == asked
    assert seen.complaints == []


def test_more_scenes_that_come_late_are_not_put_among_those_of_another_filter(visit: Visits) -> None:
    seen = visit()
    held: list[Route] = []

    def with_another_page(route: Route) -> None:
        answer = route.fetch()
        found = answer.json()
        found["links"].append({"rel": "next", "href": f"{route.request.url}&token=more"})
        route.fulfill(response=answer, json=found)

    def hold(route: Route) -> None:
        held.append(route)

    seen.page.route(re.compile(r"/stac/search\?limit=100$"), with_another_page)
    seen.page.route(re.compile(r"token=more"), hold)
    page = seen.open()
    page.get_by_role("button", name="More scenes").click()
    assert seen.eventually(lambda: bool(held))
    page.get_by_label("Collection").select_option("series")
    listed = page.get_by_role("listbox").get_by_role("option")
    assert seen.eventually(lambda: all("series" in each for each in listed.all_text_contents()))
    count = listed.count()
    held[0].continue_()
    page.wait_for_timeout(1500)
    assert listed.count() == count
    assert all("series" in each for each in listed.all_text_contents())
    assert seen.complaints == []


def test_a_period_is_one_picture_and_the_link_has_it(visit: Visits) -> None:
    seen = visit()
    page = seen.open(f"{SERIES}&item=day-21")
    page.get_by_text("Mosaic", exact=True).click()
    page.get_by_label("Pixels", exact=True).select_option("median")
    page.get_by_label("Period from").fill("2020-05-01")
    page.get_by_label("Period to").fill("2020-05-15")
    page.get_by_role("heading", name="Median of clear, 1 May 2020 – 15 May 2020").wait_for()
    last = parse_qs(urlsplit(seen.tiles[-1]).query)
    assert last["pixel_selection"] == ["median"]
    assert last["datetime"] == ["2020-05-01T00:00:00Z/2020-05-15T23:59:59Z"]
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.get_by_text("these are the values of the newest one here").wait_for()
    link = page.evaluate("location.hash")
    assert "mosaic=2020-05-01/2020-05-15&pixels=median" in link
    again = visit()
    again.open(link).get_by_role("heading", name="Median of clear, 1 May 2020 – 15 May 2020").wait_for()
    page.get_by_label("Period to").fill("2020-04-15")
    page.get_by_text("The period ends before it begins.").wait_for()
    assert seen.complaints == []
