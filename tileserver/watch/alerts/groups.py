"""Deviations of a group: when so many of its sites are outside at once that it is one matter, not many.

A pure function of the sites' deviations. A site counts as outside from the first date of its deviation until
this is over, and at least for a window of days behind its last date outside: sites are seen on other dates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tileserver.watch.alerts.baseline import Point, Side, Verdict
from tileserver.watch.alerts.detect import Episode
from tileserver.watch.document.definition import GroupPolicy


@dataclass(frozen=True, slots=True)
class Member:
    """A site's deviation that is part of a group's.

    Attributes:
        site: Its id.
        episode: Its deviation.
    """

    site: int
    episode: Episode


@dataclass(frozen=True, slots=True)
class GroupEpisode:
    """A deviation of a group.

    Attributes:
        episode: It, as if the group were a site. Its severity is one that as many sites have as are needed.
        members: Deviations of sites in it, the worst first.
        of: Sites of the group that can be judged.
    """

    episode: Episode
    members: Sequence[Member]
    of: int

    @property
    def count(self) -> int:
        """Sites in it."""
        return len({each.site for each in self.members})


def group_episodes(
    found: Mapping[int, Sequence[Episode]], of: int, until: datetime, policy: GroupPolicy
) -> list[GroupEpisode]:
    """Deviations of a group, oldest first; of each side at most one at a time goes on.

    Args:
        found: Deviations of each site, by its id.
        of: Sites that can be judged.
        until: The last date that any site was seen clearly on.
        policy: When they are one matter.
    """
    needed = max(policy.least, math.ceil(policy.share * of - 1e-9))
    made = [
        each
        for side in ("low", "high")
        for each in _of_side(
            [Member(site, one) for site, some in sorted(found.items()) for one in some if one.side == side],
            side, needed, of, until, timedelta(days=policy.days),
        )
    ]  # fmt: skip
    return sorted(made, key=lambda each: (each.episode.first.point.at, each.episode.side))


def _of_side(
    members: Sequence[Member], side: Side, needed: int, of: int, until: datetime, window: timedelta
) -> Iterator[GroupEpisode]:
    """Times at which enough sites are outside, from the times at which each begins and ends to be."""
    steps: dict[datetime, list[tuple[int, int]]] = {}
    for each in members:
        steps.setdefault(each.episode.first.point.at, []).append((each.site, 1))
        end = _end(each.episode, window)
        if end is not None and end <= until:
            steps.setdefault(end, []).append((each.site, -1))
    outside: Counter[int] = Counter()
    began: datetime | None = None
    for at in sorted(steps):
        for site, step in steps[at]:
            outside[site] += step
        number = sum(count > 0 for count in outside.values())
        if began is None and number >= needed:
            began = at
        elif began is not None and number < needed:
            yield _made(members, side, began, at, needed, of, window)
            began = None
    if began is not None:
        yield _made(members, side, began, None, needed, of, window)


def _end(episode: Episode, window: timedelta) -> datetime | None:
    """When a site is no longer outside; None if that is not known yet."""
    if episode.over is None:
        return None
    return max(episode.over.point.at, episode.last.point.at + window)


def _made(
    members: Sequence[Member], side: Side, began: datetime, over: datetime | None, needed: int, of: int,
    window: timedelta,
) -> GroupEpisode:  # fmt: skip
    own = sorted(
        (each for each in members if _is_within(each.episode, began, over, window)),
        key=_badness,
        reverse=True,
    )
    first = min((each.episode.first for each in own if each.episode.first.point.at >= began), key=_when)
    outside = [each.episode.last for each in own if over is None or each.episode.last.point.at < over]
    last = max([first, *outside], key=_when)
    worst = worst_of_each(own)[needed - 1].episode.worst
    end = None if over is None else Verdict(Point(over, last.point.item, math.nan, None))  # a time, no date
    return GroupEpisode(Episode(side, first, first, last, worst, persistent=True, over=end), own, of)


def _is_within(episode: Episode, began: datetime, over: datetime | None, window: timedelta) -> bool:
    end = _end(episode, window)
    return (over is None or episode.first.point.at < over) and (end is None or end > began)


def worst_of_each(members: Sequence[Member]) -> list[Member]:
    """The worst deviation of each site, in the order of the members, which has the worst first."""
    found: dict[int, Member] = {}
    for each in members:
        found.setdefault(each.site, each)
    return list(found.values())


def _badness(member: Member) -> tuple[int, float, int]:
    worst = member.episode.worst
    return worst.severity, worst.score or 0.0, -member.site


def _when(verdict: Verdict) -> tuple[datetime, str]:
    return verdict.point.at, verdict.point.item
