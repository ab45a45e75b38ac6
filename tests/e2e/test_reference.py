"""The reference map in a browser: few bytes, by ranges, in the user's language, and none when it is off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from tests.e2e.conftest import STATIC, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

Visits = Callable[..., Visit]

NAIROBI = "#map=7.00/-1.30000/36.80000"
FIRST_VIEW = 30_000
"""Bytes that the reference may cost at the first view."""


class Reference:
    """Answers of the reference's file, in order."""

    def __init__(self, page: Page) -> None:
        """Listen to a page that has not been opened yet."""
        self.answers: list[Response] = []
        page.on("response", lambda answer: self.answers.append(answer) if ".pmtiles" in answer.url else None)

    @property
    def received(self) -> int:
        """Bytes of all bodies."""
        return sum(int(answer.headers["content-length"]) for answer in self.answers)


def drawn(seen: Visit) -> None:
    """Wait until the map has all that it shows."""
    seen.page.wait_for_selector("#stage[aria-busy=false]")


@pytest.mark.parametrize("place", ["#map=1.20/25.00000/15.00000", NAIROBI])
def test_a_first_view_costs_little_and_comes_by_ranges(visit: Visits, place: str) -> None:
    seen = visit()
    reference = Reference(seen.page)
    seen.page.goto(f"{seen.address}/{place}")
    drawn(seen)
    assert {answer.status for answer in reference.answers} == {206}
    assert len(reference.answers) <= 8
    assert 5_000 < reference.received <= FIRST_VIEW
    assert seen.complaints == []
    assert seen.foreign == []


def test_land_water_and_names_are_told_apart(visit: Visits) -> None:
    seen = visit()
    seen.page.goto(f"{seen.address}/#map=7.00/-1.00000/33.50000")
    drawn(seen)
    # Lake Victoria in the middle, land in the east of the view
    assert seen.eventually(lambda: seen.colour(0.5, 0.38) == (219, 230, 234))
    assert seen.eventually(lambda: seen.colour(0.9, 0.7) == (244, 243, 238))


def test_the_reference_lies_over_the_imagery_and_can_be_switched_off_for_good(visit: Visits) -> None:
    seen = visit()
    reference = Reference(seen.page)
    page = seen.page
    page.goto(f"{seen.address}/{NAIROBI}")
    drawn(seen)
    page.get_by_role("button", name="Layers").click()
    page.get_by_label("Coasts, borders and names").uncheck()
    assert seen.eventually(lambda: seen.colour(0.9, 0.8) == (219, 230, 234))  # the ground that is left
    before = len(reference.answers)
    page.reload()
    drawn(seen)
    assert len(reference.answers) == before
    page.get_by_role("button", name="Layers").click()
    switch = page.get_by_label("Coasts, borders and names")
    assert not switch.is_checked()
    switch.check()
    assert seen.eventually(lambda: len(reference.answers) > before)
    assert seen.complaints == []


def test_names_are_drawn_in_the_users_language(visit: Visits) -> None:
    pictures = []
    for wanted in ("en", "fr", "ar"):
        seen = visit(viewport={"width": 700, "height": 400})
        seen.page.goto(f"{seen.address}/#map=4.00/30.00000/31.00000&lang={wanted}")
        drawn(seen)
        pictures.append(seen.page.locator("#map canvas").screenshot())
        assert seen.complaints == []
    assert len(set(pictures)) == 3


def test_the_file_is_served_by_ranges_and_kept_for_ever(server: str) -> None:
    (file,) = (STATIC / "dist" / "assets").glob("reference-*.pmtiles")
    address = f"{server}/assets/{file.name}"
    with urlopen(Request(address, headers={"Range": "bytes=7-7"}), timeout=20) as answer:
        assert answer.status == 206
        assert answer.read() == b"\x03"  # the version of PMTiles
        assert "immutable" in answer.headers["Cache-Control"]
        assert not answer.headers["ETag"].startswith("W/")
        assert "Content-Encoding" not in answer.headers
