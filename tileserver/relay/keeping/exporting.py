"""An origin's feed and archives copied onto a disk that is carried: the disk is then the same origin.

The feed comes first, then archives, the newest first, each beside its name until it is whole and its SHA-256
is right. So wherever a copy is cut short, what is on the disk can be taken from it, and the next one goes on.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comeo.archive.stores import open_store
from comeo.archive.stores.file import LocalFile, sync_folder
from comeo.errors import ArchiveError, ComeoError
from tileserver.relay.errors import ChangedError, FeedError
from tileserver.relay.feed.files import remove_file, replace_file
from tileserver.relay.feed.layout import FEED, INDEX, MAX_SEQ, MODELS, segment_name
from tileserver.relay.feed.lines import Index, PutLine, href_of, told
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.notices import Notices
from tileserver.relay.upstream.folder import FolderUpstream
from tileserver.relay.upstream.reading import FeedReader

MOST_FILE_BYTES: Final = (1 << 32) - 1
"""Of a file on FAT32."""
SPARE_BYTES: Final = 1 << 24
"""Left free, for the file system's own tables."""
_EXPORTED: Final = "relay/exported.json"
_PART: Final = ".part"
_LONGEST_NAME: Final = 255 - 9 - len(_PART)
_SYNC_BYTES: Final = 1 << 24
_FORBIDDEN: Final = re.compile(r'["*:<>?\\|\x00-\x1f\x7f]|[ .]$')
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
Since = int | Literal["last"]


class _State(BaseModel):
    """How far the last copy to a disk got.

    Attributes:
        origin: Whose.
        epoch: Of its feed.
        last: The line of the feed up to which all archives have been on the disk.
    """

    model_config = ConfigDict(extra="ignore")

    origin: str
    epoch: int
    last: int = Field(ge=0, le=MAX_SEQ)


@dataclass(slots=True)
class Exported:
    """What a copy has done.

    Attributes:
        archives: That are on the disk, of those that were asked for.
        bytes: Of these.
        new: Of these, bytes that were written now.
        left: Archives for which there was no room.
        refused: Archives that cannot be on such a disk, or are gone by now, each with the reason.
    """

    archives: int = 0
    bytes: int = 0
    new: int = 0
    left: int = 0
    refused: list[str] = field(default_factory=list)


class _Wanted(NamedTuple):
    """An archive, by the latest line of its scene."""

    seq: int
    id: str
    href: str
    etag: str
    size: int
    sha256: str


def export(upstream: FeedReader, disk: Path, since: Since, most: int | None, notices: Notices) -> Exported:
    """Copy an origin onto a disk, or bring the copy up to date.

    Args:
        upstream: The origin, or a relay that passes its lines on.
        disk: A folder, which is made where it is missing.
        since: Archives of lines behind this one; `last` those behind the last copy to this disk.
        most: Bytes of these archives at most; None as many as there is room for.
        notices: Where it tells what it does.

    Raises:
        UpstreamError: If the origin cannot be read.
        ComeoError: If the disk cannot be written, or is another origin's.
    """
    try:
        index = upstream.index()
        before = _last_exported(disk, index)
        after = before if since == "last" else since
        index = _copy_feed(upstream, disk, index)
        copying = _Copying(upstream, disk, most, notices)
        for wanted in _wanted(disk, index, after):
            copying.take(wanted)
        if not copying.done.left and after <= before:
            state = _State(origin=index.origin, epoch=index.epoch, last=index.last)
            replace_file(disk / _EXPORTED, state.model_dump_json().encode())
    except OSError as error:
        reason = "is full" if error.errno == errno.ENOSPC else f"cannot be written: {error.strerror}"
        raise ComeoError(
            f"{disk} {reason}; what is whole on it can be imported, and the next export goes on"
        ) from error
    return copying.done


def reason_against(href: str) -> str | None:
    """Why an archive cannot have its name on a disk of FAT32; None if it can."""
    for part in unquote(href).split("/"):
        if _FORBIDDEN.search(part) or _DEVICE.fullmatch(part):
            return f"{part[:80]!r} cannot be the name of a file on such a disk"
        if len(part.encode("utf-16-le")) // 2 > _LONGEST_NAME:
            return f"{part[:80]!r}… is too long for the name of a file"
    return None


def _last_exported(disk: Path, index: Index) -> int:
    """The line up to which a disk has had all archives; 0 where it is new, or of another epoch.

    Raises:
        ComeoError: If the disk is another origin's.
    """
    path = disk / _EXPORTED
    try:
        state = _State.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return 0
    except ValidationError as error:
        raise ComeoError(f"{path} is damaged; remove it, and export again") from error
    if state.origin != index.origin:
        raise ComeoError(
            f"{disk} is a copy of another origin ({state.origin}); take another disk, or empty it"
        )
    return state.last if state.epoch == index.epoch else 0


def _copy_feed(upstream: FeedReader, disk: Path, index: Index) -> Index:
    """Write the files of the feed, and what they need to be read; the index as it is on the disk then.

    Closed segments never change in an epoch, so those that are there stay. The index is written last, and
    goes first where another epoch begins.
    """
    (disk / FEED).mkdir(parents=True, exist_ok=True)
    (disk / MODELS).mkdir(exist_ok=True)
    before = _index_of(disk)
    if before is None or (before.origin, before.epoch) != (index.origin, index.epoch):
        remove_file(disk / INDEX)
        for old in (disk / FEED).glob("*.ndjson*"):
            remove_file(old)
    for name, content in upstream.files(lambda number: (disk / FEED / segment_name(number)).exists()):
        replace_file(disk / name, content)
    found = FolderUpstream(disk, Trust()).index()
    for digest in found.models:
        if not (disk / MODELS / digest).exists():
            replace_file(disk / MODELS / digest, upstream.model(digest))
    return found


def _index_of(disk: Path) -> Index | None:
    """The index that a disk has; None where it has none that can be believed."""
    with contextlib.suppress(ComeoError):
        return FolderUpstream(disk, Trust()).index()
    return None


def _wanted(disk: Path, index: Index, after: int) -> list[_Wanted]:
    """Archives that lines behind one tell of, the newest line first: as the disk's own feed has it."""
    copy = FolderUpstream(disk, Trust(None, index.key))
    copy.index()
    found: dict[tuple[str, str], _Wanted] = {}
    try:
        for line in copy.lines(min(after, index.last)):
            about, href = told(line), href_of(line)
            if about is None:
                continue
            found.pop((about.c, about.id), None)
            if isinstance(about, PutLine) and href is not None:
                found[about.c, about.id] = _Wanted(
                    line.seq, about.id, href, about.etag, about.bytes, about.sha256
                )
    except FeedError as error:
        raise ComeoError(f"{error}; remove {disk / 'relay'}, and export again") from error
    return sorted(found.values(), reverse=True)


class _Copying:
    """Copies archives, one after the other.

    Args:
        upstream: Where they come from.
        disk: Where they go.
        most: Bytes of all of them at most.
        notices: Where it tells what it does.
    """

    def __init__(self, upstream: FeedReader, disk: Path, most: int | None, notices: Notices) -> None:
        self._upstream, self._disk, self._most, self._notices = upstream, disk, most, notices
        self._names: dict[str, str] = {}
        self.done = Exported()

    def take(self, wanted: _Wanted) -> None:
        """Copy an archive, unless it is there, cannot be, or there is no room for it."""
        done = self.done
        reason = self._reason_against(wanted)
        if reason is not None:
            done.refused.append(f"{wanted.id}: {reason}")
            return
        target = self._disk / unquote(wanted.href)
        if not _is_there(target, wanted):
            if not self._has_room(target, wanted):
                done.left += 1
                return
            self._notices.line(f"{wanted.id}: {wanted.size:,} bytes; {done.archives:,} archives so far")
            try:
                done.new += self._copy(target, wanted)
            except ChangedError as error:
                done.refused.append(f"{wanted.id}: {error}")
                return
        done.archives += 1
        done.bytes += wanted.size

    def _reason_against(self, wanted: _Wanted) -> str | None:
        """Why an archive cannot be on the disk."""
        if wanted.size > MOST_FILE_BYTES:
            return f"its {wanted.size:,} bytes are more than a file may have on such a disk"
        same = self._names.setdefault(unquote(wanted.href).casefold(), wanted.href)
        if same != wanted.href:
            return f"{wanted.href} and {same} are one name on such a disk"
        return reason_against(wanted.href)

    def _has_room(self, target: Path, wanted: _Wanted) -> bool:
        if self._most is not None and self.done.bytes + wanted.size > self._most:
            return False
        return shutil.disk_usage(self._disk).free - SPARE_BYTES >= wanted.size - _size_of(
            _part(target, wanted)
        )

    def _copy(self, target: Path, wanted: _Wanted) -> int:
        """Bring an archive, going on where a part of it is; bytes that were written.

        Raises:
            ChangedError: If it is gone or another one by now, or comes damaged.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = _part(target, wanted)
        for other in target.parent.glob(f"{glob.escape(target.name)}.????????{_PART}"):
            if other != part:
                remove_file(other)
        begun = _size_of(part)
        written = self._append(part, wanted, begun)
        if begun and LocalFile(part).sha256() != wanted.sha256:  # after a cut of power it is not what came
            remove_file(part)
            begun, written = 0, written + self._append(part, wanted, 0)
        if not begun and LocalFile(part).sha256() != wanted.sha256:
            remove_file(part)
            raise ChangedError("it came damaged; export again")
        part.replace(target)
        sync_folder(target.parent)
        return written

    def _append(self, part: Path, wanted: _Wanted, begin: int) -> int:
        if begin > wanted.size:
            remove_file(part)
            begin = 0
        written = pending = 0
        with part.open("ab") as file:
            try:
                if begin < wanted.size:
                    for piece in self._upstream.read(wanted.href, wanted.etag, begin, wanted.size):
                        file.write(piece)
                        written, pending = written + len(piece), pending + len(piece)
                        if pending >= _SYNC_BYTES:
                            file.flush()
                            os.fsync(file.fileno())
                            pending = 0
            finally:
                file.flush()
                os.fsync(file.fileno())
        return written


def _part(target: Path, wanted: _Wanted) -> Path:
    """Where an archive is until it is whole: no name that a feed tells of."""
    return target.with_name(f"{target.name}.{wanted.etag[:8]}{_PART}")


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_there(target: Path, wanted: _Wanted) -> bool:
    """Whether an archive is on the disk, by its ETag, which its directory makes."""
    if _size_of(target) != wanted.size:
        return False
    try:
        store = open_store(target)
    except (ArchiveError, OSError):
        return False
    try:
        return store.fingerprint == wanted.etag
    finally:
        store.close()
