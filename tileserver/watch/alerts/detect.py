"""From the verdicts of a site's dates to deviations: when each begins, how bad it gets, when it is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tileserver.watch.alerts.baseline import Side, Verdict
from tileserver.watch.document.definition import AlertPolicy

BACK_DATES: Final = 2
"""Clear dates in a row that have to lie inside before a deviation is over."""
GRAVE: Final = 3
"""Severity from which a single date is enough, once the original bears it out."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A deviation.

    Attributes:
        side: Low or high.
        first: Its first date outside.
        opening: The date by which it was sure enough.
        last: Its last date outside.
        worst: The date of the greatest severity and score.
        persistent: Whether enough dates were outside; False if a single grave one is all there is.
        over: The date by which it was over; None while it goes on.
    """

    side: Side
    first: Verdict
    opening: Verdict
    last: Verdict
    worst: Verdict
    persistent: bool
    over: Verdict | None = None


def episodes(verdicts: Sequence[Verdict], policy: AlertPolicy) -> list[Episode]:
    """Deviations of a site, oldest first; of each side at most one at a time goes on.

    Args:
        verdicts: Of its clear dates, oldest first.
        policy: How many dates have to be outside.
    """
    telling = [each for each in verdicts if each.is_known]
    found = [each for side in ("low", "high") for each in _of_side(telling, side, policy)]
    return sorted(found, key=lambda each: (each.first.point.at, each.side))


def _of_side(verdicts: Sequence[Verdict], side: Side, policy: AlertPolicy) -> Iterator[Episode]:
    episode: Episode | None = None
    recent: deque[Verdict] = deque(maxlen=policy.of)
    inside = 0  # dates in a row that lie well inside
    for verdict in verdicts:
        recent.append(verdict)
        if verdict.side == side:
            inside = 0
            outside = [each for each in recent if each.side == side]
            persistent = len(outside) >= policy.dates
            episode = _gone_on(episode, verdict, persistent) if episode else _opened(outside, persistent)
            continue
        inside = inside + 1 if verdict.is_back(side) else 0
        if episode is not None and inside >= BACK_DATES:
            yield replace(episode, over=verdict)
            episode = None
            recent.clear()  # no date is of two deviations
    if episode is not None:
        yield episode


def _opened(outside: Sequence[Verdict], persistent: bool) -> Episode | None:
    """An episode by its dates outside, the last of which may open it; None if they are not enough."""
    verdict = outside[-1]
    dates = outside if persistent else [verdict]
    if not persistent and verdict.severity < GRAVE:
        return None
    return Episode(verdict.side or "low", dates[0], verdict, verdict, max(dates, key=_badness), persistent)


def _gone_on(episode: Episode, verdict: Verdict, persistent: bool) -> Episode:
    worst = max(episode.worst, verdict, key=_badness)
    return replace(episode, last=verdict, worst=worst, persistent=episode.persistent or persistent)


def _badness(verdict: Verdict) -> tuple[int, float]:
    return verdict.severity, verdict.score or 0.0
