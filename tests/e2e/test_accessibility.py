"""WCAG 2.2 AA by axe-core in every state of the page: each tool open, a phone's sheet, dark, Arabic."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import STATIC, Followed, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visits = Callable[..., Visit]

AXE = STATIC / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SERIES = "#collection=series&item=day-11"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 640}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
LOOKS: dict[str, tuple[dict[str, Any], str]] = {
    "desktop": (DESKTOP, ""),
    "desktop, dark, Arabic": ({**DESKTOP, "color_scheme": "dark"}, "&lang=ar"),
    "phone": (PHONE, ""),
    "phone, dark, Arabic": ({**PHONE, "color_scheme": "dark"}, "&lang=ar"),
}


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong: rule, impact, and the elements."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", RULES
    )
    return [
        f"{rule['id']} ({rule['impact']}): {[node['html'][:160] for node in rule['nodes'][:3]]}"
        for rule in found["violations"]
    ]


def tools(page: Page) -> list[str]:
    """Names of the buttons of the toolbar, as they are read out."""
    buttons = page.locator("#toolbar button[aria-controls=tool]")
    return [
        buttons.nth(i).get_attribute("aria-label") or buttons.nth(i).inner_text()
        for i in range(buttons.count())
    ]


@pytest.mark.parametrize("look", LOOKS)
def test_no_violations_in_any_state(visit: Visits, look: str) -> None:
    options, language = LOOKS[look]
    seen = visit(**options)
    page = seen.open(f"{SERIES}{language}")
    wrong = {"at first": violations(page)}
    names = tools(page)
    assert names, "the toolbar has tools"
    for name in names:
        button = page.locator("#toolbar").get_by_role("button", name=name, exact=True)
        button.click()
        page.locator("#tool").wait_for(state="visible")
        page.wait_for_load_state("networkidle")
        wrong[name] = violations(page)
        page.keyboard.press("Escape")
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.4)
    page.locator("#pixel").wait_for(state="visible")
    wrong["pixel"] = violations(page)
    assert {state: each for state, each in wrong.items() if each} == {}
    assert seen.complaints == []


def test_axe_sees_what_is_wrong(visit: Visits) -> None:
    page = visit().open(SERIES)
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button>')")
    assert any(each.startswith("button-name") for each in violations(page))


@pytest.mark.parametrize("look", LOOKS)
def test_no_violations_on_the_page_of_geoservices(visit: Visits, followed: Followed, look: str) -> None:
    options, language = LOOKS[look]
    seen = visit(followed.address, **options)
    page = seen.page
    wrong = {}
    for name, fragment in {
        "list": "#", "dashboard": "#geoservice=many", "one site": "#geoservice=one&period=all",
        "learning": "#geoservice=learning", "nothing": "#geoservice=many&period=2010-01-01/2010-12-31",
        "not there": "#geoservice=nowhere",
    }.items():  # fmt: skip
        page.goto("about:blank")
        page.goto(f"{followed.address}/follow{fragment}{language}")
        page.locator("#content h1").wait_for()
        page.wait_for_load_state("networkidle")
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        wrong[name] = violations(page)
    page.goto(f"{followed.address}/follow#geoservice=many{language}")
    carpet = page.locator(".carpet canvas")
    carpet.focus()
    page.keyboard.press("ArrowLeft")
    wrong["carpet"] = violations(page)
    page.locator(".map-sites g").first.focus()
    wrong["map"] = violations(page)
    assert {state: each for state, each in wrong.items() if each} == {}
