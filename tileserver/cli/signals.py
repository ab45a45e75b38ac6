"""Commands that are told to end: they clean up as they do at an error."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_AGAIN_AFTER: Final = 0.05  # seconds


class _Ended(SystemExit):
    """The end that a signal asked for."""


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Let SIGTERM end a block as an exception does, so that its temporary files go with it.

    The exception is raised wherever the main thread is. Where Python can only drop it (a `__del__`, a
    callback from C), it is raised again a moment later; where a library made another error of it, it is the
    end still.
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
