"""Taking files away in a browser: pictures that speak for themselves, GeoTIFF, KMZ, addresses that answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import rasterio
from PIL import Image

from tests.e2e.clicks import DRAWING, Clicks, violations
from tests.e2e.conftest import Visit, until
from tests.e2e.test_viewer import FIELDS, PHONE, fragment

Visits = Callable[..., Visit]
SIZE = "(document.querySelector('.download-tool .size')?.textContent ?? '')"


def test_a_picture_for_messages_in_two_clicks(visit: Visits, tmp_path: Path) -> None:
    seen = visit()
    page = seen.open(f"{FIELDS}&style=ndvi")
    clicks = Clicks()
    clicks.click(page.get_by_role("button", name="Download"))
    until(page, f"{SIZE}.includes('PNG of')")
    before = len(seen.tiles)
    size_text = page.locator(".size").inner_text()
    with page.expect_download() as download:
        clicks.click(page.locator(".download-tool").get_by_role("button", name="Download", exact=True))
    assert clicks.count == 2
    assert len(seen.tiles) == before, "what is on the screen costs nothing"
    assert re.fullmatch(r"47\.\d\dN_8\.\d\dE_2020-05-01_ndvi\.png", download.value.suggested_filename)
    path = tmp_path / "picture.png"
    download.value.save_as(path)
    with Image.open(path) as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    told = re.search(r"([\d,]+) × ([\d,]+) pixels, PNG of ([\d.]+) ([kM])B", size_text)
    assert told is not None
    assert picture.shape[:2] == (int(told[2].replace(",", "")), int(told[1].replace(",", "")))
    size = float(told[3]) * {"k": 1e3, "M": 1e6}[told[4]]
    assert path.stat().st_size == pytest.approx(size, rel=0.01)
    shown = picture.shape[0] - round(picture.shape[1] * 4.6 / 48)
    middle = picture[: shown // 2, picture.shape[1] // 2 + 60 : picture.shape[1] // 2 + 120].reshape(-1, 3)
    assert (middle[:, 1] > middle[:, 0]).mean() > 0.5, "the green quarter"
    strip = picture[shown + 4 :]
    assert (strip.min(axis=-1) > 250).mean() > 0.6, "paper"
    assert (strip.max(axis=-1) < 90).sum() > 300, "ink"
    saturation = strip.max(axis=-1) - strip.min(axis=-1)
    assert (saturation > 60).sum() > 500, "a legend of colours"
    assert violations(seen) == []
    assert seen.complaints == []


def test_a_picture_of_an_area_tells_its_price_first(visit: Visits, tmp_path: Path) -> None:
    seen = visit()
    page = seen.open(f"{FIELDS}&area=8.64,47.44,8.66,47.45")
    until(page, f"{SIZE}.includes('fetched when you download it: about')")
    assert "area=8.64,47.44,8.66,47.45" in fragment(page)
    with (
        page.expect_response(lambda answer: "/bbox/8.64" in answer.url) as fetched,
        page.expect_download() as got,
    ):
        page.locator(".download-tool").get_by_role("button", name="Download", exact=True).click()
    assert fetched.value.ok
    path = tmp_path / "area.png"
    got.value.save_as(path)
    with Image.open(path) as image:
        width, height = image.size
    assert width == 1600
    assert height < width
    page.keyboard.press("Escape")
    assert "area=" not in fragment(page)
    assert seen.complaints == []


def test_every_address_answers(visit: Visits, server: str) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.get_by_role("button", name="Download").click()
    page.get_by_text("Links for a GIS").click()
    rows = page.locator(".download-tool .link-row")
    assert rows.count() == 6
    for index in range(6):
        address = rows.nth(index).locator("input").input_value()
        assert address.startswith(server)
        with urlopen(address.replace("{z}/{x}/{y}", "0/0/0")) as answer:
            assert answer.status == 200
    assert "style=true-color" in page.get_by_label("XYZ tiles", exact=True).input_value()
    page.get_by_text("False colour").click()
    until(page, "document.querySelector('#link-xyz').value.includes('style=false-color')")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the address for WMTS").click()
    page.locator(".link-row button", has_text="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{server}/wmts?service=WMTS&request=GetCapabilities&version=1.0.0"
    assert violations(seen) == []
    assert seen.complaints == []
    assert seen.foreign == []


def test_an_area_drawn_on_the_map_becomes_a_geotiff(visit: Visits, tmp_path: Path) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.get_by_role("button", name="Download").click()
    page.get_by_text("Numbers (GeoTIFF)").click()
    page.get_by_role("button", name="Draw on the map").click()
    page.get_by_role("button", name="Drag a rectangle…").wait_for()
    until(page, DRAWING)
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    camera = page.evaluate("location.hash.split('&')[0]")
    page.mouse.move(x - 80, y - 60)
    page.mouse.down()
    page.mouse.move(x, y, steps=3)
    page.mouse.move(x + 80, y + 60, steps=3)
    page.mouse.up()
    until(page, "location.hash.includes('area=')")
    assert page.evaluate("location.hash.split('&')[0]") == camera, "the map stays where it is"
    until(page, f"{SIZE}.includes('4 bands')")
    page.get_by_text("By numbers").click()
    sides = [
        float(page.get_by_label(f"{side}, degrees").input_value())
        for side in ("West", "South", "East", "North")
    ]
    with page.expect_download() as download:
        page.locator(".download-tool").get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename == "colours_2020-05-01.tif"
    path = tmp_path / "area.tif"
    download.value.save_as(path)
    with rasterio.open(path) as dataset:
        assert f"{dataset.width:,} × {dataset.height:,} pixels" in page.locator(".size").inner_text()
        bounds = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        assert max(abs(mine - its) for mine, its in zip(sides, bounds, strict=True)) < 3e-4
    assert seen.complaints == []


def test_what_a_phone_shows_ends_at_the_sheet(visit: Visits) -> None:
    seen = visit(**PHONE)
    page = seen.open(FIELDS)
    page.get_by_role("button", name="Download").tap()
    page.get_by_text("Numbers (GeoTIFF)").tap()
    until(page, f"{SIZE}.includes('bands')")
    page.get_by_text("By numbers").tap()
    south, north = (float(page.get_by_label(f"{side}, degrees").input_value()) for side in ("South", "North"))
    _, lat, _ = (float(part) for part in fragment(page).split("map=")[1].split("&")[0].split("/"))
    assert abs((south + north) / 2 - lat) < 0.05 * (north - south), "the middle of what is shown"
    assert violations(seen) == []
    assert seen.complaints == []


def test_an_area_typed_with_the_keyboard_becomes_a_kmz(visit: Visits) -> None:
    seen = visit(color_scheme="dark")
    page = seen.open(FIELDS)
    page.locator("#map canvas").focus()
    page.keyboard.press("d")
    page.get_by_role("radio", name="Google Earth (KMZ)").press("Space")
    page.get_by_text("By numbers").press("Enter")
    page.get_by_role("button", name="All of it").press("Enter")
    page.get_by_label("West, degrees").fill("8.65")
    page.get_by_text("west of east, south of north").wait_for()
    download_button = page.locator(".download-tool").get_by_role("button", name="Download", exact=True)
    assert download_button.is_disabled()
    for side, value in (("South", "47.44"), ("East", "8.66"), ("North", "47.45")):
        page.get_by_label(f"{side}, degrees").fill(value)
    page.get_by_text("1 picture, about").wait_for()
    download_button.focus()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "colours_2020-05-01_true-color.kmz"
    page.get_by_role("button", name="Draw on the map").press("Enter")
    until(page, DRAWING)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Draw on the map").wait_for()
    assert violations(seen) == []
    assert seen.complaints == []


def test_long_work_shows_how_far_it_is_and_can_be_stopped(visit: Visits) -> None:
    seen = visit()
    page = seen.page

    def make_it_long(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        route.fulfill(response=answer, json={**answer.json(), "job": True})  # type: ignore[attr-defined]

    page.route("**/extracts/estimate", make_it_long)
    seen.open(FIELDS)
    page.get_by_role("button", name="Download").click()
    page.get_by_text("Numbers (GeoTIFF)").click()
    page.get_by_role("button", name="All of it").click()
    page.get_by_text("512 × 512 pixels").wait_for()
    button = page.locator(".download-tool").get_by_role("button", name="Download", exact=True)
    with page.expect_download(timeout=60_000) as download:
        button.click()
        page.get_by_label("Progress of the file").wait_for()
    assert download.value.suggested_filename == "colours_2020-05-01.tif"
    page.get_by_text("Done:").wait_for()
    button.click()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as stopped:
        page.get_by_role("button", name="Stop", exact=True).click()
    assert stopped.value.ok
    page.get_by_text("Stopped.").wait_for()
    assert button.is_enabled()
