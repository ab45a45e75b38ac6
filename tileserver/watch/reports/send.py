"""Telling the origin what it does not know yet.

Nothing is queued: what there is to tell is compared with what the origin has taken, and the difference is
sent. A parcel that was taken, and whose answer was lost, is sent again, which changes nothing there.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import httpx2

from comeo.errors import ComeoError
from tileserver.render.scenes import Scenes
from tileserver.store import accounts, geoservices, reports
from tileserver.store.database import Database
from tileserver.store.reports import Report
from tileserver.watch.reports import parcel
from tileserver.watch.reports.lines import reports_of
from tileserver.watch.reports.parcel import Parcel

KEY: Final = "reports"
"""Name of the secret that parcels are signed with."""
EPOCH: Final = "reports epoch"
MOST_AT_ONCE: Final = 500
MOST_TEXT: Final = 256 << 10
"""Characters of a parcel, about a fifth of which travel: 6 s at 64 kbit/s."""
log = logging.getLogger("comeo")
_TIMEOUT: Final = httpx2.Timeout(30.0, connect=10.0)
_PAUSES: Final = tuple(timedelta(seconds=each) for each in (30, 60, 300, 900))


@dataclass(slots=True)
class Reporter:
    """What tells an origin.

    Attributes:
        scenes: Catalogue.
        database: Of the geoservices.
        address: Of the origin.
        name: By which its operator knows this relay.
    """

    scenes: Scenes
    database: Database
    address: str
    name: str
    _failures: int = 0
    _not_before: datetime | None = None
    _settled: object = field(default=None)

    def turn(self, now: datetime) -> int:
        """Send what is to be told, one parcel at most; how many reports were taken.

        While the link is down it is tried again after a while, for ever, and nobody waits for that.

        Raises:
            ComeoError: If the origin refuses the parcel.
        """
        if self._not_before is not None and now < self._not_before <= now + _PAUSES[-1]:
            return 0
        state = self._state()
        if state == self._settled:
            return 0
        todo = self._todo(now)
        some = list(_first_of(todo))
        if some:
            try:
                self._send(some)
            except OSError as error:
                self._put_off(now, error)
                return 0
            with self.database.writing() as connection:
                reports.mark_told(connection, self._origin, some)
        self._failures, self._not_before = 0, None
        if len(some) == len(todo):
            self._settled = state
        return len(some)

    @property
    def _origin(self) -> str:
        return hashlib.sha256(f"{self.address}\n{self.name}".encode()).hexdigest()

    def _state(self) -> object:
        """What changes whenever there may be something to tell."""
        with self.database.reading() as connection:
            return self.scenes.catalog.position(), reports.tellable(connection)

    def _todo(self, now: datetime) -> list[Report]:
        with self.database.reading() as connection:
            known = reports.told(connection, self._origin)
            found: list[Report] = []
            for one in geoservices.geoservices(connection):
                if one.state != "draft":
                    found += reports_of(connection, self.scenes, one, now)
        there = {(each.kind, each.key) for each in found}
        gone = [Report(kind, key, None) for kind, key in known if (kind, key) not in there]
        return [each for each in found if known.get((each.kind, each.key)) != each.digest] + gone

    def _send(self, some: list[Report]) -> None:
        """Send a parcel.

        Raises:
            OSError: If the origin cannot be reached, or is busy.
            ComeoError: If it refuses the parcel.
        """
        with self.database.writing() as connection:
            secret, epoch = (accounts.make_secret(connection, name) for name in (KEY, EPOCH))
            seq = reports.next_number(connection, self._origin)
        data, signature = parcel.pack(Parcel(epoch, seq, some), secret)
        headers = {
            "Content-Type": parcel.CONTENT_TYPE, parcel.NAME: self.name, parcel.SIGNATURE: signature,
            "User-Agent": "comeo",
        }  # fmt: skip
        try:
            answer = httpx2.post(
                f"{self.address.rstrip('/')}/{parcel.PATH}", content=data, headers=headers, timeout=_TIMEOUT
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise OSError(f"the origin cannot be told: {error}") from error
        if answer.status_code >= 500 or answer.status_code in (408, 429):
            raise OSError(f"the origin answers {answer.status_code}")
        if not answer.is_success:
            raise ComeoError(f"the origin refuses reports: {_reason(answer)}")

    def _put_off(self, now: datetime, error: OSError) -> None:
        if not self._failures:
            log.warning("%s; it is tried again", error)
        self._not_before = now + _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1


def _first_of(todo: Iterable[Report]) -> Iterator[Report]:
    """So many of them as go into a parcel, one at least."""
    size = 0
    for number, each in enumerate(todo):
        size += len(repr(each.body))
        if number == MOST_AT_ONCE or (number and size > MOST_TEXT):
            return
        yield each


def _reason(answer: httpx2.Response) -> str:
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    return f"{answer.status_code} {detail or answer.reason_phrase}"[:300]
