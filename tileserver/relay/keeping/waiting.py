"""What of a scene is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from comeo.archive.stores.extents import Extents
from tileserver.relay.keeping.journal import Kept
from tileserver.relay.keeping.offering import offer_in
from tileserver.relay.plan.definition import Layer
from tileserver.relay.plan.offers import Subscriber, Wish, wish_of
from tileserver.relay.plan.order import Waiting


def wish_for(kept: Kept, subscribers: Sequence[Subscriber], now: datetime) -> Wish | None:
    """Who wants a scene that the journal has."""
    return wish_of(offer_in(kept.line), subscribers, now)


def waiting_of(kept: Kept, subscribers: Sequence[Subscriber], now: datetime) -> Waiting | None:
    """A scene as it waits, or None if nothing of it is to come."""
    if kept.state != "coming" or kept.dropped is not None:
        return None
    wish = wish_for(kept, subscribers, now)
    missing = {} if wish is None else _missing(kept, wish)
    if wish is None or not missing:
        return None
    return Waiting(wish, missing, kept.since, started=kept.received.total > kept.published)


def _missing(kept: Kept, wish: Wish) -> dict[Layer, int]:
    """Bytes that are missing of each layer that is not here; of the area as many as are expected."""
    offer = wish.offer
    expected = wish.expected_bytes()
    native = kept.received.common(Extents([(0, offer.coarse)])).total
    found: dict[Layer, int] = {}
    for layer in wish.layers:
        if layer in kept.layers or (kept.keeps is not None and layer not in kept.keeps):
            continue
        if layer in ("head", "coarse"):
            span = (offer.tail, offer.size) if layer == "head" else (offer.coarse, offer.tail)
            count = sum(stop - start for start, stop in kept.received.missing(*span))
            if count == offer.size - offer.tail and layer == "head":
                count = offer.head
        elif layer == "area":
            count = expected["area"] - native
        else:
            count = offer.coarse - native - found.get("area", 0)
        found[layer] = max(1, count)
    return found
