"""The sums of the inverse spectral transform, in one order: every machine decodes the same pixels."""

from __future__ import annotations

import numpy as np

from comeo.codecs.dct.layout import Array, compiled

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
