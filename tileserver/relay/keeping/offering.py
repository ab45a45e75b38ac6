"""Lines of a feed as plans see them, and as the journal keeps them."""

from __future__ import annotations

from tileserver.relay.feed.lines import PutLine
from tileserver.relay.plan.offers import Key, Offer


def key_of(line: PutLine) -> Key:
    """Which version of which scene a line tells of."""
    return Key(line.c, line.id, line.etag)


def offer_of(line: PutLine) -> Offer:
    """What plans need of a line."""
    return Offer(
        key_of(line),
        line.t,
        line.bbox,
        line.cloud,
        line.clear_cells,
        line.bytes,
        line.coarse,
        line.tail,
        line.packed,
    )


def put_in(text: str) -> PutLine:
    """The line that the journal has of a scene."""
    return PutLine.model_validate_json(text)


def offer_in(text: str) -> Offer:
    """What plans need of a line that the journal has."""
    return offer_of(put_in(text))
