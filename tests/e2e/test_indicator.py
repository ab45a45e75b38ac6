"""The editor of indicators in a real browser: written, seen, shared by link, kept, saved and opened again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.e2e.conftest import Visit
from tests.e2e.test_accessibility import SERIES
from tests.e2e.test_viewer import FIELDS, NORTH_EAST, NORTH_WEST, PHONE, fragment

if TYPE_CHECKING:
    from playwright.sync_api import Route

Visits = Callable[..., Visit]
FORMULA = "(B08 - B04) / (B08 + B04)"


def write(seen: Visit, formula: str) -> None:
    """Open the editor and type a formula, over the northern half of the scene that the map shows."""
    seen.page.get_by_role("button", name="Indicator").click()
    seen.page.get_by_label("Formula").fill(formula)


def test_an_indicator_is_made_and_shared_in_four_clicks(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    with page.expect_response(lambda answer: "expression=" in answer.url and "/tiles/" in answer.url):
        write(seen, FORMULA)  # 1: the tool; 2: into the field
    assert page.locator(".indicator-histogram polygon").count() == 1
    assert "Bands read: 2. Operations a pixel: 3." in page.locator(".indicator").inner_text()
    page.get_by_label("Name").fill("Green things")  # 3
    page.get_by_label("Name").press("Enter")
    page.keyboard.press("Tab")
    assert seen.eventually(lambda: "Green+things" in fragment(page))
    assert page.locator("#legend, .legend-title").first.inner_text() != ""
    link = fragment(page)

    again = visit()  # 4 would be "Copy link"
    again.open(link)
    assert any("expression=" in url for url in again.tiles)
    assert again.page.get_by_text("Green things").first.is_visible()
    assert again.eventually(lambda: again.colour(*NORTH_WEST) != again.colour(*NORTH_EAST))
    assert seen.complaints == again.complaints == []


def test_words_are_completed_and_faults_told_at_their_place(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    write(seen, "(B08 - B4)")
    fault = page.locator("#indicator-fault")
    assert fault.locator("mark").inner_text() == "B4"
    assert "Did you mean B04?" in fault.inner_text()
    field = page.get_by_label("Formula")
    assert field.get_attribute("aria-invalid") == "true"
    field.fill("sq")
    page.get_by_role("button", name="sqrt").click()
    assert field.input_value() == "sqrt("
    field.press("End")
    page.keyboard.type("B0")
    page.get_by_role("button", name="B08 near infrared", exact=True).click()
    page.keyboard.type(")")
    assert field.input_value() == "sqrt(B08)"
    assert seen.eventually(lambda: "sqrt" in fragment(page))
    assert fault.inner_text() == ""
    field.fill("B08 * * B04")
    assert seen.eventually(lambda: fault.locator("mark").count() == 1), "what only the server knows"
    assert fault.locator("mark").inner_text() == "*"
    assert all("422" in line for line in seen.complaints)


def test_what_the_server_says_of_a_formula_stays_when_another_date_is_shown(visit: Visits) -> None:
    seen = visit()
    page = seen.open(SERIES)
    write(seen, "B08 - B04")
    page.get_by_label("Formula").fill("B08 * * B04")
    fault = page.locator("#indicator-fault")
    assert seen.eventually(lambda: fault.locator("mark").count() == 1)
    page.locator("[data-key='series/day-1']").click()
    page.get_by_role("heading", name="1 May 2020").wait_for()
    seen.settle()
    assert fault.locator("mark").inner_text() == "*"
    page.get_by_label("Formula").fill("B08 * B04")
    assert seen.eventually(lambda: fault.inner_text() == "")


def test_a_failure_is_no_longer_told_once_the_server_has_computed_the_formula(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.route("**/statistics?*", lambda route: route.fulfill(status=500, body=""), times=1)
    write(seen, FORMULA)
    fault = page.locator("#indicator-fault")
    assert seen.eventually(lambda: fault.inner_text() != "")
    page.get_by_role("button", name="Fit the range to this view").click()
    assert seen.eventually(lambda: fault.inner_text() == "")


def test_a_band_that_the_scene_lacks_is_no_slip_of_the_keys(visit: Visits) -> None:
    seen = visit()
    seen.open(FIELDS)
    write(seen, "B08 - B11")
    fault = seen.page.locator("#indicator-fault")
    assert fault.locator("mark").inner_text() == "B11"
    assert "This scene has no B11; it has B02, B03, B04 and B08." in fault.inner_text()
    assert "another collection" in fault.inner_text()
    assert "mean" not in fault.inner_text()


@pytest.mark.parametrize(
    ("language", "button", "title"),
    [
        ("en", "B08 near infrared", "near infrared, 0.833 µm"),
        ("fr", "B08 proche infrarouge", "proche infrarouge, 0,833 µm"),
        ("pt", "B04 vermelho", "vermelho, 0,665 µm"),
        ("es", "B04 rojo", "rojo, 0,665 µm"),
        ("ar", "B04 أحمر", "أحمر, "),
    ],
)
def test_bands_say_what_they_are_of(visit: Visits, language: str, button: str, title: str) -> None:
    seen = visit()

    def with_wavelengths(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        for band in told["bands"]:
            band["center_wavelength"] = {"B04": 0.665, "B08": 0.833}.get(band["name"])
        route.fulfill(response=answer, json=told)

    seen.page.route("**/items/colours/info*", with_wavelengths)
    page = seen.open(f"{FIELDS}&lang={language}")
    page.locator("#open-indicator").click()
    band = page.get_by_role("button", name=button, exact=True).first
    band.wait_for()
    assert title in (band.get_attribute("title") or "")
    band.click()
    assert page.locator("#indicator-formula").input_value() == button[:3]


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_boxes_have_labels_and_room(visit: Visits, device: dict[str, object]) -> None:
    seen = visit(**device)
    page = seen.open(FIELDS)
    page.locator("#open-indicator").click()
    page.get_by_label("Formula").fill(FORMULA)
    for label in ("Lowest colour at", "Highest colour at"):
        assert page.locator(".indicator-range label").get_by_text(label, exact=True).is_visible()
        box = page.get_by_label(label, exact=True)
        box.fill("-0.00001234")
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth && box.clientWidth > 100")
    # the focus ring is 3 px wide and lies 2 px off; what scrolls would cut it
    assert page.locator(".tool-body").evaluate(
        """body => {
            const field = document.getElementById('indicator-formula').getBoundingClientRect();
            const room = body.getBoundingClientRect();
            return field.left - room.left >= 5 && room.left + body.clientWidth - field.right >= 5;
        }"""
    )


def test_it_is_kept_saved_and_opened(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    write(seen, FORMULA)
    page.get_by_label("Name").fill("Mine")
    assert seen.eventually(lambda: "indicator=" in fragment(page))
    page.get_by_role("button", name="Keep in this browser").click()
    page.get_by_text("It is kept in this browser.").wait_for()
    page.get_by_text("Files, and other languages").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as file").click()
    assert download.value.suggested_filename == "mine.pof.json"
    content = Path(download.value.path()).read_bytes()
    document = json.loads(content)
    assert document["value"]["formula"] == FORMULA
    assert document["inputs"]["scene"]["bands"] == {"B08": "B08", "B04": "B04"}

    page.goto(f"{seen.address}/?again{FIELDS}")
    seen.settle()
    page.get_by_role("button", name="Indicator").click()
    page.locator(".indicator-kept").get_by_role("button", name="Mine", exact=True).click()
    assert page.get_by_label("Formula").input_value() == FORMULA
    page.get_by_role("button", name="Forget Mine").click()
    assert page.locator(".indicator-kept li").count() == 0
    page.get_by_label("Formula").fill("B02")
    page.locator(".indicator input[type=file]").set_input_files(
        {"name": "mine.pof.json", "mimeType": "application/json", "buffer": content}
    )
    assert seen.eventually(lambda: page.get_by_label("Formula").input_value() == FORMULA)
    page.locator(".indicator input[type=file]").set_input_files(
        {"name": "x.json", "mimeType": "application/json", "buffer": b"{}"}
    )
    page.get_by_text("This file is no indicator").wait_for()
    assert seen.complaints == []


def test_the_document_is_one_that_the_library_reads(visit: Visits) -> None:
    from comeo.indicators.document import read_document

    seen = visit()
    page = seen.open(FIELDS)
    write(seen, FORMULA)
    assert seen.eventually(lambda: "indicator=" in fragment(page))
    page.get_by_text("Files, and other languages").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as file").click()
    document = read_document(Path(download.value.path()).read_bytes(), "json")
    assert document.id == "indicator"


def test_pixels_and_curves_are_of_the_indicator_too(visit: Visits) -> None:
    seen = visit()
    indicator = json.dumps({"title": "Twice", "formula": "B08 * 2", "range": [0, 1], "colormap": "ylgn"})
    page = seen.open(f"#collection=series&item=day-11&style=own&indicator={quote(indicator)}")
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator("#pixel .headline").wait_for()
    headline = page.locator("#pixel .headline").inner_text()
    assert "Twice" in headline
    assert float(headline.split()[1]) == pytest.approx(0.8, abs=0.02)
    page.get_by_role("button", name="Close pixel values").click()
    page.get_by_role("button", name="Chart").click()
    page.get_by_role("button", name="Middle of the map").click()
    page.locator(".chart-plot canvas").wait_for()
    page.locator(".chart-table summary").click()
    values = [
        cell.split(" ± ")[0] for cell in page.locator(".chart-table td:nth-of-type(1)").all_inner_texts()
    ]
    assert [float(value) for value in values] == pytest.approx([0.1, 0.8, 0.04], abs=0.02)
    assert seen.complaints == []


def test_on_a_phone_in_arabic(visit: Visits) -> None:
    seen = visit(**PHONE, color_scheme="dark")
    page = seen.open(FIELDS + "&lang=ar")
    page.locator("#open-indicator").tap()
    page.locator("#indicator-formula").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator(".tool-body").evaluate("body => body.scrollWidth <= body.clientWidth")
    assert seen.complaints == []


def test_classes_and_a_condition_make_a_draft_which_the_link_brings_back(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    write(seen, FORMULA)
    assert seen.eventually(lambda: "indicator=" in fragment(page))
    page.get_by_text("Where it has a value").click()
    page.get_by_label("Valid where").fill("B08 > 0.04")
    page.get_by_text("Classes with names").click()
    page.get_by_role("button", name="Add a class").click()
    page.get_by_label("Name of class 4").fill("Greenest")
    page.get_by_label("Name of class 4").press("Tab")
    assert seen.eventually(lambda: "Greenest" in page.locator("#legend").inner_text())
    assert "style=draft-" in seen.tiles[-1]
    assert page.get_by_role("button", name="Publish").is_hidden(), "the operator has not allowed it"
    page.get_by_text("Files, and other languages").click()
    page.get_by_label("Save as").select_option("evalscript")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as file").click()
    assert b"//VERSION=3" in Path(download.value.path()).read_bytes()
    link = fragment(page)

    again = visit()
    other = again.open(link)
    assert "Greenest" in other.locator("#legend").inner_text()
    other.get_by_role("button", name="Indicator").click()
    assert other.get_by_label("Valid where").input_value() == "B08 > 0.04"
    other.get_by_text("Files, and other languages").click()
    other.get_by_label("Language of the file").select_option("snap")
    other.locator(".indicator input[type=file]").set_input_files(
        {"name": "mine.txt", "mimeType": "text/plain", "buffer": b"B3 - B4"}
    )
    assert again.eventually(lambda: other.get_by_label("Formula").input_value() == "B03 - B04")
    assert seen.complaints == again.complaints == []
