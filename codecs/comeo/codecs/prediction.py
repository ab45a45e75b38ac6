"""Prediction of a block from the decoded block of a finer group that shows the same ground.

Bands of one product see the same fields, roads and shores, so most of what a 20 m block holds is known once
the 10 m bands of its ground are decoded: at ×100 a linear predictor for each block leaves 35 to 45 % of its
bytes. What it predicts from, its *features*, are for each band of the reference the plain value, a smoothed
and a twice smoothed one, since finer bands are sharper, and the root of the smoothed one, since materials mix
along curves. Without the smoothed ones 10 to 30 % more bytes are left, without the root 1 to 2 %.

Only the weights are sent. The encoder may find them in any way; what the decoder computes from them is
defined to the last bit (docs/format/prediction.md): float32, one operation after the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.fill import fill_invalid
from comeo.codecs.spectral import MAX_MEAN
from comeo.errors import CodecError

KINDS: Final = 4  # features a band of the reference
MAX_REFERENCE_BANDS: Final = 16
LOWEST_EXPONENT: Final = -48

_COUNT_BITS: Final = 4
_EXPONENT_BITS: Final = 6
_LARGEST: Final = (1 << ((1 << _COUNT_BITS) - 2)) - 1
_LAG: Final = 8  # pixels, of the differences that weights are fitted to: the mean is the spectral transform's
_WORTH: Final = 4.0  # bits that a squared step is worth here, 1/λ; part of it would not be coded anyway
_FINENESS: Final = 2.0  # steps, of the root of the summed squared error that rounding one weight makes
_DEPENDENT: Final = 1e-9  # share of a feature's variance that counts as none
_PULLS: Final = (0.0, 1e-4, 1e-2, 1.0)  # share that squared means count, until what is left can be coded

Reference = NDArray[np.float32]
Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Predictor:
    """Weights of a block's predictor.

    Attributes:
        whole: (features, bands) weights in units of 2^exponent.
        exponents: (features,) of each feature; those without a weight have 0.
    """

    whole: NDArray[np.int64]
    exponents: NDArray[np.int64]

    @property
    def weights(self) -> Weights:
        """(features, bands), exact in float32."""
        return np.ldexp(self.whole.astype(np.float32), self.exponents[:, None]).astype(np.float32)

    def predict(self, reference: Reference) -> NDArray[np.float32]:
        """Predict a block, up to a constant a band, which the spectral transform of what is left takes up.

        Args:
            reference: (bands of the reference, y, x), NaN where a pixel is invalid.

        Returns:
            (bands, y, x).
        """
        from comeo.codecs.sums import weighted_sums  # noqa: PLC0415 - numba takes a second to load

        predicted: NDArray[np.float32] = weighted_sums(features(reference), self.weights)
        return predicted

    def check(self, bands: int) -> None:
        """Refuse a reference of another number of bands than the predictor was made for.

        Raises:
            CodecError: Naming both.
        """
        if KINDS * bands != len(self.whole):
            raise CodecError(f"the payload is predicted from {len(self.whole) // KINDS} bands, not {bands}")

    def to_bytes(self) -> bytes:
        """Serialise: the bands of the reference, then bits, most significant first."""
        bits: list[str] = []
        for weights, exponent in zip(self.whole.tolist(), self.exponents.tolist(), strict=True):
            largest = max(abs(weight) for weight in weights)
            count = largest.bit_length() + 1 if largest else 0
            bits.append(f"{count:0{_COUNT_BITS}b}")
            if count:
                bits.append(f"{exponent - LOWEST_EXPONENT:0{_EXPONENT_BITS}b}")
                bits += [f"{weight & (1 << count) - 1:0{count}b}" for weight in weights]
        text = "".join(bits)
        text += "0" * (-len(text) % 8)
        return bytes([len(self.whole) // KINDS]) + int(text, 2).to_bytes(len(text) // 8, "big")

    @classmethod
    def from_bytes(cls, view: memoryview, bands: int) -> tuple[Predictor, memoryview]:
        """Read the predictor of `bands` bands and return it with what follows.

        Raises:
            CodecError: If it is cut short or damaged.
        """
        if not len(view) or not 1 <= view[0] <= MAX_REFERENCE_BANDS:
            raise CodecError("the payload's prediction is damaged")
        count = KINDS * view[0]
        longest = count * (_COUNT_BITS + _EXPONENT_BITS + bands * ((1 << _COUNT_BITS) - 1))
        bits = _Bits(view[1 : 1 + -(-longest // 8)])
        whole, exponents = np.zeros((count, bands), np.int64), np.zeros(count, np.int64)
        for feature in range(count):
            size = bits.take(_COUNT_BITS)
            if size:
                exponents[feature] = bits.take(_EXPONENT_BITS) + LOWEST_EXPONENT
                half = 1 << (size - 1)
                whole[feature] = [(bits.take(size) ^ half) - half for _ in range(bands)]
        return cls(whole, exponents), view[1 + -(-bits.place // 8) :]


class _Bits:
    """A reader of bits, most significant first."""

    def __init__(self, view: memoryview) -> None:
        self._number = int.from_bytes(view, "big")
        self._length = 8 * len(view)
        self.place = 0

    def take(self, count: int) -> int:
        self.place += count
        if self.place > self._length:
            raise CodecError("the payload is cut short inside its prediction")
        return self._number >> (self._length - self.place) & (1 << count) - 1


def features(reference: Reference) -> NDArray[np.float32]:
    """What is predicted from: (KINDS · bands, y, x), kind by kind.

    Args:
        reference: (bands, y, x), NaN where a pixel is invalid: these are filled first.
    """
    from comeo.codecs.sums import smoothed  # noqa: PLC0415 - numba takes a second to load

    values = fill_invalid(reference, ~np.isnan(reference))
    once = smoothed(values)
    return np.concatenate([np.sqrt(np.maximum(once, np.float32(0))), smoothed(once), once, values])


def fit(
    values: NDArray[np.float32], usable: NDArray[np.bool_] | None, reference: Reference, step: float
) -> Predictor | None:
    """Find the predictor of a block.

    Weights fitted to differences may leave any mean, and one beyond half precision, which the spectral
    transform states it in, would be coded as pixels: four times the bytes of such a block. Where that would
    be so the means count a little in the fit.

    Args:
        values: (bands, y, x), all finite where usable.
        usable: Where they count, (1 or bands, y, x). None: everywhere.
        reference: (bands of the reference, y, x), NaN where a pixel is invalid.
        step: Quantisation step of the block.

    Returns:
        None if prediction does not pay, or there is too little to predict from.
    """
    both = np.asarray(~np.isnan(reference).any(axis=0))
    if usable is not None:
        both = both & usable.all(axis=0)
    if len(reference) > MAX_REFERENCE_BANDS or both.mean() < 1 / 16:
        return None
    joined = np.concatenate([features(reference), values])
    moments = _moments(joined, both)
    if moments is None:
        return None
    means = joined[:, both].mean(axis=1, dtype=np.float64)
    for pull in _PULLS:
        own = moments + pull * np.outer(means, means)
        predictor = Predictor(*_rounded(own, KINDS * len(reference), step, int(both.sum())))
        left = values - predictor.predict(reference)
        if np.abs(left[:, both].mean(axis=1, dtype=np.float64)).max() <= MAX_MEAN / 2:
            break
    else:
        return None
    saved = _detail_bits(values, both, step) - _detail_bits(left, both, step)
    return predictor if saved > 8 * len(predictor.to_bytes()) else None


def _moments(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Mean products of the differences of pixels, valid both, that lie `_LAG` apart; None if there are none.

    Differences rather than values, since bits go into details: 1 to 4 % fewer bytes. Of every second line.
    """
    total, count = np.zeros((len(values), len(values))), 0
    for axis in (1, 2):
        here: tuple[slice, ...] = (slice(None), slice(None, None, 2), slice(None, None, 2))
        here = (*here[:axis], slice(_LAG, None), *here[axis + 1 :])
        there = (*here[:axis], slice(None, -_LAG), *here[axis + 1 :])
        both = valid[here[1:]] & valid[there[1:]]
        differences = ((values[here] - values[there]) * both).reshape(len(values), -1).astype(np.float64)
        total += differences @ differences.T
        count += int(both.sum())
    return total / count if count else None


def _rounded(
    moments: NDArray[np.float64], count: int, step: float, pixels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Least-squares weights in whole numbers, (features, bands) and exponents (features,).

    Features are much alike, so weights rounded alone would need many digits. One after the other is rounded
    instead, and those to come are fitted to what is left: only a feature's variance that they cannot make up
    for counts (successive rounding, as in Babai's nearest plane, Combinatorica 6, 1986). Weights that save
    less than they cost are 0.
    """
    own, left = moments[:count, :count], moments[:count, count:].copy()
    whole, exponents = np.zeros(left.shape, np.int64), np.zeros(count, np.int64)
    fine = _FINENESS * step / math.sqrt(pixels)
    ridge = _DEPENDENT * (np.diag(own) + 1e-3 * np.trace(own) / count) + 1e-30
    for k in range(count):
        later = slice(k + 1, count)
        follow = np.linalg.solve(own[later, later] + np.diag(ridge[later]), own[later, k])
        variance = own[k, k] - follow @ own[later, k]
        if variance <= 2 * ridge[k]:
            continue
        weights = (left[k] - follow @ left[later]) / variance
        largest = max(float(np.abs(weights).max()), 1e-30)
        exponent = max(math.floor(math.log2(fine / math.sqrt(variance))), LOWEST_EXPONENT)
        exponent = max(exponent, math.ceil(math.log2(largest / _LARGEST)))
        if exponent - LOWEST_EXPONENT >= 1 << _EXPONENT_BITS:
            continue
        rounded = np.rint(weights / 2.0**exponent)
        saved = _WORTH * pixels * variance * weights**2 / step**2
        rounded[saved < 2 * np.log2(np.abs(rounded) + 1) + 1] = 0
        if rounded.any():
            whole[k], exponents[k] = rounded, exponent
            left -= np.outer(own[:, k], rounded * 2.0**exponent)
    return whole, exponents


def _detail_bits(values: NDArray[np.float32], valid: NDArray[np.bool_], step: float) -> float:
    """About the bits that the details of a block take: entropies of Gaussians of their local variance.

    Details are Haar's, of patches of 8 × 8 coefficients at each of four scales, after a Karhunen-Loève
    transform of the bands.
    """
    bands = len(values)
    flat = values.reshape(bands, -1)
    known = flat if valid.all() else flat[:, valid.ravel()]
    mean = known.mean(axis=1, keepdims=True)
    known = known - mean
    _, vectors = np.linalg.eigh(known @ known.T)
    plane = (vectors.T @ ((flat - mean) * valid.ravel())).reshape(values.shape) / np.float32(step)
    total = 0.0
    for _ in range(4):
        height, width = (side // 2 * 2 for side in plane.shape[1:])
        if not height or not width:
            break
        rows = plane[:, 0:height:2], plane[:, 1:height:2]
        low, high = rows[0] + rows[1], rows[0] - rows[1]
        plane = (low[:, :, 0:width:2] + low[:, :, 1:width:2]) / 2
        total += _patch_bits((low[:, :, 0:width:2] - low[:, :, 1:width:2]) / 2)
        total += _patch_bits((high[:, :, 0:width:2] + high[:, :, 1:width:2]) / 2)
        total += _patch_bits((high[:, :, 0:width:2] - high[:, :, 1:width:2]) / 2)
    return total


def _patch_bits(detail: NDArray[np.float32]) -> float:
    """Bits of (bands, y, x) coefficients in steps, patch by patch."""
    size = 8
    bands, height, width = detail.shape
    padded = np.pad(detail, ((0, 0), (0, -height % size), (0, -width % size)))
    energy = np.square(padded).reshape(bands, padded.shape[1] // size, size, -1, size).mean(axis=(2, 4))
    return float(0.5 * size**2 * np.log2(1 + energy).sum())


def check_reference(reference: Any, height: int, width: int) -> None:
    """Refuse what is not the reference of a block of this size.

    Raises:
        CodecError: Saying what it has to be.
    """
    if not isinstance(reference, np.ndarray) or reference.dtype != np.float32 or reference.ndim != 3:
        raise CodecError("a reference is a float32 NumPy array (bands, y, x)")
    if reference.shape[1:] != (height, width):
        raise CodecError(f"the block's reference is (bands, {height}, {width}), not {reference.shape}")
