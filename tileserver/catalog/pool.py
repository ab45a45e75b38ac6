"""Open archives, a bounded number of them."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from comeo.archive import Archive, open_archive
from tileserver.catalog.base import Catalog, Record
from tileserver.catalog.following import Follower


@dataclass(slots=True)
class _Lease:
    archive: Archive
    scene: tuple[str, str]
    users: int = 0
    evicted: bool = False


class ArchivePool:
    """Least recently used archives, kept open. An archive is never closed while it is read.

    Args:
        limit: How many to keep open; more only while more are being read at once.
        catalog: Of the scenes; archives that have gone or been replaced are closed when it tells of that, so
            that they no longer take up the disk.
    """

    def __init__(self, limit: int, catalog: Catalog | None = None) -> None:
        self._limit = limit
        self._catalog = catalog
        self._follower = Follower(catalog) if catalog else None
        self._open: OrderedDict[tuple[str, str], _Lease] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def lease(self, record: Record) -> Iterator[Archive]:
        """Lend the open archive of a record.

        Raises:
            ReplacedError: If another archive lies in its place by now: nothing in that is read, since it has
                not been read within limits.
            ArchiveError: If it can no longer be opened.
        """
        self._close_replaced()
        lease = self._take(record)
        try:
            yield lease.archive
        finally:
            with self._lock:
                lease.users -= 1
                if lease.evicted and not lease.users:
                    lease.archive.close()

    def _take(self, record: Record) -> _Lease:
        key = (record.path, record.signature)
        with self._lock:
            lease = self._open.get(key)
            if lease:
                self._open.move_to_end(key)
                lease.users += 1
                return lease
        opened = _Lease(open_archive(record.path, record.etag), (record.collection, record.id), users=1)
        with self._lock:
            lease = self._open.get(key)
            if lease:  # Another thread was faster.
                opened.archive.close()
                lease.users += 1
                return lease
            self._open[key] = opened
            self._evict()
        return opened

    def _close_replaced(self) -> None:
        """Close the archives of scenes that have changed since they were opened."""
        if self._catalog is None or self._follower is None:
            return
        now = self._catalog.position()
        with self._lock:
            news = self._follower.news(now)
            if news is not None and not news:
                return
            etags = {(change.collection, change.id): change.etag for change in news or ()}
            for key, lease in list(self._open.items()):
                if news is None or etags.get(lease.scene, lease.archive.etag) != lease.archive.etag:
                    self._let_go(self._open.pop(key))

    def _evict(self) -> None:
        while len(self._open) > self._limit:
            self._let_go(self._open.popitem(last=False)[1])

    @staticmethod
    def _let_go(lease: _Lease) -> None:
        """Close an archive that has left the pool, as soon as nobody reads it."""
        lease.evicted = True
        if not lease.users:
            lease.archive.close()
