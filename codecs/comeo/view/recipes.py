"""The variant of a named index or composite that a set of bands allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from comeo.missions import Recipe, suits
from comeo.scene import Band
from comeo.view.expression import Expression, parse

# Bounds of a recipe's expression: far above those that there are, within those that servers set for users.
_MAX_LENGTH: Final = 1000
_MAX_NODES: Final = 200
_MAX_RESULTS: Final = 3


def parse_variant(text: str) -> Expression:
    """Parse a variant of a recipe.

    Raises:
        ParameterError: If it is not an expression.
        BoundError: If it is too long or too costly.
    """
    return parse(text, _MAX_LENGTH, _MAX_NODES, _MAX_RESULTS)


def fit(recipe: Recipe, bands: Sequence[Band]) -> Expression | None:
    """The first variant whose bands are all there, in the recipe's unit and of its mission, or None."""
    usable = {band.name for band in bands if suits(recipe, band)}
    for text in recipe.variants:
        expression = parse_variant(text)
        if usable.issuperset(expression.bands):
            return expression
    return None
