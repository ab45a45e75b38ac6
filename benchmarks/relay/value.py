"""What the order of a relay is worth: value that is here after a share of the bytes, and first in, first out.

A backlog of synthetic offers, as a relay finds it that is set up: a year of five tiles, each five days, of
varied cloud, with clear maps, and with layers as large as those of whole products at ×100. Who wants them:
sites of a geoservice, a country its overviews, a province all of it. The planner itself works them off
(`tileserver.relay.plan.order`).

The value of a piece is what `tileserver.relay.plan.value` says at the beginning, whenever the piece comes:
priority × recency × clear share × need × gain. First in, first out is told twice: with the very layers that
the planner brings, in order of acquisition, and as whole archives, which show nothing before they are here.

Run with: python -m benchmarks.relay value [--output FOLDER]
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from shapely.geometry import box

from tileserver.relay.feed.lines import MAP_SIDE
from tileserver.relay.plan.definition import Subscription
from tileserver.relay.plan.offers import Key, Offer, Subscriber, Wish, wish_of
from tileserver.relay.plan.order import Order, Waiting
from tileserver.relay.plan.value import ClearDates, value_of

NOW: Final = datetime(2026, 6, 10, 12, tzinfo=UTC)
TILES: Final = 5
SHARES: Final = (0.10, 0.25, 0.50)
_SIZE, _COARSE, _HEAD, _PACKED = 13_541_848, 550_000, 45_000, 20_000
Steps = list[tuple[int, float]]
"""Bytes, and the value that is here once they have come."""


def backlog(seed: int = 1) -> list[Offer]:
    """A year of scenes, the oldest first."""
    chance = np.random.default_rng(seed)
    return [
        _offer(chance, tile, day) for day in range(365, 0, -5) for tile in range(TILES)
    ]  # fmt: skip


def _offer(chance: np.random.Generator, tile: int, day: int) -> Offer:
    cloud = float(chance.beta(0.5, 0.6))  # mostly clear or mostly clouded
    size = int(_SIZE * chance.uniform(0.7, 1.3))
    head = int(_HEAD * chance.uniform(0.9, 1.1))
    tail = size - head
    return Offer(
        Key("sentinel-2-l2a", f"{tile}-{day}", "e"), NOW - timedelta(days=day, hours=float(tile)),
        (float(tile), 10.0, tile + 1.0, 11.0), 100 * cloud, _clear(chance, cloud), size,
        tail - int(_COARSE * size / _SIZE), tail, int(_PACKED * head / _HEAD),
    )  # fmt: skip


def _clear(chance: np.random.Generator, cloud: float) -> NDArray[np.bool_]:
    """Clouds in patches, of such a share."""
    field = gaussian_filter(chance.standard_normal((MAP_SIDE, MAP_SIDE)), 2.0)
    return np.asarray(field >= np.quantile(field, cloud))


def subscribers() -> list[Subscriber]:
    """Who wants what."""
    sites, country, province = (
        Subscription.model_validate(terms)
        for terms in (
            {"name": "sites", "priority": 10, "layers": ["head", "area"]},
            {"name": "country", "layers": ["coarse"]},
            {"name": "province", "priority": 2, "layers": ["all"]},
        )
    )
    return [
        Subscriber(sites, box(0.4, 10.4, 0.45, 10.45).union(box(2.7, 10.2, 2.75, 10.25))),
        Subscriber(country, None),
        Subscriber(province, box(3.0, 10.0, 3.4, 10.4)),
    ]


def wishes(offers: list[Offer], who: list[Subscriber]) -> list[Wish]:
    """What is wanted of offers."""
    return [wish for offer in offers if (wish := wish_of(offer, who, NOW)) is not None]


def planned(wanted: list[Wish]) -> Steps:
    """In the order of the planner."""
    order = Order((Waiting(wish, wish.expected_bytes(), NOW) for wish in wanted), ClearDates(), NOW)

    def pieces() -> Iterator[tuple[int, float]]:
        while (first := order.first(NOW)) is not None:
            layer = first.layer
            yield first.missing[layer], value_of(first.wish, layer, NOW, ClearDates())
            order.came(first, layer, NOW)

    return summed(pieces())


def in_turn(wanted: list[Wish]) -> Steps:
    """The same layers, scene by scene."""
    return summed(
        (count, value_of(wish, layer, NOW, ClearDates()))
        for wish in wanted
        for layer, count in wish.expected_bytes().items()
    )


def whole(wanted: list[Wish]) -> Steps:
    """Whole archives, one after the other."""
    return summed(
        (wish.offer.size, sum(value_of(wish, layer, NOW, ClearDates()) for layer in wish.layers))
        for wish in wanted
    )


def summed(pieces: Iterator[tuple[int, float]]) -> Steps:
    """Bytes and value so far."""
    found = [(0, 0.0), *pieces]
    counts, values = zip(*found, strict=True)
    return list(zip(itertools.accumulate(counts), itertools.accumulate(values), strict=True))


def here_after(steps: Steps, count: float) -> float:
    """Value that is here after so many bytes."""
    return steps[bisect_right(steps, (count, float("inf"))) - 1][1]


def table(wanted: list[Wish], who: str) -> Iterator[str]:
    """What has come of a backlog after shares of its bytes, by each way."""
    ways = {
        "the relay's order": planned(wanted),
        "the same layers, newest first": in_turn(wanted[::-1]),
        "the same layers, first in, first out": in_turn(wanted),
        "whole archives, first in, first out": whole(wanted),
    }
    (total, worth), *_ = (steps[-1] for steps in ways.values())
    largest = max(steps[-1][0] for steps in ways.values())
    yield (
        f"{who}: {len(wanted)} scenes, of which {total / 1e6:,.0f} MB are wanted; whole they have "
        f"{largest / 1e6:,.0f} MB."
    )
    yield ""
    yield f"| value after … of {total / 1e6:,.0f} MB | {' | '.join(map('{:.0%}'.format, SHARES))} | at 25 % |"
    yield "|---" * (len(SHARES) + 2) + "|"
    best = here_after(ways["the relay's order"], 0.25 * total)
    for name, steps in ways.items():
        here = [here_after(steps, share * total) / worth for share in SHARES]
        own = here_after(steps, 0.25 * total)
        times = "1" if own == best else f"1 / {best / own:.1f}" if own else "–"
        yield f"| {name} | {' | '.join(map('{:.1%}'.format, here))} | {times} |"


def report() -> list[str]:
    """Tables of all who want something together, and of sites alone."""
    offers, who = backlog(), subscribers()
    lines = [*table(wishes(offers, who), "All three"), ""]
    return [*lines, *table(wishes(offers, who[:1]), "Sites alone")]
