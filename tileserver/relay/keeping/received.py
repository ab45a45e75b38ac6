"""An archive under way as the relay itself reads it: all that has come, published or not."""

from __future__ import annotations

from pathlib import Path

from comeo.archive import Archive
from comeo.archive.stores.extents import Extents
from comeo.archive.stores.sparse import PartFile
from comeo.archive.stores.zip import ZipStore


def open_received(path: Path, here: Extents, etag: str) -> Archive:
    """Open an archive of which the head has come.

    Raises:
        ArchiveError: If what has come is damaged, or another archive.
        NotHereError: If the head has not come.
        OSError: If there is no such file.
    """
    store = ZipStore(PartFile(path, here, etag))
    try:
        return Archive(store, path)
    except BaseException:
        store.close()
        raise
