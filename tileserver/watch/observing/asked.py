"""Originals that another server has: it is asked for what lies around a place."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from comeo.errors import SourceError
from comeo.grid import Bounds
from tileserver.watch.observing.originals import MOST_SAMPLES, Source

PATH: Final = "relay/v1/verify"
MOST_BYTES: Final = 4 * MOST_SAMPLES
"""Of a window: twice what its samples take as they are."""
PAUSES: Final = (0.5, 2.0, 8.0)
"""Seconds before it is asked again: links to relays are cut, and people wait for the alert."""
_TIMEOUT: Final = httpx2.Timeout(120.0, connect=10.0)
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class AskedServer:
    """Originals of the server that archives came from.

    Attributes:
        address: Of that server.
    """

    address: str

    def window(self, source: Source, bounds: Bounds, path: Path) -> bool:
        """See `Originals`; what comes is an archive like any other, and checked like one when it is read."""
        for pause in PAUSES:
            with contextlib.suppress(httpx2.HTTPError):
                return self._ask(source, bounds, path)
            time.sleep(pause)
        try:
            return self._ask(source, bounds, path)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise SourceError(f"the origin cannot be asked for {source.id}: {error}") from error

    def _ask(self, source: Source, bounds: Bounds, path: Path) -> bool:
        asked = {"collection": source.collection, "id": source.id, "bbox": list(bounds)}
        url = f"{self.address.rstrip('/')}/{PATH}"
        with (
            httpx2.Client(timeout=_TIMEOUT, headers={"User-Agent": "comeo"}) as client,
            client.stream("POST", url, json=asked) as answer,
        ):
            if answer.status_code == _NOT_FOUND:
                return False
            if not answer.is_success:
                raise SourceError(f"the origin answers {answer.status_code} for {source.id}")
            _write(answer, path)
        return True


def _write(answer: httpx2.Response, path: Path) -> None:
    size = 0
    with path.open("wb") as file:
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > MOST_BYTES:
                raise SourceError(f"the origin sends more than {MOST_BYTES >> 20} MB for a place")
            file.write(piece)
