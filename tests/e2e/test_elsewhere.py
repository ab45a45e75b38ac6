"""The viewer's panel "Use elsewhere" in a real browser: addresses that answer, areas that become files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import rasterio

from tests.e2e.conftest import Visit, until
from tests.e2e.test_viewer import PHONE

Visits = Callable[..., Visit]
FIELDS = "#collection=fields&item=colours"


def test_every_address_answers(visit: Visits, server: str) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.get_by_text("Use elsewhere").click()
    rows = page.locator("#elsewhere .link-row")
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
    page.get_by_role("button", name="Copy the address for WMTS").get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{server}/wmts?service=WMTS&request=GetCapabilities&version=1.0.0"
    assert seen.complaints == []
    assert seen.foreign == []


def test_an_area_drawn_on_the_map_becomes_a_geotiff(visit: Visits, tmp_path: Path) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.get_by_text("Use elsewhere").click()
    page.get_by_role("button", name="Draw on the map").click()
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    camera = page.evaluate("location.hash")
    page.mouse.move(x - 80, y - 60)
    page.mouse.down()
    page.mouse.move(x, y, steps=3)
    page.mouse.move(x + 80, y + 60, steps=3)
    page.mouse.up()
    assert page.evaluate("location.hash") == camera, "the map stays where it is"
    size = page.locator("#elsewhere .size")
    until(page, "document.querySelector('#elsewhere .size').textContent.includes('4 bands')")
    sides = [
        float(page.get_by_label(f"{side}, degrees").input_value())
        for side in ("West", "South", "East", "North")
    ]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    path = tmp_path / "area.tif"
    download.value.save_as(path)
    with rasterio.open(path) as dataset:
        assert f"{dataset.width:,} × {dataset.height:,} pixels" in size.inner_text()
        bounds = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        assert max(abs(mine - its) for mine, its in zip(sides, bounds, strict=True)) < 3e-4
    assert seen.complaints == []


def test_what_a_phone_shows_ends_at_the_sheet(visit: Visits) -> None:
    seen = visit(**PHONE)
    page = seen.open(FIELDS)
    page.get_by_text("Use elsewhere").tap()
    page.get_by_role("button", name="What the map shows").tap()
    until(page, "document.querySelector('#elsewhere .size').textContent.includes('bands')")
    south, north = (float(page.get_by_label(f"{side}, degrees").input_value()) for side in ("South", "North"))
    _, lat, _ = (
        float(part) for part in page.evaluate("location.hash").split("map=")[1].split("&")[0].split("/")
    )
    assert abs((south + north) / 2 - lat) < 0.05 * (north - south), "the middle of what is shown"
    assert seen.complaints == []


def test_an_area_typed_with_the_keyboard_becomes_a_kmz(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.locator("#elsewhere summary").focus()
    page.keyboard.press("Enter")
    page.get_by_label("File", exact=True).select_option("kmz")
    page.get_by_label("West, degrees").fill("8.65")
    page.get_by_text("west of east, south of north").wait_for()
    assert page.get_by_role("button", name="Download", exact=True).is_disabled()
    for side, value in (("South", "47.44"), ("East", "8.66"), ("North", "47.45")):
        page.get_by_label(f"{side}, degrees").fill(value)
    page.get_by_text("1 picture, about").wait_for()
    button = page.get_by_role("button", name="Download", exact=True)
    button.focus()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "colours.kmz"
    page.get_by_role("button", name="Draw on the map").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Drag a rectangle…").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Draw on the map").wait_for()
    assert seen.complaints == []


def test_long_work_shows_how_far_it_is_and_can_be_stopped(visit: Visits) -> None:
    seen = visit()
    page = seen.page

    def make_it_long(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        route.fulfill(response=answer, json={**answer.json(), "job": True})  # type: ignore[attr-defined]

    page.route("**/extracts/estimate", make_it_long)
    seen.open(FIELDS)
    page.get_by_text("Use elsewhere").click()
    page.get_by_text("512 × 512 pixels").wait_for()
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Download", exact=True).click()
        page.get_by_label("Progress of the file").wait_for()
    assert download.value.suggested_filename == "colours.tif"
    page.get_by_text("Done:").wait_for()
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as stopped:
        page.get_by_role("button", name="Stop", exact=True).click()
    assert stopped.value.ok
    page.get_by_text("Stopped.").wait_for()
    assert page.get_by_role("button", name="Download", exact=True).is_enabled()
