"""Commands end when they are told to, wherever they are."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from comeo.errors import ComeoError
from tileserver.cli.progress import terminal_progress
from tileserver.cli.signals import ended_at_a_step, ended_by_signal

ENDED = 128 + signal.SIGTERM


class Deaf:
    """Is told to end where Python drops exceptions."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_an_end_that_python_drops_comes_again() -> None:
    reached = []

    @ended_by_signal()
    def command() -> None:
        deaf = Deaf()
        del deaf
        reached.append("what follows")
        time.sleep(60)
        reached.append("what must not")

    with pytest.raises(SystemExit) as end:
        command()
    assert (end.value.code, reached) == (ENDED, ["what follows"])
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_end_that_a_library_makes_an_error_of_is_an_end() -> None:
    @ended_by_signal()
    def command() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException as error:
            raise ComeoError("the DEM cannot be read") from error

    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == ENDED


def test_work_in_threads_ends_at_a_step_and_no_earlier() -> None:
    steps: list[int] = []

    @ended_at_a_step()
    def command() -> None:
        with terminal_progress("scene") as progress:
            progress.start("working", 9)

            def work(step: int) -> None:
                if step == 3:
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                    time.sleep(0.2)
                steps.append(step)
                progress.advance()

            for step in range(9):
                work(step)

    with pytest.raises(SystemExit) as end:
        command()
    assert (end.value.code, steps) == (ENDED, [0, 1, 2, 3])
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with terminal_progress("another") as progress:  # which was not told to end
        progress.start("working", 1)


def test_other_errors_and_what_else_is_dropped_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    @ended_by_signal()
    def command() -> None:
        broken = Broken()
        del broken
        raise ComeoError("as it was")

    told: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda what: told.append(what.exc_type))
    with pytest.raises(ComeoError, match="as it was"):
        command()
    assert told == [ValueError]
