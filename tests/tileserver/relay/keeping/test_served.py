"""From an origin's server by a relay to the relay's map: coarse first, sharp over the area, then whole."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from comeo.errors import ComeoError
from tests.tileserver.listening import listening
from tests.tileserver.relay.keeping.relayed import HERE
from tests.tileserver.relay.origins import FolderOrigin
from tileserver.cli.main import cli
from tileserver.relay.feed.lines import read_index
from tileserver.relay.keeping.assembly import defined
from tileserver.relay.keeping.journal import Journal, now_utc
from tileserver.relay.keeping.status import status

Server = Callable[..., FlaskClient]
INSIDE = "/collections/optical/items/scene/bbox/8.6612,47.4012,8.6688,47.4088.png?bands=B04&width=64"


@pytest.fixture
def address(
    archive: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, FlaskClient]]:
    """Of an origin's server."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "origin").mkdir()
    shutil.copy(archive, tmp_path / "origin")
    client = server(tmp_path / "origin", relay=True, relay_folder=tmp_path / "private", threads=2)
    with listening(client.application) as port:
        yield f"http://127.0.0.1:{port}/", client


def test_a_scene_comes_onto_the_relays_map(
    address: tuple[str, FlaskClient], tmp_path: Path, server: Server
) -> None:
    url, origin = address
    key = read_index(origin.get("/relay/v1/").data).key
    path = tmp_path / "RELAY.toml"

    def relay(subscription: str) -> None:
        path.write_text(
            f'folder = "relay"\n[origin]\nurl = "{url}"\nkey = "{key}"\n{subscription}\n[disk]\nfree = 0\n'
        )
        result = CliRunner().invoke(cli, ["relay", "run", str(path), "--once"])
        assert result.exit_code == 0, result.output

    relay(HERE.replace('"area"]', '"coarse"]'))
    client = server(tmp_path / "relay" / "archives")
    coarse = client.get(INSIDE)
    assert coarse.status_code == 200
    assert "Comeo-Completeness" in coarse.headers
    relay(HERE)
    sharp = client.get(INSIDE)
    assert sharp.status_code == 200
    assert sharp.data == origin.get(INSIDE).data
    assert sharp.data != coarse.data
    relay('[[subscription]]\nname = "all"')
    item = client.get("/stac/collections/optical/items/scene").json
    assert item is not None
    assert item["properties"].get("comeo:completeness", 1) == 1
    assert client.get(INSIDE).data == sharp.data
    assert (tmp_path / "relay/archives/optical/scene.zarr.zip").exists()
    journal = Journal(tmp_path / "relay/relay.sqlite", create=False)
    spent = status(defined(path), journal, now_utc())["spent"]
    journal.close()
    assert spent["useful"] == (tmp_path / "relay/archives/optical/scene.zarr.zip").stat().st_size
    assert 1 < spent["wire"] / spent["useful"] < 1.05


def test_the_commands_say_what_they_find(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "origin").mkdir()
    origin = FolderOrigin(tmp_path / "origin")
    shutil.copy(archive, origin.root / "scene.zarr.zip")
    origin.put(origin.root / "scene.zarr.zip")
    path = tmp_path / "RELAY.toml"
    path.write_text(
        origin.definition(link='[link]\ndaily = "300 kB"\ncurrency = "EUR"\nwindows = [{ price = 9 }]')
    )

    def call(*words: str) -> str:
        result = CliRunner().invoke(cli, ["relay", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    with pytest.raises(ComeoError, match="nothing has been fetched yet; use comeo relay run"):
        call("plan", str(path))
    with pytest.raises(ComeoError, match="nothing has been fetched yet; use comeo relay run"):
        call("verify", str(path))
    call("run", str(path), "--once")
    assert "not running; comeo relay run begins it" in call("status", str(path))
    told = call("plan", str(path))
    assert "area   scene" in told
    assert "EUR" in told
    (first, *_) = json.loads(call("plan", str(path), "--json"))
    assert (first["id"], first["layer"]) == ("scene", "area")
    assert "1 with their overviews" in call("status", str(path))
    assert json.loads(call("status", str(path), "--json"))["scenes"] == {"coarse": 1}
    assert "1 scenes" in call("verify", str(path))
    path.write_text(origin.definition())
    call("run", str(path), "--once")
    assert "nothing is coming" in call("plan", str(path))
    whole = tmp_path / "relay/archives/optical/scene.zarr.zip"
    data = bytearray(whole.read_bytes())
    data[9000] ^= 1
    whole.write_bytes(data)
    with pytest.raises(ComeoError, match="--mend has them fetched again"):
        call("verify", str(path))
    call("verify", str(path), "--mend")
    call("run", str(path), "--once")
    assert whole.read_bytes() == archive.read_bytes()


def test_a_signal_ends_it_cleanly(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "origin").mkdir()
    origin = FolderOrigin(tmp_path / "origin")
    shutil.copy(archive, origin.root / "scene.zarr.zip")
    origin.put(origin.root / "scene.zarr.zip")
    (tmp_path / "RELAY.toml").write_text(origin.definition())
    command = [sys.executable, "-m", "tileserver.cli", "relay", "run", str(tmp_path / "RELAY.toml")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "area is here" in line:
            break
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in rest
    assert (tmp_path / "relay/archives/optical/scene.zarr.zip").exists()
