"""Scenes that an origin offers, and which of them are wanted, by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from tileserver.catalog.footprints import box_of
from tileserver.relay.plan.areas import clear_share
from tileserver.relay.plan.definition import OVERVIEW, SEEN, Layer, Subscription, in_order

_LEAST_AREA_SHARE = 0.01


class Key(NamedTuple):
    """One version of a scene."""

    collection: str
    id: str
    etag: str


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """What an origin's line says of a scene, as far as plans need it.

    Attributes:
        key: Which scene.
        time: Acquisition, or None where it is unknown.
        bbox: (west, south, east, north) in degrees.
        cloud: Percent of the scene, or None.
        clear: (16, 16) over the box, the northernmost row first, or None.
        size: Bytes of the archive.
        coarse: Where overviews begin in it.
        tail: Where its head begins.
        packed: Bytes of its head as it comes packed; None where it does not.
    """

    key: Key
    time: datetime | None
    bbox: tuple[float, float, float, float]
    cloud: float | None
    clear: NDArray[np.bool_] | None
    size: int
    coarse: int
    tail: int
    packed: int | None = None

    @property
    def head(self) -> int:
        """Bytes that its head takes on the way."""
        return self.size - self.tail if self.packed is None else self.packed


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscription with its area.

    Attributes:
        terms: As the operator wrote it.
        area: In degrees; None: everywhere.
    """

    terms: Subscription
    area: BaseGeometry | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one subscription wants of a scene.

    Attributes:
        subscriber: Who.
        share: Of its area that the scene is expected to show clearly.
        layers: What.
    """

    subscriber: Subscriber
    share: float
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """A scene that is wanted.

    Attributes:
        offer: The scene.
        by: Who wants it.
    """

    offer: Offer
    by: tuple[Wanted, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What is wanted of it, in order."""
        return in_order(layer for each in self.by for layer in each.layers)

    def shows(self, layer: Layer) -> bool:
        """Whether a layer is the first one that shows something of it."""
        return layer == next((each for each in self.layers if each in SEEN), None)

    @property
    def alerts(self) -> bool:
        """Whether it comes before those of all others."""
        return any(each.subscriber.terms.alerts for each in self.by)

    @property
    def bands(self) -> frozenset[str]:
        """Of `area`; empty: all."""
        wanted = [each.subscriber.terms.bands for each in self.by if "area" in each.layers]
        return frozenset(band for bands in wanted for band in bands) if all(wanted) else frozenset()

    @property
    def areas(self) -> tuple[BaseGeometry | None, ...]:
        """That `area` is of, in degrees; None: everywhere."""
        return tuple(each.subscriber.area for each in self.by if "area" in each.layers)

    def expected_bytes(self) -> dict[Layer, int]:
        """Bytes of each layer that is wanted, of `area` as many as its share of the scene's box suggests."""
        offer = self.offer
        found: dict[Layer, int] = {"head": offer.head, "coarse": offer.tail - offer.coarse}
        if "area" in self.layers:
            found["area"] = int(offer.coarse * self._area_share())
        if "rest" in self.layers:
            found["rest"] = offer.coarse - found["area"]  # which is wanted with it
        return {layer: max(1, found[layer]) for layer in self.layers}

    def _area_share(self) -> float:
        if any(area is None for area in self.areas):
            return 1.0
        whole = box_of(self.offer.bbox)
        shares = [
            area.intersection(whole).area / whole.area if whole.area else 1.0 for area in self.areas if area
        ]
        return min(1.0, max(_LEAST_AREA_SHARE, *shares)) if shares else 1.0


def wish_of(offer: Offer, subscribers: Sequence[Subscriber], now: datetime) -> Wish | None:
    """Who wants a scene; None: nobody.

    Args:
        offer: The scene.
        subscribers: Who may want it.
        now: Time, by which old scenes are wanted less or not at all: see `Subscription.keep`.
    """
    found = []
    footprint = box_of(offer.bbox)
    for each in subscribers:
        terms = each.terms
        if terms.collections and offer.key.collection not in terms.collections:
            continue
        if not _in_time(offer.time, terms) or (each.area is not None and not each.area.intersects(footprint)):
            continue
        if terms.max_cloud is not None and (offer.cloud or 0.0) > terms.max_cloud:
            continue
        share = clear_share(offer.bbox, offer.cloud, offer.clear, each.area)
        if terms.max_cloud_over_area is not None and 1.0 - share > terms.max_cloud_over_area + 1e-9:
            continue
        layers = _layers(offer.time, terms, now)
        if layers:
            found.append(Wanted(each, share, layers))
    return Wish(offer, tuple(found)) if found else None


def _layers(time: datetime | None, terms: Subscription, now: datetime) -> tuple[Layer, ...]:
    """What is wanted of a scene of an age; nothing, where what would be left shows no more of it."""
    if terms.keep is None or time is None or now - time <= timedelta(days=terms.keep):
        return terms.layers
    left = tuple(layer for layer in terms.layers if layer in OVERVIEW) if terms.fade == "coarse" else ()
    return left if SEEN.intersection(left) or not SEEN.intersection(terms.layers) else ()


def _in_time(time: datetime | None, terms: Subscription) -> bool:
    if time is None:
        return terms.since is None and terms.until is None
    return (terms.since is None or time >= _aware(terms.since)) and (
        terms.until is None or time < _aware(terms.until)
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
