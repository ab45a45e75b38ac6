"""Smooth filling of invalid pixels, so that they cost next to nothing and do not ring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fill_invalid(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Replace invalid pixels by a smooth continuation of the valid ones.

    Push-pull (Gortler et al., The Lumigraph, 1996): average the valid pixels down a pyramid until no hole is
    left, then fill each level's holes from the level above.

    Args:
        values: (bands, y, x).
        valid: (bands, y, x).

    Returns:
        (bands, y, x); valid pixels unchanged. A band with no valid pixel becomes zero.
    """
    if valid.all():
        return values
    weights = valid.astype(np.float32)
    known = np.where(valid, values, np.float32(0))
    return _fill(known, weights)


def _fill(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill where `weights` is 0; `values` must be 0 there."""
    height, width = values.shape[1:]
    if (height == 1 and width == 1) or weights.all():
        return values
    coarse_weights = _sum_2x2(weights)
    coarse = np.divide(_sum_2x2(values * weights), np.maximum(coarse_weights, 1e-6), dtype=np.float32)
    filled = _fill(coarse, np.minimum(coarse_weights, np.float32(1)))
    return np.where(weights > 0, values, _double(filled)[:, :height, :width])


def _sum_2x2(values: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = values.shape[1:]
    padded = np.pad(values, ((0, 0), (0, height % 2), (0, width % 2)))
    rows = padded[:, 0::2] + padded[:, 1::2]
    return np.asarray(rows[:, :, 0::2] + rows[:, :, 1::2])


def _double(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear doubling with pixel centres where an average of 2×2 has them."""
    for axis in (1, 2):
        before = np.concatenate(
            [values.take([0], axis), values.take(range(values.shape[axis] - 1), axis)], axis
        )
        after = np.concatenate(
            [values.take(range(1, values.shape[axis]), axis), values.take([-1], axis)], axis
        )
        pair = np.stack([0.75 * values + 0.25 * before, 0.75 * values + 0.25 * after], axis + 1)
        shape = list(values.shape)
        shape[axis] *= 2
        values = pair.reshape(shape).astype(np.float32, copy=False)
    return values
