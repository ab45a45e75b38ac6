"""Whether origins answer and since when, and what a runner is doing: kept in the journal, for people.

The runner writes; whoever tells of a relay reads, in a process of its own.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from tileserver.relay.keeping.journal import Journal

Fault = Literal["unreachable", "refused", "distrusted"]
Doing = Literal["fetching", "waiting", "closed", "quota", "disk", "down"]
"""What a runner does: it fetches; all is here; no window is open; the quota is used up; the disk is full; no
origin answers."""
ALIVE: Final = timedelta(minutes=10)
"""A runner that has said nothing for so long does not run: the longest that it waits is 5 minutes."""
_EVERY: Final = timedelta(seconds=60)
"""Between two notes of the same."""
_DOING: Final = "doing"
Noted = TypeVar("Noted", bound=BaseModel)


class Reach(BaseModel):
    """What is known of the line to an origin.

    Attributes:
        up: Whether it answered the last time.
        since: When that began.
        at: When it was tried last.
        origin: Its UUID, once it has answered.
        name: Of the origin, for people.
        fault: What is wrong while it is not up.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    up: bool
    since: AwareDatetime
    at: AwareDatetime
    origin: str | None = None
    name: Annotated[str, Field(max_length=200)] = ""
    fault: Fault | None = None


class Beat(BaseModel):
    """What a runner did last.

    Attributes:
        at: When it said so.
        doing: What.
        until: When that may change, where it is known.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: AwareDatetime
    doing: Doing
    until: AwareDatetime | None = None


class Reaching:
    """Notes what a runner meets.

    Args:
        journal: Of the relay.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, Reach] = {}
        self._beat: Beat | None = None

    def up(self, url: str, origin: str | None, name: str, now: datetime) -> None:
        """An origin has answered.

        Args:
            url: As RELAY.toml has it.
            origin: Its UUID.
            name: For people.
            now: Time.
        """
        self._note(url, Reach(up=True, since=now, at=now, origin=origin, name=name[:200]))

    def down(self, url: str, fault: Fault, now: datetime) -> None:
        """An origin has not answered, or not as it should."""
        before = self._before(url)
        origin, name = (None, "") if before is None else (before.origin, before.name)
        self._note(url, Reach(up=False, since=now, at=now, origin=origin, name=name, fault=fault))

    def does(self, doing: Doing, now: datetime, until: datetime | None = None) -> None:
        """Say what the runner does."""
        before = self._beat
        if before is not None and before.doing == doing and now - before.at < _EVERY:
            return
        self._beat = Beat(at=now, doing=doing, until=until)
        self._journal.set_fact(_DOING, self._beat.model_dump_json())

    def ends(self) -> None:
        """Say that the runner does nothing any more."""
        self._beat = None
        self._journal.forget_fact(_DOING)

    def _before(self, url: str) -> Reach | None:
        return self._known.get(url) or reach_of(self._journal, url)

    def _note(self, url: str, now: Reach) -> None:
        before = self._before(url)
        if before is not None and before.up == now.up:
            if before.fault == now.fault and before.origin == now.origin and now.at - before.at < _EVERY:
                return
            now = now.model_copy(update={"since": before.since})
        self._known[url] = now
        self._journal.set_fact(_fact(url), now.model_dump_json())


def reach_of(journal: Journal, url: str) -> Reach | None:
    """What is known of the line to an origin; None before it was tried."""
    return _noted(journal, _fact(url), Reach)


def beat_of(journal: Journal) -> Beat | None:
    """What the runner did last; None before it has run."""
    return _noted(journal, _DOING, Beat)


def _noted(journal: Journal, name: str, kind: type[Noted]) -> Noted | None:
    text = journal.fact(name)
    try:
        return None if text is None else kind.model_validate_json(text)
    except ValidationError:  # of another version: it is written anew within a minute
        return None


def _fact(url: str) -> str:
    """Name of the fact: addresses may have credentials in them, which the journal is not to hold."""
    return f"reach {hashlib.sha256(url.encode()).hexdigest()[:16]}"
