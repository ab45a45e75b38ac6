"""Variants of recipes: the first that the bands allow, in the recipe's unit."""

from __future__ import annotations

import pytest

from comeo.missions import Recipe
from comeo.scene import Band
from comeo.view.recipes import fit

RECIPE = Recipe("x", "X", "X.", ("2.5*sqrt(A)-B", "max(C,0.5)"), ((0.0, 1.0),), "reflectance")


@pytest.mark.parametrize(
    ("names", "expected"),
    [("AB", "2.5*sqrt(A)-B"), ("ABC", "2.5*sqrt(A)-B"), ("AC", "max(C,0.5)"), ("A", None), ("", None)],
)
def test_numbers_and_functions_are_no_bands(names: str, expected: str | None) -> None:
    found = fit(RECIPE, [Band(name, unit="reflectance") for name in names])
    assert (found and found.text) == expected


def test_bands_in_other_units_do_not_count() -> None:
    bands = [Band("A", unit="dB"), Band("B", unit="reflectance"), Band("C")]
    assert fit(RECIPE, bands) is None
