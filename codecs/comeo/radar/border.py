"""The dark rim that processors before IPF 2.90 leave around an image: neither data nor zero.

MPC-0243, Masking no-value pixels on GRD products (2.1, 2018): from outside inwards a sample is border
while its DN is below 30, or its power within the noise. A running median over neighbouring profiles keeps
calm water that reaches the rim from being taken for it. What is lost: dark pixels within the depth of the
rim nearby, 2 000 where water is calm over more than 30 lines. No real product with a rim was at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.radar.noise import Noise
from comeo.scene import Window

REACH: Final = 2_000
"""Samples or lines from a side beyond which nothing is border."""
_MEDIAN: Final = 61
_DARK: Final = 30
_LEAST_POWER: Final = 0.5  # DN² above the noise
_CHUNK: Final = 256
Digital = NDArray[np.uint16]
Depths = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Border:
    """How far the rim reaches into an image; that of the co-polarised band holds for both.

    Attributes:
        left: (lines,) samples.
        right: (lines,) samples from the far end.
        top: (samples,) lines.
        bottom: (samples,) lines from the last.
    """

    left: Depths
    right: Depths
    top: Depths
    bottom: Depths

    def valid(self, digital: Digital, noise: Noise | None, window: Window) -> NDArray[np.bool_]:
        """Which pixels of a window are data: (y, x).

        Within the rim's depth bright pixels stay, such as ships; a single one falls to the resampling, which
        needs all four neighbours.

        Args:
            digital: (y, x) uint16 of the co-polarised band.
            noise: Its thermal noise, or None.
            window: Lines and samples of `digital`.
        """
        rows, cols = window.slices
        lines = np.arange(rows.start, rows.stop)[:, None]
        samples = np.arange(cols.start, cols.stop)[None, :]
        rim = (samples < self.left[rows, None]) | (samples >= len(self.top) - self.right[rows, None])
        rim |= (lines < self.top[None, cols]) | (lines >= len(self.left) - self.bottom[None, cols])
        valid: NDArray[np.bool_] = digital != 0
        if rim.any():
            valid &= ~(rim & _dark(digital, noise, window))
        return valid


def find_border(read: Callable[[Window], Digital], noise: Noise | None, lines: int, samples: int) -> Border:
    """Find the rim of an image.

    Args:
        read: Digital numbers (y, x) of a window of the co-polarised band.
        noise: Its thermal noise, or None.
        lines: Of the image.
        samples: Of the image.
    """

    def dark(window: Window) -> NDArray[np.bool_]:
        return _dark(read(window), noise, window)

    across = min(REACH, samples)
    down = min(REACH, lines)
    chunks = [Window(row, 0, min(_CHUNK, lines - row), across) for row in range(0, lines, _CHUNK)]
    left = [_leading(dark(chunk)) for chunk in chunks]
    right = [_leading(dark(chunk._replace(col=samples - across))[:, ::-1]) for chunk in chunks]
    inwards = [Window(row, 0, min(_CHUNK, down - row), samples) for row in range(0, down, _CHUNK)]
    outwards = [chunk._replace(row=lines - chunk.row - chunk.height) for chunk in inwards]
    return Border(
        _smooth(np.concatenate(left)),
        _smooth(np.concatenate(right)),
        _smooth(_inwards(dark(chunk).T for chunk in inwards)),
        _smooth(_inwards(dark(chunk).T[:, ::-1] for chunk in outwards)),
    )


def _dark(digital: Digital, noise: Noise | None, window: Window) -> NDArray[np.bool_]:
    """Which pixels could be border (y, x)."""
    dark: NDArray[np.bool_] = digital < _DARK
    if noise is not None:
        dark |= np.square(digital, dtype=np.float32) - noise.over(window) < _LEAST_POWER
    return dark


def _leading(dark: NDArray[np.bool_]) -> Depths:
    """Pixels from the start of each row (n, m) to the first that is not dark: (n,)."""
    depths: Depths = np.where(dark.all(axis=1), dark.shape[1], np.argmin(dark, axis=1)).astype(np.int64)
    return depths


def _inwards(parts: Iterator[NDArray[np.bool_]]) -> Depths:
    """The same of rows that come in parts (n, m), until no row is dark any more."""
    first = next(parts)
    depths = _leading(first)
    depth = first.shape[1]
    while (open_ := depths == depth).any() and (part := next(parts, None)) is not None:
        depths[open_] += _leading(part)[open_]
        depth += part.shape[1]
    return depths


def _smooth(depths: Depths) -> Depths:
    """The running median of depths (n,)."""
    half = min(_MEDIAN // 2, len(depths) - 1)
    padded = np.pad(depths, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    medians: Depths = np.median(windows, axis=1).astype(np.int64)
    return medians
