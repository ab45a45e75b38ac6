"""Contrast in a real browser: by the scene, by the view, by hand; kept in the link."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from comeo.compression import compress
from tests.e2e.conftest import BANDS, Server, Visit
from tests.e2e.test_viewer import PHONE, fragment
from tests.scenes import array_group, array_scene

Visits = Callable[..., Visit]
SIDE = 256
DESERT = "#collection=dunes&item=desert&style=true-color"
MIDDLE = (0.6, 0.5)


@pytest.fixture(scope="module")
def dunes(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of a bright scene: reflectance from 0.3 in the west to 0.6 in the east."""
    folder = tmp_path_factory.mktemp("dunes")
    rng = np.random.default_rng(1)
    ramp = np.linspace(0.3, 0.6, SIDE)[None, None] + rng.normal(0, 0.003, (4, SIDE, SIDE))
    values = np.round((ramp + 0.1) * 10_000).astype(np.uint16)
    scene = array_scene(array_group(values, names=BANDS), scene_id="desert", collection="dunes")
    compress(scene, folder / "desert.zarr.zip", codec="dct", step=20.0)
    with Server(folder, folder / "server.log") as running:
        yield running.address


def brightness(seen: Visit) -> float:
    return sum(seen.colour(*MIDDLE)) / 3


def test_a_scene_is_stretched_to_itself_unless_told_otherwise(visit: Visits, dunes: str) -> None:
    seen = visit(dunes)
    page = seen.open(DESERT)
    assert seen.eventually(lambda: 90 < brightness(seen) < 170)
    assert all("rescale=" in url for url in seen.tiles)
    page.get_by_role("button", name="Contrast").click()
    page.get_by_text("Histogram of this view, 1 May 2020").wait_for()
    assert page.get_by_role("button", name="This scene").get_attribute("aria-pressed") == "true"
    assert page.locator(".stretch-histogram polygon").count() == 3
    with page.expect_response(lambda answer: "/tiles/" in answer.url and "rescale" not in answer.url):
        page.get_by_role("button", name="Fixed").click()
    assert seen.eventually(lambda: brightness(seen) > 250), "blown out, as every scene in one range may be"
    assert "stretch=style" in fragment(page)
    with page.expect_response(lambda answer: "/tiles/" in answer.url and "rescale" in answer.url):
        page.get_by_role("button", name="This view").click()
    assert seen.eventually(lambda: 90 < brightness(seen) < 170)
    assert "stretch=true-color*" in fragment(page)
    assert seen.complaints == []


def test_handles_and_gamma_change_the_picture_and_the_link(visit: Visits, dunes: str) -> None:
    seen = visit(dunes)
    page = seen.open(DESERT)
    page.get_by_role("button", name="Contrast").click()
    page.get_by_text("Histogram of this view").wait_for()
    assert seen.eventually(lambda: brightness(seen) < 170)
    before = brightness(seen)
    white = page.get_by_label("Brightest value")
    assert page.locator(".stretch-handles .scale").inner_text().startswith("Darkest value")
    told = white.get_attribute("aria-valuetext")
    white.press("PageDown")
    assert white.get_attribute("aria-valuetext") != told
    assert seen.eventually(lambda: brightness(seen) > before + 8)
    page.get_by_text("Red", exact=True).click()
    page.get_by_label("Brightest value").press("Home")
    assert seen.eventually(lambda: seen.colour(*MIDDLE)[0] > seen.colour(*MIDDLE)[1] + 40)

    link = fragment(page)
    again = visit(dunes)
    again.open(link)
    assert again.eventually(lambda: again.colour(*MIDDLE) == pytest.approx(seen.colour(*MIDDLE), abs=3))
    page.get_by_label("Gamma").press("End")
    assert seen.eventually(lambda: fragment(page).endswith("*2.99"))
    with page.expect_response(lambda answer: "style=ndvi" in answer.url and "/tiles/" in answer.url):
        page.get_by_text("NDVI").first.click()
    assert "rescale" not in seen.tiles[-1]
    assert seen.eventually(lambda: page.get_by_label("Gamma").is_hidden()), "one value has its own colours"
    assert seen.complaints == []


def test_on_a_phone(visit: Visits, dunes: str) -> None:
    seen = visit(dunes, **PHONE, color_scheme="dark")
    page = seen.open(DESERT + "&lang=ar")
    page.locator("#open-stretch").tap()
    page.locator(".stretch-histogram polygon").first.wait_for(state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator(".tool-body").evaluate("body => body.scrollWidth <= body.clientWidth")
    assert seen.complaints == []
