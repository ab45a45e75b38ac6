"""The log of an origin: numbers what is told, signs it, and writes it as a folder of files.

The files are the truth. A kill leaves at most lines behind the last one that the index tells of, whole or
cut. Nobody has taken those, and the next writer goes on behind the last whole one. So what matters is the
order of writing: lines, then a segment that they fill, then the index.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tileserver.relay.errors import FeedError
from tileserver.relay.feed.checking import split
from tileserver.relay.feed.files import append, remove_file, replace_file, sweep
from tileserver.relay.feed.keys import SigningKey
from tileserver.relay.feed.layout import (
    FEED,
    HEADS,
    INDEX,
    MAX_SEGMENT_BYTES,
    MODELS,
    OPEN,
    ROOT,
    SEGMENT,
    head_name,
    is_check,
    segment_name,
    segment_of,
)
from tileserver.relay.feed.lines import Index, Why, moment, read_index, write_index, write_line
from tileserver.relay.feed.packing import pack, unpack
from tileserver.relay.feed.state import Followed, State

_log = logging.getLogger(__name__)
Scene = tuple[str, str]


@dataclass(frozen=True, slots=True)
class About:
    """What an origin says of itself; None for what it has said before.

    Attributes:
        name: For people.
        licence: Of its archives.
        wait: Seconds that its feed may be waited for; 0 for a folder of files.
    """

    name: str | None = None
    licence: str | None = None
    wait: int | None = None

    def over(self, index: Index) -> About:
        """The same with what an index says where nothing is given."""
        return About(
            index.name if self.name is None else self.name,
            index.licence if self.licence is None else self.licence,
            index.wait if self.wait is None else self.wait,
        )


class _DamagedError(Exception):
    """The files of the log are not what was written."""


class Log:
    """The log of an origin. All but the constructor is for the one who holds `writing`.

    Args:
        public: Root of the origin, below which `relay/v1` is written.
        private: Folder of the key and of what is kept.
        about: What the index says.

    Attributes:
        told: ETag of each scene's archive as it was told last; None once it has been dropped.
        origin: Id of the origin.
        epoch: Of the log.
        last: Number of the last line.
        models: Learned models that lines need and that can be fetched.
    """

    def __init__(self, public: Path, private: Path, about: About) -> None:
        self._public = public
        self._state = State(private)
        self._about = about
        self._key: SigningKey | None = None
        self._digest = hashlib.sha256()
        self._open_bytes = 0
        self.told: dict[Scene, str | None] = {}
        self.models: set[str] = set()
        self.origin = ""
        self.epoch = 0
        self.last = 0

    @property
    def key(self) -> str:
        """The origin's public key, as `ed25519:BASE64`; made where there is none."""
        return self._signing.text

    @property
    def followed(self) -> Followed:
        """How far the catalogue has been followed."""
        return self._state.followed(self.epoch)

    def follow(self, followed: Followed) -> None:
        """Keep how far the catalogue has been followed; the index says once all of it has been."""
        was_whole = self._is_whole
        self._state.follow(followed)
        if self._is_whole != was_whole:
            self._write_index()

    @contextlib.contextmanager
    def writing(self, *, wait: bool = True) -> Iterator[bool]:
        """Be the one writer, and know all lines that others have written. Yields whether that is so.

        Args:
            wait: Until no other writes.

        Raises:
            ComeoError: If the key cannot be used.
            OSError: If the folders cannot be written.
        """
        with self._state.lock(wait=wait) as held:
            if held:
                self._recover()
            yield held

    def tell(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Append lines, durably, and publish them.

        Args:
            documents: Lines without `seq` and `sig`.

        Raises:
            ComeoError: If readers would refuse one; none of them is written then.
            OSError: If they cannot be written. The log stays sound.
        """
        lines = list(self._numbered(documents))
        about = [document.get("line", document) for document in documents]
        before = [self.told.get((one["c"], one["id"])) for one in about]
        try:
            while lines:
                room = SEGMENT - self.last % SEGMENT
                self._append(lines[:room])
                lines = lines[room:]
            self._write_index()
        except BaseException:
            self.last = 0  # what is on the disk is found out by the next writer
            raise
        gone = {*before} - {one.get("etag") for one in about}
        for etag in gone - {None}:
            self._drop_head(str(etag))

    def check(self, document: Mapping[str, Any]) -> None:
        """Refuse a line that readers would refuse, before anything is written.

        Raises:
            ComeoError: Saying what is wrong with it.
        """
        write_line({**document, "seq": self.last + 1}, self.origin, self.epoch, self._signing)

    def drop(self, scene: Scene, why: Why) -> None:
        """Tell that a scene is no longer there."""
        self.tell([{"op": "drop", "c": scene[0], "id": scene[1], "why": why}])

    def keep_model(self, digest: str, content: bytes) -> None:
        """Let a learned model be fetched.

        Raises:
            ValueError: If the content is another one's.
        """
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(f"the model {digest} has another content")
        path = self._public / MODELS / digest
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content)
        self.models.add(digest)

    def keep_head(self, etag: str, packed: bytes) -> None:
        """Let the head of an archive be fetched packed, until a line says that the archive is gone."""
        path = self._head(etag)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, packed)

    def _drop_head(self, etag: str) -> None:
        """Let the head of an archive that is gone be fetched no longer."""
        remove_file(self._head(etag))

    @property
    def _is_whole(self) -> bool:
        """Whether the log tells of all that its catalogue had when the log was begun."""
        return not self.followed.compare

    @property
    def _signing(self) -> SigningKey:
        if self._key is None:
            self._key = self._state.key()
        return self._key

    @property
    def _open(self) -> Path:
        return self._public / OPEN

    def _head(self, etag: str) -> Path:
        return self._public / HEADS / head_name(etag)

    def _segment(self, number: int) -> Path:
        return self._public / FEED / segment_name(number)

    def _numbered(self, documents: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
        """Lines as they are written, with check lines among them."""
        seq, digest = self.last, self._digest.copy()
        for document in documents:
            seq += 1
            raw = write_line({**document, "seq": seq}, self.origin, self.epoch, self._signing)
            digest.update(raw)
            yield raw
            if is_check(seq + 1):
                seq += 1
                check = {"op": "check", "seq": seq, "sha256": digest.hexdigest()}
                yield write_line(check, self.origin, self.epoch, self._signing)
                digest = hashlib.sha256()

    def _append(self, lines: Sequence[bytes]) -> None:
        """Write lines of one segment, and close it if they fill it."""
        content = b"".join(lines)
        append(self._open, content, self._open_bytes)
        self._open_bytes += len(content)
        for raw in lines:
            self._take(raw.rstrip(b"\n"))
        if is_check(self.last):
            self._close()

    def _close(self) -> None:
        """Make a file of the open segment that never changes, and begin another one."""
        content = self._open.read_bytes()[: self._open_bytes]
        replace_file(self._segment(segment_of(self.last)), pack(content))
        append(self._open, b"", 0)
        self._open_bytes = 0

    def _write_index(self) -> None:
        replace_file(self._public / INDEX, self._index(self.last, self.models))

    def _index(self, last: int, models: Iterable[str], **more: str) -> bytes:
        """The index of the log up to a line, signed."""
        about, now = self._about, datetime.now(UTC)
        document = {
            "v": 1, "origin": self.origin, "epoch": self.epoch, "first": 1, "last": last,
            "segment": SEGMENT, "wait": about.wait or 0, "key": self.key, "name": about.name or "",
            "licence": about.licence or "", "models": sorted(models), "time": moment(now),
            "whole": self._is_whole, **more,
        }  # fmt: skip
        return write_index(document, self._signing)

    def _take(self, raw: bytes) -> None:
        """Know a line that is in the log."""
        document = json.loads(raw)
        seq, operation = document["seq"], document["op"]
        if seq != self.last + 1:
            raise _DamagedError(f"line {seq} follows line {self.last}")
        self.last = seq
        if operation == "check":
            if document["sha256"] != self._digest.hexdigest():
                raise _DamagedError(f"the lines before {seq} are not those that were written")
            self._digest = hashlib.sha256()
            return
        self._digest.update(raw + b"\n")
        if operation == "pass":
            document = document["line"]
        self.told[document["c"], document["id"]] = document.get("etag")

    def _recover(self) -> None:
        """Know all that is in the log, however its last writer ended; begin a new one if that is damaged."""
        (self._public / FEED).mkdir(parents=True, exist_ok=True)
        for folder in (FEED, ROOT, MODELS, HEADS):
            sweep(self._public / folder)
        identity = self._state.identity()
        try:
            index = read_index((self._public / INDEX).read_bytes())
            self._about = self._about.over(index)
            known = identity and (identity.origin, identity.epoch, self.key)
            if known != (index.origin, index.epoch, index.key):
                raise _DamagedError("its index is of another origin, epoch or key")
            if (self.origin, self.epoch) != (index.origin, index.epoch) or self.last == 0:
                self._forget(index.origin, index.epoch)
            self.models = set(index.models)
            self._replay(index.last)
            if self._describes(index):
                return
        except FileNotFoundError:
            self._begin("" if identity is None else "a file of it is missing")
        except (_DamagedError, FeedError, ValueError, KeyError) as error:
            self._begin(str(error))
        self._write_index()

    def _describes(self, index: Index) -> bool:
        """Whether an index says what it would say now."""
        about = self._about
        return (about.name, about.licence, about.wait, self.last, self._is_whole) == (
            index.name,
            index.licence,
            index.wait,
            index.last,
            index.whole,
        )

    def _forget(self, origin: str, epoch: int) -> None:
        self.origin, self.epoch, self.last = origin, epoch, 0
        self._digest = hashlib.sha256()
        self.told = {}

    def _replay(self, published: int) -> None:
        """Read the lines that are not known yet.

        Raises:
            _DamagedError: If lines that have been published are missing.
        """
        while (path := self._segment(segment_of(self.last + 1))).exists():
            begin = self.last - self.last % SEGMENT
            content = unpack(path.read_bytes(), MAX_SEGMENT_BYTES, path.name)
            for raw in list(split(content))[self.last - begin :]:
                self._take(raw)
            if self.last != begin + SEGMENT:
                raise _DamagedError(f"{path.name} is cut short")
        self._replay_open(published)

    def _replay_open(self, published: int) -> None:
        begin = self.last - self.last % SEGMENT
        self._open_bytes = 0
        content = self._open.read_bytes() if self._open.exists() else b""
        for raw in split(content):
            try:
                seq = json.loads(raw)["seq"]
                if seq <= begin:  # the segment was closed, and the writer ended before it had begun the next
                    continue
                if seq > self.last:
                    self._take(raw)
            except (_DamagedError, ValueError, KeyError, TypeError):
                break  # of a writer that was killed
            self._open_bytes += len(raw) + 1
        if self.last < published:
            raise _DamagedError(f"the log ends with line {self.last}, and {published} was published")
        if content and not self._open_bytes:
            append(self._open, b"", 0)
        if self.last and is_check(self.last) and self._open_bytes:
            self._close()

    def _begin(self, reason: str) -> None:
        """Begin a new log: of a new epoch, so that nobody takes its numbers for those of the former one."""
        if reason:
            _log.warning("the feed is begun anew, readers compare what they have: %s", reason)
        identity = self._state.begin()
        remove_file(self._public / INDEX)
        for path in (self._public / FEED).glob("*.ndjson*"):
            remove_file(path)
        self._forget(identity.origin, identity.epoch)
        self._open_bytes = 0
        append(self._open, b"", 0)
