"""Scenes that are offered, for tests of plans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tileserver.relay.plan.definition import Link, Subscription, Window
from tileserver.relay.plan.offers import Key, Offer, Subscriber, Wanted, Wish
from tileserver.relay.plan.order import Waiting

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
ZONES = ("UTC", "Africa/Abidjan", "Europe/Berlin", "America/St_Johns", "Africa/Cairo", "Australia/Lord_Howe")


def offer(name: str = "a", *, days: float = 0.0, size: int = 1_000_000, **changes: Any) -> Offer:
    """A scene of some days ago: 2 % of it are its head, 4 % overviews."""
    given = {
        "key": Key("optical", name, "e"), "time": NOW - timedelta(days=days), "bbox": (9.0, 45.0, 10.0, 46.0),
        "cloud": None, "clear": None, "size": size, "coarse": size * 94 // 100, "tail": size * 98 // 100,
    }  # fmt: skip
    return Offer(**{**given, **changes})


def subscriber(area: Any = None, **terms: Any) -> Subscriber:
    """A subscription to everything, but for what is given."""
    return Subscriber(Subscription(**{"name": "all", **terms}), area)


def waiting(name: str = "a", share: float = 1.0, since: datetime = NOW, **changes: Any) -> Waiting:
    """A scene of which nothing is here."""
    terms = changes.pop("terms", {})
    wanted = subscriber(**terms)
    wish = Wish(offer(name, **changes), (Wanted(wanted, share, wanted.terms.layers),))
    return Waiting(wish, wish.expected_bytes(), since)


def window(**terms: Any) -> Window:
    """A window as it is written."""
    return Window.model_validate(terms)


windows = st.builds(
    lambda days, begin, length, kbps: window(
        **{"days": days, "from": f"{begin // 60}:{begin % 60:02}", "to": _time(begin + length), "kbps": kbps}
    ),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.sampled_from([None, 0, 8, 64, 2000]),
)
whole_days = st.builds(
    lambda days, kbps: Window(days=days, kbps=kbps), st.frozensets(st.integers(0, 6)), st.just(64)
)
links = st.builds(
    Link,
    timezone=st.sampled_from(ZONES),
    windows=st.lists(st.one_of(windows, whole_days), min_size=1, max_size=4).map(tuple),
    daily=st.one_of(st.none(), st.integers(5_000, 10**7)),
    monthly=st.one_of(st.none(), st.integers(10_000, 10**8)),
    reserve_for_alerts=st.sampled_from([0.0, 0.1, 0.5]),
)


def _time(minutes: int) -> str:
    return f"{minutes % 1440 // 60}:{minutes % 60:02}"
