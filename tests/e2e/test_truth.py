"""What the page says is what its map shows: in a real browser, against loads that take their time or fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Visit, until
from tests.e2e.test_viewer import (
    FIELDS,
    NORTH_EAST,
    NORTH_WEST,
    PHONE,
    SCENES,
    fragment,
    is_blue,
    is_green,
    is_red,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

Visits = Callable[..., Visit]
DAY_21 = "#collection=series&item=day-21"
TILES_OF_DAY_11 = "**/items/day-11/tiles/**"


def press_on_map(page: Page, east: float, south: float) -> None:
    """Click at a share of the map's width and height."""
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + east * box["width"], box["y"] + south * box["height"])


def test_a_date_that_fails_changes_nothing_but_is_told(visit: Visits) -> None:
    seen = visit()
    page = seen.open(DAY_21)
    assert seen.eventually(lambda: is_blue(seen.colour(0.5, 0.45)))
    page.route(TILES_OF_DAY_11, lambda route: route.abort())
    page.get_by_role("button", name="Earlier date").click()
    page.get_by_text("The map still shows 21 May 2020.").wait_for()
    assert page.get_by_role("heading", name="21 May 2020").is_visible()
    assert (
        page.get_by_label("Date", exact=True).get_attribute("aria-valuetext") == "21 May 2020 · 3 of 3 dates"
    )
    assert page.locator("li[role=option][aria-selected=true]").inner_text().startswith("21 May 2020")
    assert "item=day-21" in fragment(page)
    assert is_blue(seen.colour(0.5, 0.45))

    page.unroute(TILES_OF_DAY_11)
    page.get_by_role("button", name="Earlier date").click()
    page.get_by_role("heading", name="11 May 2020").wait_for()
    assert is_green(seen.colour(0.5, 0.45))
    assert page.get_by_role("alert").is_hidden()


def test_until_the_picture_is_there_the_page_says_that_it_is_loading(visit: Visits) -> None:
    seen = visit()
    page = seen.open(DAY_21)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(TILES_OF_DAY_11, hold)
    page.get_by_role("button", name="Earlier date").click()
    page.get_by_text("Loading 11 May 2020…").wait_for()
    assert seen.eventually(lambda: bool(held))
    assert page.get_by_role("heading", name="21 May 2020").is_visible()
    assert "item=day-21" in fragment(page)
    assert is_blue(seen.colour(0.5, 0.45))
    for route in held:
        route.continue_()
    page.unroute(TILES_OF_DAY_11)
    page.get_by_role("heading", name="11 May 2020").wait_for()
    assert is_green(seen.colour(0.5, 0.45))
    assert page.get_by_text("Loading 11 May").is_hidden()


def test_values_of_a_pixel_follow_the_picture(visit: Visits) -> None:
    seen = visit()
    page = seen.open(DAY_21)
    press_on_map(page, 0.5, 0.45)
    page.locator("#pixel .sub", has_text="21 May 2020").wait_for()
    blue = page.locator("#pixel tr", has_text="B02").locator("td").nth(1)
    assert blue.inner_text().startswith("0.2")
    page.get_by_role("button", name="Earlier date").click()
    page.locator("#pixel .sub", has_text="11 May 2020").wait_for()
    assert blue.inner_text().startswith("0.0")
    page.locator("li[role=option][data-key='fields/colours']").click()
    page.get_by_role("heading", name="1 May 2020", exact=True).wait_for()
    page.locator("#pixel .sub", has_text="1 May 2020").wait_for()
    assert "11 May" not in page.locator("#pixel").inner_text()


def test_the_style_that_is_shown_comes_first_in_the_panel(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS + "&style=ndvi")
    press_on_map(page, *NORTH_EAST)
    headline = page.locator("#pixel .headline")
    headline.wait_for()
    # (0.40 − 0.01) / (0.40 + 0.01), of the green quarter's near infrared and red
    value, error = headline.locator("b").inner_text(), headline.locator(".error").inner_text()
    assert headline.inner_text().startswith("Vegetation (NDVI)")
    assert float(value) == pytest.approx(0.951, abs=0.05)
    assert 0 <= float(error.replace("±", "")) < 0.2
    page.get_by_text("True colour").click()
    page.locator("#pixel .headline", has_text="B04").wait_for()
    assert page.locator("#pixel .headline").count() == 3


def test_on_a_phone_the_map_stays_while_a_pixel_is_read(visit: Visits) -> None:
    seen = visit(**PHONE)
    page = seen.open(FIELDS)
    assert seen.eventually(lambda: is_red(seen.colour(0.3, 0.15)))
    page.touchscreen.tap(100, 150)
    page.locator("#pixel .headline").first.wait_for()
    seen.settle()
    assert is_red(seen.colour(0.3, 0.15))
    assert page.locator("#pixel").evaluate("panel => getComputedStyle(panel).overflowY") == "visible"


def test_scenes_without_a_date_have_their_name_and_no_place_in_time(visit: Visits) -> None:
    seen = visit()
    page = seen.page

    def forget_dates(route: Route) -> None:
        answer = route.fetch()
        found = answer.json()
        for item in found.get("features", [found]):
            if item["collection"] == "series":
                item["properties"] |= {"comeo:datetime_unknown": True, "datetime": "1970-01-01T00:00:00Z"}
        route.fulfill(response=answer, body=json.dumps(found))

    page.route("**/stac/search?**", forget_dates)
    page.route("**/stac/collections/series/items/**", forget_dates)
    seen.open(DAY_21)
    assert page.get_by_role("heading", name="day-21").is_visible()
    assert "Date unknown, place known" in page.locator("#view").inner_text()
    names = page.locator("li[role=option] .scene-day").all_inner_texts()
    assert {"day-1", "day-11", "day-21"} < set(names)
    assert page.get_by_role("group", name="Timeline").is_hidden()
    assert "1970" not in page.locator("body").inner_text()


def test_a_style_that_the_scene_lacks_is_told(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS + "&style=moisture")
    page.get_by_text("no style “moisture”").wait_for()
    assert "it is shown as True colour" in page.get_by_role("alert").inner_text()
    assert is_red(seen.colour(*NORTH_WEST))


def test_a_link_of_a_place_shows_a_scene_of_there(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    until(page, "location.hash.includes('map=')")
    zoom, lat, lon = fragment(page).split("map=")[1].split("&")[0].split("/")
    other = visit()
    other.page.goto(f"{other.address}/#map={zoom}/{lat}/{lon}")
    other.page.get_by_role("heading", name="1 May 2020", exact=True).wait_for()

    nowhere = visit()
    nowhere.page.goto(f"{nowhere.address}/#map=9/-20/100")
    nowhere.page.get_by_text("No scene lies here.").wait_for()
    assert nowhere.page.locator("#view").is_hidden()
    assert "map=9.00/-20.0" in fragment(nowhere.page)


def test_the_pointer_leaves_the_colours_of_the_picture(visit: Visits) -> None:
    seen = visit()
    page = seen.open(DAY_21)
    before = seen.colour(0.5, 0.5)
    box = page.locator("#map").bounding_box()
    assert box is not None
    for share in (0.45, 0.47, 0.5):  # three dates lie here
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"])
    page.locator(f"{SCENES}.hovered[data-key='series/day-21']").wait_for()
    assert seen.colour(0.5, 0.5) == before


def test_count_of_bytes_is_what_the_browser_received(visit: Visits) -> None:
    seen = visit()
    bodies: list[int] = []
    finished: list[str] = []
    session = seen.page.context.new_cdp_session(seen.page)
    session.send("Network.enable")
    session.on("Network.dataReceived", lambda event: bodies.append(event["encodedDataLength"]))
    session.on("Network.loadingFinished", lambda event: finished.append(event["requestId"]))
    page = seen.open(FIELDS)
    headers = 300  # a flat figure in the specification of resource timing

    def counted() -> int:
        return int(page.locator("#received").get_attribute("data-bytes") or 0)

    def received() -> int:
        return sum(bodies) + headers * len(finished)

    assert seen.eventually(lambda: counted() == pytest.approx(received(), rel=0.01))
    assert counted() < 400_000, "the first view is light"
    page.locator("#meter summary").click()
    page.locator(".meter-body").wait_for()
    assert re.search(r"The imagery is (1/)?[\d.,]+ (times|of) ", page.locator("#meter").inner_text())
    info = json.loads(page.evaluate("fetch('collections/fields/items/colours/info').then(r => r.text())"))
    text = page.locator("#meter").inner_text()
    assert f"{info['raw_bytes'] / 1e6:.2f} MB" in text
