"""How a relay stands, from its journal: `comeo relay run`, which writes that, is another process."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import closing
from typing import Any, Final

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from comeo.errors import ComeoError
from tileserver.api.relay.routes import TAG
from tileserver.errors import BusyError, NotYetError
from tileserver.http.context import document_answer, state
from tileserver.http.openapi import Answers
from tileserver.relay.keeping.journal import Journal, now_utc
from tileserver.relay.keeping.serving import relay_of
from tileserver.relay.keeping.status import public, status
from tileserver.render.scenes import Scenes

api = APIBlueprint("relay_status", __name__)
KEPT_SECONDS: Final = 15.0
_SHARE: Final = 20
"""A look at a large journal is not repeated before so many times the seconds that it took."""
_log = logging.getLogger(__name__)
ANSWERS: Answers = {
    "200": {
        "description": "What is here, what is coming and when, what was spent, and what is wrong.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


@api.get("/relay/v1/status", tags=[TAG], responses=ANSWERS)
def show() -> Response:
    """How this relay stands: what is here, what is coming and when, what it costs, and what is wrong."""
    return document_answer(state().part(Watched).document())


class Watched:
    """The state of a relay as it was a moment ago, looked up by one thread at a time.

    Args:
        scenes: Of the server.
    """

    def __init__(self, scenes: Scenes) -> None:
        self._settings = scenes.settings
        self._lock = threading.Lock()
        self._kept: dict[str, Any] | None = None
        self._until = 0.0

    def document(self) -> dict[str, Any]:
        """The state; while another thread looks it up, as it was before.

        Raises:
            NotYetError: If the relay has not run yet.
            BusyError: If its state cannot be read.
        """
        kept = self._kept
        if kept is not None and time.monotonic() < self._until:
            return kept
        if not self._lock.acquire(blocking=kept is None):
            assert kept is not None  # noqa: S101 - else the lock is waited for
            return kept
        try:
            if self._kept is not None and time.monotonic() < self._until:
                return self._kept
            begun = time.monotonic()
            self._kept = self._look()
            ended = time.monotonic()
            self._until = ended + max(KEPT_SECONDS, _SHARE * (ended - begun))
            return self._kept
        finally:
            self._lock.release()

    def _look(self) -> dict[str, Any]:
        try:
            relay = relay_of(self._settings)  # as it is now: the runner reads it anew, too
            if not relay.folder.journal.exists():
                raise NotYetError("the relay has fetched nothing yet; comeo relay run begins it")
            with closing(Journal(relay.folder.journal, create=False)) as journal:
                return public(status(relay, journal, now_utc()))
        except NotYetError:
            raise
        except (ComeoError, sqlite3.Error) as error:
            _log.warning("the state of the relay cannot be read: %s", error)
            message = "the state of the relay cannot be read now; comeo relay status says why"
            raise BusyError(message) from error
