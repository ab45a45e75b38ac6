"""Pictures and indices of physical values, by the documents that the server's styles are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import ParameterError
from comeo.indicators.catalogue import document
from comeo.indicators.compiled import Indicator, compile_for
from comeo.indicators.document import Document
from comeo.indicators.expression import Expression
from comeo.scene import Band

TRUE_COLOUR: Final = document("true-color")
COMPOSITES: Final = (TRUE_COLOUR, document("false-color"), document("radar"))
"""Composites that reports show, as far as bands allow."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """An indicator for the bands of one group or crop.

    Attributes:
        indicator: Which.
        places: Places of the bands that it reads among them.
    """

    indicator: Indicator
    places: tuple[int, ...]

    @property
    def document(self) -> Document:
        """The indicator's document."""
        return self.indicator.document

    @property
    def expression(self) -> Expression:
        """What is computed."""
        return self.indicator.expression

    def evaluate(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the results.

        Args:
            values: (bands, y, x) physical values of the bands at `places`.

        Returns:
            (results, y, x); NaN where a band is, or the result is not finite.
        """
        return self.expression.evaluate(dict(zip(self.expression.bands, values, strict=True)))

    def brightness(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The results of `evaluate` within the ranges to show: 0 (black) to 1 (full)."""
        low, high = np.array(self.indicator.rescale, np.float32).T[:, :, None, None]
        return np.asarray(np.clip((self.evaluate(values) - low) / (high - low), 0, 1), np.float32)


def rendering_of(document: Document, bands: Sequence[Band]) -> Rendering | None:
    """An indicator for these bands; None if they lack one that it needs, or are in other units."""
    try:
        indicator = compile_for(document, bands)
    except ParameterError:
        return None
    names = [band.name for band in bands]
    return Rendering(indicator, tuple(names.index(name) for name in indicator.expression.bands))


def physical(values: NDArray[Any], bands: Sequence[Band]) -> NDArray[np.float32]:
    """Stored numbers (bands, y, x) as physical values."""
    scale = np.array([band.scale for band in bands], np.float32)[:, None, None]
    offset = np.array([band.offset for band in bands], np.float32)[:, None, None]
    return np.asarray(values * scale + offset, np.float32)
