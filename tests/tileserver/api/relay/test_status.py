"""How a relay stands, as its server tells it: from the journal alone, without anything secret."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from comeo.errors import ComeoError
from tests.tileserver.relay.keeping.relayed import Relayed
from tests.tileserver.relay.origins import FolderOrigin
from tileserver.api.relay import status as served
from tileserver.relay.errors import UnreachableError
from tileserver.relay.keeping.journal import Journal
from tileserver.relay.keeping.reach import Reaching, reach_of
from tileserver.relay.keeping.status import status

Server = Callable[..., FlaskClient]
SAMPLES = Path(__file__).resolve().parents[4] / "samples"
NAMES = ("S2_romania_2016-08-05", "S2_romania_2016-08-25")
LINK = '[link]\ntimezone = "Africa/Abidjan"\ndaily = "300 MB"\nmonthly = "6 GB"'


@pytest.fixture
def relayed(tmp_path: Path) -> Relayed:
    """A relay of two small scenes, that has not run."""
    (tmp_path / "origin").mkdir()
    origin = FolderOrigin(tmp_path / "origin")
    for name in NAMES:
        origin.put(Path(shutil.copy(SAMPLES / f"{name}.zarr.zip", origin.root)))
    found = Relayed(origin, tmp_path)
    found.define(link=LINK)
    return found


def told(relayed: Relayed) -> dict[str, Any]:
    """The state at the relay's own time."""
    journal = Journal(relayed.root / "relay/relay.sqlite", create=False)
    try:
        return status(relayed.relay, journal, relayed.time.now)
    finally:
        journal.close()


def test_what_is_here_what_it_cost_and_since_when_the_origin_answers(
    relayed: Relayed, server: Server
) -> None:
    began = relayed.time.now
    relayed.run()
    answer = server(
        relayed.root / "relay/archives", relay_definition=relayed.root / "RELAY.toml", threads=2
    ).get("/relay/v1/status")
    assert answer.status_code == 200, answer.text
    found: Any = answer.json
    assert found["scenes"] == {"complete": 2}
    assert (
        found["bytes"]["here"]
        == found["bytes"]["of"]
        == sum((SAMPLES / f"{name}.zarr.zip").stat().st_size for name in NAMES)
    )
    assert found["spent"]["daily"] == 300_000_000
    assert found["spent"]["wire"] > found["spent"]["useful"] >= found["bytes"]["here"]
    assert (found["coming"], found["foretold"]["pieces"], found["faults"]) == ([], 0, [])
    (origin,) = found["origins"]
    assert (origin["up"], origin["uuid"], origin["name"]) == (True, relayed.origin.uuid, "test")
    assert origin["since"] == began.isoformat(timespec="seconds")
    assert found["doing"]["what"] == "stopped", "its clock is months behind"
    for secret in (str(relayed.root), relayed.origin.key.text, "file:"):
        assert secret not in answer.text


def test_what_comes_is_foretold_within_the_quota(relayed: Relayed) -> None:
    relayed.define(link='[link]\ndaily = "20 kB"\nwindows = [{ kbps = 64, price = 5.0 }]')
    relayed.run()
    found = told(relayed)
    assert found["spent"]["today"] <= 20_000
    (piece, *_) = found["coming"]
    assert piece["begins"] >= "2026-06-11T00:00:00", "the day's quota is used up"
    assert found["foretold"]["wire_bytes"] >= piece["wire_bytes"] > 0
    assert found["foretold"]["price"] > 0
    assert found["link"]["windows"] == [
        {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": None, "to": None, "kbps": 64.0,
         "price": 5.0}
    ]  # fmt: skip


def test_a_line_that_is_down_is_told_since_when(relayed: Relayed) -> None:
    relayed.run()
    relayed.time.sleep(3600)

    def cut(*_: object) -> Any:
        raise UnreachableError(f"{relayed.root} cannot be reached")

    relayed.broken().index = cut  # type: ignore[method-assign]
    for _ in range(3):
        relayed.run()
        relayed.time.sleep(100)
    (origin,) = told(relayed)["origins"]
    assert (origin["up"], origin["fault"]) == (False, "unreachable")
    assert origin["since"] == (relayed.time.now - timedelta(seconds=300)).isoformat(timespec="seconds")
    assert origin["name"] == "test", "as it was known before"
    assert "does not answer" in origin["detail"]


def test_the_journal_tells_of_changes_and_little_else(relayed: Relayed) -> None:
    relayed.run()
    journal = Journal(relayed.root / "relay/relay.sqlite")
    reaching, now = Reaching(journal), relayed.time.now
    writes: list[str] = []
    journal.set_fact = lambda name, value: writes.append(value)  # type: ignore[method-assign]
    for seconds in range(0, 120, 2):
        reaching.down("https://a.org/", "unreachable", now + timedelta(seconds=seconds))
        reaching.does("down", now + timedelta(seconds=seconds))
    assert len(writes) == 4, "once a minute each"
    assert reach_of(journal, "https://b.org/") is None
    journal.close()


def test_a_runner_says_what_it_waits_for(relayed: Relayed) -> None:
    seen: list[dict[str, Any]] = []

    def sleep(_: float) -> None:
        seen.append(told(relayed)["doing"])
        raise KeyboardInterrupt

    relayed.define(link='[link]\nwindows = [{ from = "23:00", to = "05:00" }]')
    with pytest.raises(KeyboardInterrupt), relayed.running(sleep=sleep) as runner:
        runner.run()
    assert (seen[0]["what"], seen[0]["until"]) == ("closed", "2026-06-10T23:00:00+00:00")
    assert told(relayed)["doing"]["what"] == "stopped"
    journal = Journal(relayed.relay.folder.journal)
    Reaching(journal).does("fetching", relayed.time.clock())  # the last word of one that was killed
    journal.close()
    assert told(relayed)["doing"]["what"] == "fetching"
    relayed.time.sleep(3600)
    assert told(relayed)["doing"]["what"] == "stopped"


def test_a_look_is_kept_for_a_moment(
    relayed: Relayed, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    relayed.run()
    client = server(relayed.root / "relay/archives", relay_definition=relayed.root / "RELAY.toml")
    looks: list[object] = []

    def counted(*given: Any) -> dict[str, Any]:
        looks.append(given)
        return status(*given)

    monkeypatch.setattr(served, "status", counted)
    first, second = (client.get("/relay/v1/status") for _ in range(2))
    assert (first.data, len(looks)) == (second.data, 1)
    again = client.get("/relay/v1/status", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_faults_name_no_place_of_the_server(relayed: Relayed, server: Server) -> None:
    definition = relayed.root / "RELAY.toml"
    (relayed.root / "relay/archives").mkdir(parents=True)
    client = server(relayed.root / "relay/archives", relay_definition=definition)
    early = client.get("/relay/v1/status")
    assert early.status_code == 503
    assert "has fetched nothing yet" in early.json["detail"]  # type: ignore[index]
    relayed.run()
    text = definition.read_text()
    definition.write_text(text.replace("[origin]", "[[["))
    broken = client.get("/relay/v1/status")
    assert (broken.status_code, str(relayed.root) in broken.text) == (503, False)
    definition.write_text(text)
    assert client.get("/relay/v1/status").status_code == 200


def test_it_is_there_for_relays_alone(relayed: Relayed, server: Server) -> None:
    client = server(relayed.origin.root)
    assert client.get("/relay/v1/status").status_code == 404
    assert client.get("/viewer-config.json").json["relay"] is False  # type: ignore[index]
    (relayed.root / "RELAY.toml").write_text("folder = 1")
    with pytest.raises(ComeoError, match=r"RELAY\.toml: folder"):
        server(relayed.origin.root, relay_definition=relayed.root / "RELAY.toml")


def test_the_command_says_the_same(relayed: Relayed) -> None:
    from click.testing import CliRunner

    from tileserver.cli.main import cli

    relayed.run()
    words = ["relay", "status", str(relayed.root / "RELAY.toml")]
    said = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert said.exit_code == 0
    assert "scenes    2 complete" in said.output
    assert "origin    test answers since 2026-06-10T12:00:00+00:00, line 2 of epoch 1" in said.output
    assert "runner    not running" in said.output
    document = json.loads(CliRunner().invoke(cli, [*words, "--json"]).output)
    assert document["folder"].endswith("relay")
