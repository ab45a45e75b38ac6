"""What is here, what is coming and when, what was spent, and what is wrong."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime
from typing import Any, Final

from tileserver.relay.keeping.assembly import Defined, order_of
from tileserver.relay.keeping.journal import SPEED, Journal
from tileserver.relay.keeping.offering import offer_in
from tileserver.relay.plan.budget import Budget
from tileserver.relay.plan.forecast import Coming, forecast
from tileserver.relay.plan.windows import local_day

_ASSUMED: Final = 125_000.0
"""Bytes a second before anything has come: 1 Mbit/s."""


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
    budget = Budget(relay.terms.link, {day: wire for day, (wire, _) in journal.spent().items()})
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
    """The state of a relay, for programs and people.

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
        states[_state(kept.state, kept.layers)] += 1
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
    spent, link = journal.spent(), relay.terms.link
    today = local_day(now, link.zone)
    month = [each for day, each in spent.items() if (day.year, day.month) == (today.year, today.month)]
    return {
        "folder": str(relay.folder.root),
        "time": now.isoformat(timespec="seconds"),
        "origins": [
            {"uuid": uuid, "epoch": known.epoch, "line": known.cursor, "problem": known.problem}
            for uuid, known in journal.origins().items()
        ],
        "scenes": dict(states),
        "bytes": {"here": received, "of": total, "disk": relay.folder.used(), "free": relay.folder.free()},
        "spent": {
            "today": spent.get(today, (0, 0))[0], "daily": link.daily,
            "month": sum(wire for wire, _ in month), "monthly": link.monthly,
            "wire": sum(wire for wire, _ in spent.values()),
            "useful": sum(useful for _, useful in spent.values()),
        },
        "coming": coming_document(coming(relay, journal, now, most)),
        "faults": faults[:most],
    }  # fmt: skip


def _state(state: str, layers: tuple[str, ...]) -> str:
    if state != "coming":
        return state
    return ", ".join(layers) if layers else "not here yet"
