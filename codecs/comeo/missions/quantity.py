"""Physical quantities that pixels are in: units, ranges to show, and words for expected errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from comeo.decibel import DECIBEL

Range = tuple[float, float]

REFLECTANCE: Final = "reflectance"
POWER: Final = "power"
"""Linear radar backscatter."""
AMPLITUDE: Final = "amplitude"
"""Its square root."""

_SPELLINGS: Final = MappingProxyType(
    {
        **dict.fromkeys(("db", "decibel", "decibels"), DECIBEL),
        **dict.fromkeys(("power", "linear", "linear power", "intensity"), POWER),
        AMPLITUDE: AMPLITUDE,
        **dict.fromkeys(
            (
                "reflectances",
                "reflectance factor",
                "surface reflectance",
                "boa reflectance",
                "toa reflectance",
            ),
            REFLECTANCE,
        ),
    }
)
# What is written in the place of a unit where the numbers have none, or are themselves meant.
_NO_UNITS: Final = frozenset(
    ["1", "-", "none", "null", "n/a", "unitless", "no unit", "dimensionless", "dn", "digital number",
     "digital numbers", "counts"]
)  # fmt: skip


def unit_in_words(text: str) -> str:
    """A unit as it is written here, from any spelling of it: `dB` for `decibels`."""
    plain = text.strip()
    known = _SPELLINGS.get(plain.lower())
    return known or next((unit for unit in QUANTITIES if unit.lower() == plain.lower()), plain)


def stated_unit(text: str) -> str:
    """The unit that a source states; empty where its words say that the numbers have none."""
    return "" if text.strip().lower() in _NO_UNITS else unit_in_words(text)


@dataclass(frozen=True, slots=True)
class Grade:
    """Words for an expected error up to a limit.

    Attributes:
        limit: Largest root mean squared error, in the quantity's unit; infinite for the last grade. Of a
            pixel, or of decibels that of the mean power of 8×8 pixels: a pixel says little there.
        word: One or two words.
        meaning: The uses that such an error allows, one sentence or two.
        bias: Largest bias of decibels' mean power, without its sign.
    """

    limit: float
    word: str
    meaning: str
    bias: float = math.inf


@dataclass(frozen=True, slots=True)
class Quantity:
    """A physical quantity.

    Attributes:
        unit: As `Band.unit` has it.
        display: (black, white) of a band that no mission describes.
        error_range: (least, greatest) expected error of the error style.
        grades: By rising limit; the last one has no limit.
        peak: Value that PSNR takes as its peak, or None for a unit without one.
    """

    unit: str
    display: Range
    error_range: Range
    grades: tuple[Grade, ...]
    peak: float | None = None

    def grade(self, error: float, bias: float = 0.0) -> Grade:
        """The grade of an expected error, and a bias, in the quantity's unit."""
        fit = (grade for grade in self.grades if error <= grade.limit and abs(bias) <= grade.bias)
        return next(fit, self.grades[-1])


def _grades(limits: tuple[float, float, float], measuring: str, mapping: str) -> tuple[Grade, ...]:
    close, mapped, viewed = limits
    return (
        Grade(close, "Very close", measuring),
        Grade(mapped, "Close", mapping),
        Grade(viewed, "Approximate", "Good for viewing and for mean values of areas, not for single pixels."),
        Grade(math.inf, "Coarse", "Good for an overview; don't measure in it."),
    )


QUANTITIES: Final[Mapping[str, Quantity]] = MappingProxyType(
    {
        REFLECTANCE: Quantity(
            REFLECTANCE,
            (0.0, 0.3),
            (0.0, 0.03),
            _grades(
                (0.005, 0.01, 0.02),
                "Single pixels and indices can be measured.",
                "Good for mapping fields and their indices; single pixels are less sure.",
            ),
            peak=1.0,
        ),
        DECIBEL: Quantity(
            DECIBEL,
            (-25.0, 0.0),
            (0.0, 3.0),
            (
                Grade(0.3, "Very close", "Mean backscatter of fields can be measured.", 0.05),
                Grade(
                    0.5,
                    "Close",
                    "Good for means over many fields; a single one is off by some tenths of a dB.",
                    0.15,
                ),
                Grade(
                    1.0,
                    "Approximate",
                    "Good for viewing and for large differences, not for measuring fields.",
                    0.3,
                ),
                Grade(math.inf, "Coarse", "Good for an overview; don't measure in it."),
            ),
            peak=50.0,
        ),
    }
)
