"""The search in a real browser: places, positions, and scenes by their cloud over the view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from comeo.compression import compress
from tests.e2e.conftest import BANDS, Server, Visit, numbers
from tests.e2e.test_viewer import PHONE, fragment
from tests.scenes import array_classes, array_group, array_scene

Visits = Callable[..., Visit]
SIDE = 128
# Share of each scene, from the north, that lies under cloud; None: its archive does not tell
DAYS = {"2020-05-01": 0.0, "2020-05-11": 1.0, "2020-05-21": 0.25, "2020-06-10": None}
START = "#collection=weather&item=weather-2020-06-10"


@pytest.fixture(scope="module")
def weather(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of four dates of one place, in different weather."""
    folder = tmp_path_factory.mktemp("weather")
    for day, clouded in DAYS.items():
        values = np.broadcast_to(numbers(0.04, 0.08, 0.05, 0.3), (4, SIDE, SIDE)).copy()
        classes = None
        if clouded is not None:
            layer = np.ones((SIDE // 2, SIDE // 2), np.uint8)
            layer[: round(clouded * SIDE // 2)] = 6
            classes = array_classes(layer)
        scene = array_scene(
            array_group(values, names=BANDS), scene_id=f"weather-{day}", collection="weather", classes=classes
        )
        object.__setattr__(scene, "datetime", datetime.fromisoformat(f"{day}T10:00:00").replace(tzinfo=UTC))
        compress(scene, folder / f"{day}.zarr.zip", codec="dct", step=20.0)
    with Server(folder, folder / "server.log") as running:
        yield running.address


def test_a_clear_scene_of_the_view_takes_three_clicks(visit: Visits, weather: str) -> None:
    seen = visit(weather)
    page = seen.open(START)
    page.get_by_role("button", name="Search").click()  # 1
    rows = page.locator(".search-scenes button")
    page.get_by_text("4 scenes.").wait_for()
    assert rows.count() == 4
    assert "cloud here unknown" in rows.first.inner_text()
    page.get_by_label("Cloud over this view").fill("10")  # 2: a click on the slider
    page.get_by_text("1 scene. 1 more does not tell its clouds.").wait_for()
    assert "0 % cloud here" in rows.first.inner_text()
    with page.expect_response(lambda answer: "items/weather-2020-05-01/tiles/" in answer.url):
        rows.first.click()  # 3
    assert seen.eventually(lambda: "item=weather-2020-05-01" in fragment(page))
    page.get_by_label("Cloud over this view").fill("100")
    page.get_by_label("Order").select_option("cloud")
    told = [row.split("\n")[1] for row in rows.all_inner_texts()]
    shares = [int(line.split(" ")[0]) for line in told[:-1]]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 100
    assert told[-1] == "cloud here unknown"
    assert seen.complaints == []


def test_the_list_has_pictures_and_follows_the_map(visit: Visits, weather: str) -> None:
    seen = visit(weather)
    page = seen.open(START)
    page.get_by_role("button", name="Search").click()
    page.get_by_text("4 scenes.").wait_for()
    loaded = "[...document.querySelectorAll('.search-scenes img')].some(image => image.naturalWidth > 0)"
    assert seen.eventually(lambda: bool(page.evaluate(loaded)))
    page.get_by_label("Place or coordinates").fill("-1.29, 36.82")
    page.keyboard.press("Enter")
    page.get_by_text("0 scenes.").wait_for()
    assert seen.complaints == []


def test_the_calendar_marks_days_by_their_cloud(visit: Visits, weather: str) -> None:
    seen = visit(weather)
    page = seen.open(START)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("heading", name="June 2020").wait_for()
    page.get_by_role("button", name="Earlier month with scenes").click()
    page.get_by_role("heading", name="May 2020").wait_for()
    marks = {
        day.inner_text(): day.get_attribute("data-mark") for day in page.locator(".search-days button").all()
    }
    assert marks == {"1": "clear", "11": "cloudy", "21": "partly"}
    with page.expect_response(lambda answer: "items/weather-2020-05-21/tiles/" in answer.url):
        page.get_by_role("button", name="21 May 2020").first.click()
    assert seen.eventually(lambda: "item=weather-2020-05-21" in fragment(page))
    assert seen.complaints == []


def test_places_are_found_by_name_and_by_position_and_what_is_none_is_told(
    visit: Visits, weather: str
) -> None:
    """Every kind of position is read in `static/test/search.test.ts`."""
    seen = visit(weather)
    page = seen.open(START)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("s")
    text = page.locator("#search-text")
    text.wait_for()

    def shows(lat: float, lon: float) -> bool:
        _, shown_lat, shown_lon = fragment(page).removeprefix("#map=").split("&")[0].split("/")
        return abs(float(shown_lat) - lat) < 0.15 and abs(float(shown_lon) - lon) < 0.15

    page.keyboard.type("nairo")
    page.keyboard.press("Enter")
    assert seen.eventually(lambda: shows(-1.28, 36.81))
    for written, lat, lon in (("32T 465343 5247130", 47.377, 8.541), ("-33.9, 18.4", -33.9, 18.4)):
        text.fill(written)
        page.keyboard.press("Enter")
        assert seen.eventually(lambda lat=lat, lon=lon: shows(lat, lon))  # type: ignore[misc]
    text.fill("qqqqq")
    page.get_by_text("Nothing of that name").wait_for()
    text.fill("EATHER-2020-05-2")
    named = page.locator("#search-places button", has_text="weather-2020-05-21")
    with page.expect_response(lambda answer: "items/weather-2020-05-21/tiles/" in answer.url):
        named.click()
    text.fill("100%_'")
    page.get_by_text("Nothing of that name").wait_for()
    assert seen.complaints == []


def test_on_a_phone_in_arabic(visit: Visits, weather: str) -> None:
    seen = visit(weather, **PHONE, color_scheme="dark")
    page = seen.open(START + "&lang=ar")
    page.locator("#open-search").tap()
    page.locator(".search-scenes button").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator(".tool-body").evaluate("body => body.scrollWidth <= body.clientWidth")
    assert seen.complaints == []


def test_means_of_different_ground_are_not_compared(visit: Visits, weather: str) -> None:
    seen = visit(weather)
    page = seen.open(
        "#collection=weather&item=weather-2020-05-01&compare=swipe/0.50//weather/weather-2020-05-21"
    )
    page.locator(".compare-sentence", has_text="The means are of different ground:").wait_for()
    told = page.locator(".compare-sentence").inner_text()
    assert "100 % on 1 May 2020" in told
    assert "higher" not in told
    assert "±" not in told
    assert seen.complaints == []
