"""Stand-ins for tests of feeds: a catalogue in memory, a disk that fails when told to, short segments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from comeo.archive.stores.file import sync_folder
from tileserver.catalog import Catalog, Change, Changes, Position, Record
from tileserver.errors import GoneError
from tileserver.relay import publishing
from tileserver.relay.feed import checking, files, following, layout, lines, log, pages
from tileserver.relay.feed.following import Follower
from tileserver.relay.feed.log import About, Log
from tileserver.relay.upstream import reading, server

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
SHORT = 4


def put(scene: str, etag: str = "a", **members: Any) -> dict[str, Any]:
    """A line of an archive, without number and signature."""
    return {
        "op": "put", "c": "s2", "id": scene, "t": "2026-11-20T10:21:09Z", "bbox": [10.0, 40.0, 11.0, 41.0],
        "cloud": 17.0, "ratio": 100.0, "codec": "dct", "bytes": 5000, "etag": (etag * 32)[:32],
        "sha256": (etag * 64)[:64], "tail": 4000, "coarse": 3000, "href": f"{scene}.zarr.zip",
        "published": "2026-11-20T11:00:00Z", **members,
    }  # fmt: skip


def make_log(folder: Path, wait: int = 0) -> Log:
    """A log of an origin below a folder, with its key beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    return Log(folder / "public", folder / "private", About("test", "CC-BY-4.0", wait))


def origin(folder: Path, *scenes: str) -> Path:
    """The public folder of an origin that tells of scenes."""
    writer = make_log(folder)
    with writer.writing():
        if scenes:
            writer.tell([put(scene) for scene in scenes])
    return folder / "public"


def shorten_segments(monkeypatch: pytest.MonkeyPatch, length: int = SHORT) -> None:
    """Let segments have few lines."""
    for module in (layout, log, checking, lines, pages, reading, server, publishing):
        monkeypatch.setattr(module, "SEGMENT", length)


class MemoryCatalog:
    """What a follower asks a catalogue for: scenes with ETags, and a journal that can be lost."""

    def __init__(self) -> None:
        self.scenes: dict[str, str] = {}
        self._latest: dict[str, int] = {}
        self._seq = 0
        self._epoch = 1

    def put(self, scene: str, etag: str) -> None:
        self.scenes[scene] = (etag * 32)[:32]
        self._change(scene)

    def remove(self, scene: str) -> None:
        if self.scenes.pop(scene, None) is not None:
            self._change(scene)

    def lose_journal(self) -> None:
        """What has gone by now is never told of."""
        self._epoch += 1
        self._latest = {}
        self._seq = 0
        for scene in self.scenes:
            self._change(scene)

    def _change(self, scene: str) -> None:
        self._seq += 1
        self._latest.pop(scene, None)
        self._latest[scene] = self._seq

    def position(self) -> Position:
        return Position(f"{self._epoch:016x}", self._seq)

    def get(self, collection: str, item: str) -> Record | None:
        etag = self.scenes.get(item)
        if etag is None or collection != "s2":
            return None
        return Record(f"/{item}.zarr.zip", "1-1-1", "s2", item, NOW, (10.0, 40.0, 11.0, 41.0), etag, ())

    def changes(self, after: Position | None, limit: int) -> Changes:
        if after is not None and after.epoch != f"{self._epoch:016x}":
            raise GoneError("begin anew")
        seen = 0 if after is None else after.seq
        due = [(seq, scene) for scene, seq in self._latest.items() if seq > seen]
        page = [self._told(seq, scene) for seq, scene in due[:limit]]
        last = page[-1].seq if page else self._seq
        return Changes(page, Position(f"{self._epoch:016x}", last), len(due) > limit)

    def _told(self, seq: int, scene: str) -> Change:
        return Change(seq, "s2", scene, self.scenes.get(scene))


def facts_of(record: Record) -> dict[str, Any]:
    """Facts of an archive that is not there."""
    line = put(record.id, etag="0")
    line |= {"etag": record.etag}
    return {name: value for name, value in line.items() if name not in ("op", "href", "published")}


def follower(catalog: MemoryCatalog, writer: Log, monkeypatch: pytest.MonkeyPatch) -> Follower:
    """A follower of a catalogue in memory."""
    monkeypatch.setattr(following, "facts_of", facts_of)
    monkeypatch.setattr(following, "packed_head", lambda _, facts: facts["etag"].encode())
    return Follower(cast("Catalog", catalog), writer, lambda record: f"{record.id}.zarr.zip", lambda: NOW)


class KilledError(BaseException):
    """The process ends here."""


class CutDisk:
    """The system's calls as `tileserver.relay.feed.files` makes them, of which one is the last.

    Args:
        after: Calls until then; the last one, if it writes, writes a half.
    """

    def __init__(self, after: int) -> None:
        self.left = after
        self.killed = False

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = ("open", "write", "fsync", "ftruncate")
        own = _Calls({name: self._counted(getattr(os, name), name) for name in calls})
        monkeypatch.setattr(files, "os", own)
        monkeypatch.setattr(f"{files.__name__}.sync_folder", self._counted(sync_folder, "sync"))
        monkeypatch.setattr(Path, "replace", self._counted(Path.replace, "replace"))
        unlink = Path.unlink
        monkeypatch.setattr(
            Path, "unlink", lambda path, **named: None if self.killed else unlink(path, **named)
        )

    def _counted(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            self.left -= 1
            if self.killed or self.left < 0:
                if name == "write" and not self.killed:
                    call(given[0], bytes(given[1])[: len(given[1]) // 2])
                self.killed = True
                raise KilledError
            return call(*given, **named)

        return counted


class _Calls:
    def __init__(self, own: dict[str, Callable[..., Any]]) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return self._own.get(name) or getattr(os, name)


def each_line(folder: Path) -> Iterator[bytes]:
    """All lines of a feed as they were written, by its files."""
    found = pages.Pages(folder)
    after = 0
    while after < found.index().last:
        page = found.page(after, 1000)
        yield from page.lines
        after = page.next
