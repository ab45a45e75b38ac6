"""What the viewer of a relay says: what is here, what is coming and when, what it costs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comeo.view.missing import MissingBlock
from tests.e2e.conftest import Server, Visit
from tests.e2e.test_accessibility import LOOKS, violations
from tests.tileserver.relay.keeping.relayed import Relayed, Time
from tests.tileserver.relay.origins import FolderOrigin
from tileserver.relay.keeping.looks import Looks

Visits = Callable[..., Visit]
SAMPLES = Path(__file__).resolve().parents[2] / "samples"
LINK = """[link]
daily = "25 kB"
monthly = "6 GB"
currency = "EUR"
on_demand = true
windows = [{ kbps = 64, price = 5.0 }]"""


@pytest.fixture(scope="module")
def relay(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of a relay whose quota of the day is used up."""
    folder = tmp_path_factory.mktemp("relay")
    (folder / "origin").mkdir()
    origin = FolderOrigin(folder / "origin")
    for name in sorted(path.name for path in SAMPLES.glob("S2_romania_201[67]-0*.zarr.zip"))[:6]:
        origin.put(Path(shutil.copy(SAMPLES / name, origin.root)))
    relayed = Relayed(origin, folder, Time(datetime.now(UTC)))
    relayed.define(link=LINK)
    relayed.run()
    looked_at = MissingBlock("sentinel-2-l2a", "a scene", "etag", "r10m", 0, 0, 0)
    Looks(folder / "relay/looks.sqlite").put({looked_at: 5000}, relayed.time.now)
    environment = {**os.environ, "COMEO_THREADS": "4", "COMEO_RELAY_DEFINITION": str(folder / "RELAY.toml")}
    with Server(folder / "relay/archives", folder / "server.log", environment=environment) as running:
        yield running.address


@pytest.mark.parametrize("look", ["desktop", "phone, dark, Arabic"])
def test_what_is_here_what_is_coming_and_what_it_costs(visit: Visits, relay: str, look: str) -> None:
    options, language = LOOKS[look]
    seen = visit(relay, **options)
    page = seen.page
    page.goto(f"{relay}/#{language.removeprefix('&')}")
    summary = page.locator("#relay summary")
    summary.wait_for()
    if not language:
        seen.eventually(lambda: "of 6 scenes here" in summary.inner_text())
    summary.click()
    body = page.locator(".relay-body")
    body.locator("ol li").first.wait_for()
    assert body.locator("ol li").count() == 6, "the first of what comes, the rest is summed up"
    if not language:
        said = body.inner_text()
        for words in ("test answers since", "What is here", "Whole scenes", "What is coming", "overview",
                      "In all", "What it costs", "kB of 25.0 kB",
                      "Of that, for what people looked at", "of 6.00 GB", "EUR"):  # fmt: skip
            assert words in said, words
        assert re.search(r"\d+ places? that (somebody|people) looked at comes? first: \d", said)
    assert body.get_by_role("heading", level=2).count() == 3
    assert violations(page) == []
    assert seen.complaints == []
    assert seen.foreign == []


def test_other_servers_never_fetch_it(visit: Visits, server: str) -> None:
    seen = visit()
    page = seen.open()
    assert page.locator("#relay").count() == 0
    fetched = page.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
    assert not [name for name in fetched if "/relay/" in name or "/panel-" in name]
