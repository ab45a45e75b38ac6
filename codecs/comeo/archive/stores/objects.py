"""Archives in buckets: read by ranges, of one state of the object, and published in one step."""

from __future__ import annotations

from pathlib import Path

from comeo.archive.stores.buckets import ObjectAddress, address_of, fetch, put_new
from comeo.archive.stores.far import LARGEST_FILE, FarFile
from comeo.archive.stores.file import TAIL_BYTES, LocalFile
from comeo.archive.stores.zip import ZipStore
from comeo.errors import ArchiveError, ReplacedError


class ObjectFile(FarFile):
    """An object in a bucket, in the state that it had when it was opened: what replaces it is not read.

    Args:
        place: Its address, `s3://BUCKET/KEY`.

    Attributes:
        modified: When it was written, in seconds since 1970.

    Raises:
        OutOfReachError: If the store does not answer, or refuses.
        ArchiveError: If there is no such object, or it is too large.
    """

    def __init__(self, place: str) -> None:
        super().__init__()
        self._address = address_of(place)
        self.name = str(self._address)
        found = fetch(self._address, {"range": {"suffix": TAIL_BYTES}})
        self._tail, self.size, self._state, self.modified = found
        if self.size > LARGEST_FILE:
            raise ArchiveError(f"{self.name} has {self.size} bytes, more than an archive can have")
        if not self._state.startswith('"'):
            raise ArchiveError(f"{self.name} has no ETag that tells one state of it from the next")

    def _fetch(self, offset: int, length: int) -> bytes:
        """See `ByteFile._fetch`.

        Raises:
            ReplacedError: If another object has its key by now.
        """
        stop = offset + length
        found = fetch(self._address, {"range": (offset, stop), "if_match": self._state})
        if (found.size, found.etag) != (self.size, self._state):  # of a store that knows no conditions
            raise ReplacedError(f"{self.name} has changed while it was in use")
        if len(found.data) != length:
            raise ArchiveError(f"{self.name}: the store sent {len(found.data)} bytes of {length}")
        return found.data


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
