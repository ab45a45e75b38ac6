"""Lines of a feed and its index: what they hold, within which bounds, and how they are signed and checked.

A line is one canonical JSON object (RFC 8785). What is signed of it is all but `sig`, with the origin and the
epoch, which all lines of a feed share and so do not repeat: a line can be proved wherever it came from.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

import numpy as np
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from comeo.archive.stores.file import LARGEST_FILE
from comeo.errors import ComeoError
from tileserver.relay.errors import FeedError
from tileserver.relay.feed.keys import KeyText, SigningKey, verify
from tileserver.relay.feed.layout import (
    MAX_INDEX_BYTES,
    MAX_LINE_BYTES,
    MAX_PACKED_HEAD_BYTES,
    MAX_SEQ,
    SEGMENT,
)
from tileserver.signing import public_key

MOST_RELAYS: Final = 16
MAP_SIDE: Final = 16
_HREF: Final = re.compile(r"[A-Za-z0-9_%.~+=@,()!'-]+(/[A-Za-z0-9_%.~+=@,()!'-]+)*")


def _relative(href: str) -> str:
    """Refuse what leads out of an origin's root."""
    parts = [unquote(part) for part in href.split("/")]
    odd = any(part in (".", "..") or re.search(r"[/\\\x00-\x1f\x7f:]", part) for part in parts)
    if odd or not _HREF.fullmatch(href):
        raise ValueError("an href is a path below the origin's root, without `..`")
    return href


def _on_one_line(text: str) -> str:
    """Refuse what would move a terminal's cursor, or begin a line: it is for people to read."""
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", text):
        raise ValueError("it has line breaks or control characters")
    return text


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+=@~-]{0,199}$")]
"""Ids of scenes and collections, which become names of files: no separators, colons or leading dots."""
Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Href = Annotated[str, Field(max_length=1000), AfterValidator(_relative)]
_Words = Annotated[str, Field(max_length=200), AfterValidator(_on_one_line)]
Seq = Annotated[int, Field(ge=1, le=MAX_SEQ)]
Epoch = Annotated[int, Field(ge=1, le=1 << 40)]
Why = Literal["withdrawn", "expired", "replaced"]
_Longitude = Annotated[float, Field(ge=-180, le=180)]
_Latitude = Annotated[float, Field(ge=-90, le=90)]
_Offset = Annotated[int, Field(ge=0, le=LARGEST_FILE)]


class _Document(BaseModel):
    """Members that are not known are left alone: a later version may add some, signed like all."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def written(self) -> dict[str, Any]:
        """The document as it was written and signed, with what this version does not know."""
        return self._written


class PutLine(_Document):
    """An archive is there, new or in place of another of its id.

    Attributes:
        seq: Number of the line.
        c: STAC Collection id.
        id: STAC Item id.
        t: Acquisition, or None where it is unknown.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian.
        cloud: Percent of the scene, or None where that is unknown.
        clear_map: See `clear_cells`; None where the archive does not say which pixels are clear.
        ratio: Bytes of the raw bands over those of the archive.
        codec: Of all blocks.
        model: SHA-256 of the learned model that is needed.
        bytes: Of the archive.
        etag: Of the archive, as `Archive.etag`.
        sha256: Of the archive's file.
        tail: Offset where metadata and ZIP directory begin.
        coarse: Offset where overviews and classes begin; that of `tail` where there are none.
        object: ETag that the store has of the archive in a bucket, without quotes; None elsewhere.
        packed: Bytes of `relay/v1/heads/ETAG.zst`, which has what follows `tail`; None where there is none.
        href: Of the archive below the origin's root.
        src: SHA-256 of the product that it was made from.
        published: When the line was written.
    """

    op: Literal["put"]
    seq: Seq
    c: Name
    id: Name
    t: AwareDatetime | None = None
    bbox: tuple[_Longitude, _Latitude, _Longitude, _Latitude]
    cloud: float | None = Field(default=None, ge=0, le=100)
    clear_map: str | None = Field(default=None, pattern=r"^[A-Za-z0-9+/]{43}=$")
    ratio: float = Field(gt=0, le=1e9)
    codec: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,32}$")
    model: Digest | None = None
    bytes: int = Field(ge=1, le=LARGEST_FILE)
    etag: str = Field(pattern=r"^[0-9a-f]{32}$")
    sha256: Digest
    tail: _Offset
    coarse: _Offset
    object: str | None = Field(default=None, pattern=r"^[!#-~]{1,128}$")
    packed: int | None = Field(default=None, ge=1, le=MAX_PACKED_HEAD_BYTES)
    href: Href
    src: Digest | None = None
    published: AwareDatetime

    @model_validator(mode="after")
    def _ordered(self) -> PutLine:
        if self.bbox[1] > self.bbox[3]:
            raise ValueError("its south lies above its north")
        if not self.coarse <= self.tail < self.bytes:
            raise ValueError("its parts do not lie inside its bytes")
        return self

    @property
    def clear_cells(self) -> NDArray[np.bool_] | None:
        """Which of 16 × 16 cells over `bbox` are clear in half of their pixels or more, the north row first.

        In `clear_map` they are 256 bits, row by row, the first one the highest.
        """
        if self.clear_map is None:
            return None
        bits = np.unpackbits(np.frombuffer(base64.b64decode(self.clear_map), np.uint8))
        return bits.reshape(MAP_SIDE, MAP_SIDE).astype(bool)


class DropLine(_Document):
    """An archive is no longer there.

    Attributes:
        seq: Number of the line.
        c: STAC Collection id.
        id: STAC Item id.
        why: `withdrawn`, it was faulty; `expired`, it is no longer kept; `replaced`, by one of another id.
    """

    op: Literal["drop"]
    seq: Seq
    c: Name
    id: Name
    why: Why


class CheckLine(_Document):
    """The last line of a segment.

    Attributes:
        seq: Number of the line.
        sha256: Of the segment's other lines, as bytes with a line feed behind each.
    """

    op: Literal["check"]
    seq: Seq
    sha256: Digest


class Source(_Document):
    """Whose line is passed on: the origin, its epoch and its key."""

    origin: Uuid
    epoch: Epoch
    key: KeyText


class PassedLine(_Document):
    """A line of another origin, passed on by a relay, which signs only that it passed it.

    Attributes:
        seq: Number of the line here.
        source: Whose line it is.
        via: Relays that have passed it on, the last one first to be asked.
        href: Of the archive below the root of who passed it last; None for a drop.
        line: As its origin wrote it, with its signature.
    """

    op: Literal["pass"]
    seq: Seq
    source: Source
    via: tuple[Uuid, ...] = Field(min_length=1, max_length=MOST_RELAYS)
    href: Href | None = None
    line: Annotated[PutLine | DropLine, Field(discriminator="op")]

    @model_validator(mode="after")
    def _has_href(self) -> PassedLine:
        if isinstance(self.line, PutLine) and self.href is None:
            raise ValueError("it does not say where the archive is")
        return self


Line = PutLine | DropLine | CheckLine | PassedLine
_LINE: Final[TypeAdapter[Line]] = TypeAdapter(Annotated[Line, Field(discriminator="op")])


class Index(_Document):
    """The state of a feed.

    Attributes:
        origin: Which the feed is of, whatever its address.
        epoch: Of the log; it grows when a log is begun anew.
        first: Number of the first line that is kept.
        last: Number of the last line; 0 for none.
        segment: Lines of a closed segment.
        wait: Seconds that the feed may be waited for (`wait=`); 0 for a folder of files.
        key: That signs lines and index.
        name: Of the origin, for people.
        licence: Of the archives.
        models: SHA-256 of the learned models that can be fetched.
        time: When it was written.
        whole: Whether the lines tell of all archives that there were when the log was begun. Until they do,
            one that they do not name may be there all the same.
    """

    v: Literal[1]
    origin: Uuid
    epoch: Epoch
    first: int = Field(ge=1, le=MAX_SEQ)
    last: int = Field(ge=0, le=MAX_SEQ)
    segment: int = Field(ge=1)
    wait: int = Field(ge=0, le=3600)
    key: KeyText
    name: _Words
    licence: _Words
    models: tuple[Digest, ...] = Field(max_length=100)
    time: AwareDatetime
    whole: bool = True


def told(line: Line) -> PutLine | DropLine | None:
    """What a line tells of an archive, by whomever; None of a check line."""
    if isinstance(line, PassedLine):
        return line.line
    return None if isinstance(line, CheckLine) else line


def href_of(line: Line) -> str | None:
    """Where whoever gave the line has the archive."""
    return line.href if isinstance(line, (PutLine, PassedLine)) else None


def moment(when: datetime) -> str:
    """A time as lines write it: UTC, no finer than milliseconds."""
    text = when.astimezone(UTC).isoformat(timespec="milliseconds" if when.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def write_line(document: dict[str, Any], origin: str, epoch: int, key: SigningKey) -> bytes:
    """Sign and write a line.

    Args:
        document: The line without `sig`.
        origin: Of the log.
        epoch: Likewise.
        key: Of the origin.

    Raises:
        ComeoError: If readers would refuse it.
    """
    try:
        sig = key.sign("line", {**document, "origin": origin, "epoch": epoch})
        raw = rfc8785.dumps({**document, "sig": sig})
        _LINE.validate_json(raw)
    except ValidationError as error:
        name = str(document.get("id", "a line"))[:200]
        raise ComeoError(f"{name} cannot be told of in a feed: {_reason(error)}") from error
    if len(raw) >= MAX_LINE_BYTES:
        raise ComeoError(f"a line would have {len(raw)} bytes; at most {MAX_LINE_BYTES} are read")
    return raw + b"\n"


def read_line(raw: bytes, origin: str, epoch: int, key: Ed25519PublicKey) -> Line:
    """Read a line and check its signature, and that of a line passed on.

    Args:
        raw: Without the line feed.
        origin: Of the feed.
        epoch: Likewise.
        key: Of the origin.

    Raises:
        FeedError: If it is not one, or is not signed by that key for that origin and epoch.
    """
    document = _parsed(raw, MAX_LINE_BYTES, "a line of the feed")
    named = f"line {document.get('seq')!r:.20} of the feed"
    _check_signature(document, origin, epoch, key, named)
    line: Line = _validated(_LINE, raw, named)
    line._written = document
    if isinstance(line, PassedLine):
        source = line.source
        own = document["line"]
        whose = f"{named}, passed on for {source.origin},"
        _check_signature(own, source.origin, source.epoch, public_key(source.key), whose)
        line.line._written = own
    return line


def write_index(document: dict[str, Any], key: SigningKey) -> bytes:
    """Sign and write an index; it is checked as readers do.

    Raises:
        ComeoError: If readers would refuse it.
    """
    raw = rfc8785.dumps({**document, "sig": key.sign("index", document)})
    try:
        Index.model_validate_json(raw)
    except ValidationError as error:
        raise ComeoError(f"the index of the feed cannot be written: {_reason(error)}") from error
    return raw


def read_index(raw: bytes) -> Index:
    """Read an index and check that the key that it names has signed it.

    Raises:
        FeedError: If it is not one, or is not signed.
    """
    document = _parsed(raw, MAX_INDEX_BYTES, "the index of the feed")
    index: Index = _validated(TypeAdapter(Index), raw, "the index of the feed")
    signature = document.pop("sig", None)
    if not isinstance(signature, str) or not verify(public_key(index.key), "index", document, signature):
        raise FeedError(
            "the index of the feed is not signed by the key that it names; nothing is taken from it"
        )
    if index.segment != SEGMENT:
        raise FeedError(
            f"the feed has segments of {index.segment} lines, and this version reads {SEGMENT}; update it"
        )
    if index.first > index.last + 1 or index.first % SEGMENT != 1:
        raise FeedError("the index of the feed contradicts itself; nothing is taken from it")
    return index


def _check_signature(
    document: dict[str, Any], origin: str, epoch: int, key: Ed25519PublicKey, named: str
) -> None:
    content = {**document, "origin": origin, "epoch": epoch}
    signature = content.pop("sig", None)
    if not isinstance(signature, str) or not verify(key, "line", content, signature):
        raise FeedError(f"{named} is not signed by the origin's key; nothing more is taken from it")


def _parsed(raw: bytes, most: int, named: str) -> dict[str, Any]:
    if len(raw) >= most:
        raise FeedError(f"{named} has more than {most} bytes; nothing more is taken from it")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"{named} is not JSON; nothing more is taken from it") from error
    if not isinstance(document, dict):
        raise FeedError(f"{named} is no JSON object; nothing more is taken from it")
    return document


def _validated(model: TypeAdapter[Any], raw: bytes, named: str) -> Any:
    try:
        return model.validate_json(raw)
    except ValidationError as error:
        raise FeedError(f"{named} cannot be believed: {_reason(error)}") from error


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
