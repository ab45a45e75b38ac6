"""The feed of an origin: what archives there are, in signed lines, for relays and mirrors. See docs/relay.md.

Addresses below `/relay/v1` are those of a folder that `comeo relay publish` writes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

from flask import Response, g, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BeforeValidator, Field

from comeo.errors import NotFoundError
from tileserver.files.download import OpenFile
from tileserver.http.conditional import answer_by_content, answer_unless_known
from tileserver.http.context import state
from tileserver.http.files import ClientWatch, file_or_range, sending
from tileserver.http.openapi import PROBLEM, Answers
from tileserver.http.problems import MEDIA_TYPE
from tileserver.http.sharing import BARE
from tileserver.relay.feed.layout import FEED, HEADS, INDEX, MAX_SEQ, MODELS, OPEN, SEGMENT
from tileserver.relay.feed.origin import WAIT_SECONDS, Origin
from tileserver.relay.feed.pages import Filter
from tileserver.relay.keeping.serving import ToldLines
from tileserver.render.parameters import Box, Parameters, split_commas
from tileserver.render.scenes import Scenes
from tileserver.render.temporal import parse_interval

api = APIBlueprint("relay", __name__, url_prefix="/relay/v1")
TAG = Tag(name="Relay", description="What there is, in signed lines: for relays and mirrors.")
RETRY_SECONDS: Final = 60
"""For who found no seat to wait in."""
LINES: Final = "application/x-ndjson"
_PACKED: Final = "application/zstd"
_BYTES: Final = "application/octet-stream"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_SEGMENT: Final = re.compile(r"(?!000000)\d{6}\.ndjson\.zst")
_HEAD: Final = re.compile(r"[0-9a-f]{32}\.zst")
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_JSON: Final = {"schema": {"type": "object"}}
INDEX_ANSWERS: Answers = {
    "200": {"description": "The index, signed.", "content": {"application/json": _JSON}}
}
FEED_ANSWERS: Answers = {
    "200": {
        "description": "Lines, one JSON object each. `Comeo-Next`, if given, is `after` of the next request.",
        "content": {LINES: {"schema": {"type": "string"}}},
    },
    "410": {
        "description": "The feed does not reach so far: it was begun anew.",
        "content": {MEDIA_TYPE: {"schema": PROBLEM}},
    },
}
SEGMENT_ANSWERS: Answers = {
    "200": {"description": "1000 lines, packed by zstd; they never change.", "content": {_PACKED: _BINARY}},
    "206": {"description": "The requested range.", "content": {_PACKED: _BINARY}},
}
MODEL_ANSWERS: Answers = {
    "200": {"description": "The model's file.", "content": {_BYTES: _BINARY}},
    "206": {"description": "The requested range.", "content": {_BYTES: _BINARY}},
}


HEAD_ANSWERS: Answers = {
    "200": {"description": "The head, packed by zstd.", "content": {_PACKED: _BINARY}},
    "206": {"description": "The requested range.", "content": {_PACKED: _BINARY}},
}


class FeedQuery(Parameters):
    """Where to go on, how far, and which lines."""

    after: int = Field(0, ge=0, le=MAX_SEQ, description="Number of the last line that is known; 0 to begin.")
    limit: int = Field(SEGMENT, ge=1, le=SEGMENT, description="Lines at most.")
    wait: int = Field(
        0, ge=0, le=WAIT_SECONDS,
        description="Seconds to wait for a line if there is none; fewer where too many wait already.",
    )  # fmt: skip
    bbox: Box | None = Field(None, description="west,south,east,north in degrees, that scenes touch.")
    collections: (
        Annotated[list[str], BeforeValidator(split_commas), Field(min_length=1, max_length=100)] | None
    ) = Field(None, description="STAC Collection ids.")
    datetime: str | None = Field(
        None, max_length=100, description="A time, a day, or an interval: `2024-05-01/..`."
    )
    max_cloud: float | None = Field(
        None, ge=0, le=100, description="Percent; scenes of unknown cloud are given, too."
    )

    def chosen(self) -> Filter | None:
        """Which lines are asked for; None for all, check lines among them."""
        if (self.bbox, self.collections, self.datetime, self.max_cloud) == (None,) * 4:
            return None
        box = None if self.bbox is None else (self.bbox[0], self.bbox[1], self.bbox[2], self.bbox[3])
        names = None if self.collections is None else frozenset(self.collections)
        return Filter(box, names, *parse_interval(self.datetime), self.max_cloud)


class FilePath(Parameters):
    """A file of the feed."""

    name: str = Field(max_length=40, description="`000001.ndjson.zst`, …, or `open.ndjson`.")


class ModelPath(Parameters):
    """A learned model."""

    digest: str = Field(max_length=64, description="SHA-256 of the model, as the index names it.")


class HeadPath(Parameters):
    """The packed head of an archive."""

    name: str = Field(max_length=36, description="`ETAG.zst`, the ETag as the archive's line has it.")


@api.get("", tags=[TAG], responses=INDEX_ANSWERS)
def root() -> Response:
    """State of the feed: origin, epoch, first and last line, key, signature."""
    return _index()


@api.get("/index.json", tags=[TAG], responses=INDEX_ANSWERS)
def index() -> Response:
    """The same, by its name in a folder."""
    return _index()


@api.get("/feed", tags=[TAG], responses=FEED_ANSWERS)
def feed(query: FeedQuery) -> Response:
    """Lines that follow one, in their order: `put`, `drop`, `pass`, and without a filter `check`."""
    chosen, watch = query.chosen(), ClientWatch(request.environ)
    with state().gate.sit() as seated:
        wait = query.wait if seated else 0
        page = _origin().page(query.after, query.limit, chosen, wait, watch.advance)
    answer = Response(b"".join(line + b"\n" for line in page.lines), content_type=LINES)
    if page.next == query.after:
        setattr(g, BARE, True)
    else:
        answer.headers["Comeo-Next"] = str(page.next)
    if not seated and query.wait and not page.lines:
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


@api.get("/feed/<name>", tags=[TAG], responses=SEGMENT_ANSWERS)
def segment(path: FilePath) -> Response:
    """A closed segment of the feed, for ever the same; or the open one, which grows."""
    origin = _origin()
    if path.name == Path(OPEN).name:
        origin.refresh()
        return answer_by_content(Response((origin.public / OPEN).read_bytes(), content_type=LINES))
    if not _SEGMENT.fullmatch(path.name):
        raise NotFoundError(f"the feed has no file {path.name}; its closed segments are 000001.ndjson.zst, …")
    etag = f"{origin.index().epoch}-{path.name[:6]}"
    return _file(origin.public / FEED / path.name, etag, _PACKED)


@api.get("/models/<digest>", tags=[TAG], responses=MODEL_ANSWERS)
def model(path: ModelPath) -> Response:
    """A learned model that lines name, for relays whose version does not have it."""
    origin = _origin()
    if path.digest not in origin.index().models:
        raise NotFoundError(f"no archive here needs a model {path.digest}; the index names those that do")
    return _file(origin.public / MODELS / path.digest, path.digest, _BYTES)


@api.get("/heads/<name>", tags=[TAG], responses=HEAD_ANSWERS)
def head(path: HeadPath) -> Response:
    """What follows `tail` of an archive, packed, as its line tells."""
    if not _HEAD.fullmatch(path.name):
        raise NotFoundError(f"there is no head {path.name}; they are named ETAG.zst, by lines with `packed`")
    return _file(_origin().public / HEADS / path.name, path.name[:-4], _PACKED)


def _index() -> Response:
    origin = _origin()
    origin.refresh()
    answer = answer_by_content(
        Response((origin.public / INDEX).read_bytes(), content_type="application/json")
    )
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def _file(path: Path, etag: str, media_type: str) -> Response:
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise NotFoundError(
            f"there is no {path.name} yet; the index says how far the feed has come"
        ) from error
    status = path.stat()
    file = OpenFile(stream, status.st_size, status.st_mtime, path.name)
    answer = sending(stream, lambda: answer_unless_known(etag, lambda: file_or_range(file, etag, media_type)))
    answer.headers["Cache-Control"] = _FOR_EVER
    answer.headers["Accept-Ranges"] = "bytes"
    return answer


def _origin() -> Origin:
    return state().part(_made)


def _made(given: Scenes) -> Origin:
    if given.settings.relay_definition is None:
        return Origin(given.catalog, given.settings)
    return Origin(given.catalog, given.settings, ToldLines(given.settings))
