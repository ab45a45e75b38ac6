"""The feed of a catalogue's changes: what it tells, and places in it.

Of each scene the feed has its latest change alone. Who follows it from the beginning sees each scene that is
there, once, and further on whatever comes, changes or goes.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Self

from comeo.errors import RequestError
from tileserver.errors import GoneError

MOST_GONE: Final = 100_000
"""Scenes that have gone and are still told of; who has not heard of others by then begins anew."""
_TEXT: Final = re.compile(r"([0-9a-f]{16})-(0|[1-9][0-9]{0,14})(?:-([1-9][0-9]{0,14}))?")


@dataclass(frozen=True, slots=True)
class Change:
    """The latest change of one scene.

    Attributes:
        seq: Its number, greater than that of any change before it.
        collection: STAC Collection id.
        id: STAC Item id.
        etag: Of the archive that is there now; None if the scene has gone.
        bytes: Of that archive.
        datetime: Acquisition of the scene, or None where it is unknown.
    """

    seq: int
    collection: str
    id: str
    etag: str | None = None
    bytes: int | None = None
    datetime: datetime | None = None

    @property
    def gone(self) -> bool:
        """Whether the scene has gone."""
        return self.etag is None


class Position(NamedTuple):
    """A place in the feed.

    Attributes:
        epoch: Of the journal that the feed is read from; a journal that was lost is followed by another one.
        seq: Number of the last change that was seen.
        began: Number of the last change of all when this reader began with nothing, until it has come there.
            Scenes that went before then it need not be told of.
    """

    epoch: str
    seq: int
    began: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` has written.

        Raises:
            RequestError: If that is something else.
        """
        parts = _TEXT.fullmatch(text)
        if parts is None:
            raise RequestError(
                "after is not a place in the feed of changes: take `next` of the answer before, "
                "or leave it out to begin"
            )
        return cls(parts[1], int(parts[2]), int(parts[3] or 0))

    def __str__(self) -> str:
        """For clients, who don't look into it."""
        return f"{self.epoch}-{self.seq}" + (f"-{self.began}" if self.began > self.seq else "")


class Changes(NamedTuple):
    """A page of the feed.

    Attributes:
        changes: In the order of their numbers.
        next: Where the page after it begins.
        more: Whether there is something on that page already.
    """

    changes: Sequence[Change]
    next: Position
    more: bool


def check_place(start: Position, epoch: str, last: int, forgotten: int) -> None:
    """Refuse a place that the journal can't be read from.

    Raises:
        GoneError: Saying why.
    """
    reason = ""
    if start.epoch != epoch:
        reason = "the journal of changes has been begun anew"
    elif max(start.seq, start.began) > last:
        reason = "that place has not been reached yet"
    elif max(start.seq, start.began) < forgotten:
        reason = "scenes have gone since that are no longer told of"
    if reason:
        raise GoneError(f"{reason}: ask again without `after`, and take what isn't told then for gone")


def new_epoch() -> str:
    """A name that no journal has had."""
    return secrets.token_hex(8)
