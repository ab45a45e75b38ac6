"""Progress of long work: a running line on a terminal, one line a stage in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tileserver.cli.signals import raise_if_ended

_log = logging.getLogger("comeo")
_REFRESH_SECONDS = 0.2


class LiveLine:
    """A running line on a terminal; nothing where there is none.

    Attributes:
        live: Whether there is a terminal.
    """

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self._shown = ""

    def draw(self, text: str) -> None:
        """Show a text in place of the one before; an empty one ends the line."""
        if self.live and text != self._shown:
            self._shown = text
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()


class TerminalProgress:
    """Shows stages of the work on `title`, whose steps are where it can be ended."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._line = LiveLine()
        self._stage = ""
        self._total = self._done = 0
        self._began = self._shown = 0.0

    def start(self, stage: str, total: int) -> None:
        """See `comeo.progress.Progress`."""
        self.finish()
        raise_if_ended()
        self._stage, self._total, self._done = stage, total, 0
        self._began = time.monotonic()

    def advance(self) -> None:
        """See `comeo.progress.Progress`."""
        raise_if_ended()
        self._done += 1
        now = time.monotonic()
        if self._line.live and now - self._shown > _REFRESH_SECONDS:
            self._shown = now
            left = (now - self._began) / self._done * (self._total - self._done)
            share = 100 * self._done // max(1, self._total)
            self._line.draw(f"{self._title}: {self._stage} {share} %, {left:.0f} s left")

    def note(self, message: str) -> None:
        """See `comeo.progress.Progress`."""
        self.finish()
        _log.info("%s: %s", self._title, message)

    def finish(self) -> None:
        """End the running stage."""
        if self._stage:
            self._line.draw("")
            _log.info("%s: %s, %.1f s", self._title, self._stage, time.monotonic() - self._began)
            self._stage = ""


@contextmanager
def terminal_progress(title: str) -> Iterator[TerminalProgress]:
    """Progress that ends its last line whatever happens."""
    progress = TerminalProgress(title)
    try:
        yield progress
    finally:
        progress.finish()
