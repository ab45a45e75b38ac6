"""Jobs done with counted clicks, and what every state of the page has to hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.e2e import test_accessibility
from tests.e2e.conftest import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Locator


DRAWING = "[...document.querySelectorAll('canvas')].some(each => each.style.cursor === 'crosshair')"
"""That a map waits for a shape."""


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
    """What axe-core finds on the page as it is."""
    return test_accessibility.violations(seen.page)
