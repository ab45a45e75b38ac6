"""The log of an origin in a bucket: written on this machine, and put beside the archives when it has grown.

What the bucket's index names is there, whole, before it is named, and never changes. So what matters is the
order: the index is claimed, which fails where another publisher has done so; then models, heads, closed
segments, the open one, and the index, on the condition that the claim still stands. Who is killed in between
leaves an index of the lines of before, and lines that no index tells of yet. The next one goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from comeo.archive.clear_model import GROUP
from comeo.archive.stores.buckets import Fetched, MissingError, check_installed, fetch, put, remove
from comeo.archive.stores.file import TAIL_BYTES
from comeo.archive.stores.objects import ObjectFile
from comeo.archive.stores.zip import ZipStore
from comeo.errors import ArchiveError, ComeoError, OutOfReachError, ReplacedError
from comeo.places import ObjectAddress
from tileserver.relay.errors import FeedError, UpstreamError
from tileserver.relay.feed.checking import split
from tileserver.relay.feed.files import remove_file, replace_file
from tileserver.relay.feed.layout import (
    FEED,
    HEADS,
    INDEX,
    MAX_INDEX_BYTES,
    MAX_SEGMENT_BYTES,
    MODELS,
    OPEN,
    PACK,
    SEGMENT,
    head_name,
    pack_name,
    pack_of,
    segment_name,
    segment_of,
)
from tileserver.relay.feed.lines import Index, read_index
from tileserver.relay.feed.log import About, Log
from tileserver.relay.feed.packing import pack, unpack
from tileserver.relay.feed.packs import write_pack
from tileserver.relay.feed.state import Identity
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream.bucket import BucketUpstream
from tileserver.relay.upstream.folder import FolderUpstream

_COPY: Final = "feed"
_BROUGHT: Final = "feed.brought"
_PLACE: Final = "bucket"
"""A file of the private folder: which bucket the log may have been read in."""
_CLAIM: Final = "claim"
_AT_ONCE: Final = 8


class _Line(NamedTuple):
    """What a line tells of an archive: see `PutLine`."""

    seq: int
    etag: str
    tail: int
    href: str


class BucketLog(Log):
    """The log of an origin that is a bucket. What was told goes there when `writing` ends.

    Args:
        root: Of the origin, a bucket or a folder in one.
        private: Folder on this machine, of the key, of what is kept, and of a copy of the feed.
        about: See `Log`.

    Raises:
        ComeoError: If what buckets need is not installed.
    """

    def __init__(self, root: ObjectAddress, private: Path, about: About) -> None:
        check_installed()
        super().__init__(private / _COPY, private, about)
        self._root = root
        self._copy = private / _COPY
        self._brought = private / _BROUGHT
        self._there: Fetched | None = None
        self._named: Index | None = None
        self._gone: set[str] = set()

    @contextlib.contextmanager
    def writing(self, *, wait: bool = True) -> Iterator[bool]:
        """See `Log.writing`; where nothing is raised inside, the bucket has all lines afterwards.

        Raises:
            OutOfReachError: If the store does not answer, or refuses.
            ComeoError: Also if the bucket is another origin's, or another publisher has been faster.
        """
        with super().writing(wait=wait) as held:
            yield held
            if held:
                self._publish()

    def _drop_head(self, etag: str) -> None:
        super()._drop_head(etag)
        self._gone.add(etag)

    def _recover(self) -> None:
        """See `Log._recover`: of the copy, brought in step with the bucket before."""
        self._gone = set()
        self._look()
        if self._named is not None and self._there is not None:
            self._take_over(self._named, self._there.data)
        super()._recover()

    def _look(self) -> None:
        """Read the bucket's index, and refuse one of another origin."""
        self._there = self._named = None
        place = self._state.folder / _PLACE
        former = place.read_text() if place.exists() else ""
        if former not in ("", str(self._root)):
            raise ComeoError(
                f"{self._state.folder} is that of {former}; name another one for {self._root}, or remove "
                f"{place} if the bucket has moved"
            )
        try:
            self._there = fetch(self._at(INDEX), {}, MAX_INDEX_BYTES)
        except MissingError:
            if former:  # it has been removed: a new epoch begins, as in a folder
                remove_file(self._copy / INDEX)
            return
        try:
            index = read_index(self._there.data)
        except FeedError as error:
            raise ComeoError(
                f"{self._at(INDEX)} is not a usable index: {error}; see who writes there, or "
                "remove it and run the command again"
            ) from error
        identity = self._state.identity()
        if identity is None or index.origin != identity.origin:
            raise ComeoError(
                f"{self._root} has the feed of another origin ({index.name or index.origin}, {index.key}); "
                f"name the folder that it was published with (--private), or remove {self._at(INDEX)} to "
                "put a new origin in its place"
            )
        self._named = index

    def _take_over(self, index: Index, written: bytes) -> None:
        """Where the copy is not what the bucket has gone on from, make it what the bucket has."""
        identity = self._state.identity()
        before = self._copy / INDEX
        if (
            identity is None
            or index.epoch < identity.epoch
            or (before.exists() and before.read_bytes() == written)
        ):
            return
        if index.key != self.key:
            if index.epoch > identity.epoch:
                raise ComeoError(
                    f"{self._root} is signed with {index.key}, and the key here is {self.key}; publish with "
                    "the private folder that has the former one"
                )
            return  # the key here is new: the log begins a new epoch
        try:
            self._bring(index)
            goes_on = self._goes_on()
        except FeedError as error:
            raise ComeoError(
                f"{self._root} has a damaged feed: {error}; see who writes there, or remove "
                f"{self._at(INDEX)} to have all told anew"
            ) from error
        if goes_on and index.epoch == identity.epoch:
            return
        shutil.rmtree(self._copy, ignore_errors=True)
        self._state.adopt(Identity(origin=index.origin, epoch=index.epoch))
        self._brought.replace(self._copy)
        self._forget(index.origin, 0)

    def _bring(self, index: Index) -> None:
        """Copy the bucket's feed aside."""
        shutil.rmtree(self._brought, ignore_errors=True)
        upstream = BucketUpstream(str(self._root), Trust(None, index.key))
        for name, content in upstream.files(lambda _: False):
            self._keep(name, content)
        for digest in index.models:
            self._keep(f"{MODELS}/{digest}", upstream.model(digest))

    def _keep(self, name: str, content: bytes) -> None:
        path = self._brought / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)

    def _goes_on(self) -> bool:
        """Whether the copy has all lines that were brought, and maybe more: it was not published whole."""
        theirs = [line.written for line in FolderUpstream(self._brought, Trust()).lines(0)]
        try:
            ours = FolderUpstream(self._copy, Trust()).lines(0)
            return theirs == [line.written for line in islice(ours, len(theirs))]
        except UpstreamError:  # it is not there, or damaged
            return False

    def _publish(self) -> None:
        """Put into the bucket what it does not have."""
        index = (self._copy / INDEX).read_bytes()
        if self._there is not None and self._there.data == index:
            return
        same = self._named is not None and (self._named.epoch, self._named.key) == (self.epoch, self.key)
        named = self._named if same else None
        claim = self._claim(named)
        last = named.last if named is not None else 0
        self._put_all(self._content_of(named, last))
        self._put_packs(last)
        for number in range(segment_of(last + 1), self.last // SEGMENT + 1):
            self._put_segment(number, claim)
        self._check(claim)
        put(self._at(OPEN), (self._copy / OPEN).read_bytes(), None)
        with self._first():
            etag = put(self._at(INDEX), index, claim.etag)
        self._there, self._named = Fetched(index, len(index), etag, 0.0), read_index(index)
        for etag in self._gone - {*self.told.values()}:
            remove(self._at(f"{HEADS}/{head_name(etag)}"))
        self._gone = set()

    def _claim(self, named: Index | None) -> Fetched:
        """Write the index as it is, so that another who has read it before cannot publish.

        Args:
            named: What the index tells; None where it is of another epoch, or missing: then it has no lines.
        """
        last, models = (0, ()) if named is None else (named.last, named.models)
        data = self._index(last, models, **{_CLAIM: uuid.uuid4().hex})
        with self._first():
            etag = put(self._at(INDEX), data, "" if self._there is None else self._there.etag)
        replace_file(self._state.folder / _PLACE, str(self._root).encode())
        return Fetched(data, len(data), etag, 0.0)

    def _check(self, claim: Fetched) -> None:
        """Before something is replaced: a publisher that has slept too long must not.

        Raises:
            ComeoError: If another one has come.
        """
        with self._first():
            try:
                there = fetch(self._at(INDEX), {}, MAX_INDEX_BYTES).data
            except MissingError:
                there = b""
            if there != claim.data:
                raise ReplacedError("the index is another one")

    @contextlib.contextmanager
    def _first(self) -> Iterator[None]:
        """Say what it means that the index has changed."""
        try:
            yield
        except ReplacedError as error:
            raise ComeoError(
                f"{self._root}: another publisher is writing the feed; run the command again when it is done"
            ) from error

    def _put_segment(self, number: int, claim: Fetched) -> None:
        """Put a closed segment where none is; one that no index tells of yet gives way."""
        name = f"{FEED}/{segment_name(number)}"
        content = (self._copy / name).read_bytes()
        address = self._at(name)
        try:
            put(address, content, "")
        except ReplacedError:
            self._check(claim)
            there = fetch(address, {}, MAX_SEGMENT_BYTES)
            with self._first():
                put(address, content, there.etag)

    def _content_of(self, named: Index | None, last: int) -> Iterator[tuple[str, Path]]:
        """Models, and heads of archives, that lines need which the bucket's index does not tell of."""
        for digest in sorted(self.models - set(() if named is None else named.models)):
            yield f"{MODELS}/{digest}", self._copy / MODELS / digest
        for etag in {line.etag for line in self._told_since(last)}:
            yield f"{HEADS}/{head_name(etag)}", self._copy / HEADS / head_name(etag)

    def _told_since(self, last: int) -> list[_Line]:
        """Lines behind one that tell of archives."""
        found: list[_Line] = []
        for number in range(segment_of(last + 1), segment_of(self.last + 1) + 1):
            path = self._copy / FEED / segment_name(number)
            if path.exists():
                content = unpack(path.read_bytes(), MAX_SEGMENT_BYTES, path.name)
            else:
                content = (self._copy / OPEN).read_bytes()
            lines: Sequence[dict[str, Any]] = [json.loads(raw) for raw in split(content)]
            found += [
                _Line(line["seq"], about["etag"], about["tail"], line["href"])
                for line in lines
                if line["seq"] > last and "etag" in (about := line.get("line", line))
            ]
        return found

    def _put_all(self, content: Iterator[tuple[str, Path]]) -> None:
        """Put what is named by what is in it: who finds it there need not put it again."""

        def one(named: tuple[str, Path]) -> None:
            name, path = named
            if path.exists():  # what has been brought is in the bucket
                with contextlib.suppress(ReplacedError):
                    put(self._at(name), path.read_bytes(), "")

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(one, content):
                pass

    def _put_packs(self, last: int) -> None:
        """Put the heads of each hundred lines together that are complete now, and were not with a line."""
        first, behind = last // PACK + 1, self.last // PACK + 1
        told = self._told_since(PACK * (first - 1)) if behind > first else []
        for number in range(first, behind):
            some = [line for line in told if pack_of(line.seq) == number]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                heads = [head for head in pool.map(self._long_head, some) if head is not None]
            put(self._at(f"{HEADS}/{pack_name(number)}"), write_pack(heads), None)

    def _long_head(self, line: _Line) -> tuple[str, bytes] | None:
        """What a catalogue reads of an archive: its head, and before that which pixels are clear."""
        try:
            file = ObjectFile(str(self._at(unquote(line.href))))
            store = ZipStore(file)
            if store.whole_fingerprint != line.etag:
                return None
            starts = [place.start for key, place in store.ranges().items() if key.startswith(f"{GROUP}/")]
            begin = min([line.tail, *starts])
            if not file.size - TAIL_BYTES <= begin:
                begin = line.tail
            return line.etag, pack(file.read(begin, file.size - begin))
        except OutOfReachError:
            raise
        except ArchiveError:  # it has gone meanwhile
            return None

    def _at(self, name: str) -> ObjectAddress:
        return self._root.child(name)
