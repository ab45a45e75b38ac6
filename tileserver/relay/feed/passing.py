"""Lines of other origins, passed on as they are: a relay is an origin for the next one."""

from __future__ import annotations

from typing import Any, NamedTuple

from tileserver.relay.feed.lines import MOST_RELAYS, Index, Line, PassedLine, Source, told


class Passed(NamedTuple):
    """What an upstream told of an archive, to be passed on.

    Attributes:
        source: Whose line it is.
        via: Relays that it has come by.
        line: As it was written and signed.
    """

    source: dict[str, Any]
    via: tuple[str, ...]
    line: dict[str, Any]


def passed(line: Line, index: Index) -> Passed | None:
    """What a line tells of an archive; None of a check line.

    Args:
        line: As an upstream gave it.
        index: Of that upstream.
    """
    content = told(line)
    if content is None:
        return None
    if isinstance(line, PassedLine):
        return Passed(line.source.model_dump(), line.via, content.written)
    own = Source(origin=index.origin, epoch=index.epoch, key=index.key)
    return Passed(own.model_dump(), (), content.written)


def passing(origin: str, found: Passed, href: str | None = None) -> dict[str, Any] | None:
    """The line of a log that passes on what another origin told, without number and signature.

    Args:
        origin: Of the log.
        found: What is passed on.
        href: Where the archive is below the root of this origin; None for a drop.

    Returns:
        The line; None where it comes back to a relay that has passed it already, or has come by 16.
    """
    if origin in (found.source["origin"], *found.via) or len(found.via) >= MOST_RELAYS:
        return None
    document: dict[str, Any] = {
        "op": "pass",
        "source": found.source,
        "via": [*found.via, origin],
        "line": found.line,
    }
    return document if href is None else {**document, "href": href}
