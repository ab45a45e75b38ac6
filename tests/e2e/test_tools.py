"""The toolbar of the map, the card of a tool, and the languages of the page, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.conftest import Visit
from tests.e2e.test_viewer import FIELDS, PHONE, fragment

Visits = Callable[..., Visit]


def chunks(seen: Visit) -> list[str]:
    """Names of the script files that the page has fetched."""
    names = seen.page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    return [name for name in names if name.endswith(".js")]


def test_a_tool_is_loaded_when_it_is_opened_and_one_is_open_at_a_time(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    assert not any("layers-" in name for name in chunks(seen))
    button = page.get_by_role("button", name="Layers")
    button.click()
    page.get_by_label("Opacity").wait_for()
    assert any("layers-" in name for name in chunks(seen))
    assert button.get_attribute("aria-expanded") == "true"
    assert page.get_by_role("region", name="Layers").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#tool").is_hidden()
    assert page.evaluate("document.activeElement.id") == "open-layers"
    page.keyboard.press("l")
    page.get_by_label("Opacity").wait_for()
    page.get_by_role("button", name="Close").click()
    assert page.locator("#tool").is_hidden()
    assert seen.complaints == []


def test_a_tool_that_cannot_be_loaded_says_so_and_can_be_opened_again(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.route("**/assets/layers-*.js", lambda route: route.abort())
    page.get_by_role("button", name="Layers").click()
    page.get_by_text("The tool “Layers” could not be loaded.").wait_for()
    assert page.locator("#tool").is_hidden()
    page.unroute("**/assets/layers-*.js")
    page.get_by_role("button", name="Layers").click()
    page.get_by_label("Opacity").wait_for()


def test_a_page_that_the_server_has_renewed_says_to_load_it_anew(visit: Visits) -> None:
    """After an update the files that an open page would fetch later are gone."""
    seen = visit()
    page = seen.open(FIELDS)
    page.route("**/assets/layers-*.js", lambda route: route.fulfill(status=404))
    newer = '<!doctype html><script type="module" src="assets/main-NEWER123.js"></script>'
    page.route(page.url.partition("#")[0], lambda route: route.fulfill(body=newer, content_type="text/html"))
    page.get_by_role("button", name="Layers").click()
    page.get_by_text("load it anew (F5), then open “Layers”").wait_for()
    box, bar = page.locator("#notice").bounding_box(), page.locator("#toolbar").bounding_box()
    assert box is not None
    assert bar is not None
    assert box["y"] >= bar["y"] + bar["height"], "what is said covers the tools"


def test_letters_open_no_tool_while_somebody_writes(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    page.get_by_role("button", name="Dates", exact=True).click()
    page.get_by_label("From date").press("l")
    assert page.locator("#tool").is_hidden()


@pytest.mark.parametrize(
    ("locale", "link", "words", "direction"),
    [("fr-SN", "", "Couches", "ltr"), ("pt-MZ", "&lang=ar", "الطبقات", "rtl")],
)
def test_the_page_speaks_the_language_of_link_or_browser(
    visit: Visits, locale: str, link: str, words: str, direction: str
) -> None:
    seen = visit(locale=locale)
    page = seen.open(FIELDS + link)
    assert page.get_by_role("button", name=words).is_visible()
    assert page.evaluate("document.documentElement.dir") == direction
    assert page.evaluate("document.documentElement.lang") == ("ar" if link else locale[:2])
    assert ("lang=ar" in fragment(page)) == bool(link)
    assert seen.complaints == []


def test_on_a_phone_a_tool_is_a_sheet(visit: Visits) -> None:
    seen = visit(**PHONE)
    page = seen.open(FIELDS)
    page.get_by_role("button", name="Layers").tap()
    page.get_by_label("Opacity").wait_for()
    box = page.locator("#tool").bounding_box()
    assert box is not None
    assert (box["x"], box["width"], box["y"] + box["height"]) == (0, 390, 844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_every_tool_has_its_button_in_sight(visit: Visits) -> None:
    page = visit().open(FIELDS)
    buttons = page.locator("#toolbar button[aria-controls=tool]")
    for width in (390, 820, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 640})
        controls = page.locator("#controls").bounding_box()
        assert controls is not None
        assert buttons.count() > 1
        for box in (button.bounding_box() for button in buttons.all()):
            assert box is not None
            assert box["width"] >= 40
            assert box["x"] + box["width"] <= controls["x"], width
            assert box["y"] + box["height"] <= 160, width
