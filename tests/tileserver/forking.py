"""Work in a process of its own, which may be killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import warnings
from collections.abc import Callable
from typing import Any


def was_killed(work: Callable[[], object]) -> bool:
    """Do work in a fork of this process; whether SIGKILL ended it.

    Raises:
        AssertionError: If it failed otherwise.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, as of a mail server
        child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - nothing of the parent's may run here
            sys.excepthook(*sys.exc_info())
            os._exit(2)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not killed and os.waitstatus_to_exitcode(status) != 0:
        raise AssertionError("the process failed; see its traceback")
    return killed


WRITES = ("pwrite", "fdatasync", "fsync", "replace", "rename", "link", "unlink", "ftruncate")
"""Of `os`: what changes files for good."""
_CHANGES = frozenset(("INSERT", "UPDATE", "DELETE", "COMMIT", "ALTER"))


def die_at(number: int) -> None:
    """Have this process kill itself when it is about to change a file or a database for the n-th time."""
    done = 0

    def before(*_: Any) -> None:
        nonlocal done
        done += 1
        if done == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **names: Any) -> Any:
            before()
            return function(*args, **names)

        return call

    for name in WRITES:
        setattr(os, name, counted(getattr(os, name)))
    connect = sqlite3.connect

    def traced(*args: Any, **names: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **names)
        connection.set_trace_callback(lambda text: before() if text.split()[0].upper() in _CHANGES else None)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]
