"""Answers in plain words: figures held against limits, the worst of which decides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Answer(StrEnum):
    """Whether an archive suits a use."""

    YES = "yes"
    CARE = "with care"
    NO = "no"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Check:
    """One figure held against its limits.

    Attributes:
        figure: Name of the figure, in words.
        value: NaN when it could not be.
        yes: Limit for a plain yes; none (infinite) when the figure decides only between care and no.
        care: Limit for a use with care.
        at_least: Whether large values are good.
    """

    figure: str
    value: float
    yes: float
    care: float
    at_least: bool = False

    @property
    def answer(self) -> Answer:
        """The answer by this figure alone."""
        if not math.isfinite(self.value):
            return Answer.UNKNOWN
        sign = -1 if self.at_least else 1
        if sign * self.value <= sign * self.yes:
            return Answer.YES
        return Answer.CARE if sign * self.value <= sign * self.care else Answer.NO


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one use.

    Attributes:
        use: What for, as `mapping fields`.
        answer: The worst of the checks'.
        sentence: The answer in plain words.
        measured: The figures that decide, in plain words; empty where they are not known.
        checks: Figures that it rests on.
    """

    use: str
    answer: Answer
    sentence: str
    measured: str
    checks: tuple[Check, ...]


_ORDER: Final = (Answer.YES, Answer.CARE, Answer.NO, Answer.UNKNOWN)


def answered(use: str, sentences: Mapping[Answer, str], measured: str, checks: tuple[Check, ...]) -> Verdict:
    """The answer for a use: the worst of its checks'.

    Args:
        use: What for.
        sentences: By answer.
        measured: The figures that decide, in plain words; left out where the answer is not known.
        checks: At least one.
    """
    answer = max((check.answer for check in checks), key=_ORDER.index)
    return Verdict(use, answer, sentences[answer], "" if answer is Answer.UNKNOWN else measured, checks)
