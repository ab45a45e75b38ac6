"""Archives in buckets: read by ranges, of one state of the object, and published in one step."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cachetools import LRUCache

from comeo.archive.stores.buckets import Fetched, Listed, fetch, put_new
from comeo.archive.stores.far import FarFile
from comeo.archive.stores.file import LARGEST_FILE, TAIL_BYTES, LocalFile
from comeo.archive.stores.zip import ZipStore
from comeo.errors import ArchiveError, ReplacedError
from comeo.leftovers import held_folder
from comeo.places import ObjectAddress, address_of

_ON_ITS_WAY: Final = "comeo-object-"
"""What folders of archives that are on their way into a bucket begin with."""


class Heads:
    """Ends of objects that were opened as archives, the least recently used gone first. Threads may share it.

    Args:
        limit: Bytes to keep.
    """

    def __init__(self, limit: int) -> None:
        self._kept: LRUCache[tuple[str, str], Fetched] = LRUCache(limit, lambda found: len(found.data))
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> Fetched | None:
        """The end of an object, by its address and the archive's fingerprint, if it was kept."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: tuple[str, str], found: Fetched) -> None:
        """Keep the end of an object, unless it is larger than all that is kept."""
        with self._lock, contextlib.suppress(ValueError):
            self._kept[key] = found

    def drop(self, key: tuple[str, str]) -> None:
        """Keep it no longer."""
        with self._lock:
            self._kept.pop(key, None)


HEADS: Final = Heads(32 << 20)
"""Those of this process: some thousand, for a pool of open archives is far smaller than a bucket."""


class ObjectFile(FarFile):
    """An object in a bucket, in the state that it had when it was opened: what replaces it is not read.

    Args:
        place: Its address, `s3://BUCKET/KEY`.
        fingerprint: Of the archive that it is to be, if that is known: the head of one that was opened before
            has been kept.

    Attributes:
        modified: When it was written, in seconds since 1970.

    Raises:
        OutOfReachError: If the store does not answer, or refuses.
        ArchiveError: If there is no such object, or it is too large.
    """

    def __init__(self, place: str, fingerprint: str = "") -> None:
        super().__init__()
        self._address = address_of(place)
        if not self._address.key:
            raise ArchiveError(f"{self._address} is a bucket; name an archive in it")
        self.name = self._address.name
        found = HEADS.get((str(self._address), fingerprint))
        if found is None:
            found = fetch(self._address, {"range": {"suffix": TAIL_BYTES}})
        self._tail, self.size, self._state, self.modified = found
        self._kept = fingerprint
        if self.size > LARGEST_FILE:
            raise ArchiveError(f"{self.name} has {self.size} bytes, more than an archive can have")
        if not self._state.startswith('"'):
            raise ArchiveError(f"{self.name} has no ETag that tells one state of it from the next")

    @property
    def listed(self) -> Listed:
        """What a listing has of it."""
        return Listed(self._address, self.size, self._state.strip('"'))

    def remember(self, fingerprint: str) -> None:
        """See `ByteFile.remember`."""
        self._kept = fingerprint
        HEADS.put(
            (str(self._address), fingerprint), Fetched(self._tail, self.size, self._state, self.modified)
        )

    def _fetch(self, offset: int, length: int) -> bytes:
        """See `ByteFile._fetch`.

        Raises:
            ReplacedError: If another object has its key by now.
        """
        try:
            found = fetch(self._address, {"range": (offset, offset + length), "if_match": self._state})
            if (found.size, found.etag) != (self.size, self._state):  # of a store that knows no conditions
                raise ReplacedError(f"{self.name} has changed while it was in use")
        except ArchiveError:
            HEADS.drop((str(self._address), self._kept))
            raise
        if len(found.data) != length:
            raise ArchiveError(f"{self.name}: the store sent {len(found.data)} bytes of {length}")
        return found.data


@contextlib.contextmanager
def writing_object(address: ObjectAddress) -> Iterator[Path]:
    """A file of this machine that has its place in a bucket at the end of the block: see `publish`."""
    with held_folder(Path(tempfile.gettempdir()), _ON_ITS_WAY) as folder:
        yield folder / address.name
        publish(folder / address.name, address)


def publish(path: Path, address: ObjectAddress) -> None:
    """Give a finished archive its place in a bucket, where nothing has that key.

    The very same archive may lie there: where the answer to a request was lost, it does.

    Args:
        path: A `.zarr.zip` file.
        address: Where it is to lie.

    Raises:
        OutOfReachError: If the store does not answer, or refuses.
        ArchiveError: If another object has that key, or there is no such bucket.
    """
    try:
        put_new(path, address)
    except FileExistsError as error:
        there, here = ZipStore(ObjectFile(str(address))), ZipStore(LocalFile(path))
        if there.fingerprint != here.fingerprint:
            raise ArchiveError(
                f"{address} exists already, and objects are not replaced; choose another key, or remove it"
            ) from error
