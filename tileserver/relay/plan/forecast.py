"""What will come when, and what it will cost: the order and the budget, played forward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tileserver.relay.plan.budget import Budget, on_wire
from tileserver.relay.plan.definition import Layer, Link
from tileserver.relay.plan.offers import Key
from tileserver.relay.plan.order import Order, Waiting
from tileserver.relay.plan.windows import Open, link_at, local_day

HORIZON: Final = timedelta(days=62)
"""Nothing is foretold beyond."""


@dataclass(frozen=True, slots=True)
class Coming:
    """A piece that will come.

    Attributes:
        key: Of the scene.
        layer: What comes of it.
        begins: When its first byte comes, in UTC.
        ends: When it is here.
        wire: Bytes on the wire.
        price: Of these, in the link's currency.
    """

    key: Key
    layer: Layer
    begins: datetime
    ends: datetime
    wire: int
    price: float


def _speed_of(opened: Open, most: float) -> float:
    """Bytes a second, of a link that carries `most` itself."""
    if opened.window is None or opened.window.kbps is None:
        return most
    return min(most, opened.window.kbps * 125)


def forecast(now: datetime, order: Order, link: Link, budget: Budget, speed: float) -> Iterator[Coming]:
    """Tell what comes, piece by piece, until nothing is missing or the horizon is reached.

    Args:
        now: With a time zone.
        order: What is missing; it is used up.
        link: When it may be used.
        budget: What has been spent; it is used up.
        speed: Bytes a second that the link carries.
    """
    end = now + HORIZON
    while now < end:
        opened = link_at(now, link)
        scene = None if opened.window is None else _next(order, budget, now)
        if scene is None:
            if not len(order):
                return
            now = opened.until
            continue
        coming = _fetch(scene, now, end, link, budget, speed)
        if coming is None:
            return
        order.came(scene, scene.layer, coming.ends)
        yield coming
        now = coming.ends


def _next(order: Order, budget: Budget, now: datetime) -> Waiting | None:
    """The first scene that there are bytes for."""
    if budget.affordable(now, alerts=True) == 0:
        return None
    return order.first(now, alerts_only=budget.affordable(now, alerts=False) == 0)


def _fetch(
    scene: Waiting, now: datetime, end: datetime, link: Link, budget: Budget, speed: float
) -> Coming | None:
    """Play a piece through windows and days; None if it is not here at the end."""
    layer = scene.layer
    left = total = on_wire(scene.missing[layer])
    begins, price = None, 0.0
    while now < end:
        opened = link_at(now, link)
        most = budget.affordable(now, alerts=scene.wish.alerts)
        if opened.window is None or most == 0:
            now = opened.until
            continue
        rate = _speed_of(opened, speed)
        room = int(rate * (opened.until - now).total_seconds())
        count = min(left, room, left if most is None else most)
        if count <= 0:
            now = opened.until
            continue
        begins = begins or now
        budget.spend(local_day(now, link.zone), count)
        price += count * opened.window.price / 1e9
        left -= count
        now = opened.until if count == room else now + timedelta(seconds=count / rate)
        if not left:
            return Coming(scene.wish.offer.key, layer, begins, now, total, price)
    return None
