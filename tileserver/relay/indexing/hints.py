"""What the processes that look for archives by a feed tell each other, as JSON."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

FEED_TASK: Final = "feed"
"""Of a bucket and a `Seen`: a `Look`."""
TOLD_TASK: Final = "told"
"""Of a path and a `Told`: as the task `read` of a catalogue."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Seen(_Message):
    """How far a feed was read.

    Attributes:
        trust: File of what is known of the origin: see `Trust`.
        state: ETag of the index; empty where it is to be read in any case.
        epoch: Of the log; 0 before the first look.
        last: Number of the last line.
    """

    trust: str
    state: str = ""
    epoch: int = 0
    last: int = 0


class Told(_Message):
    """What a line tells of an archive.

    Attributes:
        scene: Collection and id.
        path: Address of the archive; None where it is gone.
        etag: Of the archive.
        stored: ETag of the object, without quotes; None where the line does not tell it.
        size: Bytes.
        tail: Offset of its head.
        packed: Bytes of the head as it is packed; None where it is not.
        place: Root of the origin.
        pack: Number of the pack that may have the head; 0 for none.
    """

    scene: tuple[str, str]
    path: str | None = None
    etag: str = ""
    stored: str | None = None
    size: int = 0
    tail: int = 0
    packed: int | None = None
    place: str = ""
    pack: int = 0

    @property
    def signature(self) -> str:
        """As a listing has it, where that is known: whoever listed before reads nothing again."""
        return f"{self.stored or self.etag}-{self.size}"


class Look(_Message):
    """A page of a feed.

    Attributes:
        state: ETag of its index.
        epoch: Of the log.
        last: Number of the feed's last line.
        upto: Number of the last line of this page.
        told: What the lines tell; None where the index is the one that was seen.
    """

    state: str = ""
    epoch: int = 0
    last: int = 0
    upto: int = 0
    told: tuple[Told, ...] | None = None
