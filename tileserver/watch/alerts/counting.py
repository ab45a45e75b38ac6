"""Which observations of a site count, and what those say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final

from tileserver.store.observed import Observed
from tileserver.watch.alerts.baseline import Point, Verdict, judge
from tileserver.watch.document.definition import AlertPolicy
from tileserver.watch.document.rules import Rule

ONE_PASS: Final = timedelta(minutes=15)
"""Scenes that are no further apart show one moment: neighbours that overlap, levels of one product."""


def counts(one: Observed, policy: AlertPolicy) -> str | None:
    """Why an observation does not count as a clear date; None if it does."""
    if one.state != "done" or one.value is None:
        return one.reason or "it has no value"
    if one.clear is not None and one.clear < policy.min_clear:
        return f"{one.clear:.0%} of the site is clear, less than {policy.min_clear:.0%}"
    if one.cloud_near is not None and one.cloud_near > policy.max_cloud_nearby:
        return f"{one.cloud_near:.0%} cloud within 500 m, more than {policy.max_cloud_nearby:.0%}"
    if one.pixels < policy.min_pixels:
        return f"{one.pixels:.1f} pixels count, fewer than {policy.min_pixels:g}"
    if one.covered < policy.min_clear:
        return f"the scene shows {one.covered:.0%} of the site, less than {policy.min_clear:.0%}"
    return None


def verdicts(observations: Sequence[Observed], rule: Rule) -> list[Verdict]:
    """What each clear date of a site says, oldest first."""
    clear = [one for one in observations if counts(one, rule.policy) is None]
    points = [
        Point(one.datetime, one.item, one.value, one.u, one.orbit)
        for one in _best_of_passes(clear)
        if one.value is not None
    ]
    return judge(points, rule.nominal)


def _best_of_passes(clear: Sequence[Observed]) -> Iterator[Observed]:
    """Of each pass the scene that shows most of the site: two of one moment are one date."""
    for _, scenes in groupby(_numbered_by_pass(clear), key=itemgetter(0)):
        yield max((one for _, one in scenes), key=_shown)


def _numbered_by_pass(clear: Sequence[Observed]) -> Iterator[tuple[int, Observed]]:
    number, began = 0, None
    for one in clear:
        if began is None or one.datetime - began > ONE_PASS:
            number, began = number + 1, one.datetime
        yield number, one


def _shown(one: Observed) -> tuple[float, float, str, str]:
    share = one.covered * (1.0 if one.clear is None else one.clear)
    return share, one.pixels, one.collection, one.item
