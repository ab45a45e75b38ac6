"""An archive under way as the relay itself reads it: all that has come, published or not."""

from __future__ import annotations

from pathlib import Path

from comeo.archive import Archive
from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import LocalFile
from comeo.archive.stores.zip import ZipStore
from comeo.errors import NotHereError


class ReceivedFile(LocalFile):
    """A file with holes, of which the journal says what is here.

    Args:
        path: Of the part.
        here: Bytes that are here.
        etag: That the archive must have.
    """

    whole = False

    def __init__(self, path: Path, here: Extents, etag: str) -> None:
        super().__init__(path)
        self._here = here
        self.etag = etag

    @property
    def here(self) -> Extents:
        """See `ByteFile.here`."""
        return self._here

    def keep_from(self, offset: int) -> None:
        """See `ByteFile.keep_from`; as far as it is here."""
        behind = [start for start, stop in self._here if stop == self.size]
        if behind:
            super().keep_from(max(offset, behind[0]))

    def _fetch(self, offset: int, length: int) -> bytes:
        """See `ByteFile._fetch`."""
        if not self._here.covers(offset, offset + length):
            raise NotHereError(f"{self.name} is not here yet from byte {offset} to {offset + length}")
        return super()._fetch(offset, length)


def open_received(path: Path, here: Extents, etag: str) -> Archive:
    """Open an archive of which the head has come.

    Raises:
        ArchiveError: If what has come is damaged, or another archive.
        NotHereError: If the head has not come.
        OSError: If there is no such file.
    """
    store = ZipStore(ReceivedFile(path, here, etag))
    try:
        return Archive(store, path)
    except BaseException:
        store.close()
        raise
