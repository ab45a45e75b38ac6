"""What is here, what is coming and when, what was spent, and what is wrong."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from tileserver.relay.keeping.assembly import Defined, order_of
from tileserver.relay.keeping.gate import budget_of
from tileserver.relay.keeping.journal import SPEED, Journal, Kept
from tileserver.relay.keeping.looks import Looks, LooksError
from tileserver.relay.keeping.models import missing
from tileserver.relay.keeping.offering import offer_in
from tileserver.relay.keeping.reach import ALIVE, Fault, beat_of, reach_of
from tileserver.relay.plan.definition import DAYS, Link, Window
from tileserver.relay.plan.forecast import HORIZON, Coming, forecast
from tileserver.relay.plan.windows import link_at, local_day

_ASSUMED: Final = 125_000.0
"""Bytes a second before anything has come: 1 Mbit/s."""
MOST_FORETOLD: Final = 1000
"""Pieces that sums of what comes are of."""
FAULTS: Final[Mapping[Fault, str]] = {
    "unreachable": "the origin does not answer, or the line is down; it is tried again by itself",
    "refused": "the origin answers, and refuses; it is tried again by itself",
    "distrusted": "its feed must not be believed: nothing more is taken from it until somebody has looked",
}
"""What is wrong with an origin, in a sentence that names no address."""
_SECRET: Final = ("url", "problem")
"""Of an origin, or a model of one: for the relay's operator alone."""


def speed_of_line(journal: Journal) -> float:
    """Bytes a second that the line carries, as far as it is known."""
    text = journal.fact(SPEED)
    return _ASSUMED if text is None else max(1.0, float(text))


def coming(relay: Defined, journal: Journal, now: datetime, most: int) -> list[Coming]:
    """What comes next, in order, as far as the feeds have been read.

    Args:
        relay: As it was written.
        journal: Of it.
        now: Time.
        most: Pieces.
    """
    budget = budget_of(relay.terms.link, journal)
    found = forecast(now, order_of(relay, journal, now), relay.terms.link, budget, speed_of_line(journal))
    return [*itertools.islice(found, most)]


def coming_document(found: list[Coming]) -> list[dict[str, Any]]:
    """Pieces that come, for programs."""
    return [
        {
            "collection": each.key.collection, "id": each.key.id, "etag": each.key.etag, "layer": each.layer,
            "begins": each.begins.isoformat(timespec="seconds"),
            "ends": each.ends.isoformat(timespec="seconds"), "wire_bytes": each.wire,
            "price": round(each.price, 4),
        }
        for each in found
    ]  # fmt: skip


def status(relay: Defined, journal: Journal, now: datetime, most: int = 20) -> dict[str, Any]:
    """The state of a relay, for its operator: see docs/relay.md.

    Args:
        relay: As it was written.
        journal: Of it.
        now: Time.
        most: Pieces that are told of what comes, and scenes of what is wrong.
    """
    states = Counter[str]()
    received = total = 0
    faults = []
    for kept in journal.scenes():
        states[_state(kept)] += 1
        size = offer_in(kept.line).size
        received += size if kept.state == "whole" else kept.received.total
        total += size
        if kept.problem is not None or kept.dropped is not None:
            faults.append(
                {
                    "collection": kept.key.collection, "id": kept.key.id,
                    "problem": kept.problem or f"the origin has it no more: {kept.dropped}",
                }
            )  # fmt: skip
    found = coming(relay, journal, now, MOST_FORETOLD)
    return {
        "folder": str(relay.folder.root),
        "time": _moment(now),
        "doing": _doing(journal, now),
        "origins": [*_origins(relay, journal)],
        "link": _link(relay.terms.link, journal, now),
        "scenes": dict(states),
        "bytes": {"here": received, "of": total, "disk": relay.folder.used(), "free": relay.folder.free()},
        "spent": _spent(relay.terms.link, journal, now),
        "wanted": _wanted(relay, journal, now) if relay.terms.link.on_demand else None,
        "coming": coming_document(found[:most]),
        "foretold": {
            "pieces": len(found), "more": len(found) == MOST_FORETOLD,
            "wire_bytes": sum(each.wire for each in found), "days": HORIZON.days,
            "price": round(sum(each.price for each in found), 4),
            "ends": _moment(found[-1].ends) if found else None,
        },
        "models": missing(journal, relay.folder, {*_trusted(relay, journal)}),
        "faults": faults[:most],
        "faulty": len(faults),
    }  # fmt: skip


def public(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same for everybody: without folders, addresses, and what the origin's own words may give away."""
    shown = {
        part: [{name: value for name, value in each.items() if name not in _SECRET} for each in found[part]]
        for part in ("origins", "models")
    }
    return {**{name: value for name, value in found.items() if name != "folder"}, **shown}


def _state(kept: Kept) -> str:
    """How much of a scene is here: `complete`, the last of its layers, `waiting`, or `faulty`."""
    if kept.state == "faulty":
        return "faulty"
    if kept.state == "whole":
        return "complete"
    return kept.layers[-1] if kept.layers else "waiting"


def _doing(journal: Journal, now: datetime) -> dict[str, Any]:
    """What the runner does; `stopped` where none has said anything for so long that there is none."""
    beat = beat_of(journal)
    if beat is None:
        return {"what": "stopped", "since": None, "until": None}
    until = None if beat.until is None else _moment(beat.until)
    if now - beat.at > ALIVE:
        return {"what": "stopped", "since": _moment(beat.at), "until": None}
    return {"what": beat.doing, "since": _moment(beat.at), "until": until}


def _origins(relay: Defined, journal: Journal) -> Iterator[dict[str, Any]]:
    known = journal.origins()
    for origin in relay.terms.origins:
        reach = reach_of(journal, origin.url)
        uuid = None if reach is None else reach.origin
        read = None if uuid is None else known.get(uuid)
        fault = None if reach is None else reach.fault
        yield {
            "url": origin.url, "uuid": uuid, "name": "" if reach is None else reach.name,
            "epoch": None if read is None else read.epoch, "line": None if read is None else read.cursor,
            "up": None if reach is None else reach.up,
            "since": None if reach is None else _moment(reach.since),
            "tried": None if reach is None else _moment(reach.at),
            "fault": fault, "detail": None if fault is None else FAULTS[fault],
            "problem": None if read is None else read.problem,
        }  # fmt: skip


def _trusted(relay: Defined, journal: Journal) -> Iterator[str]:
    """UUIDs of the origins that models are fetched of."""
    if all(origin.models for origin in relay.terms.origins):  # a disk may be all that has come of them
        yield from journal.origins()
    for origin in relay.terms.origins:
        reach = reach_of(journal, origin.url) if origin.models else None
        if reach is not None and reach.origin is not None:
            yield reach.origin


def _link(link: Link, journal: Journal, now: datetime) -> dict[str, Any]:
    opened = link_at(now, link)
    return {
        "timezone": link.timezone, "open": opened.window is not None, "until": _moment(opened.until),
        "bytes_a_second": round(speed_of_line(journal)), "currency": link.currency,
        "windows": [_window(each) for each in link.windows],
    }  # fmt: skip


def _window(window: Window) -> dict[str, Any]:
    begin, end = (
        None if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"
        for minutes in (window.begin, window.end)
    )
    days = [DAYS[day] for day in sorted(window.days)]
    return {"days": days, "from": begin, "to": end, "kbps": window.kbps, "price": window.price}


def _spent(link: Link, journal: Journal, now: datetime) -> dict[str, Any]:
    spent, today = journal.spent(), local_day(now, link.zone)
    month = [each for day, each in spent.items() if (day.year, day.month) == (today.year, today.month)]
    return {
        "today": spent.get(today, (0, 0))[0], "daily": link.daily,
        "month": sum(wire for wire, _ in month), "monthly": link.monthly,
        "reserve_for_alerts": link.reserve_for_alerts,
        "wire": sum(wire for wire, _ in spent.values()),
        "useful": sum(useful for _, useful in spent.values()),
    }  # fmt: skip


def _wanted(relay: Defined, journal: Journal, now: datetime) -> dict[str, Any]:
    """What waits of what people look at, None where that cannot be read now, and what came so today."""
    link, today = relay.terms.link, local_day(now, relay.terms.link.zone)
    try:
        waiting = Looks(relay.folder.looks).waiting(now)
    except LooksError:
        waiting = None
    left = budget_of(link, journal).affordable(now, alerts=False, on_demand=True)
    return {
        "places": None if waiting is None else waiting.places,
        "bytes": None if waiting is None else waiting.bytes,
        "today": journal.spent_on_demand().get(today, 0),
        "daily": None if link.daily is None else int(link.daily * link.most_on_demand),
        "exhausted": left == 0,
    }  # fmt: skip


def _moment(when: datetime) -> str:
    return when.isoformat(timespec="seconds")
