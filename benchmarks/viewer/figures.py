"""The figures of the viewer, each taken from one visit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from benchmarks.viewer.link import Received, now, received, visit, wait_alive

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PHONE_CPU: Final = 4
"""How many times slower than this machine a phone's processor is taken to be."""
SWIPES: Final = 4
SERIES: Final = "collection=romania-forest&item=S2_romania_2019-07-01"
_WATCH_TASKS: Final = """() => {
    window.longTasks = [];
    const take = (list) => window.longTasks.push(...list.getEntries().map(({duration}) => duration));
    new PerformanceObserver(take).observe({type: 'longtask'});
}"""

Figures = dict[str, float | None]


def size(answers: list[Received], *parts: str) -> int:
    """Bytes of some parts, of all where none is named."""
    return sum(each.size for each in answers if not parts or each.part in parts)


def first_visit(browser: Browser, address: str, viewport: str) -> Figures:
    """A cold start: when the first picture and the map are there, and what came until then."""
    with visit(browser, viewport) as (page, _):
        page.goto(address, wait_until="commit")
        alive = wait_alive(page)
        page.wait_for_timeout(1500)
        answers = received(page)
        picture = next(each for each in answers if each.part == "imagery")
        before = [each for each in answers if each.at <= picture.at]
        return {
            "first picture, s": picture.at / 1000,
            "map alive, s": alive / 1000,
            "bytes before the first picture, page": size(before, "page"),
            "bytes before the first picture, all": size(before),
            "bytes of the page": size(answers, "page"),
            "bytes of the reference map": size(answers, "reference"),
            "bytes about scenes": size(answers, "data"),
            "bytes of imagery": size(answers, "imagery"),
            "requests": len(answers),
        }


def change_of_style(browser: Browser, address: str, style: str) -> Figures:
    """What it costs to see another style of a view that has been seen, on the slow link."""
    with visit(browser, "desktop") as (page, _):
        page.goto(address, wait_until="commit")
        wait_alive(page)
        page.wait_for_timeout(1500)
        before, start = len(received(page)), now(page)
        page.get_by_text(f"({style})").first.click()
        _settle(page, f"style={style.lower()}")
        fresh = received(page)[before:]
        return {
            f"bytes of a change to {style}": size(fresh),
            f"imagery of a change to {style}": size(fresh, "imagery"),
            f"a change to {style}, s": (max(each.at for each in fresh) - start) / 1000,
        }


def _settle(page: Page, wanted: str, seconds: float = 60.0) -> None:
    """Wait until tiles of a style have come and nothing more does.

    Raises:
        TimeoutError: If no tile comes.
    """
    come = f"e.name.includes('/tiles/') && e.name.includes('{wanted}') && e.responseEnd > 0"
    asked = f"performance.getEntriesByType('resource').some((e) => {come})"
    start = now(page)
    while not page.evaluate(asked):
        if now(page) - start > seconds * 1000:
            raise TimeoutError(f"no tile with {wanted} within {seconds:g} s")
        page.wait_for_timeout(100)
    page.wait_for_load_state("networkidle")
    page.wait_for_selector("#stage[aria-busy=false]")
    page.wait_for_timeout(500)


def swiping(browser: Browser, address: str) -> Figures:
    """The longest tasks while a comparison is swiped, on a processor slowed down to a phone's."""
    with visit(browser, "phone", slow=False) as (page, session):
        page.goto(f"{address}#{SERIES}")
        wait_alive(page)
        page.locator("#open-compare").click()
        handle = page.locator(".compare-bar")
        handle.wait_for(state="visible")
        page.locator("#compare-map[aria-busy=false]").wait_for()
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(3000)  # the second map compiles its shaders when it first draws
        session.send("Emulation.setCPUThrottlingRate", {"rate": PHONE_CPU})
        page.evaluate(_WATCH_TASKS)
        _swipe(page, handle.bounding_box())
        tasks: list[float] = page.evaluate("window.longTasks")
        return {
            "longest task while swiping, ms": max(tasks, default=0.0),
            "tasks over 100 ms": sum(t > 100 for t in tasks),
        }


def _swipe(page: Page, box: Any) -> None:
    """Drag a handle to and fro across the screen."""
    width, y = page.evaluate("innerWidth"), box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    for turn in range(SWIPES):
        page.mouse.move(width * (0.85 if turn % 2 else 0.15), y, steps=30)
    page.mouse.up()
    page.wait_for_timeout(500)
