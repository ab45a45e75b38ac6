"""Sums of components and of planes, in one fixed order (compiled): every machine gets the same bits."""

from __future__ import annotations

import numpy as np

from comeo.compiled import Array, compiled

_AT_ONCE = 2048  # pixels, so that sums stay in the first cache


@compiled
def mix(components: Array, matrix: Array, mean: Array) -> Array:
    """Weighted sums of components: the first one's product first, the mean last, each rounded to float32.

    Args:
        components: (components, pixels) float32.
        matrix: (components, bands) float32.
        mean: (bands,) float32.

    Returns:
        (bands, pixels) float32.
    """
    bands, pixels = matrix.shape[1], components.shape[1]
    result = np.empty((bands, pixels), np.float32)
    for start in range(0, pixels, _AT_ONCE):
        end = min(start + _AT_ONCE, pixels)
        for band in range(bands):
            _mix_some(components, matrix, mean, band, start, result[band, start:end])
    return result


@compiled
def mix_whole(components: Array, matrix: Array, mean: Array, lowest: int, highest: int) -> Array:
    """The same sums, rounded half to even and brought between two numbers: (bands, pixels) uint16."""
    bands, pixels = matrix.shape[1], components.shape[1]
    result = np.empty((bands, pixels), np.uint16)
    sums = np.empty(_AT_ONCE, np.float32)
    low, high = np.float32(lowest), np.float32(highest)
    for start in range(0, pixels, _AT_ONCE):
        count = min(_AT_ONCE, pixels - start)
        for band in range(bands):
            _mix_some(components, matrix, mean, band, start, sums[:count])
            target = result[band, start : start + count]
            for i in range(count):
                target[i] = np.uint16(min(max(np.rint(sums[i]), low), high))
    return result


@compiled
def _mix_some(components: Array, matrix: Array, mean: Array, band: int, start: int, to: Array) -> None:
    """Sums of one band, from pixel `start` on."""
    source, weight = components[0, start : start + len(to)], matrix[0, band]
    for i in range(len(to)):
        to[i] = source[i] * weight
    for component in range(1, len(matrix)):
        source, weight = components[component, start : start + len(to)], matrix[component, band]
        for i in range(len(to)):
            to[i] += source[i] * weight
    for i in range(len(to)):
        to[i] += mean[band]


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
def add_planes(values: Array, left: Array, slope: Array, across: Array, level: Array, gain: Array) -> None:
    """Add to values (bands, y, x) of each row left + slope · across, and gain times what is above a level.

    Args:
        values: float32, changed in place.
        left: (bands, y) float32.
        slope: Likewise.
        across: (x,) float32.
        level: (bands,) float32.
        gain: Likewise.
    """
    bands, height, width = values.shape
    none = np.float32(0)
    for band in range(bands):
        floor, share = level[band], gain[band]
        for row in range(height):
            target, start, rise = values[band, row], left[band, row], slope[band, row]
            for i in range(width):
                above = max(target[i] - floor, none) * share
                target[i] += (start + rise * across[i]) + above


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
