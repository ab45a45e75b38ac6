"""Brings ranges of a scene onto the disk: what has come stays, whatever happens to the line."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol, cast

from comeo.archive.stores.extents import Extents
from tileserver.relay.errors import UnreachableError, UpstreamError
from tileserver.relay.feed.layout import MAX_HEAD_BYTES
from tileserver.relay.feed.lines import PutLine
from tileserver.relay.keeping.gate import Gate, GivesWayError, Pass
from tileserver.relay.keeping.journal import Journal, Kept, Spent
from tileserver.relay.keeping.pace import Pace
from tileserver.relay.keeping.spans import requests
from tileserver.relay.upstream.base import Upstream

SYNC_BYTES: Final = 1 << 16
"""So many bytes at most are lost to a kill or a cut of power."""
_SYNC_SECONDS: Final = 2.0
"""Of a slow line even fewer."""


class Taking(Protocol):
    """What takes the bytes."""

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes."""

    def sync(self) -> None:
        """Let them be on the disk."""


class Bringer:
    """Asks an upstream for ranges.

    Args:
        upstream: Where they come from.
        journal: That remembers what came.
        gate: That says what may be asked for.
        pace: Of the link.
        clock: Seconds that only grow.

    Attributes:
        gives_way: Whether something else comes first now: what nobody looks at stops between two requests.
    """

    def __init__(
        self,
        upstream: Upstream,
        journal: Journal,
        gate: Gate,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._journal = journal
        self._gate = gate
        self._pace = pace
        self._clock = clock
        self._told = upstream.wire.total
        self.gives_way: Callable[[], bool] = lambda: False

    @property
    def waited(self) -> float:
        """Seconds that were waited so that the link holds its rate."""
        return self._pace.waited

    def settle(self, *, on_demand: bool = False) -> int:
        """Bytes on the wire since the last time, counted in the budget."""
        total = self._upstream.wire.total
        wire, self._told = total - self._told, total
        return self._gate.spend(wire, on_demand=on_demand)

    def bring(
        self, kept: Kept, href: str, file: Taking, wanted: Extents, *, alerts: bool, on_demand: bool = False
    ) -> Kept:
        """Bring what is wanted of a scene and not here.

        Args:
            kept: The scene.
            href: Of its archive.
            file: That takes the bytes.
            wanted: Which.
            alerts: Whether they are for alerts.
            on_demand: Whether somebody looks at it.

        Returns:
            The scene with all that was wanted.

        Raises:
            PausedError: If the link may not be used now; what came is kept, as with the others.
            GivesWayError: If something else comes first now.
            ChangedError: If the origin has another version.
            UpstreamError: If the line is cut, or the origin refuses.
        """
        for start, stop in requests(wanted, kept.received):
            place = start
            while place < stop:
                if not on_demand and self.gives_way():
                    raise GivesWayError
                allowed = self._gate.enter(alerts=alerts, on_demand=on_demand)
                upto = min(stop, place + allowed.longest)
                kept = self._range(kept, href, file, place, upto, allowed, on_demand=on_demand)
                place = upto
        return kept

    def bring_head(self, kept: Kept, line: PutLine, file: Taking, *, alerts: bool) -> Kept:
        """Bring the head of a scene packed, where its origin has it so.

        Returns:
            The scene, with its head unless it has to be asked for by ranges.

        Raises:
            PausedError, UnreachableError: As `bring`.
        """
        size = line.bytes - line.tail
        here = kept.received.common(Extents([(line.tail, line.bytes)])).total
        if line.packed is None or size > MAX_HEAD_BYTES or here:
            return kept
        allowed = self._gate.enter(alerts=alerts)
        if allowed.useful is not None and allowed.useful < line.packed:
            return kept
        try:
            content = self._upstream.head(kept.key.etag, line.packed, size)
        except UnreachableError:
            raise
        except UpstreamError:
            return kept
        finally:
            self._journal.spend(self._gate.day, self.settle())
        file.write(line.tail, content)
        file.sync()
        received = kept.received.add(line.tail, line.bytes)
        kept = self._journal.received(kept, received, Spent(self._gate.day, 0, size))
        self._pace.took(line.packed, allowed.rate)
        return kept

    def bring_model(self, sha256: str, path: Path, most: int) -> None:
        """Bring a learned model behind what is there of it; all of it has come when this returns.

        Args:
            sha256: Of the model.
            path: Of the file.
            most: Bytes that it may have.

        Raises:
            PausedError: If the link may not be used now; what came is kept, as with the others.
            UpstreamError: If the line is cut, or the origin refuses, or has more bytes.
        """
        with path.open("ab") as file:
            while (start := file.tell()) <= most:
                allowed = self._gate.enter(alerts=False)
                stop = start + allowed.longest
                try:
                    for data in self._upstream.part_of_model(sha256, start, stop):
                        file.write(data)
                        self._pace.took(len(data), allowed.rate)
                finally:
                    file.flush()
                    self._journal.spend(self._gate.day, self.settle())
                if file.tell() < stop:
                    return
        raise UpstreamError(f"it has more than {most} bytes, and is not used")

    def _range(
        self, kept: Kept, href: str, file: Taking, start: int, stop: int, allowed: Pass, *, on_demand: bool
    ) -> Kept:
        """Bring one range; what has come of it is remembered in any case."""
        written = remembered = start
        since = self._clock()

        def remember() -> None:
            nonlocal kept, remembered, since
            file.sync()
            received = kept.received.add(remembered, written)
            wire = self.settle(on_demand=on_demand)
            spent = Spent(self._gate.day, wire, written - remembered, on_demand)
            kept = self._journal.received(kept, received, spent)
            remembered, since = written, self._clock()

        try:
            came = self._upstream.read(href, kept.key.etag, start, stop)
            with closing(cast("Generator[bytes]", came)) as pieces:
                for data in pieces:
                    file.write(written, data)
                    written += len(data)
                    if written - remembered >= SYNC_BYTES or self._clock() - since > _SYNC_SECONDS:
                        remember()
                    self._pace.took(len(data), allowed.rate)
        finally:
            remember()
        return kept
