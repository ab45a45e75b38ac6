"""Scenes of two groups of which the coarser is predicted from the finer."""

from __future__ import annotations

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from comeo.codecs.base import reduce_mean
from comeo.scene import BandGroup, Scene
from tests.scenes import array_group, array_scene, corner_cut, landscape

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
COARSE = FINE @ Affine.scale(2)


def pair_of_groups(
    height: int, width: int, *, dtype: Any = np.uint16, masked: bool = True, transform: Affine = COARSE
) -> tuple[BandGroup, BandGroup]:
    """Three bands, and two on pixels twice as large that are mixtures of the same ground.

    Masks, if any, are cut off a corner, each band's its own; a hole in all of the finer group is none in the
    coarser, which has one elsewhere.
    """
    values = landscape(3, height, width, dtype=dtype)
    means = reduce_mean(values.astype(np.float32), 1)
    mixed = np.stack([0.7 * means[0] + 0.3 * means[1], 0.5 * means[1] + 0.5 * means[2]]).astype(dtype)
    fine = _masked(values, slice(20, 90)) if masked else None
    coarse = _masked(mixed, slice(60, 80)) if masked else None
    return (
        array_group(values, fine, names=["B02", "B03", "B04"], transform=FINE),
        array_group(mixed, coarse, names=["B11", "B12"], transform=transform),
    )


def pair_scene(height: int, width: int, **options: Any) -> Scene:
    """A scene of `pair_of_groups`."""
    return array_scene(*pair_of_groups(height, width, **options))


def _masked(values: NDArray[Any], hole: slice) -> NDArray[np.bool_]:
    valid = corner_cut((len(values), *values.shape[1:]))
    valid[:, hole, hole] = False
    return valid
