"""From figures to an answer in plain words: is the archive good enough for this use?

The limits and why they are what they are stand in docs/quality.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from comeo.quality.results import Qualification


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
        use: `mapping fields` or `measuring NDVI`.
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
_FIELDS: Final = {
    Answer.YES: "Maps of fields and land cover made from it come out as from the original: at most 3 of "
    "100 pixels get another class, and borders stay where they are.",
    Answer.CARE: "Fields and land cover can be told apart, but up to 1 pixel in 10 gets another "
    "class than from the original, most of them at borders and in mixed areas: clean maps up before use, and "
    "do not trust objects of a few pixels.",
    Answer.NO: "Too many pixels fall in another class than they do in the original, or borders are "
    "washed out. Use it to look at, or compress less.",
    Answer.UNKNOWN: "The scene shows no clear land in visible and near infrared light, the ground for this.",
}
_NDVI: Final = {
    Answer.YES: "Pixel by pixel: the error added is well below the uncertainty that the satellite's own "
    "product has.",
    Answer.CARE: "Trust means over fields of half a hectare and more, not single pixels.",
    Answer.NO: "Even means over fields are off by as much as the differences one looks for. Use it to "
    "look at, or compress less.",
    Answer.UNKNOWN: "The scene has no clear land seen in red and near infrared.",
}


def verdicts(found: Qualification) -> tuple[Verdict, ...]:
    """The answers for both uses."""
    fields = (
        Check("pixels of clear land that a classifier gets wrong only because of compression (share)",
              found.land.loss, 0.03, 0.10),
        Check("edges kept on clear land (correlation of gradients, finest bands)", found.land.edges,
              0.90, 0.75, at_least=True),
    )  # fmt: skip
    ndvi = found.index("NDVI")
    pixel = ndvi.land_rmse if ndvi else math.nan
    field = ndvi.field_rmse if ndvi else math.nan
    bias = abs(ndvi.land_bias) if ndvi else math.nan
    measuring = (
        Check("NDVI error of a single pixel (RMSE, clear land)", pixel, 0.02, math.inf),
        Check("NDVI error of the mean of 8×8 pixels (RMSE, clear land)", field, 0.02, 0.03),
        Check("mean NDVI error (bias, without its sign)", bias, 0.005, 0.01),
    )
    classes = (
        f"Here a classifier gets {100 * max(found.land.loss, 0):.0f} more of 100 pixels wrong than in the "
        f"original, and edges match the original's by {found.land.edges:.2f} (1 is equal)."
    )
    off = (
        f"Here NDVI is off by {pixel:.3f} in a single pixel, by {field:.3f} in the mean of 8×8 pixels, and "
        f"by {bias:.3f} on the whole."
    )
    return (
        _verdict("mapping fields", _FIELDS, classes, fields),
        _verdict("measuring NDVI", _NDVI, off, measuring),
    )


def _verdict(use: str, sentences: dict[Answer, str], measured: str, checks: tuple[Check, ...]) -> Verdict:
    answer = max((check.answer for check in checks), key=_ORDER.index)
    return Verdict(use, answer, sentences[answer], "" if answer is Answer.UNKNOWN else measured, checks)
