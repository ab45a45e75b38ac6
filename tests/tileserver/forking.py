"""Work in a process of its own, which may be killed."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable


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
