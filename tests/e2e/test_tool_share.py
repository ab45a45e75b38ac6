"""Sharing a view in a browser: link, QR code, short link, phones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.e2e.clicks import Clicks, violations
from tests.e2e.conftest import Visit, until
from tests.e2e.test_viewer import FIELDS, PHONE

if TYPE_CHECKING:
    from playwright.sync_api import Route

Visits = Callable[..., Visit]


def test_a_link_is_copied_in_two_clicks_and_brings_back_the_view(visit: Visits) -> None:
    seen = visit()
    page = seen.open(f"{FIELDS}&style=ndvi")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    clicks = Clicks()
    clicks.click(page.get_by_role("button", name="Share"))
    clicks.click(page.get_by_role("button", name="Copy", exact=True))
    page.get_by_text("Copied").wait_for()
    assert clicks.count == 2
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.evaluate("location.href")
    assert "style=ndvi" in link
    assert page.get_by_role("img", name="QR code of this link").is_visible()
    before = page.locator(".share-qr path").nth(1).get_attribute("d")
    page.get_by_role("button", name="Zoom in").click()
    until(page, "document.querySelector('#share-link').value === location.href")
    until(page, f"document.querySelectorAll('.share-qr path')[1].getAttribute('d') !== {json.dumps(before)}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the QR code").click()
    assert download.value.suggested_filename == "comeo-link.svg"
    assert violations(seen) == []
    other = visit()
    other.page.goto(link)
    other.settle()
    until(other.page, "location.hash.includes('style=ndvi')")
    assert seen.complaints == []


def test_a_link_brings_back_the_pixel_that_was_read(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"])
    page.locator("#pixel").wait_for()
    until(page, "location.hash.includes('pixel=')")
    link = page.evaluate("location.href")
    other = visit()
    other.page.goto(link)
    other.page.locator("#pixel").wait_for()
    assert "pixel=" in other.page.evaluate("location.hash")
    page.keyboard.press("Escape")
    until(page, "!location.hash.includes('pixel=')")
    assert seen.complaints == []


def test_a_short_link_where_the_server_keeps_them(visit: Visits) -> None:
    seen = visit()
    page = seen.open(FIELDS)
    asked: list[dict[str, str]] = []

    def keep(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or "{}"))
        route.fulfill(status=201, json={"id": "abcd2345"})

    page.route("**/h", keep)
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Make it short").click()
    until(page, "document.querySelector('#share-link').value.endsWith('/h/abcd2345')")
    assert "collection=fields" in asked[0]["state"]
    assert asked[0]["title"].startswith("COMEO · colours")
    page.route("**/h", lambda route: route.fulfill(status=404, json={"title": "Not Found", "status": 404}))
    page.get_by_role("button", name="Make it short").click()
    page.get_by_text("keeps no short links").wait_for()


def test_on_a_phone_the_system_sends_it(visit: Visits) -> None:
    seen = visit(**PHONE)
    seen.page.add_init_script("navigator.share = async (data) => { window.shared = data; }")
    page = seen.open(FIELDS)
    page.get_by_role("button", name="Share").tap()
    page.get_by_role("button", name="Send…").tap()
    until(page, "window.shared?.url === location.href")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert violations(seen) == []
