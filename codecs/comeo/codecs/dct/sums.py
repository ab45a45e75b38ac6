"""Weighted sums of planes, in one fixed order, so that every machine gets the same bits."""

from __future__ import annotations

import numpy as np

from comeo.codecs.dct.layout import Array, compiled


@compiled
def weighted_sums(planes: Array, weights: Array) -> Array:
    """Sum up planes: each product is rounded, then added to the sum so far, plane after plane.

    Args:
        planes: (planes, y, x) float32, contiguous.
        weights: (planes, sums) float32.

    Returns:
        (sums, y, x) float32.
    """
    count, height, width = planes.shape
    sums = np.zeros((weights.shape[1], height, width), np.float32)
    for row in range(height):
        for k in range(count):
            source = planes[k, row]
            for j in range(weights.shape[1]):
                weight = weights[k, j]
                if weight != 0:
                    target = sums[j, row]
                    for i in range(width):
                        target[i] += weight * source[i]
    return sums


@compiled
def smoothed(planes: Array) -> Array:
    """The mean of 3×3 pixels, edges repeated: thirds of sums down, then across, from the left or the top.

    Args:
        planes: (planes, y, x) float32.

    Returns:
        (planes, y, x) float32.
    """
    count, height, width = planes.shape
    third = np.float32(1 / 3)
    result = np.empty((count, height, width), np.float32)
    line = np.empty(width + 2, np.float32)
    for k in range(count):
        for row in range(height):
            above, here, below = (
                planes[k, max(row - 1, 0)],
                planes[k, row],
                planes[k, min(row + 1, height - 1)],
            )
            for i in range(width):
                line[i + 1] = (above[i] + here[i] + below[i]) * third
            line[0], line[width + 1] = line[1], line[width]
            target = result[k, row]
            for i in range(width):
                target[i] = (line[i] + line[i + 1] + line[i + 2]) * third
    return result
