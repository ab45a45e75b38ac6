"""What coding takes from the mean power of backscatter in decibels, sent with a payload and given back.

A codec keeps the mean of the decibels. What it leaves out, speckle above all, has mean power: at ×100 that of
a decoded block is 0.2 to 0.4 dB too low, and lower still where peaks of bright targets are lost. Of the one
all ground has its share, the other belongs to what is bright. So a band's correction has two parts:

- A plane between the corners of the block. Of each block the writer takes the ratio of the original's mean
  power to the decoded one's in cells of 16×16 pixels, and of these the median, which is that of even ground.
  A corner is the mean of the blocks that meet there, weighted by their valid pixels: neighbours share two of
  them, so that no step arises between blocks.
- A gain of what is above a level, 3 dB above the median of the decoded block, that makes the mean power of
  the block exact.

With one ratio of the whole block's power in the place of both, towns lift the water that they stand in: in a
flooded plain (×100) calm ground is 0.41 dB too bright, against 0.07. A correction by the squared error, which
a log-normal law suggests, leaves 0.1 dB of bias over eight images, 0.5 in one, for dark noise errs much and
has no power; the plane alone leaves 0.01 to 0.07 and, in that plain, 0.35.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs import payload as pl
from comeo.codecs.payload import Buffer
from comeo.decibel import to_power
from comeo.errors import CodecError

Decibels = NDArray[np.float32]
Correction = NDArray[np.uint8]
"""(bands, 6): the upper left and right, the lower left and right corner of the plane, the level, the gain."""

CORNERS: Final = 4
_PER_DECIBEL: Final = 100
_NO_CORNER: Final = 50  # the code of 0 dB: codes reach from -0.5 to +2.05 dB
_PER_LEVEL: Final = 2
_NO_LEVEL: Final = 128  # the code of 0 dB: codes reach from -64 to +63.5 dB
_PER_GAIN: Final = 256
_NO_GAIN: Final = 64  # the code of 0: codes reach from -0.25 to +0.746
_CELL: Final = 16
_BRIGHT: Final = 3.0  # dB above the median


def power_ratio(original: Decibels, decoded: Decibels, valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """By how many decibels the mean power of even ground is too low in a decoded block.

    Args:
        original: (bands, y, x) decibels.
        decoded: Of the same shape, without a correction.
        valid: Of the same shape: pixels that count.

    Returns:
        (bands,) median over cells whose pixels are all valid. Of a block that is too small to have one, the
        ratio over all its pixels; 0 for bands without a pixel.
    """
    true, found = (np.where(valid, to_power(values), 0).astype(np.float64) for values in (original, decoded))
    ratios = np.zeros(len(original))
    for band, here in enumerate(valid):
        if not here.any():
            continue
        own, other, count = (_cells(each) for each in (true[band], found[band], here.astype(np.float64)))
        whole = count == _CELL**2
        shares = own[whole] / other[whole] if whole.any() else true[band].sum() / found[band].sum()
        ratios[band] = 10 * np.log10(np.median(shares))
    return ratios


def _cells(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the whole cells of a plane."""
    rows, cols = values.shape[0] // _CELL, values.shape[1] // _CELL
    inside = values[: rows * _CELL, : cols * _CELL]
    sums: NDArray[np.float64] = inside.reshape(rows, _CELL, cols, _CELL).sum(axis=(1, 3))
    return sums


def corner_line(ratios: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Codes of the corners between two rows of blocks, or along the outer edge of one.

    Args:
        ratios: (bands, rows, cols) decibels, see `power_ratio`; one row or two.
        counts: Of the same shape: valid pixels of each block and band.

    Returns:
        (bands, cols + 1) uint8; a corner where no block has a pixel is 0 dB.
    """
    weights = counts.sum(axis=1).astype(np.float64)
    sums = (ratios * counts).sum(axis=1)
    left, right = ((0, 0), (1, 0)), ((0, 0), (0, 1))
    weights = np.pad(weights, left) + np.pad(weights, right)
    sums = np.pad(sums, left) + np.pad(sums, right)
    means = np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)
    codes: NDArray[np.uint8] = np.clip(np.rint(means * _PER_DECIBEL) + _NO_CORNER, 0, 255).astype(np.uint8)
    return codes


def correction_of(
    original: Decibels, decoded: Decibels, valid: NDArray[np.bool_], corners: NDArray[np.uint8]
) -> Correction:
    """The correction of a block whose corners are known: level and gain are found.

    Args:
        original: (bands, y, x) decibels.
        decoded: Of the same shape, without a correction.
        valid: Of the same shape: pixels that count.
        corners: (bands, 4) uint8.
    """
    correction = np.full((len(corners), pl.CORRECTION_BYTES), _NO_GAIN, np.uint8)
    correction[:, :CORNERS], correction[:, CORNERS] = corners, _NO_LEVEL
    planed = np.nan_to_num(decoded, nan=0.0)
    correct(planed, correction)
    for band, here in enumerate(valid):
        if here.any():
            true = float(to_power(original[band, here]).sum(dtype=np.float64))
            correction[band, CORNERS:] = _bright(decoded[band, here], planed[band, here], true)
    return correction


def _bright(decoded: Decibels, planed: Decibels, true: float) -> tuple[int, int]:
    """Codes of the level and gain that bring pixels (n,) to a sum of power."""
    level = math.floor((float(np.median(decoded)) + _BRIGHT) * _PER_LEVEL) + _NO_LEVEL
    level = min(255, max(0, level))
    above = decoded - np.float32((level - _NO_LEVEL) / _PER_LEVEL)
    bright = above > 0
    if not bright.any():
        return level, _NO_GAIN
    wanted = true - float(to_power(planed[~bright]).sum(dtype=np.float64))
    start, rise = planed[bright], above[bright]

    def power(code: int) -> float:
        gain = np.float32((code - _NO_GAIN) / _PER_GAIN)
        return float(to_power(start + gain * rise).sum(dtype=np.float64))

    code = min(255, bisect_left(range(256), wanted, key=power))
    if code and abs(power(code - 1) - wanted) < abs(power(code) - wanted):
        code -= 1
    return level, code


def with_correction(payload: Buffer, correction: Correction) -> bytes:
    """A payload that says that its values are decibels, and how they are corrected.

    Decoding then adds the correction, and reductions average power.

    Args:
        payload: Of any codec, of float32 values, without a correction.
        correction: (bands, 6) uint8: of each band four corners, (code − 50)/100 dB; a level,
            (code − 128)/2 dB; a gain, (code − 64)/256.

    Raises:
        CodecError: If the payload has a correction, or integers, or another number of bands.
    """
    header, rest = pl.read_header(payload)
    if not header.flags & pl.FLOAT32 or header.flags & pl.CORRECTED:
        reason = "has a correction already" if header.flags & pl.CORRECTED else "holds integers, no decibels"
        raise CodecError(f"the payload cannot be corrected: it {reason}")
    shape = header.bands, pl.CORRECTION_BYTES
    if correction.dtype != np.uint8 or correction.shape != shape:
        raise CodecError(f"a correction is uint8 {shape}, not {correction.dtype} {correction.shape}")
    head = pl.write_header(replace(header, flags=header.flags | pl.CORRECTED))
    return head + correction.tobytes() + bytes(rest)


def correction_bytes(payload: Buffer) -> int:
    """How much longer `with_correction` makes a payload.

    Raises:
        CodecError: If it cannot be corrected.
    """
    bands = pl.read_header(payload)[0].bands
    return len(with_correction(payload, np.zeros((bands, pl.CORRECTION_BYTES), np.uint8))) - len(payload)


def correct(values: Decibels, correction: Correction) -> None:
    """Correct decoded decibels (bands, y, x), in place.

    Each step is rounded to float32, so that every machine gets the same bits.
    """
    from comeo.codecs.sums import add_planes  # noqa: PLC0415 - numba takes a second to load

    codes = correction.astype(np.float64)
    corners = ((codes[:, :CORNERS] - _NO_CORNER) / _PER_DECIBEL).astype(np.float32)
    level = ((codes[:, 4] - _NO_LEVEL) / _PER_LEVEL).astype(np.float32)
    gain = ((codes[:, 5] - _NO_GAIN) / _PER_GAIN).astype(np.float32)
    down, across = _centres(values.shape[1]), _centres(values.shape[2])
    left, right = (
        corners[:, side, None] + (corners[:, 2 + side] - corners[:, side])[:, None] * down for side in (0, 1)
    )
    add_planes(values, left, right - left, across, level, gain)


def _centres(side: int) -> NDArray[np.float32]:
    """Where the centres of pixels lie between two edges, from 0 to 1."""
    return ((np.arange(side) + 0.5) / side).astype(np.float32)
