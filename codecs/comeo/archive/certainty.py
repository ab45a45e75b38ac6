"""How certain the mean of an area is: the law by which an archive's readers state it, and its constant κ.

What a block transform loses of the mean of n×n pixels is what the quantiser takes from the coefficients that
make this mean up. These errors are uniform, of variance step²/12 for a cell of one coefficient, and
independent from cell to cell, so the RMSE of an n×n mean is step/(√12·n). An encoder that chooses by rate and
distortion makes neighbours err alike, which larger means show: by how much, the writer measures on means of
64×64 pixels, as κ.
"""

from __future__ import annotations

import math
from typing import Final

CELL: Final = 64
"""Side in pixels of the means that κ is measured on."""
NEAR_PIXELS: Final = 3
"""How near a masked pixel changes the errors of its neighbours, in pixels."""
UNKNOWN: Final = 0
_CODES_PER_OCTAVE: Final = 32
_HIGHEST: Final = 255
# As measured on archives of version 1 (benchmarks/site_means): `dct` keeps to the law within a sixth.
_WITHOUT: Final = {"jpeg2000": 1.5, "learned": 3.0}
_NEAR_MASK: Final = 0.05  # of the step: error of pixels beside masked ones, common to all of them
_FULL_SIDE: Final = 16  # up to which κ has no part in a mean, in pixels


def kappa_of(squares: float, cells: int, step: float) -> float:
    """κ from errors of means: RMSE × 64·√12/step, at least 1.

    Args:
        squares: Sum of the squared errors of 64×64 means, in stored numbers.
        cells: How many.
        step: Quantisation step.

    Returns:
        NaN without cells.
    """
    return max(1.0, math.sqrt(squares / cells * 12) * CELL / step) if cells else math.nan


def encode_kappa(kappa: float) -> int:
    """κ as a byte, rounded up: 0 if unknown (NaN), else κ = 2^((byte − 1)/32)."""
    if math.isnan(kappa):
        return UNKNOWN
    # what is within a hundred-thousandth of a code is that code, whatever the logarithm's last bit
    return min(_HIGHEST, 1 + math.ceil(math.log2(max(kappa, 1.0)) * _CODES_PER_OCTAVE - 1e-5))


def decode_kappa(code: int, codec: str) -> float:
    """κ of a byte; where that says nothing, what archives of this codec have been found to keep to."""
    return 2 ** ((code - 1) / _CODES_PER_OCTAVE) if code != UNKNOWN else _WITHOUT.get(codec, 1.0)


def mean_error(
    pixels: float, step: float, kappa: float, near_mask: float = 0.0, rmse: float = math.inf
) -> float:
    """Standard uncertainty u that coding adds to the mean of an area: the true mean lies within 2u in 95 %.

    u² = (k·step)²/(12·N) + (0.05·step·f)², with k = κ^clip(log₂(√N/16)/2, 0, 2), and never more than the
    error of a single pixel. Errors of different bands are taken as uncorrelated.

    Args:
        pixels: N, clear pixels of native size in the area.
        step: Quantisation step, in the unit that the result has.
        kappa: κ of the group.
        near_mask: f, share of the clear pixels that lie within 3 pixels of a masked one.
        rmse: Expected error of a single pixel there, in the same unit.

    Returns:
        NaN without pixels.
    """
    if not pixels > 0:
        return math.nan
    exponent = min(max(math.log2(math.sqrt(pixels) / _FULL_SIDE) / 2, 0.0), 2.0)
    own = (kappa**exponent * step) ** 2 / (12 * pixels)
    return min(math.sqrt(own + (_NEAR_MASK * step * near_mask) ** 2), rmse)
