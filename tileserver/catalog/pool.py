"""Open archives, a bounded number of them."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from comeo.archive import Archive, open_archive
from tileserver.catalog.base import Record


@dataclass(slots=True)
class _Lease:
    archive: Archive
    users: int = 0
    evicted: bool = False


class ArchivePool:
    """Least recently used archives, kept open. An archive is never closed while it is read.

    Args:
        limit: How many to keep open; more only while more are being read at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
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
        lease = self._take((record.path, record.signature), record.etag)
        try:
            yield lease.archive
        finally:
            with self._lock:
                lease.users -= 1
                if lease.evicted and not lease.users:
                    lease.archive.close()

    def _take(self, key: tuple[str, str], etag: str) -> _Lease:
        with self._lock:
            lease = self._open.get(key)
            if lease:
                self._open.move_to_end(key)
                lease.users += 1
                return lease
        opened = _Lease(open_archive(key[0], etag), users=1)
        with self._lock:
            lease = self._open.get(key)
            if lease:  # Another thread was faster.
                opened.archive.close()
                lease.users += 1
                return lease
            self._open[key] = opened
            self._evict()
        return opened

    def _evict(self) -> None:
        while len(self._open) > self._limit:
            _, lease = self._open.popitem(last=False)
            lease.evicted = True
            if not lease.users:
                lease.archive.close()
