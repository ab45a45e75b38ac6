"""Products that people send, piece by piece: each in a folder of its own until it is compressed or forgotten.

All state is on disk, so that every process of a server sees it, and a cut connection goes on where it ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import BaseModel, ConfigDict, Field

from comeo.errors import BoundError, NotFoundError, ParameterError
from tileserver.errors import BusyError, ConflictError, TooManyError
from tileserver.settings import Settings

SUFFIXES: Final = (".zip", ".tif", ".tiff")
_FACTS: Final = "upload.json"
_LOCK: Final = "lock"
_ID: Final = re.compile(r"[0-9a-f]{32}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_PIECE: Final = 1 << 16
_SPARE_BYTES: Final = 256 << 20
log = logging.getLogger(__name__)


class Facts(BaseModel):
    """What is known of an upload from its beginning."""

    model_config = ConfigDict(frozen=True)

    person: int
    length: int = Field(ge=1)
    name: str
    created: float


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as it is now.

    Attributes:
        id: 32 random hexadecimal digits, which cannot be guessed.
        facts: See `Facts`.
        offset: Bytes that are here.
        path: Of the product.
        expires: Seconds since 1970.
    """

    id: str
    facts: Facts
    offset: int
    path: Path
    expires: float

    @property
    def is_complete(self) -> bool:
        """Whether all of it is here."""
        return self.offset == self.facts.length


class Uploads:
    """The uploads of a server.

    Args:
        folder: Of all of them.
        settings: Of the server, for its bounds.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._guard = threading.Lock()

    def create(self, person: int, length: int, name: str) -> Upload:
        """Begin an upload.

        Raises:
            ParameterError: If the name is none of a product.
            BoundError: If it is larger than one may be.
            TooManyError: If there is no room for it, of this person's share or at all.
            BusyError: If the disk does not take it.
        """
        if not _NAME.fullmatch(name) or not name.lower().endswith(SUFFIXES):
            raise ParameterError(
                "the name of a product has letters, digits, '.', '_' and '-' alone, and ends in "
                f"{', '.join(SUFFIXES)}"
            )
        if length > self._settings.max_product_bytes:
            raise BoundError(
                f"the product has {length} bytes, and at most {self._settings.max_product_bytes} are taken",
                "max_product_bytes",
            )
        if length < 1:
            raise ParameterError("the product has no bytes; send one that has")
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._guard, (self._folder / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.sweep()
            self._check(person, length)
            upload = self._folder / uuid.uuid4().hex
            facts = Facts(person=person, length=length, name=name, created=time.time())
            with _on_disk():
                upload.mkdir(mode=0o700)
                (upload / name).touch()
                (upload / _FACTS).write_text(facts.model_dump_json())
        return self.get(upload.name, person)

    def get(self, upload_id: str, person: int) -> Upload:
        """An upload of one's own.

        Raises:
            NotFoundError: If there is none: unknown, somebody else's, or expired.
        """
        found = self._read(self._folder / upload_id) if _ID.fullmatch(upload_id) else None
        if found is None or found.facts.person != person:
            raise NotFoundError(f"there is no upload {upload_id[:40]}, or it is not yours, or it has expired")
        return found

    def append(self, upload: Upload, offset: int, stream: BinaryIO) -> Upload:
        """Add bytes to an upload; those that have come before a cut stay.

        Raises:
            ConflictError: If they do not begin where it ends, or another request adds to it.
            BoundError: If it would become longer than it was said to be.
            BusyError: If the disk does not take them.
        """
        with self.held(upload):
            now = self.get(upload.id, upload.facts.person)
            if offset != now.offset:
                raise ConflictError(
                    f"the upload has {now.offset} bytes, not {offset}; ask by HEAD, and go on there"
                )
            with _on_disk(), now.path.open("ab") as file:
                left = now.facts.length - now.offset
                try:
                    while piece := stream.read(min(_PIECE, left + 1)):
                        if len(piece) > left:
                            raise BoundError(
                                f"the upload was to have {now.facts.length} bytes, and these are more",
                                "max_product_bytes",
                            )
                        file.write(piece)
                        left -= len(piece)
                finally:
                    file.flush()
                    os.fsync(file.fileno())
        return self.get(upload.id, upload.facts.person)

    def remove(self, upload: Upload) -> None:
        """Forget an upload."""
        shutil.rmtree(upload.path.parent, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what has expired, but for what is being worked on."""
        for folder in self._folders():
            found = self._read(folder)
            if found is None or found.expires < time.time():
                with contextlib.suppress(ConflictError, NotFoundError, OSError), _lock(folder / _LOCK):
                    shutil.rmtree(folder, ignore_errors=True)

    def held(self, upload: Upload) -> contextlib.AbstractContextManager[None]:
        """Keep an upload from being added to, or swept, while it is worked on.

        Raises:
            ConflictError: If somebody else does.
        """
        return _lock(upload.path.parent / _LOCK)

    def _check(self, person: int, length: int) -> None:
        settings = self._settings
        uploads = list(filter(None, map(self._read, self._folders())))
        own = sum(each.facts.length for each in uploads if each.facts.person == person)
        if own + length > settings.person_upload_bytes:
            raise TooManyError(
                f"your uploads would have {own + length} bytes, and may have {settings.person_upload_bytes}; "
                "have some compressed, or DELETE them"
            )
        coming = sum(each.facts.length - each.offset for each in uploads)
        if sum(each.facts.length for each in uploads) + length > settings.all_upload_bytes:
            raise TooManyError("the server has too many uploads at this moment; try again later")
        if shutil.disk_usage(self._folder).free - coming - length < _SPARE_BYTES:
            raise TooManyError("the disk for uploads is full; try again later")

    def _folders(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return [path for path in self._folder.iterdir() if _ID.fullmatch(path.name)]

    def _read(self, folder: Path) -> Upload | None:
        try:
            facts = Facts.model_validate_json((folder / _FACTS).read_bytes())
            path = folder / facts.name
            status = path.stat()
        except (OSError, ValueError):
            return None
        expires = status.st_mtime + self._settings.upload_keep_seconds
        return Upload(folder.name, facts, status.st_size, path, expires)


@contextlib.contextmanager
def _on_disk() -> Iterator[None]:
    """Say where the system refuses, in words that name no folder of the server."""
    try:
        yield
    except OSError as error:
        log.warning("an upload could not be written: %s", error)
        reason = error.strerror or "the system refuses"
        raise BusyError(f"the upload could not be written ({reason}); go on with it later") from error


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    try:
        lock = path.open("ab")
    except FileNotFoundError as error:
        raise NotFoundError("there is no such upload any more") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError("another request works on this upload; wait for it") from error
        yield


def check_whole(upload: Upload) -> None:
    """Refuse an upload of which something is missing.

    Raises:
        ConflictError: Saying how much is here.
    """
    if not upload.is_complete:
        raise ConflictError(
            f"the upload has {upload.offset} of {upload.facts.length} bytes; send the rest first"
        )
