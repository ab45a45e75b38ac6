"""What moderators mostly say of alerts of a season: 8 of 9 dismissed as harvest ask for other limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import get_month_names

from tileserver.store.alerts import Alert
from tileserver.watch.alerts.lifecycle import REASONS, Reason
from tileserver.watch.words import language_of, word

LEAST: Final = 5
"""Decisions that are enough to speak of a habit."""
SHARE: Final = 0.75
"""Of them that have to say the same."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How alerts like one were decided.

    Attributes:
        reason: Why most were dismissed.
        month: In which they began, from 1.
        dismissed: How many were dismissed for this reason.
        decided: How many were decided.
    """

    reason: Reason
    month: int
    dismissed: int
    decided: int


def habit_of(alert: Alert, known: Sequence[Alert], zone: str) -> Habit | None:
    """How alerts of the same indicator, side and month were decided; None if that is no habit.

    Args:
        alert: That is to be decided on.
        known: All alerts of its geoservice.
        zone: Time zone of its months.
    """
    month = _month(alert.first_at, zone)
    same = [
        each.decision
        for each in known
        if each.id != alert.id
        and (each.gs_indicator, each.kind) == (alert.gs_indicator, alert.kind)
        and each.decision is not None
        and _month(each.first_at, zone) == month
    ]
    for reason in REASONS:
        number = Counter(same)[reason]
        if len(same) >= LEAST and number >= SHARE * len(same):
            return Habit(reason, month, number, len(same))
    return None


def habit_words(habit: Habit, locale: str) -> str:
    """A habit as a sentence."""
    month = get_month_names("wide", "stand-alone", locale=language_of(locale))[habit.month]
    reason = word(locale, f"reason-{habit.reason}")
    return word(locale, "habit", month=month, reason=reason, number=habit.dismissed, all=habit.decided)


def _month(moment: datetime, zone: str) -> int:
    return moment.astimezone(ZoneInfo(zone)).month
