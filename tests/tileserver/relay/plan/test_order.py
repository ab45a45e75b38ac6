"""The order of pieces, and what will come: by value, within the budget, and nothing starves."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, box

from tests.tileserver.relay.plan.offered import NOW, links, offer, subscriber, waiting, window
from tileserver.relay.plan.areas import cells_of, clear_share
from tileserver.relay.plan.budget import Budget
from tileserver.relay.plan.definition import LAYERS, Link, Window
from tileserver.relay.plan.forecast import Coming, forecast
from tileserver.relay.plan.offers import Wish, wish_of
from tileserver.relay.plan.order import Order, Waiting
from tileserver.relay.plan.value import ClearDates, rank, value_of
from tileserver.relay.plan.windows import link_at, local_day

FAST = 1e6


def told(scenes: Sequence[Waiting], link: Link | None = None, speed: float = FAST) -> list[Coming]:
    link = link or Link()
    return [*forecast(NOW, Order(scenes, ClearDates(), NOW), link, Budget(link), speed)]


def names(scenes: Sequence[Waiting]) -> list[tuple[str, str]]:
    return [(each.key.id, each.layer) for each in told(scenes)]


def test_heads_of_all_come_before_the_rest_of_one() -> None:
    both = [waiting("a"), waiting("b")]
    for each in both:
        each.missing["area"] = 50_000  # else they are of everything, and the rest is nothing
        each.missing["rest"] = 890_000
    assert names(both) == [
        ("a", "head"), ("b", "head"), ("a", "coarse"), ("b", "coarse"),
        ("a", "area"), ("b", "area"), ("a", "rest"), ("b", "rest"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "better",
    [
        waiting("better", terms={"priority": 2}),
        waiting("better", days=-1.0),
        waiting("better", days=19.0),
        waiting("better", size=500_000),
        waiting("better", since=NOW - timedelta(days=1)),
        waiting("better", terms={"alerts": True, "priority": 0.01}),
    ],
)
def test_what_is_worth_more_comes_first(better: Waiting) -> None:
    worse = waiting("worse", share=0.9, days=20.0)
    assert names([worse, better])[0] == ("better", "head")
    assert names([better, worse])[0] == ("better", "head")


def test_a_piece_that_was_started_is_finished_first() -> None:
    started = waiting("started", terms={"priority": 0.01})
    started.missing.pop("head")
    started.missing["coarse"] //= 2
    started.started = True
    assert names([waiting("other", terms={"alerts": True}), started])[0] == ("started", "coarse")


def test_a_later_layer_draws_those_before_it() -> None:
    small = waiting("small", terms={"layers": ["coarse", "area"]})
    small.missing.update({"coarse": 100_000, "area": 1})
    alone = waiting("alone", terms={"layers": ["coarse"]})
    alone.missing["coarse"] = 100_000
    order = Order([alone, small], ClearDates(), NOW)
    for each in (small, alone):
        each.missing.pop("head")
        order.put(each, NOW)
    first = order.first(NOW)
    assert first is not None
    assert first.wish.offer.key.id == "small"


def test_a_date_beside_a_clear_one_is_needed_less() -> None:
    dates = ClearDates()
    old, new = waiting("old", days=50.0), waiting("new", days=1.0)
    before = value_of(new.wish, "head", NOW, dates)
    dates.add(waiting("here", days=2.0).wish)
    assert value_of(new.wish, "head", NOW, dates) == pytest.approx(before / 10)  # 1 + 1/10 of 1 + 100/10
    assert value_of(old.wish, "head", NOW, dates) == pytest.approx(2**-3 * 4 * (1 + 48 / 10))
    dates.add(waiting("clouded", days=1.0, share=0.1).wish)
    assert value_of(new.wish, "head", NOW, dates) == pytest.approx(before / 10)


scenes = st.lists(
    st.builds(
        lambda priority, days, size, waited, share, alerts: (priority, days, size, waited, share, alerts),
        st.floats(0.1, 100), st.floats(0, 4000), st.integers(1_000, 10**7), st.floats(0, 100),
        st.floats(0, 1), st.booleans(),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


def made(drawn: Sequence[tuple[float, float, int, float, float, bool]]) -> list[Waiting]:
    return [
        waiting(
            f"s{number}", share, NOW - timedelta(days=waited), days=days, size=size,
            terms={"priority": priority, "alerts": alerts, "name": f"{priority} {alerts}"},
        )
        for number, (priority, days, size, waited, share, alerts) in enumerate(drawn)
    ]  # fmt: skip


@given(scenes)
def test_the_first_one_has_most_value_a_byte(
    drawn: list[tuple[float, float, int, float, float, bool]],
) -> None:
    order, dates, now = Order(made(drawn), ClearDates(), NOW), ClearDates(), NOW
    left = {each.wish.offer.key: each for each in made(drawn)}
    while (first := order.first(now)) is not None:
        best = max(
            left.values(),
            key=lambda each: (
                each.wish.alerts, rank(each.wish, [*each.missing.items()], now, dates, each.since)
            ),
        )  # fmt: skip
        found = left[first.wish.offer.key]
        assert found.wish.alerts == best.wish.alerts
        assert rank(found.wish, [*found.missing.items()], now, dates, found.since) == pytest.approx(
            rank(best.wish, [*best.missing.items()], now, dates, best.since)
        )
        order.came(first, first.layer, now)
        if first.layer == "coarse":
            dates.add(found.wish)
        found.missing.pop(first.layer)
        if not found.missing:
            del left[first.wish.offer.key]
        now += timedelta(hours=5)


@given(scenes, links, st.floats(100, 1e7))
@settings(max_examples=60)
def test_the_budget_and_the_windows_are_kept(
    drawn: list[tuple[float, float, int, float, float, bool]], link: Link, speed: float
) -> None:
    spent = Counter[date]()

    class Counted(Budget):
        def spend(self, day: date, count: int, *, on_demand: bool = False) -> None:
            spent[day] += count
            super().spend(day, count, on_demand=on_demand)

    found = [*forecast(NOW, Order(made(drawn), ClearDates(), NOW), link, Counted(link), speed)]
    assert all(count <= (link.daily or 1e18) for count in spent.values())
    months = Counter[tuple[int, int]]()
    for day, count in spent.items():
        months[day.year, day.month] += count
    assert all(count <= (link.monthly or 1e18) for count in months.values())
    for one, other in itertools.pairwise(found):
        assert one.ends <= other.begins
    for each in found:
        opened = link_at(each.begins, link)
        assert opened.window is not None
        assert spent[local_day(each.begins, link.zone)] > 0
    layers: dict[str, list[str]] = {}
    for each in found:
        layers.setdefault(each.key.id, []).append(each.layer)
    assert all(tuple(names) == LAYERS[: len(names)] for names in layers.values())


def test_what_is_reserved_is_for_alerts() -> None:
    link = Link(daily=100_000, reserve_for_alerts=0.5)
    plain = told([waiting("plain", size=1_000_000)], link)
    alert = told([waiting("alert", size=1_000_000, terms={"alerts": True})], link)
    assert sum(each.ends < NOW + timedelta(hours=12) for each in plain) == 1  # 20 and 40 kB
    assert sum(each.ends < NOW + timedelta(hours=12) for each in alert) == 2


def test_a_piece_goes_on_the_next_day() -> None:
    link = Link(
        timezone="Europe/Berlin", daily=300_000, windows=(window(**{"from": "23:00", "to": "01:00"}),)
    )
    found = told([waiting(size=1_000_000)], link)
    assert [each.layer for each in found] == [*LAYERS]
    assert found[0].begins.isoformat() == "2026-06-10T21:00:00+00:00"
    assert found[2].begins.date() < found[2].ends.date()
    assert sum(each.wire for each in found) == pytest.approx(1_046_000, rel=0.01)


def test_a_link_that_is_never_open_brings_nothing() -> None:
    assert not told([waiting()], Link(windows=(Window(kbps=0),)))


def test_prices_are_those_of_the_window() -> None:
    (head, *_) = told([waiting(size=10**9)], Link(windows=(Window(price=10),)))
    assert head.price == pytest.approx(0.02 * 1.04 * 10, rel=1e-3)


def test_nothing_starves() -> None:
    """A link that carries the heads of new scenes only: an old, large rest comes all the same."""
    now, day = NOW, timedelta(days=1)
    poor = waiting("poor", share=0.0, days=4000, size=10**8, terms={"priority": 0.1})
    for layer in ("head", "coarse", "area"):
        poor.missing.pop(layer, None)
    order = Order([poor], ClearDates(), now)
    for number in range(1000):
        fresh = waiting(f"new{number}", terms={"priority": 100, "layers": ["head"]}, since=now, size=10_000)
        order.put(Waiting(fresh.wish, fresh.missing, now), now)
        first = order.first(now)
        assert first is not None
        if first.wish.offer.key.id == "poor":
            break
        order.came(first, first.layer, now)
        now += day
    assert 30 < number < 300


def test_many_scenes_are_told_soon() -> None:
    found = told([waiting(f"s{number}", days=number % 3000 / 2) for number in range(2000)], speed=1e8)
    assert len(found) == 8000


def test_clear_is_judged_over_the_own_area() -> None:
    clear = np.zeros((16, 16), bool)
    clear[0] = True  # the northernmost row
    bbox = (9.0, 45.0, 10.0, 46.0)
    assert clear_share(bbox, 90, clear, None) == pytest.approx(1 / 16)
    assert clear_share(bbox, 90, clear, box(9, 45.95, 10, 46)) == 1
    assert clear_share(bbox, 10, clear, Point(9.5, 45.1)) == 0
    assert clear_share(bbox, 10, None, Point(9.5, 45.1)) == pytest.approx(0.9)
    assert clear_share(bbox, None, None, None) == 1
    across = cells_of((179.0, 0.0, -179.0, 2.0), box(-179.9, 1.01, -179.5, 2))
    assert across.sum() == 40  # 5 × 8: cells of an eighth of a degree
    assert not across[:, :8].any()


def test_who_wants_a_scene() -> None:
    terms = [
        subscriber(name="all", layers=["head"]),
        subscriber(box(0, 0, 1, 1), name="elsewhere"),
        subscriber(box(9.4, 45.4, 9.6, 45.6), name="here", layers=["coarse", "area"]),
        subscriber(name="radar", collections=["radar"]),
        subscriber(name="later", since=datetime(2027, 1, 1)),
        subscriber(name="before", until=datetime(2026, 1, 1)),
        subscriber(name="clear", max_cloud=50),
        subscriber(box(9, 45, 10, 45.5), name="clear there", max_cloud_over_area=0.5),
    ]
    clear = np.ones((16, 16), bool)
    clear[8:] = False
    wish = wish_of(offer(cloud=60.0, clear=clear), terms, NOW)
    assert isinstance(wish, Wish)
    assert [each.subscriber.terms.name for each in wish.by] == ["all", "here"]
    assert wish.layers == ("head", "coarse", "area")
    assert wish.expected_bytes() == {
        "head": 20_000,
        "coarse": 40_000,
        "area": pytest.approx(37_600, rel=0.01),
    }
    assert wish_of(offer(), terms[1:2], NOW) is None
    undated = wish_of(offer(time=None), terms, NOW)
    assert undated is not None
    assert [each.subscriber.terms.name for each in undated.by][-1] == "clear there"


def test_old_scenes_are_wanted_less() -> None:
    kept = subscriber(name="kept", keep="1y")
    gone = subscriber(name="gone", keep="1y", fade="nothing")
    old, new = offer(days=366), offer(days=364)
    assert [each.layers for each in (wish_of(new, [kept, gone], NOW) or waiting().wish).by] == [
        LAYERS,
        LAYERS,
    ]
    faded = wish_of(old, [kept, gone], NOW)
    assert faded is not None
    assert faded.layers == ("head", "coarse")
    assert wish_of(old, [gone], NOW) is None


def test_layers_are_a_set() -> None:
    there, everywhere = box(9, 45, 9.5, 46), subscriber(name="all", layers=["coarse"])
    area = subscriber(there, name="area", layers=["area"], keep="1y")
    wish = wish_of(offer(packed=4_000), [area], NOW)
    assert wish is not None
    assert wish.layers == ("head", "area")
    assert wish.expected_bytes() == {"head": 4_000, "area": 470_000}
    both = wish_of(offer(), [area, everywhere], NOW)
    assert both is not None
    assert both.layers == ("head", "coarse", "area")
    assert both.areas == (there,)
    assert wish_of(offer(days=400), [area], NOW) is None  # its head alone would show nothing


def test_a_date_counts_once_something_of_it_is_seen() -> None:
    for layers, shows in ((["area"], "area"), (["coarse", "area"], "coarse"), (["head"], None)):
        dates, one = ClearDates(), waiting(terms={"layers": layers})
        order = Order([one], dates, NOW)
        for layer in one.wish.layers:
            before = dates.days_without("all", NOW)
            order.came(one, layer, NOW)
            assert (dates.days_without("all", NOW) < before) == (layer == shows)
