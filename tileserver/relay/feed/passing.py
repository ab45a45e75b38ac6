"""Lines of other origins, passed on as they are: a relay is an origin for the next one."""

from __future__ import annotations

from typing import Any

from tileserver.relay.feed.lines import (
    MOST_RELAYS,
    DropLine,
    Index,
    Line,
    PassedLine,
    PutLine,
    Source,
    told,
)
from tileserver.relay.feed.log import Log


def pass_on(log: Log, line: Line, index: Index, href: str | None = None) -> bool:
    """Append a line of another origin to a log that is being written.

    Args:
        log: Whose `writing` the caller holds.
        line: As an upstream gave it.
        index: Of that upstream.
        href: Where the archive is below the root of this origin; None for a drop.

    Returns:
        Whether it was appended. It is not where it comes back to a relay that has passed it already, has been
        passed on more than 16 times, is not later than what is told of the scene, or the scene is another
        origin's.
    """
    content = told(line)
    if content is None:
        return False
    source, via = _way(line, index)
    if log.origin in (source.origin, *via) or len(via) >= MOST_RELAYS:
        return False
    if not _is_news(log, content, source):
        return False
    document: dict[str, Any] = {
        "op": "pass",
        "source": source.model_dump(),
        "via": [*via, log.origin],
        "line": content.written,
    }
    if isinstance(content, PutLine):
        document["href"] = href
    log.tell([document])
    return True


def _way(line: Line, index: Index) -> tuple[Source, tuple[str, ...]]:
    """Whose line it is, and which relays it has come by."""
    if isinstance(line, PassedLine):
        return line.source, line.via
    return Source(origin=index.origin, epoch=index.epoch, key=index.key), ()


def _is_news(log: Log, content: PutLine | DropLine, source: Source) -> bool:
    known = log.told.get((content.c, content.id))
    place = (source.epoch, content.seq)
    if known is None:
        return isinstance(content, PutLine)
    if known.origin == source.origin:
        return place > known.place
    if known.etag is None:
        return isinstance(content, PutLine)
    # the catalogue was quicker: the origin's own line proves more than this log's
    return known.origin is None and isinstance(content, PutLine) and content.etag == known.etag
