"""From a drawn site to mail about an alert, all in the browser; and what of it goes wrong on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.clicks import DRAWING
from tests.e2e.conftest import Visit, until
from tests.e2e.mailed import COLLECTION, ME, Following, Visits, dates, enter, enter_by_mail, following
from tests.e2e.pdf_text import text_of
from tests.e2e.test_accessibility import DESKTOP, PHONE, violations

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

JULY = "my-forest-2020-07-r1"
CHIEF = "chief@example.org"
SINCE = "2019-06"  # scenes before it are left out: they would only take time
ARRIVING = ("2020-07-05", "2020-08-04", "2020-09-13", "2020-10-03")
SITES = {"North slope": (22.1505, 45.2035), "South slope": (22.1535, 45.2015), "Ridge": (22.1465, 45.2045)}


@pytest.fixture
def followed(built: None, tmp_path: Path) -> Iterator[Following]:
    """Nothing is followed yet, and some scenes are still to come."""
    days = [each for each in dates() if SINCE <= each < ARRIVING[0]]
    with following(tmp_path / "archives", tmp_path / "server.log", *days) as running:
        yield running


@pytest.fixture(scope="module")
def waiting(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Following]:
    """Alerts of three sites wait for a decision."""
    folder = tmp_path_factory.mktemp("waiting")
    with following(
        folder / "archives", folder / "server.log", *(each for each in dates() if each >= SINCE)
    ) as running:
        yield running


def send(page: Page, method: str, path: str, body: object = None) -> Any:
    """A write by the page's own session."""
    script = """async ([method, path, body]) => {
        const token = (await fetch('account')).headers.get('X-CSRF-Token');
        const headers = {'Content-Type': 'application/json', 'X-CSRF-Token': token};
        const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body)});
        return [answer.status, await answer.text()];
    }"""
    status, text = page.evaluate(script, [method, path, body])
    assert status < 300, text
    return json.loads(text or "null")


def open_view(page: Page, server: Following, fragment: str) -> None:
    page.goto(f"{server.address}/follow#{fragment}")
    page.reload()


def draw_rectangle(page: Page) -> None:
    """Two clicks around the middle of the map: some hectares of forest."""
    page.locator(".site-map canvas").wait_for()
    page.get_by_role("button", name="Draw a rectangle").click()
    box = page.locator(".site-map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    until(page, DRAWING)
    page.mouse.move(x - 15, y - 15)
    page.mouse.click(x - 15, y - 15)
    page.mouse.move(x, y)
    page.mouse.move(x + 15, y + 15)
    page.mouse.click(x + 15, y + 15)
    page.locator(".sites li").wait_for()


def test_from_a_drawn_site_to_mail_about_an_alert(followed: Following, visit: Visits) -> None:
    seen, page = enter_by_mail(followed, visit)
    page.get_by_role("link", name="New", exact=True).click()
    page.locator(".indicator-row").wait_for()
    draw_rectangle(page)
    page.get_by_label("Name of the site").fill("Slope")
    page.get_by_label("Title").fill("My forest")
    page.get_by_label("Between limits that you give").check()
    page.get_by_label("Not below").fill("0.99")  # which no wood reaches
    page.get_by_label("From day").fill("2020-07-01")
    page.get_by_role("button", name="Add a recipient").click()
    page.get_by_label("E-mail").nth(1).fill(CHIEF)
    page.get_by_role("button", name="Preview").click()
    page.locator(".previewed svg").wait_for()
    told = page.locator(".previewed").inner_text()
    assert "Slope" in told
    assert "Smallest change that is seen" in told
    assert "Alert of severity 3" in told
    assert seen.complaints == []
    page.get_by_role("button", name="Save and activate").click()
    page.wait_for_url("**#geoservice=my-forest*")
    followed.work()
    assert followed.links(ME, "/m/") == [], "nothing has happened since it began"
    (invited,) = followed.links(CHIEF, "/r/")

    chief = visit(followed.address, **PHONE).page
    chief.goto(invited)
    chief.get_by_role("button").click()
    followed.give(*ARRIVING)
    followed.work()
    followed.work()
    (link,) = followed.links(ME, "/m/")
    assert followed.links(CHIEF, "/u/") == [], "nobody has decided yet"
    phone = visit(followed.address, **PHONE, java_script_enabled=False).page
    phone.goto(link)
    assert "Slope" in phone.locator("h1").inner_text()
    phone.get_by_role("button", name="Confirm the alert").click()
    phone.get_by_text("This alert is confirmed").wait_for()
    followed.work()
    to_chief = [mail for to, mail in followed.inbox.taken if CHIEF in to]
    assert to_chief[-1]["Subject"] == "Alert: Vegetation (NDVI) of Slope (My forest)"
    send_the_bulletin_of_july(followed, visit)


def send_the_bulletin_of_july(followed: Following, visit: Visits) -> None:
    """From a draft, and the mail about it, to a PDF on the reader's disk."""
    followed.comeo("bulletin", "compose", "my-forest", "2020-07", str(followed.folder))
    followed.work()
    (link,) = followed.links(ME, "/follow")
    seen = visit(followed.address)
    page = seen.page
    page.goto(link)
    page.locator("#content").get_by_role("link", name="Sign in").click()
    page.wait_for_url("**#sign-in")
    page.goto(followed.ask_link(ME))
    page.get_by_role("button").click()
    row = page.locator(".bulletin[aria-current]")
    row.get_by_text(JULY).wait_for()
    assert page.url.endswith("/follow#geoservice=my-forest&bulletin=1"), "one comes back to what was mailed"
    with page.expect_popup() as opened:
        row.get_by_role("link").click()
    assert "Draft: not approved" in opened.value.locator("body").inner_text()
    assert buttons(row) == ["Submit", "Compose anew"]
    decide(row, "Submit", "Submit it")
    page.get_by_text(f"{JULY} is submitted and awaits its visa.").wait_for()
    assert buttons(row) == ["Approve", "Reject"]
    row.get_by_role("button", name="Approve").click()
    row.get_by_label("Note").fill("Seen on the ground")
    row.get_by_role("button", name="Approve and send").click()
    page.get_by_text(f"{JULY} is approved.").wait_for()
    assert buttons(row) == []
    followed.work()
    page.reload()
    files = {kind: taken(page, row.get_by_role("link", name=kind)) for kind in ("HTML", "PDF")}
    printed = files["HTML"].read_text(encoding="utf-8")
    assert JULY in printed
    assert "Seen on the ground" in printed
    assert files["PDF"].read_bytes().startswith(b"%PDF")
    assert JULY in text_of(files["PDF"])
    assert [each for each in seen.complaints if "status of 404" not in each] == []


def buttons(row: Locator) -> list[str]:
    return row.get_by_role("button").all_inner_texts()


def decide(row: Locator, step: str, surely: str) -> None:
    """A step, once it has said what it will do."""
    row.get_by_role("button", name=step).first.click()
    row.get_by_role("button", name=surely, exact=True).click()


def taken(page: Page, link: Locator) -> Path:
    """What a link leads to, as the browser saves it."""
    link.evaluate("each => each.setAttribute('download', '')")
    with page.expect_download() as saved:
        link.click()
    return Path(saved.value.path())


def test_what_is_refused_of_a_bulletin_is_said_in_its_place(waiting: Following, visit: Visits) -> None:
    author = "author@example.org"
    seen, page = enter(waiting, visit, author)
    send(page, "POST", "geoservices", {**DOCUMENT, "slug": "refused", "sites": collection()})
    send(page, "POST", "geoservices/refused/activate")
    waiting.comeo("bulletin", "compose", "refused", "2020-07", str(waiting.folder), "--as", author)
    open_view(page, waiting, "geoservice=refused")
    row = page.locator(".bulletin")
    decide(row, "Compose anew", "Compose it")
    row.get_by_text("there is nothing new").wait_for()
    page.keyboard.press("Escape")
    assert row.get_by_role("button", name="Compose anew").evaluate("each => each === document.activeElement")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_text("stays as it is now").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("awaits its visa.").wait_for()
    decide(row, "Approve", "Approve and send")
    row.get_by_text("ask another moderator").wait_for()
    row.get_by_role("button", name="Back").click()
    decide(row, "Reject", "Reject it")
    row.get_by_text("nothing is rejected without a note").wait_for()
    row.get_by_label("What is to change").fill("The sites are swapped")
    row.get_by_role("button", name="Reject it").click()
    page.get_by_text("refused-2020-07-r1 is rejected.").wait_for()
    decide(row, "Compose anew", "Compose it")
    page.get_by_text("refused-2020-07-r2 is composed").wait_for()
    assert [buttons(each) for each in row.all()] == [["Submit", "Compose anew"], []]
    told = page.evaluate("fetch('bulletins/1.json').then(each => each.json())")
    assert told["events"][-1]["note"] == "The sites are swapped"
    assert [each for each in seen.complaints if "status of 409" not in each] == []


def test_what_somebody_else_did_to_a_bulletin_is_told_before_deciding(
    waiting: Following, visit: Visits
) -> None:
    seen, page = enter(waiting, visit, "slow@example.org")
    send(page, "POST", "geoservices", {**DOCUMENT, "slug": "slow", "sites": collection()})
    send(page, "POST", "geoservices/slow/activate")
    waiting.comeo("bulletin", "compose", "slow", "2020-07", str(waiting.folder))
    open_view(page, waiting, "geoservice=slow")
    row = page.locator(".bulletin")
    row.get_by_role("button", name="Submit").click()
    row.get_by_role("button", name="Submit it").wait_for()
    waiting.comeo("bulletin", "submit", "slow-2020-07-r1", "--as", "slow@example.org")
    row.get_by_role("button", name="Submit it").click()
    page.get_by_text("Somebody has changed it meanwhile").wait_for()
    assert buttons(row) == ["Approve", "Reject"]
    waiting.comeo("bulletin", "reject", "slow-2020-07-r1", "--as", "slow@example.org", "--note", "No")
    row.get_by_role("button", name="Approve").click()
    page.get_by_text("slow-2020-07-r1 has changed since it was listed.").wait_for()
    assert buttons(row) == ["Compose anew"]
    assert [each for each in seen.complaints if "status of 412" not in each] == []


def test_what_the_server_refuses_is_said_at_its_field_and_what_was_typed_stays(
    waiting: Following, visit: Visits
) -> None:
    seen, page = enter(waiting, visit, "careful@example.org")
    open_view(page, waiting, "new")
    page.locator(".indicator-row").wait_for()
    page.get_by_role("button", name="Save as a draft").click()
    assert page.locator(".field-fault").all_inner_texts() == [
        "Draw a site first, bring a file, or choose one that you have.", "Give it a title.",
    ]  # fmt: skip
    page.get_by_text("Paste GeoJSON").click()
    page.get_by_label("GeoJSON in degrees").fill("no")
    page.get_by_role("button", name="Use it").click()
    page.get_by_text("The file cannot be read").wait_for()
    page.get_by_label("GeoJSON in degrees").fill(json.dumps(square("North slope")))
    page.get_by_role("button", name="Use it").click()
    page.locator(".sites li").wait_for()
    page.get_by_label("Title").fill("Careful")
    page.get_by_label("Between limits that you give").check()
    page.get_by_label("E-mail").fill("nonsense")
    page.get_by_role("button", name="Save as a draft").click()
    page.locator(".field-fault").nth(1).wait_for()
    email = page.get_by_label("E-mail")
    assert email.get_attribute("aria-invalid") == "true"
    assert page.locator("fieldset.nominal").get_attribute("aria-invalid") == "true"
    assert "give low, high or both" in page.locator(".field-fault").first.inner_text().lower()
    page.reload()
    page.locator(".indicator-row").wait_for()
    assert page.get_by_label("Title").input_value() == "Careful"
    assert page.get_by_label("E-mail").input_value() == "nonsense"
    assert page.locator(".sites li").count() == 1
    assert page.get_by_label("Between limits that you give").is_checked()
    page.get_by_label("Not below").fill("0.2")
    page.get_by_label("E-mail").fill("careful@example.org")
    page.get_by_role("button", name="Save as a draft").click()
    page.wait_for_url("**#edit=careful*")
    page.get_by_text("Nothing is observed or told until you activate it.").wait_for()
    open_view(page, waiting, "new")
    page.locator(".indicator-row").wait_for()
    assert page.get_by_label("Title").input_value() == "", "a draft that is saved is no longer kept here"
    assert [each for each in seen.complaints if "status of 422" not in each] == []


def test_one_that_is_there_is_changed_paused_and_archived(waiting: Following, visit: Visits) -> None:
    seen, page = enter(waiting, visit, "keeper@example.org")
    send(page, "POST", "geoservices", {**DOCUMENT, "slug": "kept", "sites": collection()})
    open_view(page, waiting, "edit=kept")
    page.get_by_label("Title").fill("Kept well")
    page.get_by_label("Who decides on alerts").select_option("none")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Kept well").wait_for()
    page.get_by_role("button", name="Activate").click()
    page.get_by_text("It is active.").wait_for()
    page.locator(".person-row").get_by_label("E-mail").fill(CHIEF)
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".people li").filter(has_text=CHIEF).get_by_text("not confirmed yet").wait_for()
    page.locator(".people li").filter(has_text=CHIEF).get_by_role("button").click()
    page.locator(".people li").filter(has_text=CHIEF).get_by_text("has left").wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("It is paused.").wait_for()
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("button", name="Archive for good").click()
    page.get_by_text("It is archived.").wait_for()
    assert page.get_by_label("Title").count() == 0, "it changes no more"
    kept = page.evaluate("fetch('geoservices/kept').then(each => each.json())")
    assert (kept["title"]["en"], kept["alerts"]["moderation"], kept["state"]) == (
        "Kept well",
        "none",
        "archived",
    )
    assert seen.complaints == []


def square(name: str) -> dict[str, Any]:
    west, south = SITES[name]
    east, north = west + 0.0012, south + 0.0012
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def collection() -> dict[str, Any]:
    features = [{"type": "Feature", "properties": {"name": each}, "geometry": square(each)} for each in SITES]
    return {"type": "FeatureCollection", "features": features}


DOCUMENT: dict[str, Any] = {
    "slug": "forest", "title": {"en": "Forest", "ar": "غابة"}, "collections": [COLLECTION],
    "indicators": [{"indicator": "ndvi", "nominal": {"kind": "fixed", "low": 0.99}}], "start": "2018-01-01",
}  # fmt: skip


def three_wait(server: Following, visit: Visits, email: str, slug: str) -> tuple[Visit, Page]:
    seen, page = enter(server, visit, email)
    send(page, "POST", "geoservices", {**DOCUMENT, "slug": slug, "sites": collection()})
    send(page, "POST", f"geoservices/{slug}/activate")
    server.work()
    server.work()
    return seen, page


def test_alerts_are_decided_by_keys_one_after_the_other(waiting: Following, visit: Visits) -> None:
    seen, page = three_wait(waiting, visit, "keys@example.org", "keys")
    open_view(page, waiting, "queue")
    heading = page.locator("#alert-heading")
    page.get_by_text("3 alerts wait").wait_for()
    heading.get_by_text("North slope").wait_for()
    assert page.locator(".evidence-pictures img").count() >= 2
    loaded = "[...document.querySelectorAll('.evidence-pictures img')].every(each => each.naturalWidth > 0)"
    assert seen.eventually(lambda: bool(page.evaluate(loaded)))
    fetched = "performance.getEntriesByType('resource').filter(e => e.name.includes('/bbox/')).length"
    # those of the next one, too
    until(page, f"{fetched} >= {2 * page.locator('.evidence-pictures img').count()}")
    page.keyboard.press("j")
    heading.get_by_text("South slope").wait_for()
    page.keyboard.press("k")
    heading.get_by_text("North slope").wait_for()
    page.keyboard.press("d")
    page.get_by_role("button", name="Dismiss", exact=True).click()
    page.get_by_text("Choose a reason first.").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.keyboard.press("3")
    page.get_by_label("Comment (may stay empty)").fill("cut in June: c and j are no keys here")
    page.get_by_role("button", name="Dismiss", exact=True).click()
    page.get_by_text("Dismissed as “Harvest”: Vegetation (NDVI) of North slope.").wait_for()
    page.get_by_text("2 alerts wait").wait_for()
    for left in ("1 alert waits", "Nothing waits"):
        page.wait_for_selector(".decision")
        page.keyboard.press("c")
        page.get_by_text("All who are to know get a message at once.").wait_for()
        page.keyboard.press("Enter")
        page.get_by_text("Those who are to know will be told.").wait_for()
        page.get_by_text(left).wait_for()
    told = page.evaluate("fetch('geoservices/keys/alerts').then(each => each.json())")["alerts"]
    assert sorted((each["decision"], each["comment"]) for each in told) == [
        ("confirm", ""), ("confirm", ""), ("harvest", "cut in June: c and j are no keys here"),
    ]  # fmt: skip
    assert seen.complaints == []


def test_a_decision_that_somebody_else_has_made_is_told(waiting: Following, visit: Visits) -> None:
    seen, page = three_wait(waiting, visit, "late@example.org", "late")
    open_view(page, waiting, "queue=late")
    page.locator("#alert-heading").get_by_text("North slope").wait_for()
    first = page.evaluate("fetch('alerts').then(each => each.json())")["alerts"][0]["id"]
    send(page, "POST", f"alerts/{first}/decision", {"decision": "confirm"})
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    page.locator("#notice").wait_for()
    page.get_by_text("2 alerts wait").wait_for()
    page.locator("#alert-heading").get_by_text("South slope").wait_for()
    told = page.evaluate("fetch('geoservices/late/alerts').then(each => each.json())")["alerts"]
    assert sorted(each["decision"] or "" for each in told) == ["", "", "confirm"], "the others stay"
    assert len(seen.complaints) == 1, "the answer of 409 alone"


LOOKS: dict[str, tuple[dict[str, Any], str]] = {
    "desktop": (DESKTOP, ""),
    "phone, dark, Arabic": ({**PHONE, "color_scheme": "dark"}, "&lang=ar"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_no_violations(waiting: Following, visit: Visits, look: str) -> None:
    options, language = LOOKS[look]
    email = f"{len(look)}@example.org"
    _, owner = three_wait(waiting, visit, email, f"axe-{len(look)}")
    owner.close()
    waiting.comeo("bulletin", "compose", f"axe-{len(look)}", "2020-07", str(waiting.folder))
    seen, page = enter(waiting, visit, email, **options)
    wrong = {}
    states = {
        f"queue{language}": "#alert-heading", f"new{language}": ".indicator-row",
        f"edit=axe-{len(look)}{language}": ".card", f"sign-in{language}": ".narrow",
        f"geoservice=axe-{len(look)}{language}": ".bulletin",
    }  # fmt: skip
    for fragment, there in states.items():
        open_view(page, waiting, fragment)
        page.locator(there).first.wait_for()
        page.wait_for_load_state("networkidle")
        wrong[fragment] = violations(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{fragment} is wider than the screen"
        if fragment.startswith("queue"):
            page.keyboard.press("d")
            wrong[f"{fragment}, dismiss"] = violations(page)
        if fragment.startswith("geoservice"):
            page.locator("[data-step=submit]").click()
            page.locator(".visa form").wait_for()
            wrong[f"{fragment}, submit"] = violations(page)
            page.locator(".visa [type=submit]").click()
            page.locator("[data-step=reject]").click()
            page.locator(".visa [type=submit]").click()
            page.locator(".visa [aria-invalid=true]").wait_for()
            wrong[f"{fragment}, reject"] = violations(page)
    assert {state: each for state, each in wrong.items() if each} == {}
    assert seen.complaints == []
