"""The page of geoservices: list, dashboards, sign-in state, and how light it is."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Followed, Visit, until
from tests.e2e.following import NAMES, OWNER, sign_in_path
from tests.e2e.test_first_picture import DIST, needed, weight

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visits = Callable[..., Visit]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
NO_BULLETINS = "the server responded with a status of 404"


def open_page(seen: Visit, fragment: str) -> Page:
    """The page at a view, once it has said what it shows."""
    seen.page.goto(f"{seen.address}/follow{fragment}")
    seen.page.locator("#content h1").wait_for()
    return seen.page


def dashboard(seen: Visit, fragment: str) -> Page:
    """The page at a geoservice, once its chart is there."""
    page = open_page(seen, fragment)
    page.locator(".plot canvas").wait_for()
    page.wait_for_load_state("networkidle")
    return page


def complaints(seen: Visit) -> list[str]:
    """What went wrong; a server that keeps no bulletins says so."""
    return [each for each in seen.complaints if NO_BULLETINS not in each]


def answer(followed: Followed, path: str) -> Any:
    with urlopen(f"{followed.address}/{path}", timeout=30) as response:
        return json.load(response)


def rows_of(followed: Followed, slug: str, query: str = "") -> list[dict[str, Any]]:
    series: list[dict[str, Any]] = answer(followed, f"geoservices/{slug}/series?{query}")["series"]
    return series


def test_the_list_shows_what_is_public_and_leads_to_dashboards(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    page = open_page(seen, "")
    titles = page.locator(".service h3").all_inner_texts()
    assert sorted(titles) == ["Forest learning", "Forest many", "Forest one", "Northern wood"]
    (counted,) = (
        each["open_alerts"]
        for each in answer(followed, "geoservices")["geoservices"]
        if each["slug"] == "many"
    )
    assert counted > 0
    card = page.locator(".service", has_text="Forest many")
    assert card.locator("[data-kind=alert]").inner_text().startswith(str(counted))
    card.get_by_role("link", name="Forest many").click()
    page.get_by_role("heading", level=1, name="Forest many").wait_for()
    assert page.evaluate("location.hash") == "#geoservice=many"
    assert page.title() == "Forest many · COMEO"
    page.go_back()
    page.get_by_role("heading", level=1, name="Geoservices").wait_for()
    assert complaints(seen) == []
    assert seen.foreign == []


def test_what_one_may_not_see_is_not_there_until_one_signs_in(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    page = open_page(seen, "#geoservice=private")
    assert "not yours to see" in page.locator("#content").inner_text()
    page.goto(followed.address + sign_in_path(followed.database, OWNER))
    page.get_by_role("button").click()
    page.get_by_role("heading", level=1, name="Forest private").wait_for()  # back to where one was
    page = open_page(seen, "")
    assert page.locator("#account bdi").inner_text() == OWNER.partition("@")[0]
    own = page.locator(".services", has_text="Yours").locator(".service")
    assert own.count() == 4
    draft = own.filter(has_text="Forest private")
    assert "Draft" in draft.inner_text()
    draft.get_by_role("link").first.click()
    page.get_by_role("heading", level=1, name="Forest private").wait_for()
    assert "draft" in page.locator(".note").first.inner_text()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Not found").wait_for()
    assert answer(followed, "account") == {"account": None}


def test_a_chart_says_each_date_as_the_server_does(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    page = dashboard(seen, "#geoservice=one&period=all")
    (series,) = rows_of(followed, "one")
    counted = [row for row in series["observations"] if row["reason"] is None]
    outside = [row for row in counted if row["side"]]
    assert outside
    label = page.locator(".plot").get_attribute("aria-label")
    assert label is not None
    assert f"{len(counted)} clear dates, {len(outside)} outside" in label
    assert page.locator(".values tbody tr").count() == len(series["observations"])
    assert page.locator(".values tbody tr", has_text="below nominal").count() == len(outside)
    last = counted[-1]
    assert f"{last['value']:.3f} ± {2 * last['uncertainty']:.3f}" in page.locator(".readout").inner_text()
    page.get_by_role("button", name="Earlier date").click()
    valued = [row for row in series["observations"] if row["value"] is not None]
    before = valued[valued.index(last) - 1]
    assert f"{before['value']:.3f}" in page.locator(".readout").inner_text()
    link = page.get_by_role("link", name="Show on the map").get_attribute("href")
    assert link == f"./#collection=romania-forest&item={before['item']}"
    href = page.get_by_role("link", name="Download CSV").get_attribute("href")
    assert href is not None
    with urlopen(href, timeout=30) as response:
        lines = list(csv.DictReader(io.StringIO(response.read().decode())))
    assert [line["item"] for line in lines] == [row["item"] for row in series["observations"]]
    assert complaints(seen) == []


def test_a_chart_has_values_limits_and_dates_outside_in_it(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address, device_scale_factor=1)
    page = dashboard(seen, "#geoservice=one&period=all")
    shot = page.locator(".plot").screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), int)

    def share(*colour: int) -> float:
        return float((np.abs(pixels - np.array(colour)).max(-1) < 12).mean())

    assert share(11, 93, 76) > 0.001, "the curve"
    assert share(60, 120, 200) > 0.0005, "the limit"
    assert share(163, 71, 0) > 0.0002, "dates far below it"
    plain = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--low-3').trim()")
    assert plain == "#a34700"


def test_period_and_indicator_are_chosen_and_kept_in_the_link(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    page = dashboard(seen, "#geoservice=many")
    rows = page.locator(".values tbody tr")
    two_years = rows.count()
    page.get_by_text("All", exact=True).click()
    (first, *_) = rows_of(followed, "many", "site=1")
    until(page, f"document.querySelectorAll('.values tbody tr').length === {len(first['observations'])}")
    assert two_years < len(first["observations"])
    page.get_by_label("From date").fill("2019-06-01")
    until(page, "location.hash.includes('period=2019-06-01')")
    until(page, f"document.querySelectorAll('.values tbody tr').length < {two_years}")
    page.get_by_text("SAVI").first.click()
    page.get_by_role("heading", name=re.compile("SAVI")).wait_for()
    link = page.evaluate("location.hash")
    assert "indicator=savi" in link
    other = visit(followed.address)
    again = dashboard(other, link)
    assert again.locator(".values tbody tr").count() == rows.count()
    assert again.get_by_role("radio", name=re.compile("SAVI")).is_checked()


def test_a_carpet_is_read_by_keys_and_leads_to_the_chart(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    page = dashboard(seen, "#geoservice=many&period=all&site=1")
    carpet = page.get_by_role("application", name="Sites by date")
    carpet.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    told = page.locator(".carpet [aria-live]").inner_text()
    names = page.locator(".carpet-names li").all_inner_texts()
    assert sorted(names) == sorted(NAMES)
    assert told.startswith(names[1])
    assert page.locator(".tip").is_visible()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile(f"^{names[1]}")).wait_for()
    by_name = {each["name"]["en"]: each["site"] for each in rows_of(followed, "many")}
    until(page, f"location.hash.includes('site={by_name[names[1]]}')")
    assert page.locator(".multiples [aria-pressed=true]").get_attribute("data-site") == str(by_name[names[1]])
    box = carpet.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    until(page, f"document.querySelector('.tip').textContent.startsWith({json.dumps(names[0])})")


def test_the_map_shows_each_site_on_a_picture_and_chooses_it(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    page = dashboard(seen, "#geoservice=many")
    sites = page.locator(".map-sites [role=button]")
    assert sites.count() == len(NAMES)
    latest = answer(followed, "geoservices/many/sites.geojson")["features"]
    states = {str(each["id"]): each["properties"]["state"] for each in latest}
    assert {
        sites.nth(i).get_attribute("data-site"): sites.nth(i).get_attribute("data-state") for i in range(4)
    } == states
    until(page, "[...document.querySelectorAll('.map-pictures img')].some(each => each.naturalWidth > 0)")
    third = page.locator(".map-sites [data-site='3']")
    third.click()
    page.get_by_role("heading", name=re.compile("^Old clearing")).wait_for()
    assert third.get_attribute("aria-pressed") == "true"
    page.locator(".map-ways").get_by_text("Value").click()
    until(page, "document.querySelector('.map-sites g').style.getPropertyValue('--site').startsWith('rgb')")
    assert complaints(seen) == []


def test_alerts_are_told_in_sentences_and_lead_to_their_date(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address, locale="fr-FR")
    page = dashboard(seen, "#geoservice=many")
    told = answer(followed, "geoservices/many/alerts?lang=fr")["alerts"]
    assert told
    assert (
        f"{sum(each['closed'] is None for each in told)} en cours"
        in page.locator("#alerts-title").inner_text()
    )
    newest = max((each for each in told if each["closed"] is None), key=lambda each: each["last"]["datetime"])
    texts = page.locator(".alert").all_inner_texts()
    assert any(newest["sentences"][0] in " ".join(text.split()) for text in texts)
    page.locator(".alert button").first.click()
    until(page, f"location.hash.includes('day={newest['last']['datetime'][:10]}')")


def test_a_geoservice_that_still_learns_says_so(visit: Visits, followed: Followed) -> None:
    page = dashboard(visit(followed.address), "#geoservice=learning")
    assert "90 clear dates" in page.locator(".figure .note").inner_text()


def test_a_period_without_scenes_says_so(visit: Visits, followed: Followed) -> None:
    page = open_page(visit(followed.address), "#geoservice=many&period=2010-01-01/2010-12-31")
    until(page, "document.querySelector('.figure .note').textContent.includes('No scene shows this site')")
    until(page, "document.querySelector('.group').innerText.includes('No scene shows any site')")
    assert page.locator(".plot").is_hidden()


def test_more_dates_than_the_server_tells_at_once_come_in_parts(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    asked: list[str] = []

    def refuse(route: Any) -> None:
        asked.append(route.request.url)
        if "site=" not in route.request.url and len(asked) < 4:
            problem = {"detail": "there are too many observations", "bound": "max_observations"}
            route.fulfill(status=422, json=problem, content_type="application/problem+json")
        else:
            route.continue_()

    seen.page.route("**/series?*", refuse)
    page = dashboard(seen, "#geoservice=many&period=all")
    page.locator(".carpet canvas").wait_for()
    assert len([each for each in asked if "site=" not in each]) >= 4
    days = {row["datetime"][:10] for each in rows_of(followed, "many") for row in each["observations"]}
    width = page.evaluate("parseFloat(document.querySelector('.carpet canvas').style.width)")
    cell = page.evaluate("document.querySelector('.carpet-cells').clientWidth")
    assert width == pytest.approx(max(2 * len(days), min(28 * len(days), cell)), rel=0.05)


def test_bulletins_are_listed_where_the_server_keeps_them(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    file = {"locale": "fr", "kind": "pdf", "bytes": 81_000, "href": "/bulletins/7.pdf?locale=fr"}
    row = {
        "id": 7,
        "number": "many-2020-07-r1",
        "period": "2020-07",
        "state": "sent",
        "files": [file],
    }
    seen.page.route("**/geoservices/many/bulletins", lambda route: route.fulfill(json={"bulletins": [row]}))
    page = dashboard(seen, "#geoservice=many")
    told = page.locator(".bulletin").inner_text()
    assert "many-2020-07-r1" in told
    assert "July 2020" in told
    link = page.locator(".bulletin a")
    assert link.inner_text() == "PDF · Français · 81.0 kB"
    assert link.get_attribute("href") == f"{followed.address}/bulletins/7.pdf?locale=fr"


def test_a_server_that_does_not_answer_is_told_and_asked_again(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    seen.page.route("**/geoservices", lambda route: route.abort())
    page = open_page(seen, "")
    assert "does not answer" in page.locator("[role=alert]").first.inner_text()
    page.unroute("**/geoservices")
    page.get_by_role("button", name="Try again").click()
    page.locator(".service").first.wait_for()


def test_the_viewer_links_to_the_page_where_there_is_one(
    visit: Visits, followed: Followed, server: str
) -> None:
    page = visit(followed.address).open()
    link = page.locator("#language a")
    assert link.get_attribute("href") == "follow"
    link.click()
    page.get_by_role("heading", level=1, name="Geoservices").wait_for()
    assert visit(server).open().locator("#language a").count() == 0


def test_nothing_is_wider_than_a_phone(visit: Visits, followed: Followed) -> None:
    page = dashboard(visit(followed.address, **PHONE), "#geoservice=many&lang=ar")
    assert page.evaluate("document.documentElement.dir") == "rtl"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_page_and_its_dashboard_are_light(built: None, language: str) -> None:
    name = f"follow/index.{language}.html"
    text = (DIST / name).read_text(encoding="utf-8")
    first = set(re.findall(r'(?:href|src)="(assets/[^"]+)"', text))
    assert all((DIST / each).is_file() for each in first)
    assert weight(name) + sum(map(weight, first)) <= 25_000, "the list"
    views = {path.relative_to(DIST).as_posix() for path in DIST.glob("assets/geoservice-*.js")}
    plots = {path.relative_to(DIST).as_posix() for path in DIST.glob("assets/plot-*.js")}
    assert (len(views), len(plots)) == (1, 1)
    scripts = set[str]().union(*map(needed, views | plots))
    assert not any(
        "maplibre" in (DIST / each).read_text(encoding="utf-8")
        for each in scripts | first
        if each.endswith(".js")
    )
    assert weight(name) + sum(map(weight, first | scripts)) <= 60_000, "page and chart"


def test_a_dashboard_with_its_data_takes_few_bytes(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    page = dashboard(seen, "#geoservice=many")
    until(page, "[...document.querySelectorAll('.map-pictures img')].some(each => each.naturalWidth > 0)")
    sizes: list[int] = page.evaluate(
        "performance.getEntries().filter(e => 'transferSize' in e).map(e => e.transferSize)"
    )
    assert 30_000 < sum(sizes) <= 120_000, "what came from elsewhere or a cache would count as nothing"


def test_who_may_sign_in_elsewhere_finds_a_button_for_it(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    provider = {"name": "Ministry", "href": "https://maps.example.org/account/oidc/login"}
    seen.page.route("**/account", lambda route: route.fulfill(json={"account": None, "oidc": provider}))
    link = open_page(seen, "#sign-in").get_by_role("link", name="Continue with Ministry")
    assert link.get_attribute("href") == f"{followed.address}/account/oidc/login", "on the page's own server"


def test_what_a_relay_has_told_is_read_here(visit: Visits, followed: Followed) -> None:
    seen = visit(followed.address)
    page = open_page(seen, "")
    page.get_by_role("link", name="Northern wood").click()
    page.get_by_role("heading", level=1, name="Northern wood").wait_for()
    assert page.url.endswith("#relayed=wood&relay=north")
    row = page.locator(".values tbody tr")
    assert row.inner_text().split("\t") == ["Ridge", "Vegetation (NDVI)", "0.312 ± 0.020", "11 Oct 2026"]
    assert (
        "Vegetation (NDVI) of Ridge is below nominal since 6 Oct 2026" in page.locator(".alert").inner_text()
    )
    page.get_by_role("link", name="2026-09-r1/en").click()
    page.get_by_role("heading", name="Of a relay").wait_for()
    assert page.title() == "", "no script of a relay runs here"
    assert [each for each in complaints(seen) if "sandboxed" not in each] == []
