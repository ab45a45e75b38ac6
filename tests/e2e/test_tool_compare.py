"""Comparing two dates in a browser: each way of it, its link, sure differences, phones, speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from comeo.compression import compress
from tests.e2e.clicks import Clicks, violations
from tests.e2e.conftest import BANDS, GREEN, GREY, Server, Visit, numbers, until
from tests.e2e.test_viewer import PHONE, fragment, is_blue, is_green
from tests.scenes import array_group, array_scene

Visits = Callable[..., Visit]
LAST = "#collection=series&item=day-21"
THERE = "document.querySelector('#compare-map')?.getAttribute('aria-busy') === 'false'"
WEST, EAST = (0.44, 0.5), (0.56, 0.5)


@pytest.fixture(scope="module")
def fields(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of two dates whose archives tell their errors: the east has lost its green."""
    folder = tmp_path_factory.mktemp("fields")
    rng = np.random.default_rng(1)
    for day, east in ((1, GREEN), (11, GREY)):
        values = np.broadcast_to(numbers(*GREEN), (len(BANDS), 256, 256)).astype(np.float64)
        values[:, :, 128:] = numbers(*east)
        noisy = np.asarray(values + rng.normal(0, 30, values.shape), np.uint16)
        group = array_group(noisy, names=BANDS)
        scene = array_scene(group, scene_id=f"day-{day}", collection="fields", day=day)
        compress(scene, folder / f"{scene.id}.zarr.zip", codec="dct", step=40.0)
    with Server(folder, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running.address


def test_two_dates_by_a_border_in_one_click(visit: Visits) -> None:
    seen = visit()
    page = seen.open(LAST)
    clicks = Clicks()
    clicks.click(page.get_by_role("button", name="Compare"))
    until(page, THERE)
    assert clicks.count == 1
    assert page.locator(".compare select").first.input_value() == "series/day-11"
    assert seen.eventually(lambda: is_blue(seen.colour(*WEST)) and is_green(seen.colour(*EAST)))
    bar = page.get_by_role("slider", name="Border between the two pictures")
    box = bar.bounding_box()
    stage = page.locator("#stage").bounding_box()
    assert box is not None
    assert stage is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(stage["x"] + 0.7 * stage["width"], box["y"] + 200, steps=4)
    page.mouse.up()
    assert seen.eventually(lambda: is_blue(seen.colour(*EAST)))
    assert "compare=swipe/0.70//series/day-11" in fragment(page)
    bar.press("Home")
    assert seen.eventually(lambda: is_green(seen.colour(*WEST)))
    assert bar.get_attribute("aria-valuetext") == "0 percent"
    assert violations(seen) == []
    page.keyboard.press("Escape")
    assert seen.eventually(lambda: is_blue(seen.colour(*WEST)) and is_blue(seen.colour(*EAST)))
    assert "compare" not in fragment(page)
    assert seen.complaints == []


def test_side_by_side_the_maps_move_together(visit: Visits) -> None:
    seen = visit()
    page = seen.open(LAST)
    clicks = Clicks()
    clicks.click(page.get_by_role("button", name="Compare"))
    clicks.click(page.get_by_text("Side by side"))
    until(page, THERE)
    assert clicks.count == 2
    # the place of a colour is a share of the first map, now half as wide; the card is over its middle
    assert seen.eventually(lambda: is_blue(seen.colour(0.85, 0.5)) and is_green(seen.colour(1.5, 0.5)))
    half = page.locator("#compare-map").bounding_box()
    assert half is not None
    page.mouse.move(half["x"] + half["width"] / 2, half["y"] + half["height"] / 2)
    before = fragment(page)
    page.mouse.wheel(0, -400)
    assert seen.eventually(lambda: fragment(page).split("&")[0] != before.split("&")[0])
    assert seen.eventually(lambda: is_blue(seen.colour(0.85, 0.5)) and is_green(seen.colour(1.5, 0.5)))
    assert violations(seen) == []
    page.keyboard.press("Escape")
    until(page, "!document.querySelector('#stage').dataset.compare")
    wide = "document.querySelector('#map canvas').clientWidth"
    until(page, f"Math.abs({wide} - document.querySelector('#stage').clientWidth) < 2")
    assert seen.complaints == []


def test_blink_opacity_and_another_style(visit: Visits) -> None:
    seen = visit()
    page = seen.open(LAST)
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("Blink").click()
    until(page, THERE)
    assert not page.get_by_label("Every second by itself").is_checked(), "less motion was asked for"
    assert seen.eventually(lambda: is_green(seen.colour(0.5, 0.5)))
    page.get_by_role("button", name="Show the other").click()
    assert seen.eventually(lambda: is_blue(seen.colour(0.5, 0.5)))
    page.get_by_label("Every second by itself").check()
    assert seen.eventually(lambda: is_green(seen.colour(0.5, 0.5)))
    assert seen.eventually(lambda: is_blue(seen.colour(0.5, 0.5)))
    page.get_by_role("radio", name="Opacity").check(force=True)
    page.get_by_label("Opacity of the other").fill("0")
    assert seen.eventually(lambda: is_blue(seen.colour(0.5, 0.5)))
    page.get_by_label("Opacity of the other").fill("100")
    assert seen.eventually(lambda: is_green(seen.colour(0.5, 0.5)))
    with page.expect_response(lambda answer: "day-11/tiles" in answer.url and "style=ndvi" in answer.url):
        page.get_by_label("Style of the other").select_option("ndvi")
    assert violations(seen) == []
    assert seen.complaints == []


def test_a_difference_says_at_a_point_whether_it_is_sure(visit: Visits, fields: str) -> None:
    seen = visit(fields)
    page = seen.open("#collection=fields&item=day-11&style=ndvi")
    clicks = Clicks()
    clicks.click(page.get_by_role("button", name="Compare"))
    clicks.click(page.get_by_text("Difference", exact=True))
    until(page, THERE)
    assert clicks.count == 2
    assert seen.eventually(lambda: any("against=day-1" in url for url in seen.tiles))
    west, east = (0.4, 0.5), (0.6, 0.5)
    assert seen.eventually(lambda: seen.colour(*east)[0] > seen.colour(*east)[2] + 30), "brown: less green"
    said = page.locator(".compare-said")
    for place, words in ((east, "a sure change"), (west, "may be chance")):
        box = page.locator("#map").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"])
        page.locator(".compare-said", has_text=words).wait_for()
        assert "±" in said.inner_text()
    assert page.locator("#pixel").is_hidden()
    assert page.get_by_text("not a sure change").is_visible()
    lower = "Vegetation (NDVI) was 0.4"
    answer = page.locator(".compare-sentence", has_text=lower)
    answer.wait_for()
    told = answer.inner_text()
    assert told.endswith("haze, snow or a lower sun may.")
    assert "on 11 May 2020, 0.9" in told, "both values, so that lower is not taken for low"
    assert "on 1 May 2020: lower, -" in told
    meaning = page.locator(".compare-meaning").inner_text()
    assert "Near infrared against red" in meaning, "what they mean, as the indicator says"
    assert violations(seen) == []
    page.get_by_text("Mosaic", exact=True).click()
    page.get_by_text("leave the mosaic first").wait_for()
    assert seen.complaints == []


def test_without_known_errors_no_change_is_called_sure(visit: Visits) -> None:
    seen = visit()
    page = seen.open(f"{LAST}&style=ndvi&compare=difference/0.50//series/day-11")
    until(page, THERE)
    assert page.locator(".compare-legend", has_text="does not tell its uncertainty").is_visible()
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.locator(".compare-said", has_text="uncertainty unknown").wait_for()
    assert seen.complaints == []


def test_a_link_brings_back_a_comparison(visit: Visits) -> None:
    seen = visit()
    page = seen.open(f"{LAST}&compare=swipe/0.30//series/day-1")
    until(page, THERE)
    assert page.locator(".compare select").first.input_value() == "series/day-1"
    assert seen.eventually(lambda: seen.colour(*WEST)[0] > 2 * seen.colour(*WEST)[2])
    page.get_by_role("button", name="Earlier date").click()
    until(page, "location.hash.includes('item=day-11')")
    assert "compare=swipe/0.30//series/day-1" in fragment(page)
    wrong = visit()
    wrong.open(f"{LAST}&compare=swipe/0.30//series/nothing")
    wrong.page.locator(".compare-said", has_text="nothing").wait_for()


def test_a_scene_alone_is_compared_with_itself_in_another_style(visit: Visits) -> None:
    seen = visit()
    page = seen.open("#collection=fields&item=colours")
    page.get_by_role("button", name="Compare").click()
    until(page, THERE)
    style = page.locator(".compare select").nth(1).input_value()
    assert style not in ("", "true-color")
    assert f"compare=swipe/0.50/{style}/fields/colours" in fragment(page)
    assert seen.complaints == []


def test_on_a_phone_in_two_taps(visit: Visits) -> None:
    seen = visit(**PHONE)
    page = seen.open(LAST)
    page.get_by_role("button", name="Compare").tap()
    until(page, THERE)
    page.get_by_text("Side by side").tap()
    until(page, THERE)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert violations(seen) == []
    assert seen.complaints == []


def test_in_the_dark_from_right_to_left(visit: Visits) -> None:
    seen = visit(color_scheme="dark")
    page = seen.open(f"{LAST}&lang=ar&compare=difference/0.50//series/day-11&style=ndvi")
    until(page, THERE)
    assert violations(seen) == []
    assert seen.complaints == []


def test_no_long_task_while_swiping_on_a_slow_processor(visit: Visits) -> None:
    """Of the script itself: on a busy machine a task takes as long as the machine lets it."""
    seen = visit()
    page = seen.open(LAST)
    page.get_by_role("button", name="Compare").click()
    until(page, THERE)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    bar = page.locator(".compare-bar").bounding_box()
    assert bar is not None

    def spent() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in found if metric["name"] == "ScriptDuration"))

    page.mouse.move(bar["x"] + 20, bar["y"] + 300)
    page.mouse.down()
    before = spent()
    for step in range(40):
        page.mouse.move(bar["x"] + 20 + 5 * step, bar["y"] + 300)
    page.mouse.up()
    assert (spent() - before) / 40 < 0.025, "a quarter of 100 ms a movement, script alone"
    assert seen.complaints == []
