"""By which time things end: a clock may be wrong for a while, and nothing may be lost by that.

What is written down carries the time that the machine's clock says. But that a candidate has waited for too
long, that a message is given up, that work is tried again is told by a time that is believed: it runs as the
clock does, and follows a jump only once the clock has run on from there for a quarter of the jump, a day at
most. So an hour or a year that is taken back in time has ended nothing. A machine that was without power is
believed by the same rule; so what ended meanwhile ends a few hours later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from tileserver.store import tasks
from tileserver.store.database import Database
from tileserver.store.tasks import Task

PACE: Final = timedelta(minutes=10)
"""A clock that goes on by more between two looks has jumped, or the machine was off."""
MOST_DOUBT: Final = timedelta(days=1)
_SHARE: Final = 4
"""It is doubted for this part of a jump."""
_KEPT_EVERY: Final = timedelta(minutes=5)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Course:
    """How a clock has run so far.

    Attributes:
        last: What it said when it was last looked at.
        believed: The time by which things end.
        doubt: For so long it has to run on until what it says is believed; zero if it is.
    """

    last: datetime
    believed: datetime
    doubt: timedelta = timedelta()

    def seen(self, now: datetime) -> Course:
        """The course once the clock has said another time."""
        step = now - self.last
        if timedelta() <= step <= PACE:
            doubt, believed = max(timedelta(), self.doubt - step), self.believed + step
        else:
            away = abs(now - self.believed)
            doubt = timedelta() if away <= PACE else min(away / _SHARE, MOST_DOUBT)
            believed = self.believed
        return Course(now, believed if doubt else now, doubt)


class Clock:
    """The course of a machine's clock, over all workers that one database has had.

    Args:
        database: Which keeps it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._course: Course | None = None
        self._kept: Course | None = None

    def believed(self, now: datetime) -> datetime:
        """The time by which things end, where the machine's clock says `now`.

        Raises:
            ComeoError: If the database cannot be read or written.
        """
        if self._course is None:
            with self._database.reading() as connection:
                self._course = self._kept = _read(connection)
        before = self._course or Course(now, now)
        self._course = course = before.seen(now)
        if self._kept is None or course.doubt > before.doubt or not _is_soon(self._kept.last, now):
            with self._database.writing() as connection:
                tasks.keep(connection, _row(course))
            self._kept = course
        return course.believed


def _is_soon(kept: datetime, now: datetime) -> bool:
    """Whether what is kept is new enough: it need not be written in each round."""
    return timedelta() <= now - kept < _KEPT_EVERY


def _row(course: Course) -> Task:
    doubt = -(-course.doubt // _SECOND)  # whole seconds, upwards
    return Task(tasks.CLOCK, "", course.believed, doubt, course.last, None)


def _read(connection: Connection) -> Course | None:
    row = tasks.find(connection, tasks.CLOCK, "")
    if row is None or row.lease_until is None:
        return None
    return Course(row.next_at, row.lease_until, row.attempts * _SECOND)
