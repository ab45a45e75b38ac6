"""A relay is an origin for the next one: its server passes on what its origin has signed."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from tests.tileserver.relay.keeping.relayed import Relayed
from tests.tileserver.relay.origins import FolderOrigin
from tileserver.catalog import SqliteCatalog
from tileserver.relay.feed.keys import SigningKey
from tileserver.relay.feed.layout import HEADS, MAX_LINE_BYTES, head_name
from tileserver.relay.feed.lines import DropLine, PassedLine, PutLine
from tileserver.relay.feed.log import Scene
from tileserver.relay.feed.origin import Origin
from tileserver.relay.feed.passing import Passed
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.assembly import defined, open_copy, running
from tileserver.relay.keeping.journal import Journal
from tileserver.relay.keeping.notices import Notices
from tileserver.relay.keeping.serving import ToldLines
from tileserver.relay.plan.offers import Key
from tileserver.relay.upstream import FolderUpstream
from tileserver.settings import Settings

SAMPLES = Path(__file__).resolve().parents[4] / "samples"
NAME = "S2_romania_2016-08-05"


def began(folder: Path) -> tuple[Relayed, dict[str, Any]]:
    """A relay that has a scene of its origin, and the line of that."""
    (folder / "origin").mkdir()
    origin = FolderOrigin(folder / "origin")
    written = origin.put(Path(shutil.copy(SAMPLES / f"{NAME}.zarr.zip", origin.root)), pack=True)
    relayed = Relayed(origin, folder)
    relayed.define()
    relayed.run()
    return relayed, written


def kept_line(folder: Path, written: dict[str, Any]) -> Any:
    journal = Journal(folder / "relay/relay.sqlite")
    try:
        text = journal.line_of(Key(written["c"], NAME, written["etag"]))
    finally:
        journal.close()
    return None if text is None else json.loads(text)


def take(leaf: Path) -> None:
    """Let a leaf take what the relay's feed tells of."""
    relay = defined(leaf / "RELAY.toml")
    upstreams = [("relay", open_copy(relay, leaf.parent / "private/public")[0])]
    with running(relay, Notices(), upstreams, free=True) as runner:
        runner.run(once=True)


def test_a_leaf_takes_from_a_relay_what_the_origin_has_signed(tmp_path: Path) -> None:
    relayed, written = began(tmp_path)
    settings = Settings(
        paths=(tmp_path / "relay/archives",), relay=True, relay_folder=tmp_path / "private",
        relay_definition=tmp_path / "RELAY.toml",
    )  # fmt: skip
    catalog = SqliteCatalog(settings.paths, tmp_path / "catalog.sqlite", 0.0)
    catalog.refresh(force=True)
    feed = Origin(catalog, settings, ToldLines(settings))
    feed.refresh()
    upstream = FolderUpstream(feed.public, Trust())
    index = upstream.index()
    (line,) = upstream.lines(0)
    assert isinstance(line, PassedLine)
    assert (line.via, line.source.origin) == ((index.origin,), relayed.origin.uuid)
    assert {name: line.line.written[name] for name in written} == written

    head = feed.public / HEADS / head_name(written["etag"])
    assert head.stat().st_size == written["packed"]

    archive = feed.public / str(line.href)  # as whoever serves the files has it
    archive.parent.mkdir(parents=True)
    shutil.copy(SAMPLES / f"{NAME}.zarr.zip", archive)
    leaf = tmp_path / "leaf"
    leaf.mkdir()
    origin = f'[origin]\nurl = "https://relay.invalid/"\nkey = "{index.key}"\n'
    (leaf / "RELAY.toml").write_text(
        f'folder = "relay"\n{origin}[[subscription]]\nname = "all"\n[disk]\nfree = 0\n'
    )
    take(leaf)
    taken = leaf / f"relay/archives/{written['c']}/{NAME}.zarr.zip"
    assert taken.read_bytes() == archive.read_bytes()
    kept = kept_line(leaf, written)
    assert (kept["via"], kept["line"]) == ([index.origin], line.line.written)

    relayed.origin.add({"op": "drop", "c": written["c"], "id": NAME, "why": "withdrawn"})
    relayed.time.sleep(120)
    relayed.run()
    catalog.refresh(force=True)
    feed.refresh()
    (drop,) = FolderUpstream(feed.public, Trust()).lines(1)
    assert isinstance(drop, PassedLine)
    assert isinstance(drop.line, DropLine)
    assert (drop.line.why, drop.source.origin) == ("withdrawn", relayed.origin.uuid)
    take(leaf)
    assert not taken.exists(), "it was faulty"
    catalog.close()


def test_a_line_that_is_too_large_to_be_passed_on_holds_up_no_other(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    for name in (NAME, "S2_UTM37N_lake"):
        shutil.copy(SAMPLES / f"{name}.zarr.zip", tmp_path / "archives")
    settings = Settings(paths=(tmp_path / "archives",), relay=True, relay_folder=tmp_path / "private")
    catalog = SqliteCatalog(settings.paths, tmp_path / "catalog.sqlite", 0.0)
    catalog.refresh(force=True)
    source = {"origin": str(uuid.UUID(int=1)), "epoch": 1, "key": SigningKey.make().text}

    def told(scene: Scene, etag: str) -> Passed | None:
        return Passed(source, (), {"note": "x" * MAX_LINE_BYTES}) if scene[1] == NAME else None

    feed = Origin(catalog, settings, told)
    feed.refresh()
    (line,) = FolderUpstream(feed.public, Trust()).lines(0)
    assert isinstance(line, PutLine)
    assert line.id == "S2_UTM37N_lake"
