"""A product of one's own becomes an archive, on the page: sent over a line that is cut, followed, seen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Server, Visit
from tests.e2e.mailed import ME, Visits, session_of
from tests.e2e.test_accessibility import violations
from tests.tileserver.ingest.products import write_product
from tileserver.store.database import Database
from tileserver.store.migrate import upgrade

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

NAME = "S2A_32TMT_20200501_0_L2A"


@pytest.fixture(scope="module")
def house(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that compresses what people send."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "archives").mkdir()
    upgrade(Database(str(folder / "comeo.sqlite")))
    environment = {
        **os.environ, "COMEO_THREADS": "4", "COMEO_DATABASE": str(folder / "comeo.sqlite"),
        "COMEO_COMPRESSIONS": "1", "COMEO_SCAN_SECONDS": "0", "COMEO_MAX_PRODUCT_BYTES": "10000000",
    }  # fmt: skip
    with Server(folder / "archives", folder / "server.log", environment=environment) as running:
        yield running


def enter(house: Server, visit: Visits, fragment: str) -> tuple[Visit, Page]:
    """The page, of somebody who is signed in."""
    cookie = session_of(house.environment["COMEO_DATABASE"], ME)
    seen = visit(house.address)
    seen.page.context.add_cookies([{"name": "comeo", "value": cookie, "url": house.address}])
    seen.page.goto(f"{house.address}/follow{fragment}")
    seen.page.locator("#content h1").wait_for()
    return seen, seen.page


def test_a_product_becomes_an_archive(house: Server, visit: Visits, tmp_path: Path) -> None:
    seen, page = enter(house, visit, "#")
    page.get_by_role("link", name="Compressions").click()
    page.get_by_role("heading", name="Compress a product").wait_for()
    fetched = "performance.getEntriesByType('resource').filter(each => /upload-/.test(each.name)).length"
    assert page.evaluate(fetched) == 0, "what sends comes when something is sent"
    assert violations(page) == []
    button = page.get_by_role("button", name="Compress")
    button.click()
    page.get_by_text("Choose a file.").wait_for()
    page.locator("[data-field=upload]").set_input_files(write_product(tmp_path / f"{NAME}.tif", side=192))
    page.locator("[data-field='quality.ratio']").select_option("10")
    page.locator("[data-field='quality.collection']").fill("mine")
    cut: list[str] = []

    def once(route: Route) -> None:
        if route.request.method == "PATCH" and not cut:
            cut.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    page.route("**/compressions/uploads/*", once)
    button.click()
    page.get_by_role("link", name="See it on the map").wait_for(timeout=120_000)
    assert cut, "the line was cut, and it went on"
    one = page.locator("li[data-job]")
    assert "Done" in one.inner_text()
    assert f"{NAME}.tif" in one.inner_text()
    assert violations(page) == []
    with page.expect_download() as saved:
        one.get_by_role("link", name="Archive").click()
    assert Path(saved.value.path()).read_bytes().startswith(b"PK")
    address = one.get_by_role("link", name="Certificate").get_attribute("href")
    assert page.request.get(f"{house.address}/{str(address).removeprefix(house.address)}").ok
    one.get_by_role("link", name="See it on the map").click()
    seen.settle()
    assert page.locator("#view h2").first.inner_text()
    assert [each for each in seen.complaints if "ERR_FAILED" not in each] == []
    assert seen.foreign == []


def test_what_the_server_refuses_stands_under_its_field(house: Server, visit: Visits) -> None:
    _, page = enter(house, visit, "#compressions")
    page.get_by_label("A STAC Item").check()
    page.get_by_label("Address of the Item").fill("https://elsewhere.invalid/item.json")
    page.get_by_role("button", name="Compress").click()
    page.get_by_text("is no source that the operator allows").wait_for()
    assert page.locator("li[data-job]").count() <= 1


def test_it_says_that_it_is_off(visit: Visits, house: Server) -> None:
    seen, page = enter(house, visit, "#")
    page.route("**/account", lambda route: route.fulfill(
        json={"account": {"id": 1, "email": "me@example.org", "name": "", "locale": "en"}}
    ))  # fmt: skip
    page.goto("about:blank")
    page.goto(f"{house.address}/follow#compressions")
    page.get_by_text("Compressions are switched off on this server").wait_for()
    assert page.get_by_role("link", name="Compressions").count() == 0
    assert seen.complaints == []
