"""Which sites, and which months of the year before a bulletin's end, had most dates outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tileserver.store.alerts import Alert
from tileserver.watch.alerts.lifecycle import sites_in
from tileserver.watch.document.calendar import Month

MOST: Final = 50
"""Lines of each."""


def ranks_of(
    indicators: Sequence[Mapping[str, Any]], alerts: Sequence[Alert], month: Month
) -> dict[str, Any]:
    """Sites and months that were most active, those of equal activity in their own order.

    An alert of a group is one of each of its sites that are outside, and one of its month.

    Args:
        indicators: As a bulletin's content has them, with a row a site and its curve.
        alerts: Of the geoservice that began before the month ended.
        month: Of the bulletin.
    """
    sites: Counter[int] = Counter()
    months: Counter[str] = Counter()
    for one in indicators:
        for row in one["sites"]:
            sites[row["site"]] += row["outside"]
            months.update(
                Month.of(datetime.fromisoformat(each["datetime"]), month.zone).label
                for each in row["curve"]
                if each["side"] is not None
            )
    first = Month(month.year - 1, month.month, month.zone).next
    recent = [each for each in alerts if each.first_at >= first.start and each.state != "withdrawn"]
    opened = Counter(Month.of(each.first_at, month.zone).label for each in recent)
    own = Counter(site for each in recent if each.first_at >= month.start for site in sites_in(each))
    labels = {each for each in (*months, *opened) if each >= first.label}
    return {
        "sites": _ranked({each: (sites[each], own[each]) for each in {*sites, *own}}, "site"),
        "periods": _ranked({each: (months[each], opened[each]) for each in labels}, "label"),
    }


def _ranked(found: Mapping[Any, tuple[int, int]], name: str) -> list[dict[str, Any]]:
    active = [(key, outside, alerts) for key, (outside, alerts) in found.items() if outside or alerts]
    active.sort(key=lambda each: (-each[1], -each[2], each[0]))
    return [{name: key, "outside": outside, "alerts": alerts} for key, outside, alerts in active[:MOST]]
