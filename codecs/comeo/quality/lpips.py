"""LPIPS, the learned perceptual distance of two pictures, in NumPy.

Zhang, Isola, Efros, Shechtman, Wang, "The unreasonable effectiveness of deep features as a perceptual
metric", CVPR 2018; version 0.1 with AlexNet: the activations of five layers, each normalised over channels;
their squared differences, weighted by learned heads, averaged over positions, summed over layers. 0 for
equal pictures.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from comeo.quality.lpips_weights import Weights

SMALLEST: Final = 64  # pixels to a side; AlexNet needs 35, the authors use 64 and more
_SHIFT: Final = np.array([-0.030, -0.088, -0.188], np.float32)
_SCALE: Final = np.array([0.458, 0.448, 0.450], np.float32)
_STRIDES_PADDINGS: Final = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))
_POOLED_BEFORE: Final = (1, 2)
_PIXELS_PER_POSITION: Final = (4, 8, 16, 16, 16)
_EPSILON: Final = 1e-10

_Maps = NDArray[np.float32]


def lpips(
    reference: NDArray[np.float32],
    decoded: NDArray[np.float32],
    weights: Weights,
    valid: NDArray[np.bool_] | None = None,
) -> float:
    """Distance of two pictures.

    Args:
        reference: (3, y, x), red, green and blue from 0 to 1.
        decoded: The same of the other version.
        weights: As `load_weights` gives them.
        valid: (y, x). The others are the same grey in both, and positions of the network's maps whose pixels
            are not all valid do not count.

    Returns:
        0 or more; NaN where nothing counts.
    """
    if valid is None:
        valid = np.ones(reference.shape[1:], bool)
    pictures = [np.where(valid, 2 * picture - 1, 0).transpose(1, 2, 0) for picture in (reference, decoded)]
    ours, theirs = ([(p - _SHIFT) / _SCALE] for p in pictures)
    a, b = ours[0].astype(np.float32), theirs[0].astype(np.float32)
    total = 0.0
    for layer, (stride, padding) in enumerate(_STRIDES_PADDINGS):
        a, b = (_layer(maps, layer, stride, padding, weights) for maps in (a, b))
        difference = np.square(_normalised(a) - _normalised(b)) @ weights[f"head{layer}"]
        counted = _all_valid(valid, _PIXELS_PER_POSITION[layer], difference.shape)
        if not counted.any():
            return float("nan")
        total += float(difference[counted].mean(dtype=np.float64))
    return total


def _layer(maps: _Maps, layer: int, stride: int, padding: int, weights: Weights) -> _Maps:
    """One convolution with its rectifier, after a max pooling where AlexNet has one: (y, x, channels)."""
    if layer in _POOLED_BEFORE:
        maps = sliding_window_view(maps, (3, 3), axis=(0, 1))[::2, ::2].max(axis=(-2, -1))
    kernel = weights[f"conv{layer}"]
    padded = np.pad(maps, ((padding, padding), (padding, padding), (0, 0)))
    windows = sliding_window_view(padded, kernel.shape[:2], axis=(0, 1))[::stride, ::stride]
    rows, cols = windows.shape[:2]
    patches = windows.transpose(0, 1, 3, 4, 2).reshape(rows * cols, -1)
    out: _Maps = patches @ kernel.reshape(-1, kernel.shape[-1]) + weights[f"bias{layer}"]
    return np.maximum(out, 0).reshape(rows, cols, -1)


def _normalised(maps: _Maps) -> _Maps:
    return np.asarray(maps / (np.linalg.norm(maps, axis=-1, keepdims=True) + _EPSILON), np.float32)


def _all_valid(valid: NDArray[np.bool_], step: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Positions of a map whose step×step pixels are all valid; those beyond the last pixel count as it."""
    rows = np.minimum.reduceat(valid, np.arange(0, valid.shape[0], step), axis=0)
    cells: NDArray[np.bool_] = np.minimum.reduceat(rows, np.arange(0, valid.shape[1], step), axis=1)
    last_row, last_col = (size - 1 for size in cells.shape)
    place = np.ix_(np.arange(shape[0]).clip(max=last_row), np.arange(shape[1]).clip(max=last_col))
    counted: NDArray[np.bool_] = cells[place]
    return counted
