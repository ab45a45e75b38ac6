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
    count, bands = matrix.shape
    pixels = components.shape[1]
    result = np.empty((bands, pixels), np.float32)
    for start in range(0, pixels, _AT_ONCE):
        end = min(start + _AT_ONCE, pixels)
        for band in range(bands):
            target = result[band, start:end]
            source, weight = components[0, start:end], matrix[0, band]
            for i in range(end - start):
                target[i] = source[i] * weight
            for component in range(1, count):
                source, weight = components[component, start:end], matrix[component, band]
                for i in range(end - start):
                    target[i] += source[i] * weight
            for i in range(end - start):
                target[i] += mean[band]
    return result
