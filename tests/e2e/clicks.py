"""Jobs done with counted clicks, and what every state of the page has to hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.e2e.conftest import STATIC, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Locator


DRAWING = "document.querySelector('#map canvas').style.cursor === 'crosshair'"
"""That the map waits for a shape."""


@dataclass
class Clicks:
    """Clicks, taps and choices that a job takes.

    Attributes:
        count: So far.
        what: What each was on.
    """

    count: int = 0
    what: list[str] = field(default_factory=list)

    def click(self, target: Locator) -> None:
        """Click, and count it."""
        self._note(target)
        target.click()

    def choose(self, target: Locator, value: str) -> None:
        """Choose from a list: opening it and the choice are two clicks."""
        self._note(target)
        self._note(target)
        target.select_option(value)

    def _note(self, target: Locator) -> None:
        self.count += 1
        self.what.append(str(target))


def violations(seen: Visit) -> list[str]:
    """What axe-core finds on the page as it is: rule and element."""
    source = (STATIC / "node_modules" / "axe-core" / "axe.min.js").read_text()
    seen.page.evaluate(source)
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = seen.page.evaluate("runOnly => axe.run(document, {runOnly})", rules)
    return [f"{rule['id']}: {node['html']}" for rule in found["violations"] for node in rule["nodes"]]
