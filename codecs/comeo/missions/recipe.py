"""Named indices and colour composites: expressions of band arithmetic with their ranges.

A named index is more than a formula: its bounds are part of it. The definition is the expression itself, so
that a server's style, a quality report and a user's `expression=…` compute the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from comeo.missions.map_class import MapClass
from comeo.missions.quantity import Range

SMALLEST: Final = 0.0001
"""Least denominator of a normalised difference: one digital number of Sentinel-2's reflectances."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """An index or a composite, for scenes that have all bands of one of its variants.

    Attributes:
        name: Name of the style.
        title: For people.
        description: One sentence.
        variants: Expressions of physical values, results separated by `;`; the first whose bands a scene
            has is taken.
        ranges: (least, greatest) value to show, of each result; empty for marks.
        unit: Unit of the bands.
        colormap: Of a single result; None is grey.
        abbreviation: Common short name of an index, or empty.
        source: Who defined an index, or empty.
        result_unit: Unit of a single result, or empty.
        window: Pixels to a side of the means (of power, of bands in dB) that it is computed from.
        marks: What the results of a map of decisions stand for, in the order of their numbers from 0.
    """

    name: str
    title: str
    description: str
    variants: tuple[str, ...]
    ranges: tuple[Range, ...]
    unit: str
    colormap: str | None = None
    abbreviation: str = ""
    source: str = ""
    result_unit: str = ""
    window: int = 1
    marks: tuple[MapClass, ...] = ()


def normalised_difference(a: str, b: str) -> str:
    """The expression of (a − b) / (a + b), defined for every pair of values and bounded by ±1.

    Processors write small negative reflectances over dark ground (Sentinel-2 since baseline 04.00). The bare
    quotient then leaves [−1, 1], and its sign flips where the sum is negative. Here negative values count as
    0, and the denominator is never below `SMALLEST`: the result rises with a, falls with b, and is 0 where
    both are 0 or negative.

    Args:
        a: Name of the band that raises the index.
        b: Name of the band that lowers it.
    """
    return f"(max({a},0)-max({b},0))/max(max({a},0)+max({b},0),{SMALLEST})"
