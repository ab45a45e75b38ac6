"""A relay as the server of its archives sees it: its definition, and what it was told of them."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from tileserver.relay.feed.log import Scene
from tileserver.relay.feed.passing import Passed
from tileserver.relay.keeping.assembly import Defined, defined, folder_of
from tileserver.relay.keeping.journal import Journal
from tileserver.relay.plan.areas import Sites, no_sites
from tileserver.relay.plan.definition import read_definition
from tileserver.relay.plan.offers import Key
from tileserver.settings import Settings


def relay_of(settings: Settings) -> Defined:
    """The relay whose archives are served.

    Raises:
        ComeoError: If its definition cannot be read.
    """
    assert settings.relay_definition is not None  # noqa: S101 - who asks has looked
    return defined(settings.relay_definition, _sites(settings))


def _sites(settings: Settings) -> Sites:
    if settings.database is None:
        return no_sites
    from tileserver.relay.plan.sites import sites_in  # noqa: PLC0415 (an extra)

    return sites_in(settings.database)


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
        journal = Journal(self._path, writable=False)
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
