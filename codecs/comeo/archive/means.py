"""How certain the mean of an area is: the law by which an archive's readers state it, and its two factors.

What a block transform loses of the mean of n×n pixels is what the quantiser takes from the coefficients that
make this mean up. Were these errors uniform, of variance step²/12 for a cell of one coefficient, and
independent from cell to cell, the RMSE of an n×n mean would be step/(√12·n). Real ones are that times a
factor, which depends on the size: encoders pass errors on to neighbours or code means more finely, so that it
falls with the size; or choose by rate and distortion, which makes neighbours err alike, so that it rises. It
differs by band, too. So the writer measures it, for each band and two sizes.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.archive.base64_text import records_from_base64

SIDES: Final = (16, 64)
"""Sides in pixels of the means that factors are measured on."""
NEAR_PIXELS: Final = 3
"""How near a masked pixel changes the errors of its neighbours, in pixels."""
LEAST_CELLS: Final = 4
"""Fewer means of a band tell nothing."""
_UNKNOWN: Final = 0
_ONE: Final = 128  # the code of a factor of 1
_CODES_PER_OCTAVE: Final = 16
_HIGHEST: Final = 255
_SHARED: Final = 4  # means of all bands, that count in the factor of each
_NEAR_MASK: Final = 0.05  # of the step: error of pixels beside masked ones, common to all of them
_LARGEST: Final = 256  # side of an area from which on errors are independent: that of a block, in pixels


class Factors(NamedTuple):
    """RMSE of the means of n×n pixels · n·√12/step, for the two sizes."""

    small: float
    large: float


# Of archives that do not tell, as measured on those of version 1.
_TYPICAL: Final = {"dct": Factors(0.9, 1.0), "jpeg2000": Factors(1.2, 1.5), "learned": Factors(1.0, 3.0)}


def measured_factors(
    squares: NDArray[np.float64], cells: NDArray[np.int64], side: int, step: float
) -> list[float]:
    """Factors of a group's bands, from errors of their means.

    Where bands have few means, the group's own average counts, too.

    Args:
        squares: (bands,) sum of the squared errors of side×side means, in stored numbers.
        cells: (bands,) how many.
        side: Of `SIDES`.
        step: Quantisation step.

    Returns:
        NaN for bands of fewer than `LEAST_CELLS` means.
    """
    if not cells.any():
        return [math.nan] * len(cells)
    average = squares.sum() / cells.sum()
    factors = np.sqrt((squares + _SHARED * average) / (cells + _SHARED) * 12) * side / step
    return np.where(cells >= LEAST_CELLS, factors, math.nan).tolist()  # type: ignore[no-any-return]


def encode(factors: Sequence[float]) -> str:
    """Factors as bytes in Base64: 0 if unknown (NaN), else factor = 2^((byte − 128)/16), to the nearest."""
    return base64.b64encode(bytes(map(_code, factors))).decode("ascii")


def _code(factor: float) -> int:
    if math.isnan(factor):
        return _UNKNOWN
    octaves = math.log2(max(factor, 1e-9))
    return min(_HIGHEST, max(1, _ONE + round(octaves * _CODES_PER_OCTAVE)))


def decode(text: str, bands: int) -> list[float]:
    """The inverse of `encode`: two factors a band, NaN where they are unknown.

    Raises:
        ValueError: If they are not those of so many bands.
    """
    return [
        math.nan if code == _UNKNOWN else float(2 ** ((code - _ONE) / _CODES_PER_OCTAVE))
        for code in records_from_base64(text, bands, len(SIDES), "bands")
    ]


def factors_of(small: float, large: float, codec: str) -> Factors:
    """A band's factors; for NaN what archives of this codec have been found to keep to."""
    typical = _TYPICAL.get(codec, Factors(1.0, 1.0))
    return Factors(
        typical.small if math.isnan(small) else small, typical.large if math.isnan(large) else large
    )


def mean_error(
    pixels: float,
    step: float,
    factors: Factors,
    near_mask: float = 0.0,
    rmse: float = math.inf,
    grain: float = 0.0,
) -> float:
    """Standard uncertainty u that coding adds to the mean of an area: the true mean lies within 2u in 95 %.

    u² = max(k·step, grain)²/(12·N) + (0.05·step·f)², and never more than the error of a single pixel; k goes
    from the small factor for 16×16 pixels and fewer over the large one for 64×64 as a power of the side, up
    to 256×256. Errors of different bands are taken as uncorrelated.

    Args:
        pixels: N, clear pixels of native size in the area.
        step: Quantisation step, in the unit that the result has.
        factors: Of the band.
        near_mask: f, share of the clear pixels that lie within 3 pixels of a masked one.
        rmse: Expected error of a single pixel there, in the same unit.
        grain: What decoded values are rounded to whole multiples of, in the same unit; 0: they are not.

    Returns:
        NaN without pixels.
    """
    if not pixels > 0:
        return math.nan
    smallest, largest = SIDES
    side = min(max(math.sqrt(pixels), smallest), _LARGEST)
    share = math.log(side / smallest) / math.log(largest / smallest)
    # No mean errs more than those that it is made of: with a larger factor, u would rise with the area.
    large = min(factors.large, factors.small * largest / smallest)
    factor = factors.small ** (1 - share) * large**share
    own = max(factor * step, grain) ** 2 / (12 * pixels)
    return min(math.sqrt(own + (_NEAR_MASK * step * near_mask) ** 2), rmse)
