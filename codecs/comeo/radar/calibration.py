"""From digital numbers to backscatter, by the look-up tables of the product.

S1-RS-MDA-52-7441, Product Specification, calibration annotation: σ⁰, β⁰ or γ⁰ = DN² / A². The tables are
sparse in both axes, and their A is interpolated, not 1 / A².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.radar.noise import Noise
from comeo.radar.vectors import Lut
from comeo.scene import Window

LEAST_POWER: Final = 1e-5
"""The floor (−50 dB) where the noise is unknown: far below what Sentinel-1 can measure."""
_OF_NOISE: Final = 0.1
"""The floor as a part of the noise: 10 dB below the noise-equivalent backscatter."""


@dataclass(frozen=True, slots=True)
class Power:
    """Backscatter as power over a window.

    Attributes:
        values: (y, x) float32; below zero where less was received than noise alone would give.
        floor: (y, x) float32, what a mean of values is raised to, behind the resampling: before it, it would
            raise the mean of dark places.
    """

    values: NDArray[np.float32]
    floor: NDArray[np.float32]


def calibrate(digital: NDArray[np.uint16], multiplier: Lut, noise: Noise | None, window: Window) -> Power:
    """Take the noise off, and calibrate.

    Args:
        digital: (y, x) uint16 digital numbers (amplitudes) of the window.
        multiplier: A of the quantity wanted: σ⁰, β⁰ or γ⁰.
        noise: Thermal noise, or None to leave it in.
        window: Lines and samples of `digital` in the image.

    Raises:
        SourceError: The table has values that are not positive.
    """
    if any((values <= 0).any() for values in multiplier.values):
        raise SourceError("a calibration table has values that are not positive; download the product again")
    gain = np.reciprocal(np.square(multiplier.over(window)))
    values = np.square(digital, dtype=np.float32)
    if noise is None:
        return Power(values * gain, np.full(values.shape, LEAST_POWER, np.float32))
    expected = noise.over(window)
    return Power((values - expected) * gain, np.float32(_OF_NOISE) * expected * gain)
