"""A relay over an origin in a folder, with a time of its own and a line that can be broken."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.tileserver.relay.origins import NOW, FolderOrigin
from tileserver.relay.errors import UnreachableError
from tileserver.relay.feed.lines import Index, Line
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.assembly import Defined, defined, running
from tileserver.relay.keeping.journal import Journal, Kept
from tileserver.relay.keeping.notices import Notices
from tileserver.relay.keeping.runner import Runner
from tileserver.relay.plan.offers import Key
from tileserver.relay.upstream.folder import FolderUpstream
from tileserver.relay.upstream.wire import Wire

SAMPLE = Path("samples/S2_romania_2017-01-02.zarr.zip")
"""An archive of 15 kB."""
HERE = (
    '[[subscription]]\nname = "here"\narea = [8.66, 47.4, 8.67, 47.41]\n'
    'layers = ["coarse", "area"]\nbands = ["B04"]'
)
"""A small area, as sharp as it is."""


class Time:
    """Time that goes on when somebody sleeps, and as bytes come."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self.seconds = 0.0

    def clock(self) -> datetime:
        return self.now

    def ticks(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


class BadLine:
    """An upstream whose bytes pass through functions that may break them.

    Attributes:
        reads: Ranges that were asked for, by href.
        given: Bytes of archives that were given by ranges.
        heads: Bytes of packed heads that were asked for.
        on_head: Called with a head; what it returns comes instead.
        on_read: Called with start, stop and the place of a piece; what it returns comes instead of the piece.
    """

    def __init__(self, inner: FolderUpstream) -> None:
        self.inner = inner
        self.wire = Wire()
        self.reads: list[tuple[str, int, int]] = []
        self.given = 0
        self.heads: list[int] = []
        self.on_head: Callable[[bytes], bytes] = lambda data: data
        self.on_read: Callable[[int, bytes], bytes] = lambda _, data: data

    def index(self) -> Index:
        self.wire.received += 500
        return self.inner.index()

    def lines(self, after: int, wait: float = 0) -> Iterator[Line]:
        self.wire.received += 500
        return self.inner.lines(after, wait)

    def read(self, href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        self.reads.append((href, start, stop))
        yield from self._broken(start, self.inner.read(href, etag, start, stop))

    def head(self, etag: str, packed: int, size: int) -> bytes:
        self.heads.append(packed)
        self.wire.received += 300 + packed
        return self.on_head(self.inner.head(etag, packed, size))

    def has(self, href: str) -> bool:
        return self.inner.has(href)

    def model(self, sha256: str) -> bytes:
        return self.inner.model(sha256)

    def part_of_model(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        yield from self._broken(start, self.inner.part_of_model(sha256, start, stop))

    def _broken(self, place: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
        self.wire.sent += 300
        self.wire.received += 300
        for data in pieces:
            came = self.on_read(place, data)
            self.wire.received += len(came)
            self.given += len(came)
            place += len(data)
            if came:
                yield came
            if len(came) < len(data):
                raise UnreachableError("the link broke")

    def close(self) -> None:
        self.inner.close()


@dataclass
class Relayed:
    """A relay.

    Attributes:
        origin: Of it.
        root: Folder of RELAY.toml.
        time: Its own.
        notes: What it said.
    """

    origin: FolderOrigin
    root: Path
    time: Time = field(default_factory=Time)
    notes: list[str] = field(default_factory=list)
    line: BadLine | None = None

    def define(self, **parts: str) -> None:
        """Write RELAY.toml."""
        (self.root / "RELAY.toml").write_text(self.origin.definition(**parts))

    @property
    def relay(self) -> Defined:
        return defined(self.root / "RELAY.toml")

    def broken(self) -> BadLine:
        """The line to the origin."""
        if self.line is None:
            self.line = BadLine(FolderUpstream(self.origin.root, Trust(None, self.origin.key.text)))
        return self.line

    def run(self, **changes: Any) -> None:
        """Run it until nothing more can be done."""
        with self.running(**changes) as runner:
            runner.run(once=True)

    def run_through(self, most: int = 3000) -> None:
        """Run it until all is here, whatever becomes of the line."""
        for _ in range(most):
            self.run()
            if self.path().exists():
                return
            self.time.sleep(0.5)
        raise AssertionError("it never came")

    def running(self, **changes: Any) -> Any:
        told = Notices(note=self.notes.append)
        time = self.time
        given = {"clock": time.clock, "ticks": time.ticks, "sleep": time.sleep, **changes}
        return running(self.relay, told, [(self.relay.terms.origins[0].url, self.broken())], **given)

    def kept(self, name: str = "scene") -> list[Kept]:
        """What the journal says of a scene."""
        journal = Journal(self.root / "relay/relay.sqlite")
        found = journal.versions("optical", name)
        journal.close()
        return found

    def path(self, name: str = "scene") -> Path:
        """Where a whole archive is."""
        return self.root / f"relay/archives/optical/{name}.zarr.zip"

    def part(self, name: str = "scene") -> Path:
        """Where one under way is."""
        return self.root / f"relay/archives/optical/{name}.zarr.part"


def altered(archive: Path, target: Path, text: str = "x") -> Path:
    """An archive of the same id with another etag: something else in its metadata."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename == "zarr.json":
                data = data.replace(b"{", b"{" + b" " * len(text), 1)
            new.writestr(zipfile.ZipInfo(info.filename, info.date_time), data)
    return target


def copy_of(archive: Path, origin: FolderOrigin, name: str = "scene") -> Path:
    """An archive put into an origin's folder."""
    target = origin.root / f"{name}.zarr.zip"
    shutil.copy(archive, target)
    return target


def key_of(line: dict[str, Any]) -> Key:
    """Of a line."""
    return Key(line["c"], line["id"], line["etag"])


__all__ = ["HERE", "SAMPLE", "BadLine", "Relayed", "Runner", "Time", "altered", "copy_of", "key_of"]
