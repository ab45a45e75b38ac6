"""Radar scenes of known power: speckle over a plane, in decibels."""

from __future__ import annotations

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from comeo.scene import Scene
from tests.scenes import array_group, array_scene

LOOKS = 4.4
"""Equivalent number of looks of Sentinel-1's IW GRDH products."""
LEVELS = (-11.0, -17.5)
"""Mean power of each band, in decibels."""
UTM33 = CRS.from_epsg(32633)
ORIGIN = Affine(10, 0, 499_960, 0, -10, 5_200_020)


def speckled(height: int, width: int, seed: int = 0, looks: float = LOOKS) -> NDArray[np.float32]:
    """Bands of constant power under multiplicative speckle: (2, height, width) decibels."""
    speckle = np.random.default_rng(seed).gamma(looks, 1 / looks, (len(LEVELS), height, width))
    decibels = 10 * np.log10(speckle) + np.array(LEVELS)[:, None, None]
    return np.asarray(decibels, np.float32)


def mean_of(decibels: Any) -> float:
    """The mean power of pixels, in decibels: by the definition, in float64."""
    known = np.ma.compressed(np.ma.masked_invalid(np.ma.asarray(decibels, np.float64)))
    return float(10 * np.log10(np.mean(10 ** (known / 10))))


def radar_scene(
    values: NDArray[np.float32], valid: NDArray[np.bool_] | None = None, *, transform: Affine = ORIGIN,
    crs: CRS = UTM33, day: int = 1, scene_id: str = "radar",
) -> Scene:  # fmt: skip
    names = ("VV", "VH")[: len(values)]
    group = array_group(values, valid, names=names, transform=transform, crs=crs)
    return array_scene(group, scene_id=scene_id, collection="sentinel-1-rtc", day=day)
