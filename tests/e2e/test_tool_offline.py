"""The page without a link, areas that are kept on the device, and the data saver."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.request import urlopen

from tests.e2e.clicks import Clicks, violations
from tests.e2e.conftest import Visit, until
from tests.e2e.test_viewer import FIELDS, is_green, is_red

Visits = Callable[..., Visit]
READY = "document.documentElement.dataset.offline === 'ready'"
LAST = "#collection=series&item=day-21"


def test_the_page_can_be_installed(server: str, built: None) -> None:
    with urlopen(f"{server}/sw.js") as answer:
        assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]  # else it can fetch nothing
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "javascript" in answer.headers["Content-Type"]
    with urlopen(f"{server}/manifest.webmanifest") as answer:
        assert answer.headers["Content-Type"].startswith("application/manifest+json")
        manifest = json.load(answer)
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        with urlopen(f"{server}/{icon['src']}") as answer:
            assert answer.status == 200


def test_after_the_first_visit_it_opens_without_a_link(visit: Visits) -> None:
    seen = visit(service_workers="allow")
    page = seen.open(FIELDS)
    until(page, READY, 60)
    page.context.set_offline(True)
    page.reload()
    page.get_by_role("heading", name="1 May 2020").wait_for()
    assert seen.eventually(lambda: is_red(seen.colour(0.4, 0.3)))
    page.get_by_text("this is what was seen or kept before").wait_for()
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    assert page.locator("#offline-state").is_hidden()


def test_an_area_is_kept_seen_without_a_link_and_deleted(visit: Visits) -> None:
    seen = visit(service_workers="allow")
    page = seen.open(LAST)
    until(page, READY, 60)
    clicks = Clicks()
    clicks.click(page.get_by_role("button", name="Keep this area"))
    clicks.choose(page.get_by_label("Dates"), "all")
    page.get_by_text(" tiles, about ").wait_for()
    clicks.click(page.locator(".offline-main"))
    page.get_by_text("Kept: ").wait_for()
    assert clicks.count == 4
    assert page.locator(".offline-list li").count() == 1
    assert violations(seen) == []
    page.context.set_offline(True)
    page.goto(f"{seen.address}/?again#collection=series&item=day-11")
    page.get_by_role("heading", name="11 May 2020").wait_for()
    assert seen.eventually(lambda: is_green(seen.colour(0.5, 0.5)))
    page.locator("#open-offline").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("Nothing yet.").wait_for()
    names = page.evaluate("caches.keys()")
    assert not any(name.startswith("comeo-kept-") for name in names)


def test_too_large_an_area_is_refused_before_a_byte_is_fetched(visit: Visits) -> None:
    seen = visit()
    page = seen.open(f"#map=9.00/47.45000/8.65000&{FIELDS[1:]}")
    page.get_by_role("button", name="Keep this area").click()
    page.locator(".offline-styles input").first.wait_for()
    for box in page.locator(".offline-styles input").all():
        box.check()
    page.get_by_label("How much closer").select_option("4")
    page.get_by_text("are more than 4,000").wait_for()
    assert page.locator(".offline-main").is_disabled()


def test_the_data_saver_fetches_a_quarter_and_sharpens_on_demand(visit: Visits) -> None:
    full = visit()
    full.open(FIELDS)
    seen = visit()
    seen.page.add_init_script("localStorage.setItem('comeo-saver', 'on')")
    page = seen.open(FIELDS)
    assert len(set(seen.tiles)) <= len(set(full.tiles)) / 2
    coarse = len(set(seen.tiles))
    clicks = Clicks()
    clicks.click(page.get_by_role("button", name="Data saver"))
    page.get_by_text("Saving now").wait_for()
    assert page.get_by_text("A new date or style here costs about").is_visible()
    assert violations(seen) == []
    clicks.click(page.get_by_role("button", name="Sharpen this view once"))
    assert seen.eventually(lambda: len(set(seen.tiles)) >= coarse + len(set(full.tiles)) / 2)
    assert clicks.count == 2
    page.get_by_text("Full sharpness now").wait_for()
    page.get_by_text("Never").click()
    assert page.evaluate("localStorage.getItem('comeo-saver')") == "off"
    assert seen.complaints == []
