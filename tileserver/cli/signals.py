"""Commands that are told to end: they clean up as they do at an error."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_AGAIN_AFTER: Final = 0.05  # seconds
_asked = threading.Event()


class _Ended(SystemExit):
    """The end that a signal asked for."""


@contextmanager
def ended_at_a_step() -> Iterator[None]:
    """Let SIGTERM end a block at its next step, so that its temporary files go with it; a second one ends it.

    For work in several threads: an exception in the midst of it would leave the locks of libraries held, and
    close files that other threads read. Steps are where `raise_if_ended` is called, as by `TerminalProgress`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL

    def end(number: int, _: Any) -> None:
        _asked.set()
        signal.signal(number, before)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        _asked.clear()
        signal.signal(signal.SIGTERM, before)


def raise_if_ended() -> None:
    """End here if that was asked for."""
    if _asked.is_set():
        raise _Ended(128 + signal.SIGTERM)


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Let SIGTERM end a block as an exception does, wherever it is: for one whose main thread mostly waits.

    Where Python can only drop the exception (a `__del__`, a callback from C), it is raised again a moment
    later; where a library made another error of it, it is the end still.
    """
    main = threading.main_thread()
    if threading.current_thread() is not main:
        yield
        return
    ended: list[_Ended] = []

    def end(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one does not stop the cleaning
        ended.append(_Ended(128 + number))
        raise ended[-1]

    def dropped(what: sys.UnraisableHookArgs) -> None:
        if isinstance(what.exc_value, _Ended) and main.ident is not None:
            signal.signal(signal.SIGTERM, end)
            threading.Timer(_AGAIN_AFTER, signal.pthread_kill, [main.ident, signal.SIGTERM]).start()
        else:
            told(what)

    before, told = signal.signal(signal.SIGTERM, end), sys.unraisablehook
    sys.unraisablehook = dropped
    try:
        yield
    except Exception as error:
        if ended:
            raise ended[-1] from error
        raise
    finally:
        sys.unraisablehook = told
        signal.signal(signal.SIGTERM, before)
