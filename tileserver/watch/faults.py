"""Whose fault an error is: the piece of work's, or the machine's."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from typing import Final

from tileserver.errors import BusyError, NotYetError

_OF_THE_MACHINE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EROFS)


def is_no_fault(error: Exception) -> bool:
    """Whether the reason lies in the machine, or goes by itself: the next round tries again."""
    return any(
        isinstance(each, (BusyError, sqlite3.OperationalError))
        or (isinstance(each, OSError) and each.errno in _OF_THE_MACHINE)
        for each in _causes(error)
    )


def is_awaited(error: Exception) -> bool:
    """Whether it goes when the catalogue changes, and not before: pixels that are on their way."""
    return any(isinstance(each, NotYetError) for each in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
