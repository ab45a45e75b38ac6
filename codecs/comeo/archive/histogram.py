"""Histograms of bands: where the pixels of the original lie, in 26 bytes a band, for stretching.

A histogram is the numbers below which given percentages of the valid pixels lie. Counting takes one bin a
16-bit code: the number itself, or the upper half of a float32, as `bfloat16` has it (within 0.4 %).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.archive.base64_text import records_from_base64

PERCENTAGES: Final = (0, 1, 2, 5, 10, 25, 50, 75, 90, 95, 98, 99, 100)
BAND_BYTES: Final = 2 * len(PERCENTAGES)
_SATURATED: Final = 65535
_NOTHING: Final = (
    65535  # in place of every number of a band without a pixel: not counted, and not a finite float
)
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Distribution of a band's valid pixels, without saturated ones, at native resolution before coding.

    Attributes:
        values: (13,) ascending, in stored numbers: `PERCENTAGES` of the pixels are not above them.
    """

    values: NDArray[np.float64]

    def percentile(self, percentage: float) -> float:
        """The number that a percentage of the pixels does not exceed, interpolated between those known.

        Raises:
            ValueError: If it is none from 0 to 100.
        """
        if not 0 <= percentage <= 100:
            raise ValueError(f"a percentage lies between 0 and 100, not {percentage}")
        return float(np.interp(percentage, PERCENTAGES, self.values))


def count(values: NDArray[Any], valid: NDArray[np.bool_]) -> Counts:
    """Count a band's valid pixels by code, without saturated ones.

    Args:
        values: uint16 or float32, of any shape.
        valid: Likewise.

    Returns:
        As long as the greatest code requires.
    """
    chosen = values[valid]
    if values.dtype.kind == "f":
        return np.bincount(_ordered(chosen))
    return np.bincount(chosen[chosen != _SATURATED])


def add(total: Counts, counts: Counts) -> None:
    """Add counts to those of all 65 536 codes."""
    total[: len(counts)] += counts


def encode(counts: Sequence[tuple[Counts, np.dtype[Any]]]) -> str:
    """Write histograms.

    Args:
        counts: Of each band, and its type of number.

    Returns:
        Base64.
    """
    parts = []
    for total, dtype in counts:
        running = np.cumsum(total)
        # the least code up to which a share of the pixels lies; the first pixel for 0 %
        ranks = np.maximum(np.ceil(np.array(PERCENTAGES) / 100 * running[-1]), 1)
        codes = np.searchsorted(running, ranks).astype(np.uint16)
        if not running[-1]:
            codes[:] = _NOTHING
        elif dtype.kind == "f":
            codes = _unordered(codes)
        parts.append(codes.astype("<u2").tobytes())
    return base64.b64encode(b"".join(parts)).decode()


def decode(text: str, dtypes: Sequence[np.dtype[Any]]) -> list[Histogram | None]:
    """Read histograms.

    Args:
        text: As `encode` returned it.
        dtypes: Of each band.

    Returns:
        One a band; None for a band without any pixel to count.

    Raises:
        ValueError: If it holds none of so many bands.
    """
    data = records_from_base64(text, len(dtypes), BAND_BYTES, "bands")
    codes = np.frombuffer(data, "<u2").reshape(len(dtypes), -1)
    return [_histogram(row, dtype) for row, dtype in zip(codes, dtypes, strict=True)]


def _histogram(codes: NDArray[np.uint16], dtype: np.dtype[Any]) -> Histogram | None:
    if (codes == _NOTHING).all():
        return None
    floats = (codes.astype(np.uint32) << 16).view(np.float32)
    values = (floats if dtype.kind == "f" else codes).astype(np.float64)
    if not np.isfinite(values).all() or (np.diff(values) < 0).any() or (codes == _NOTHING).any():
        raise ValueError("their numbers do not ascend")
    return Histogram(values)


def _ordered(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Upper halves of float32, the lower ones cut off, as integers in the order of the numbers."""
    upper = (np.ascontiguousarray(values).view(np.uint32) >> 16).astype(np.uint16)
    return np.where(upper & 0x8000, ~upper, upper | 0x8000)


def _unordered(codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The inverse of `_ordered`: upper halves of float32."""
    return np.where(codes & 0x8000, codes & 0x7FFF, ~codes)
