"""Commands that are told to end: they clean up as they do at an error."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Let SIGTERM end a block as an exception does, so that its temporary files go with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: Any) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one does not stop the cleaning
    raise SystemExit(128 + number)
