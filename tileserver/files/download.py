"""Files as they are sent: whole, or a stretch of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from comeo.archive.stores import ZIP_SUFFIX
from comeo.archive.stores.objects import ObjectFile
from comeo.errors import ArchiveError, NotFoundError
from comeo.places import in_bucket
from tileserver.catalog import Record, file_signature
from tileserver.errors import BusyError, NotYetError

CHUNK_BYTES = 1 << 16
BUCKET_BYTES = 1 << 20
"""Of a request to a bucket."""
MEDIA_TYPE = "application/vnd.zarr+zip; version=3"


class OpenFile(NamedTuple):
    """An open file: whoever has it closes it.

    Attributes:
        stream: At its first byte.
        size: Bytes.
        modified: Seconds since 1970.
        name: To save it under.
    """

    stream: BinaryIO
    size: int
    modified: float
    name: str


def open_file(record: Record) -> OpenFile:
    """Open the file of a scene's archive, the very one that the catalogue knows.

    Raises:
        NotYetError: If not all of it is here.
        NotFoundError: If the archive is a folder.
        BusyError: If it has gone or been replaced since the catalogue was last brought up to date.
    """
    if not record.is_whole:
        raise NotYetError(
            f"{record.id} is here in part, and its archive can be downloaded when all of it is: try again "
            "later, or ask the server that it comes from"
        )
    if not record.path.endswith(ZIP_SUFFIX):
        raise NotFoundError(f"{record.id} is kept as a folder of objects and cannot be sent as one file")
    if in_bucket(record.path):
        return _from_bucket(record)
    try:
        stream = Path(record.path).open("rb")  # noqa: SIM115 - the answer closes it
    except OSError as error:
        raise BusyError(f"the archive of {record.id} has gone or is being replaced; try again") from error
    status = os.fstat(stream.fileno())
    if file_signature(status) != record.signature:
        stream.close()
        raise BusyError(f"the archive of {record.id} is being replaced; try again in a moment")
    return OpenFile(stream, status.st_size, status.st_mtime, f"{record.id}{ZIP_SUFFIX}")


def _from_bucket(record: Record) -> OpenFile:
    """See `open_file`. Its bytes are fetched as they are sent, all of one state of the object."""
    try:
        file = ObjectFile(record.path, record.etag)
    except ArchiveError as error:
        raise BusyError(f"the archive of {record.id} has gone or is out of reach; try again") from error
    if file.listed.signature != record.signature:
        raise BusyError(f"the archive of {record.id} is being replaced; try again in a moment")
    return OpenFile(file.stream(BUCKET_BYTES), file.size, file.modified, f"{record.id}{ZIP_SUFFIX}")


class Section:
    """A stretch of a file, from where it stands: what a WSGI server's `file_wrapper` takes.

    A server that knows `sendfile` uses `fileno` and the answer's Content-Length; others iterate.
    """

    def __init__(self, stream: BinaryIO, start: int, length: int) -> None:
        stream.seek(start)
        self._stream = stream
        self._left = length
        self.fileno = stream.fileno
        self.close = stream.close

    def read(self, size: int = -1) -> bytes:
        """Return bytes, at most as many as are left of the stretch; behind the last the file is closed."""
        if self._stream.closed:
            return b""
        data = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        if not data or not self._left:
            self._stream.close()
        return data

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(CHUNK_BYTES):
            yield data
