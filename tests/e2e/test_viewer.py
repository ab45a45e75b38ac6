"""The viewer in a real browser, against a real server, with no other host to be reached."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import STATIC, Server, Visit, until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

Visits = Callable[..., Visit]
Colour = tuple[int, int, int]

# Shares of the map's width and height, well inside the four quarters of the scene that fills it
NORTH_WEST, NORTH_EAST, SOUTH_WEST, SOUTH_EAST = (0.35, 0.25), (0.65, 0.25), (0.42, 0.70), (0.62, 0.70)
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
NO_ANSWER = "The server does not answer. Check that it is running and reachable, then try again."
SCENES = "li[role=option]"
FIELDS = "#collection=fields&item=colours"


def is_red(colour: Colour) -> bool:
    return colour[0] > 2 * max(colour[1], colour[2])


def is_green(colour: Colour) -> bool:
    return colour[1] > 2 * max(colour[0], colour[2])


def is_blue(colour: Colour) -> bool:
    return colour[2] > 2 * max(colour[0], colour[1])


def is_grey(colour: Colour) -> bool:
    return max(colour) - min(colour) < 24


def greener(colour: Colour) -> bool:
    return colour[1] > colour[0]


def fragment(page: Page) -> str:
    return str(page.evaluate("location.hash"))


def has_four_colours(seen: Visit) -> bool:
    return (
        is_red(seen.colour(*NORTH_WEST)) and is_green(seen.colour(*NORTH_EAST))
        and is_blue(seen.colour(*SOUTH_WEST)) and is_grey(seen.colour(*SOUTH_EAST))
    )  # fmt: skip


def test_begins_with_the_largest_scene_the_right_way_up(visit: Visits) -> None:
    seen = visit()
    page = seen.open()
    options = page.locator(SCENES)
    assert options.count() == 4
    assert re.match(r"21 May 2020", options.first.inner_text())
    assert page.locator(f"{SCENES}[aria-selected=true]").inner_text().startswith("1 May 2020")
    assert page.get_by_role("heading", name="1 May 2020").is_visible()
    assert page.get_by_text("Contains modified Copernicus Sentinel data").is_visible()
    assert seen.eventually(lambda: has_four_colours(seen))
    assert seen.complaints == []
    assert seen.foreign == []


def test_globe_and_back(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    globe = page.get_by_role("button", name="Globe")
    globe.click()
    assert globe.get_attribute("aria-pressed") == "true"
    assert "projection=globe" in fragment(page)
    assert seen.eventually(lambda: has_four_colours(seen))
    assert seen.complaints == []

    far = visit()
    far.page.goto(
        f"{far.address}/#map=0.80/20.00000/10.00000&collection=fields&item=colours&projection=globe"
    )
    far.page.wait_for_selector("canvas")
    corner, middle = (0.06, 0.12), (0.5, 0.5)
    assert far.eventually(lambda: far.colour(*corner) != far.colour(*middle))
    space = far.colour(*corner)
    assert far.eventually(lambda: far.colour(*corner) == space)
    far.page.get_by_role("button", name="Globe").click()
    assert far.eventually(lambda: far.colour(*corner) != space)
    assert "projection" not in fragment(far.page)
    assert far.complaints == []


def test_click_tells_the_values_of_the_pixel(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + NORTH_WEST[0] * box["width"], box["y"] + NORTH_WEST[1] * box["height"])
    row = page.locator("#pixel tr", has_text="B04")
    row.wait_for()
    reflectance, error = row.locator("td").nth(1).inner_text().split(" ± ")
    assert float(reflectance) == pytest.approx(0.25, abs=0.006)
    assert 0 <= float(error) < 0.02
    assert page.locator("#pixel tbody tr").count() == 4
    page.keyboard.press("Escape")
    assert page.locator("#pixel").is_hidden()
    assert seen.complaints == []


def test_what_was_lost_is_told_in_words_and_on_the_map(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    badge = page.get_by_role("group", name="Fidelity")
    assert re.match(r"(Very close|Close|Approximate|Coarse) copy\s+typical error ±\s?[\d.]+ reflectance",
                    badge.inner_text())  # fmt: skip
    with page.expect_response(lambda answer: "style=error" in answer.url and answer.ok):
        page.get_by_text("Single bands and more").click()
        page.get_by_text("Expected error").first.click()
    assert seen.eventually(lambda: not has_four_colours(seen))
    assert page.locator(".legend .scale").inner_text().split() == ["0", "0.015", "0.03"]
    assert "style=error" in fragment(page)
    assert seen.complaints == []


def test_styles_and_opacity_change_the_picture_and_the_link(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    with page.expect_response(lambda answer: "style=ndvi" in answer.url and answer.ok):
        page.get_by_text("NDVI").first.click()
    assert seen.eventually(
        lambda: greener(seen.colour(*NORTH_EAST)) and not greener(seen.colour(*NORTH_WEST))
    )
    assert page.locator(".legend .ramp").is_visible()
    assert "style=ndvi" in fragment(page)

    page.get_by_text("Single bands and more").click()
    page.get_by_text("Band B04").click()
    assert seen.eventually(lambda: is_grey(seen.colour(*NORTH_WEST)))
    assert seen.eventually(lambda: seen.colour(*NORTH_WEST)[0] > seen.colour(*NORTH_EAST)[0] + 100)

    page.get_by_role("button", name="Layers").click()
    page.get_by_label("Opacity").fill("0")
    page.keyboard.press("Escape")
    land = (244, 243, 238)
    assert seen.eventually(lambda: seen.colour(*NORTH_WEST) == pytest.approx(land, abs=8))
    assert "opacity=0.00" in fragment(page)
    assert seen.complaints == []


def test_everything_with_the_keyboard_alone(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert "canvas" in page.evaluate("document.activeElement.className")
    before = fragment(page)
    page.keyboard.press("ArrowUp")
    assert seen.eventually(lambda: fragment(page) != before)
    page.keyboard.press("Enter")
    page.locator("#pixel tbody tr").first.wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#pixel").is_hidden()
    assert "canvas" in page.evaluate("document.activeElement.className")

    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "option":
            break
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.innerText").startswith("21 May 2020")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    with page.expect_response(lambda answer: "items/day-21/tiles/" in answer.url):
        page.keyboard.press("Enter")
    page.get_by_role("heading", name="21 May 2020").wait_for()
    assert "item=day-21" in fragment(page)
    assert seen.eventually(lambda: is_blue(seen.colour(0.5, 0.5)))
    assert seen.complaints == []


def test_list_and_map_point_at_each_other(visit: Visits) -> None:
    seen = visit()
    page = seen.open("#collection=series&item=day-21")
    east_of_the_chip = (0.95, 0.5)  # inside the larger scene that begins at the same corner
    before = seen.colour(*east_of_the_chip)
    page.locator(f"{SCENES}[data-key='fields/colours']").hover()
    assert seen.eventually(lambda: seen.colour(*east_of_the_chip) != before)
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 4)
    page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + 0.5 * box["height"])
    page.locator(f"{SCENES}.hovered[data-key='fields/colours']").wait_for()
    with page.expect_response(lambda answer: "items/colours/tiles/" in answer.url):
        page.mouse.click(box["x"] + 0.95 * box["width"], box["y"] + 0.5 * box["height"])
    until(page, "location.hash.includes('item=colours')")


def test_timeline_steps_through_dates_and_mosaic_takes_a_day(visit: Visits) -> None:
    seen = visit()
    page = seen.open("#collection=series&item=day-21")
    slider = page.get_by_label("Date", exact=True)
    slider.wait_for()
    assert page.locator(".ticks .dot").count() > 0
    assert slider.get_attribute("aria-valuetext") == "21 May 2020 · 3 of 3 dates"
    with page.expect_response(lambda answer: "items/day-11/tiles/" in answer.url):
        slider.press("ArrowLeft")
    assert seen.eventually(lambda: is_green(seen.colour(0.5, 0.5)))
    with page.expect_response(lambda answer: "items/day-1/tiles/" in answer.url):
        page.get_by_role("button", name="Earlier date").click()
    assert seen.eventually(lambda: is_red(seen.colour(0.5, 0.5)))

    with page.expect_response(lambda answer: "/collections/series/tiles/" in answer.url and answer.ok):
        page.get_by_text("Mosaic", exact=True).click()
    assert seen.eventually(lambda: is_blue(seen.colour(0.5, 0.5))), "newest first"
    with page.expect_response(lambda answer: "/series/tiles/" in answer.url and "2020-05-11" in answer.url):
        slider.press("ArrowLeft")
    assert seen.eventually(lambda: is_green(seen.colour(0.5, 0.5)))
    assert "mosaic=2020-05-11" in fragment(page)
    assert seen.complaints == []


def test_filter_by_collection_and_date(visit: Visits) -> None:
    seen = visit()
    page = seen.open()
    with page.expect_response(lambda answer: "/collections/series/items/" in answer.url):
        page.get_by_label("Collection", exact=True).select_option("series")
    until(page, "document.querySelectorAll('li[role=option]').length === 3")
    until(page, "location.hash.includes('collection=series')")
    selected = page.locator("li[role=option][aria-selected=true]")
    assert selected.get_attribute("data-key").startswith("series/"), "what is chosen is shown"  # type: ignore[union-attr]
    shown = fragment(page)
    page.get_by_role("button", name="Dates", exact=True).click()
    page.get_by_label("From date").fill("2020-05-05")
    page.get_by_label("To date").fill("2020-05-15")
    until(page, "document.querySelectorAll('li[role=option]').length === 1")
    page.get_by_label("To date").fill("2020-05-06")
    page.get_by_text("No scene matches").wait_for()
    assert fragment(page).partition("&")[2] == shown.partition("&")[2], "dates alone leave the picture"
    assert page.locator("#panel-body").evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    page.get_by_role("button", name="Clear").click()
    until(page, "document.querySelectorAll('li[role=option]').length === 4")
    assert seen.complaints == []


def test_a_long_list_comes_in_pages(visit: Visits) -> None:
    seen = visit()
    page = seen.page

    def ask_for_fewer(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=100", "limit=3"))

    page.route("**/stac/search?limit=100*", ask_for_fewer)
    seen.open()
    assert page.locator(SCENES).count() == 3
    assert page.locator("#scenes .count").inner_text() == "3 of 4"
    page.get_by_role("button", name="More scenes").click()
    until(page, f"document.querySelectorAll('{SCENES}').length === 4")
    assert page.get_by_role("button", name="More scenes").is_hidden()
    assert seen.complaints == []


def test_without_webgl_the_list_still_works(visit: Visits, server: str) -> None:
    seen = visit()
    page = seen.page
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(server)
    page.get_by_text("This browser cannot draw the map").wait_for()
    page.wait_for_selector("#stage[aria-busy=false]")
    assert page.locator(SCENES).count() == 4
    page.locator(SCENES).first.click()
    page.get_by_role("heading", name="21 May 2020").wait_for()


def test_a_link_brings_back_the_view(visit: Visits) -> None:
    first = visit()
    page = first.open("#collection=series&item=day-11&style=false-color&opacity=0.50&projection=globe")
    place = re.compile(r"#map=[\d.]+/[\d.]+/[\d.]+&collection=series&item=day-11")
    assert first.eventually(lambda: place.match(fragment(page)) is not None)
    before = fragment(page)
    page.get_by_role("button", name="Zoom in").click()
    assert first.eventually(lambda: fragment(page) != before)
    link = fragment(page)
    assert place.match(link)
    second = visit()
    again = second.open(link)
    assert second.eventually(lambda: fragment(again) == link)
    assert again.get_by_role("heading", name="11 May 2020").is_visible()
    again.get_by_role("button", name="Layers").click()
    assert again.get_by_label("Opacity").input_value() == "50"


def test_at_phone_width(visit: Visits) -> None:
    seen = visit(**PHONE)
    page = seen.open(FIELDS)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert all("@2x" in url for url in seen.tiles)
    assert seen.eventually(lambda: is_red(seen.colour(0.3, 0.15)) and is_grey(seen.colour(0.7, 0.40)))
    for name in ("Zoom in", "Zoom out", "Globe"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    panel = page.locator("#panel")
    half = panel.bounding_box()
    assert page.get_by_role("heading", name="1 May 2020").is_visible()
    assert page.locator("#panel-body").evaluate("body => body.scrollTop") == 0
    assert half is not None
    page.locator("#handle").tap()
    assert seen.eventually(lambda: height(panel) > half["height"] + 200)
    page.locator(SCENES).first.tap()
    until(page, "location.hash.includes('item=day-21')")
    page.locator("#handle").tap()
    assert seen.eventually(lambda: height(panel) < 200)
    page.touchscreen.tap(195, 300)
    page.locator("#pixel .headline").nth(2).wait_for()
    assert page.locator("#pixel tbody tr").first.is_hidden()
    page.get_by_text("All bands").tap()
    assert page.locator("#pixel tbody tr").first.is_visible()
    page.get_by_role("button", name="Close pixel values").tap()
    assert page.locator("#pixel").is_hidden()
    assert seen.complaints == []


def height(element: Locator) -> float:
    box = element.bounding_box()
    return box["height"] if box else 0.0


def test_follows_the_dark_theme_while_open(visit: Visits) -> None:
    seen = visit()
    page = seen.page
    page.goto(f"{seen.address}/#map=6.00/30.00000/10.00000&collection=fields&item=colours")
    page.wait_for_selector("canvas")
    assert seen.eventually(lambda: sum(seen.colour(0.5, 0.3)) > 600)
    page.emulate_media(color_scheme="dark")
    assert seen.eventually(lambda: sum(seen.colour(0.5, 0.3)) < 200)


def test_an_empty_catalogue_says_how_to_fill_it(built: None, visit: Visits, tmp_path: Path) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    with Server(folder, tmp_path / "server.log") as empty:
        seen = visit(empty.address)
        seen.page.goto(empty.address)
        seen.page.get_by_text("No scenes yet").wait_for()
        assert "comeo compress" in seen.page.locator("#scenes pre").inner_text()
        seen.page.wait_for_selector("canvas")
        assert seen.complaints == []


def test_a_server_that_is_down_is_told_and_can_be_tried_again(visit: Visits, server: str) -> None:
    seen = visit()
    page = seen.page
    page.route("**/stac/**", lambda route: route.abort())
    page.goto(server)
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert alert.inner_text().strip() == NO_ANSWER
    page.unroute("**/stac/**")
    page.get_by_role("button", name="Try again").click()
    seen.settle()
    assert alert.is_hidden()
    assert page.locator(SCENES).count() == 4


def test_problems_are_told_in_the_words_of_the_server(visit: Visits, server: str) -> None:
    seen = visit()
    page = seen.page

    def refuse(route: Route) -> None:
        problem = {"title": "Busy", "status": 503, "detail": "the archive is just being replaced; ask again"}
        route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(problem))

    page.route("**/tiles/WebMercatorQuad/**", refuse)
    page.goto(f"{server}/{FIELDS}")
    page.get_by_text("the archive is just being replaced; ask again").wait_for()
    page.wait_for_selector("#stage[aria-busy=false]")
    page.keyboard.press("Escape")
    assert page.get_by_role("alert").is_hidden()

    other = visit()
    other.page.goto(f"{server}/#collection=fields&item=nothing")
    other.page.get_by_role("alert").wait_for()
    assert "nothing" in other.page.get_by_role("alert").inner_text()


def test_a_basemap_is_shown_when_configured(visit: Visits, server: str) -> None:
    seen = visit()
    page = seen.page
    asked: list[str] = []
    template = f"{server}/assets/base/{{z}}/{{x}}/{{y}}.png"
    config = {"basemap": {"tiles": [template], "attribution": "Somebody", "maxzoom": 19}}
    page.route("**/viewer-config.json", lambda route: route.fulfill(json=config))

    def picture(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(content_type="image/png", body=orange())

    page.route("**/assets/base/**", picture)
    page.goto(f"{server}/#map=8.00/47.40000/8.70000&collection=fields&item=colours")
    page.get_by_text("Basemap: Somebody").wait_for()
    assert seen.eventually(lambda: seen.colour(0.2, 0.15) == pytest.approx((255, 140, 0), abs=40))
    assert asked


def orange() -> bytes:
    import io

    from PIL import Image

    picture = io.BytesIO()
    Image.new("RGB", (256, 256), (255, 140, 0)).save(picture, "png")
    return picture.getvalue()


@pytest.mark.parametrize("script", ["check", "test"])
def test_sources_pass_their_own_checks(script: str) -> None:
    # the machine's own Node.js first, else the one that `make install` took from PyPI
    path = os.pathsep.join([os.environ.get("PATH", ""), str(STATIC.parent / ".venv" / "bin")])
    npm = shutil.which("npm", path=path)
    if npm is None or not (STATIC / "node_modules").is_dir():
        pytest.skip("Node.js or the viewer's packages are not installed: run `make install`")
    command = [npm, "run", "--silent", script]
    environment = {**os.environ, "PATH": path}
    run = subprocess.run(command, cwd=STATIC, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
