"""Keeping the database of a catalogue up to date with the folders."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from comeo.places import in_bucket
from tileserver.catalog.base import Record
from tileserver.catalog.difference import difference
from tileserver.catalog.finding import Finder
from tileserver.catalog.ledger import Found, Ledger, size_in
from tileserver.catalog.reading import READER, Reading

Watch = Callable[[int, int], None]
BATCH = 64
"""Archives that are read before they are written, and served."""
SLICE_SECONDS = 2.0
"""How long a request reads archives for all others; what is left then is for the next one."""
PATIENCE_SECONDS = 4.0
"""How much longer it waits for archives that are being read slowly."""
log = logging.getLogger(__name__)


class Indexer:
    """Looks at folders and writes what has changed, in one process at a time.

    Args:
        ledger: Where the scenes are kept.
        finder: Of the archives.
        scan_seconds: Shortest time between two looks.
        watch: Called after each look with the numbers of archives that are served and that are broken.
    """

    def __init__(self, ledger: Ledger, finder: Finder, scan_seconds: float, watch: Watch | None) -> None:
        self._ledger = ledger
        self._finder = finder
        self._scan_seconds = scan_seconds
        self._watch = watch
        self._checked = -float("inf")
        self._scanning = threading.Lock()

    @property
    def faults(self) -> dict[str, str]:
        """See `IndexedCatalog.faults`."""
        return self._finder.faults

    def refresh(self, *, force: bool = False) -> None:
        """See `Catalog.refresh`."""
        now = time.monotonic()
        if not force and now - self._checked < self._scan_seconds and self._ledger.complete:
            return
        if not self._scanning.acquire(blocking=force):
            return
        try:
            self._checked = now
            self._ledger.check()
            with self._ledger.claim(wait=force) as claim:
                if claim.held and (force or not self._ledger.complete or claim.age() >= self._scan_seconds):
                    claim.mark(done=self._scan(None if force else now + SLICE_SECONDS))
                elif claim.held:  # a look ends later than it begins: else every second one would be left out
                    self._checked = now - claim.age()
        finally:
            self._scanning.release()

    def rebuild(self) -> None:
        """See `Catalog.rebuild`."""
        self._ledger.forget()
        self.refresh(force=True)

    def refuse(self, record: Record, error: str) -> None:
        """See `Catalog.refuse`."""
        _warn(record.path, error)
        self._ledger.refuse(record, error)

    def _scan(self, deadline: float | None) -> bool:
        """Take in what has changed, until a time; return whether that was all."""
        known = self._ledger.known()
        found = self._finder.find(known, force=deadline is None)
        gone, changed = difference(known, found)
        if gone:
            self._ledger.remove(gone)
        left = changed
        while left and (deadline is None or left is changed or time.monotonic() < deadline):
            entries = self._read({path: found[path] for path in left[:BATCH]}, deadline)
            for path, error in self._ledger.write(entries):
                _warn(path, error)
            left = left[len(entries) :]
        done = not left
        if gone or changed:
            read = len(changed) - len(left)
            log.info("catalogue changed", extra={"fields": {"read": read, "removed": len(gone)}})
        if done and not self._ledger.complete:
            self._ledger.finish()
        if self._watch:
            self._watch(*self._ledger.numbers())
        return done

    def _read(self, signatures: dict[str, str], deadline: float | None) -> list[Found]:
        """Read archives, by their paths, but for those whose bytes have been refused before.

        Returns:
            One an archive, in their order; only the first of them if they take far longer than they may.
        """
        out: list[Found] = []
        known = {path: reading for path, signature in signatures.items()
                 if (reading := self._refused_before(path, size_in(signature)))}  # fmt: skip
        unknown = self._finder.read([path for path in signatures if path not in known])
        with contextlib.closing(unknown):
            for path, signature in signatures.items():
                if out and deadline is not None and time.monotonic() > deadline + PATIENCE_SECONDS:
                    break
                reading = known.get(path)
                if reading is None:
                    reading = next(unknown)
                    _tell(path, reading)
                if reading.passing:  # a signature that it never has: it is read again at the next look
                    signature = f"unread-{size_in(signature)}"  # noqa: PLW2901
                out.append(Found(path, signature, reading))
        return [one._replace(digest=_digest(one.path)) if one.reading.lasting else one for one in out]

    def _refused_before(self, path: str, size: int) -> Reading | None:
        """The refusal of an archive whose bytes have been refused, under whatever name."""
        digest = _digest(path) if self._ledger.may_be_refused(size) else None
        error = self._ledger.refused(size, digest) if digest else None
        if error is None:
            return None
        name = Path(path).name
        return Reading(None, error=error if name in error else f"{name} has been refused before: {error}")


def _digest(path: str) -> str | None:
    """Digest of an archive's bytes; None of an object, whose ETag says as much."""
    return None if in_bucket(path) else READER.digest(path)


def _tell(path: str, reading: Reading) -> None:
    """Log what an operator should know of an archive that has been read."""
    if reading.trace:
        fields = {"archive": Path(path).name, "trace": reading.trace}
        log.error("archive refused", extra={"fields": fields})
    elif reading.error:
        _warn(path, reading.error)
    for sentence in reading.damaged:
        fields = {"archive": Path(path).name, "error": sentence}
        log.warning("a part of an archive is damaged that its pixels do not need", extra={"fields": fields})
    if reading.left_out:
        fields = {"archive": Path(path).name, "members": ", ".join(reading.left_out[:10])}
        log.warning("markup or script in an archive's text left out", extra={"fields": fields})


def _warn(path: str, error: str) -> None:
    log.warning("archive refused", extra={"fields": {"archive": Path(path).name, "error": error}})
