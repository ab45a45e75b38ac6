"""How alerts like one were decided before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tileserver.store.alerts import Alert
from tileserver.watch.alerts.habits import Habit, habit_of, habit_words
from tileserver.watch.words import LANGUAGES


def alert(number: int, decision: str | None = None, month: int = 6, kind: str = "low") -> Alert:
    at = datetime(2026, month, 1, 12, tzinfo=UTC)
    return Alert(
        number, 1, 1, 1, kind, "candidate", 2, 3.0, "a", at, "b", at, at, None, {}, None, decision, None,  # type: ignore[arg-type]
        "holds",
    )  # fmt: skip


def test_most_dismissed_alike_in_a_month_is_a_habit() -> None:
    known = [alert(n, "harvest") for n in range(1, 9)] + [alert(9, "confirm")]
    assert habit_of(alert(20), known, "UTC") == Habit("harvest", 6, 8, 9)


@pytest.mark.parametrize(
    "known",
    [
        [alert(n, "harvest") for n in range(1, 5)],
        [alert(n, "harvest") for n in range(1, 4)] + [alert(n, "cloud") for n in range(4, 7)],
        [alert(n, "harvest", month=7) for n in range(1, 9)],
        [alert(n, "harvest", kind="high") for n in range(1, 9)],
        [alert(n, "confirm") for n in range(1, 9)],
        [alert(n) for n in range(1, 9)],
    ],
    ids=["too few", "not alike", "another month", "another side", "confirmed", "undecided"],
)
def test_what_is_no_habit(known: list[Alert]) -> None:
    assert habit_of(alert(20), known, "UTC") is None


def test_months_are_those_of_the_zone() -> None:
    late = datetime(2026, 5, 31, 23, 30, tzinfo=UTC)
    known = [alert(n, "season") for n in range(1, 7)]
    from dataclasses import replace

    mine = replace(alert(20), first_at=late)
    assert habit_of(mine, known, "UTC") is None
    assert habit_of(mine, known, "Europe/Bucharest") == Habit("season", 6, 6, 6)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_a_habit_is_a_sentence(locale: str) -> None:
    sentence = habit_words(Habit("harvest", 6, 8, 9), locale)
    assert "8" in sentence
    assert "9" in sentence
    assert "{" not in sentence
