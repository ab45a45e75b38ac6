"""All dates of a place as a film: played on the map, saved in three formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.clicks import Clicks, violations
from tests.e2e.conftest import Visit, until
from tests.e2e.test_viewer import PHONE, is_blue, is_green, is_red

Visits = Callable[..., Visit]
LAST = "#collection=series&item=day-21"
DAYS = {"1 May 2020": is_red, "11 May 2020": is_green, "21 May 2020": is_blue}


def test_dates_play_in_place_in_two_clicks(visit: Visits) -> None:
    seen = visit()
    page = seen.open(LAST)
    clicks = Clicks()
    clicks.click(page.get_by_role("button", name="Timelapse"))
    page.get_by_text("3 dates, about").wait_for()
    clicks.click(page.locator(".timelapse-main"))
    assert clicks.count == 2
    for day in (*DAYS, *DAYS):  # a picture of the screen may take longer than a date is shown
        until(page, f"document.querySelector('.timelapse-day').textContent === '{day}'", seconds=60)
    page.locator(".timelapse-main", has_text="Pause").click()
    for index, (day, is_colour) in enumerate(DAYS.items()):
        page.locator(".timelapse input[type=range]").fill(str(index))
        assert seen.eventually(lambda: is_colour(seen.colour(0.5, 0.5))), day  # noqa: B023
        assert page.locator(".timelapse-day").inner_text() == day
    assert violations(seen) == []
    page.locator("#map canvas").press("+")
    page.get_by_text("The map has moved").wait_for()
    page.keyboard.press("Escape")
    assert seen.eventually(lambda: is_blue(seen.colour(0.5, 0.5)))
    assert seen.complaints == []


@pytest.mark.parametrize("form", ["gif", "webp", "video"])
def test_a_film_is_saved_with_date_scale_and_credit(visit: Visits, tmp_path: Path, form: str) -> None:
    seen = visit()
    page = seen.open(LAST)
    page.get_by_role("button", name="Timelapse").click()
    page.get_by_text("3 dates, about").wait_for()
    page.locator(".timelapse-main").click()
    page.locator(".timelapse-main", has_text="Pause").click()
    page.get_by_label("Save as").select_option(form)
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Save", exact=True).click()
    name = download.value.suggested_filename
    assert name.startswith("47.")
    assert "2020-05-01_true-color" in name
    path = tmp_path / name
    download.value.save_as(path)
    assert path.stat().st_size < 8e6
    if form == "video":
        assert path.read_bytes()[4:8] == b"ftyp"
        return
    with Image.open(path) as film:
        assert film.n_frames == 3  # type: ignore[attr-defined]
        for index, is_colour in enumerate((is_red, is_green, is_blue)):
            film.seek(index)
            picture = np.asarray(film.convert("RGB")).astype(int)
            side = picture.shape[1]
            middle = picture[round(0.4 * picture.shape[0]), side // 2]
            assert is_colour((int(middle[0]), int(middle[1]), int(middle[2]))), index
            strip = picture[-round(side / 12) :]
            assert (strip.max(axis=-1) < 90).sum() > 100, "ink of date, scale and credit"
        assert film.info.get("duration") == pytest.approx(500, abs=10)
    assert seen.complaints == []


def test_on_a_phone_from_right_to_left(visit: Visits) -> None:
    seen = visit(**PHONE, color_scheme="dark")
    page = seen.open(f"{LAST}&lang=ar")
    page.locator("#open-timelapse").tap()
    page.locator(".timelapse-main").tap()
    until(page, "document.querySelector('.timelapse-viewer').hidden === false", seconds=60)
    page.locator(".timelapse-main").tap()
    page.locator(".timelapse input[type=range]").fill("1")
    assert seen.eventually(lambda: is_green(seen.colour(0.5, 0.2)))
    assert violations(seen) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert seen.complaints == []


def test_one_date_is_not_a_film(visit: Visits) -> None:
    seen = visit()
    page = seen.open("#collection=fields&item=colours")
    page.get_by_role("button", name="Timelapse").click()
    page.get_by_text("needs two dates").wait_for()
    assert page.locator(".timelapse-main").is_disabled()
