"""The page's frame in a real browser: panel, styles, legend, meter, and the strip of dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Visit, until
from tests.e2e.test_viewer import FIELDS, PHONE, is_blue

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Visits = Callable[..., Visit]
DAY_21 = "#collection=series&item=day-21"
LOW = {"viewport": {"width": 1280, "height": 640}}


def box_of(element: Locator) -> dict[str, float]:
    """Where an element lies."""
    found = element.bounding_box()
    assert found is not None
    return {"x": found["x"], "y": found["y"], "width": found["width"], "height": found["height"]}


def thumbnails(page: Page) -> list[str]:
    """Addresses of the styles' pictures that have been drawn."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.style-grid img')].filter(i => i.naturalWidth > 0).map(i => i.src)"
    )
    return found


def test_the_panel_folds_away_and_the_map_takes_its_place(visit: Visits) -> None:
    seen = visit(**LOW)
    page = seen.open(FIELDS)
    assert page.evaluate("document.documentElement.scrollHeight") == 640
    page.get_by_role("button", name="Fold the panel away").click()
    assert box_of(page.locator("#map"))["width"] == 1280
    assert page.locator("#panel").is_hidden()
    fold = page.get_by_role("button", name="Show the panel")
    assert fold.get_attribute("aria-expanded") == "false"
    fold.click()
    assert page.locator("#panel").is_visible()
    page.locator("#panel-body").evaluate("body => body.scrollTo(0, body.scrollHeight)")
    assert page.get_by_label("Language").is_visible()
    assert seen.complaints == []


def test_styles_are_pictures_of_the_view(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    count = page.locator(".style-grid img").count()
    assert 1 < count <= 6
    assert seen.eventually(lambda: len(thumbnails(page)) == count)
    before = thumbnails(page)
    assert all("/items/colours/bbox/" in address and "style=" in address for address in before)
    page.get_by_role("button", name="Zoom in").click()
    assert seen.eventually(lambda: len(thumbnails(page)) == count and not set(before) & set(thumbnails(page)))
    assert seen.complaints == []


def test_the_legend_is_on_the_map_where_there_are_values(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    legend = page.get_by_role("group", name="Legend")
    assert legend.is_hidden()
    page.get_by_text("Vegetation (NDVI)").first.click()
    legend.wait_for()
    assert legend.inner_text().split() == ["Vegetation", "(NDVI)", "-0.2", "0.35", "0.9"]
    page.get_by_text("True colour").first.click()
    legend.wait_for(state="hidden")


def test_the_meter_opens_and_tells_imagery_from_the_page(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    meter = page.locator("#meter")
    assert page.get_by_text("Imagery received").is_hidden()
    meter.locator("summary").click()
    page.get_by_text("Imagery received").wait_for()
    labels = meter.locator("dt").all_inner_texts()
    assert labels == [
        "Original scene",
        "Its archive",
        "Imagery received",
        "Metadata",
        "Reference map",
        "This page",
    ]


def test_the_strip_plays_every_date_to_the_end(visit: Visits) -> None:
    seen = visit()
    page = seen.open(DAY_21)
    page.evaluate(
        """() => {
            window.said = [];
            const title = document.getElementById('view-title');
            new MutationObserver(() => window.said.push(title.textContent)).observe(title, {childList: true});
        }"""
    )
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    until(page, "window.said.at(-1) === '21 May 2020' && window.said.length >= 3")
    said = list(dict.fromkeys(page.evaluate("window.said")))
    assert [day for day in said if day != "21 May 2020"] == ["1 May 2020", "11 May 2020"]
    page.get_by_role("button", name="Play").wait_for()
    assert is_blue(seen.colour(0.5, 0.45))
    assert seen.complaints == []


def test_a_date_shows_its_picture_to_the_pointer(visit: Visits) -> None:
    seen = visit()
    page = seen.open(DAY_21)
    track = box_of(page.locator("#strip .track"))
    page.mouse.move(track["x"] + track["width"] / 2, track["y"] + track["height"] / 2)
    peek = page.locator("#strip .peek")
    peek.wait_for()
    assert "11 May 2020" in peek.inner_text()
    until(page, "document.querySelector('.peek img').naturalWidth > 0")
    page.mouse.move(600, 200)
    assert peek.is_hidden()


@pytest.mark.parametrize(("language", "key"), [("en", "ArrowLeft"), ("ar", "ArrowRight")])
def test_time_runs_as_the_writing_does(visit: Visits, language: str, key: str) -> None:
    seen = visit()
    page = seen.open(f"{DAY_21}&lang={language}")
    slider = page.locator("#strip input").first
    slider.press(key)
    until(page, "location.hash.includes('item=day-11')")
    thumb, strip = page.locator(".ticks i[data-day='2020-05-01']"), box_of(page.locator("#strip"))
    first_is_left = box_of(thumb)["x"] < strip["x"] + strip["width"] / 2
    assert first_is_left == (language == "en")


def test_on_a_phone_the_strip_and_the_language_are_in_the_sheet(visit: Visits) -> None:
    seen = visit(**PHONE)
    page = seen.open(DAY_21)
    assert page.locator("#panel #strip").is_visible()
    page.locator("#panel-body").evaluate("body => body.scrollTo(0, body.scrollHeight)")
    page.get_by_label("Language").select_option("fr")
    page.get_by_role("heading", name="Scènes").wait_for()
    assert page.evaluate("document.documentElement.lang") == "fr"
    page.reload()
    page.get_by_role("heading", name="Scènes").wait_for()
    assert seen.complaints == []
