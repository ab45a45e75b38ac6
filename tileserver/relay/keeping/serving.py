"""A relay as the server of its archives sees it: its definition, what it was told, what people look at."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from cachetools import TTLCache

from comeo.view.missing import MissingBlock
from tileserver.relay.feed.log import Scene
from tileserver.relay.feed.passing import Passed
from tileserver.relay.keeping.assembly import Defined, defined, folder_of, sites_of
from tileserver.relay.keeping.journal import Journal, now_utc
from tileserver.relay.keeping.looks import MOST, Looks, LooksError
from tileserver.relay.plan.definition import read_definition
from tileserver.relay.plan.offers import Key
from tileserver.settings import Settings

_log = logging.getLogger(__name__)
_MOST_WRITTEN: Final = 4 * MOST
_AGAIN_SECONDS: Final = 30.0
"""In which a block that is looked at again is not written down again."""
_TOLD_SECONDS: Final = 600.0


def relay_of(settings: Settings) -> Defined:
    """The relay whose archives are served.

    Raises:
        ComeoError: If its definition cannot be read.
    """
    assert settings.relay_definition is not None  # noqa: S101 - who asks has looked
    return defined(settings.relay_definition, sites_of(settings.database))


class Watching:
    """Writes down what people look at and is not here, for the process that runs the relay.

    It never waits for that one, nor for the link; what cannot be written down is lost until the next look.

    Args:
        settings: Of the server.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.relay_definition is not None  # noqa: S101 - who asks has looked
        terms = read_definition(settings.relay_definition)
        self.on_demand = terms.link.on_demand
        self._looks = Looks(folder_of(settings.relay_definition, terms).looks)
        self._lock = threading.Lock()
        self._written: TTLCache[MissingBlock, None] = TTLCache(_MOST_WRITTEN, _AGAIN_SECONDS)
        self._told_at = float("-inf")

    def saw(self, blocks: Mapping[MissingBlock, int]) -> None:
        """Write down blocks, unless that was done a moment ago."""
        with self._lock:
            new = {block: count for block, count in blocks.items() if block not in self._written}
            self._written.update(dict.fromkeys(new))
        if not new:
            return
        try:
            self._looks.put(new, now_utc())
        except LooksError as error:
            with self._lock:
                for block in new:
                    self._written.pop(block, None)
                silent = time.monotonic() - self._told_at < _TOLD_SECONDS
                self._told_at = self._told_at if silent else time.monotonic()
            if not silent:
                _log.warning("what people look at is not written down: %s", error)


class ToldLines:
    """Lines that a relay was told, as they were signed: from its journal, which another process writes.

    Args:
        settings: Of the server.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.relay_definition is not None  # noqa: S101 - who asks has looked
        terms = read_definition(settings.relay_definition)
        self._path = folder_of(settings.relay_definition, terms).journal

    def __call__(self, scene: Scene, etag: str) -> Passed | None:
        """What was told of a scene: see `tileserver.relay.feed.following.Lookup`.

        Raises:
            OSError: If the journal cannot be read now; the scene is told of later.
        """
        if not self._path.exists():
            return None
        journal = Journal(self._path, create=False)
        try:
            text = journal.line_of(Key(*scene, etag))
        except sqlite3.Error as error:
            raise OSError(f"{self._path.name} cannot be read: {error}") from error
        finally:
            journal.close()
        if text is None:
            return None
        found: dict[str, Any] = json.loads(text)
        return Passed(found["source"], tuple(found["via"]), found["line"])
