"""A scene of which not all is here, in a real browser: its picture, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import Server, Visit
from tests.parts import bring, long_archive, ranges_of

Visits = Callable[..., Visit]


def test_what_is_here_is_said_in_the_list_the_panel_and_on_the_map(
    built: None, visit: Visits, tmp_path: Path
) -> None:
    whole, folder = long_archive(tmp_path), tmp_path / "served"
    found = ranges_of(whole)
    folder.mkdir()
    bring(whole, folder, found.head.union(found.coarse), ["head", "coarse"])
    with Server(folder, tmp_path / "server.log") as running:
        seen = visit(running.address)
        page = seen.open("#collection=optical&item=long&style=ndvi")
        said = "overview only: details are not here yet"
        for place in ("#scenes [role=option]", "#view", "#corner"):
            page.locator(place, has_text=said).first.wait_for()
        assert not page.locator("#notice").is_visible(), "the picture is there"
