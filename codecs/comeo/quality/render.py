"""Pictures and indices of physical values, by the recipes that the server's styles are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.missions import RECIPES, Recipe
from comeo.scene import Band
from comeo.view.expression import Expression
from comeo.view.recipes import fit

TRUE_COLOUR: Final = RECIPES["true-color"]
COMPOSITES: Final = (TRUE_COLOUR, RECIPES["false-color"], RECIPES["radar"])
"""Composites that reports show, as far as bands allow."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A recipe for the bands of one group or crop.

    Attributes:
        recipe: Which.
        expression: The variant that the bands give.
        places: Places of the expression's bands among them.
    """

    recipe: Recipe
    expression: Expression
    places: tuple[int, ...]

    def evaluate(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the recipe's results.

        Args:
            values: (bands, y, x) physical values of the bands at `places`.

        Returns:
            (results, y, x); NaN where a band is, or the result is not finite.
        """
        return self.expression.evaluate(dict(zip(self.expression.bands, values, strict=True)))

    def brightness(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The results of `evaluate` within the recipe's ranges: 0 (black) to 1 (full)."""
        low, high = np.array(self.recipe.ranges, np.float32).T[:, :, None, None]
        return np.asarray(np.clip((self.evaluate(values) - low) / (high - low), 0, 1), np.float32)


def rendering_of(recipe: Recipe, bands: Sequence[Band]) -> Rendering | None:
    """A recipe for these bands; None if they lack one that it needs, or are in other units."""
    expression = fit(recipe, bands)
    if expression is None:
        return None
    names = [band.name for band in bands]
    return Rendering(recipe, expression, tuple(names.index(name) for name in expression.bands))


def physical(values: NDArray[Any], bands: Sequence[Band]) -> NDArray[np.float32]:
    """Stored numbers (bands, y, x) as physical values."""
    scale = np.array([band.scale for band in bands], np.float32)[:, None, None]
    offset = np.array([band.offset for band in bands], np.float32)[:, None, None]
    return np.asarray(values * scale + offset, np.float32)
