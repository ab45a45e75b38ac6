"""The certificate of an archive: what coding lost, by block, band and group, in a few hundred bytes.

`docs/format/README.md` has the bytes. In short: figures of a band are 16-bit logarithms, those of a block
8-bit ones relative to the band's worst block, deflated. An error is a decoded value minus the original one,
in the numbers that the arrays hold, over valid pixels alone.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.archive.base64_text import from_base64
from comeo.metrics import psnr_of

VERSION = 1
CORRELATION, BLOCK_RMSE, BLOCK_MAXIMUM, BLOCK_BIAS = 1, 2, 4, 8
# From the fullest certificate to the shortest; each leaves out the figures that are missed least.
DETAILS = (15, 7, 3, 1, 0)
MAX_CELLS = 1 << 22  # bands × blocks, over all groups

_FIGURE_STEPS = 1024  # per octave
_FIGURE_LOWEST = -22.0  # octaves below the quantisation step
_RMSE_STEPS = 12
_MAXIMUM_STEPS = 8
_BIAS_UNITS = 64
_CORRELATION_UNITS = 127
_SHARE_UNITS = 32767

Figures = NDArray[np.float64]
Blocks = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a group: name, number of bands, and grid of blocks of level 0."""

    name: str
    bands: int
    rows: int
    cols: int

    @property
    def cells(self) -> int:
        """Bands × blocks."""
        return self.bands * self.rows * self.cols


@dataclass(frozen=True, slots=True)
class GroupErrors:
    """Errors of a group.

    Attributes:
        rmse: (bands,) root mean squared error over the scene; NaN for a band without a valid pixel.
        maximum: (bands,) greatest absolute error.
        bias: (bands,) mean error.
        correlation: (bands, bands) of the errors of pixels valid in all bands, or None if not stated.
        block_rmse: (bands, rows, cols) by block of level 0, NaN without a valid pixel; None if not stated.
        block_maximum: Likewise: no error in the block is greater.
        block_bias: Likewise.
    """

    rmse: Figures
    maximum: Figures
    bias: Figures
    correlation: Figures | None = None
    block_rmse: Blocks | None = None
    block_maximum: Blocks | None = None
    block_bias: Blocks | None = None

    def psnr(self, peaks: Sequence[float | None]) -> float:
        """PSNR in dB from the mean of the bands' MSE; infinite without error.

        Args:
            peaks: One a band, in stored numbers; None leaves a band out.

        Returns:
            NaN if no band has both a peak and a valid pixel.
        """
        relative = [
            float(rmse) / peak
            for rmse, peak in zip(self.rmse, peaks, strict=True)
            if peak and not math.isnan(rmse)
        ]
        return psnr_of(float(np.mean(np.square(relative))), 1.0) if relative else math.nan

    def expected(self, rows: int, cols: int) -> Blocks:
        """Expected (RMS) error by block: (bands, rows, cols); the scene's where blocks have none."""
        if self.block_rmse is not None:
            return self.block_rmse
        return np.broadcast_to(self.rmse.astype(np.float32)[:, None, None], (len(self.rmse), rows, cols))


@dataclass(frozen=True, slots=True)
class Certificate:
    """Errors of coding, as an archive states them.

    Attributes:
        groups: By name.
        detail: Which parts were written: see `DETAILS`.
    """

    groups: Mapping[str, GroupErrors]
    detail: int

    @property
    def by_block(self) -> bool:
        """Whether errors are stated block by block, in groups of more than one."""
        return bool(self.detail & BLOCK_RMSE)


def encode(errors: Mapping[str, GroupErrors], layouts: Sequence[Layout], step: float, detail: int) -> str:
    """Write a certificate.

    Args:
        errors: By group, with all figures that `detail` includes.
        layouts: Of the groups, in the archive's order.
        step: Quantisation step of the archive.
        detail: One of `DETAILS`.

    Returns:
        Base64.
    """
    head, body = bytearray([VERSION << 4 | detail]), bytearray()
    for layout in layouts:
        group = errors[layout.name]
        head += _log_codes(group.rmse, step).tobytes() + _log_codes(group.maximum, step).tobytes()
        head += _shares(group.bias, group.rmse).tobytes()
        if detail & CORRELATION and layout.bands > 1:
            pairs = _needed(group.correlation)[np.triu_indices(layout.bands, 1)]
            head += np.rint(np.clip(pairs, -1, 1) * _CORRELATION_UNITS).astype("i1").tobytes()
        if detail & BLOCK_RMSE and layout.rows * layout.cols > 1:
            body += _write_blocks(group, step, detail)
    if body:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        head += packer.compress(bytes(body)) + packer.flush()
    return base64.b64encode(bytes(head)).decode()


def decode(text: str, layouts: Sequence[Layout], step: float) -> Certificate:
    """Read a certificate.

    Args:
        text: As `encode` returned it.
        layouts: Of the groups, in the archive's order.
        step: Quantisation step of the archive.

    Raises:
        ValueError: If it is none of such an archive.
    """
    data = memoryview(from_base64(text))
    detail = data[0] & 15 if data else -1
    if detail not in DETAILS or data[0] >> 4 != VERSION:
        raise ValueError("its first byte names no version that this program reads")
    heads, rest = _read_heads(_Reader(data[1:]), layouts, step, detail)
    certified = [layout for layout in layouts if detail & BLOCK_RMSE and layout.rows * layout.cols > 1]
    body = _Reader(_inflated(rest, sum(_blocks_length(layout, detail) for layout in certified), certified))
    groups = {}
    for layout, head in zip(layouts, heads, strict=True):
        groups[layout.name] = _with_blocks(
            head, layout, _read_blocks(body, layout, step, detail) if layout in certified else None
        )
    return Certificate(groups, detail)


class _Reader:
    """Takes arrays off the front of some bytes."""

    def __init__(self, data: memoryview) -> None:
        self.rest = data

    def take(self, dtype: str, *shape: int) -> NDArray[Any]:
        length = math.prod(shape) * np.dtype(dtype).itemsize
        if length > len(self.rest):
            raise ValueError("it is shorter than the archive's bands and blocks require")
        part, self.rest = self.rest[:length], self.rest[length:]
        return np.frombuffer(part, dtype).reshape(shape)


def _read_heads(
    reader: _Reader, layouts: Sequence[Layout], step: float, detail: int
) -> tuple[list[GroupErrors], memoryview]:
    heads = []
    for layout in layouts:
        rmse, maximum = (_from_log_codes(reader.take("<u2", layout.bands), step) for _ in range(2))
        bias = reader.take("<i2", layout.bands) / _SHARE_UNITS * rmse
        correlation = None
        if detail & CORRELATION and layout.bands > 1:
            pairs = reader.take("i1", layout.bands * (layout.bands - 1) // 2)
            correlation = np.eye(layout.bands)
            correlation[np.triu_indices(layout.bands, 1)] = np.clip(pairs / _CORRELATION_UNITS, -1, 1)
            correlation = np.triu(correlation) + np.triu(correlation, 1).T
        heads.append(GroupErrors(rmse, maximum, bias, correlation))
    return heads, reader.rest


def _inflated(data: memoryview, length: int, certified: Sequence[Layout]) -> memoryview:
    """Inflate what has to be exactly so long."""
    if sum(layout.cells for layout in certified) > MAX_CELLS:
        raise ValueError(f"it would tell of more than {MAX_CELLS} bands × blocks")
    if not certified:
        if len(data):
            raise ValueError("it is longer than the archive's bands require")
        return memoryview(b"")
    unpacker = zlib.decompressobj(-15)
    try:
        body = unpacker.decompress(data, length + 1)
    except zlib.error as error:
        raise ValueError(f"its blocks cannot be inflated: {error}") from error
    if len(body) != length or not unpacker.eof or unpacker.unused_data:
        raise ValueError("it does not hold as many blocks as the archive")
    return memoryview(body)


def _planes(detail: int) -> int:
    return sum(bool(detail & part) for part in (BLOCK_RMSE, BLOCK_MAXIMUM, BLOCK_BIAS))


def _blocks_length(layout: Layout, detail: int) -> int:
    return 2 * layout.bands + _planes(detail) * layout.cells


def _write_blocks(group: GroupErrors, step: float, detail: int) -> bytes:
    """A group's worst blocks, then one plane of codes after the other."""
    codes, peaks, rmse = _rmse_codes(_needed(group.block_rmse), step)
    parts = [peaks.tobytes(), _differences(codes).tobytes()]
    known = rmse > 0
    if detail & BLOCK_MAXIMUM:
        ratio = np.divide(_needed(group.block_maximum), rmse, out=np.ones_like(rmse), where=known)
        steps = np.ceil(np.log2(np.maximum(ratio, 1)) * _MAXIMUM_STEPS)
        parts.append(np.clip(steps, 0, 255).astype(np.uint8).tobytes())
    if detail & BLOCK_BIAS:
        share = np.divide(_needed(group.block_bias), rmse, out=np.zeros_like(rmse), where=known)
        parts.append(np.clip(np.rint(share * _BIAS_UNITS), -127, 127).astype("i1").tobytes())
    return b"".join(parts)


def _read_blocks(
    reader: _Reader, layout: Layout, step: float, detail: int
) -> tuple[Blocks, Blocks | None, Blocks | None]:
    peaks = reader.take("<u2", layout.bands)
    shape = (layout.bands, layout.rows, layout.cols)
    codes = np.cumsum(reader.take("u1", *shape), axis=2, dtype=np.uint8)
    rmse = _from_rmse_codes(codes, peaks, step)
    maximum = bias = None
    if detail & BLOCK_MAXIMUM:
        maximum = rmse * np.exp2(reader.take("u1", *shape).astype(np.float32) / np.float32(_MAXIMUM_STEPS))
    if detail & BLOCK_BIAS:
        bias = rmse * (reader.take("i1", *shape).astype(np.float32) / np.float32(_BIAS_UNITS))
    return rmse, maximum, bias


def _with_blocks(
    head: GroupErrors, layout: Layout, blocks: tuple[Blocks, Blocks | None, Blocks | None] | None
) -> GroupErrors:
    if blocks is None and layout.rows * layout.cols > 1:
        return head
    if blocks is None:  # the only block is the scene
        rmse, maximum, bias = (
            figures.astype(np.float32)[:, None, None] for figures in (head.rmse, head.maximum, head.bias)
        )
        blocks = rmse, maximum, bias
    return GroupErrors(head.rmse, head.maximum, head.bias, head.correlation, *blocks)


def _rmse_codes(rmse: Blocks, step: float) -> tuple[NDArray[np.uint8], NDArray[np.uint16], Blocks]:
    """Codes of blocks' RMSE, those of the worst block of each band, and what a reader makes of them.

    0 is a block without a valid pixel, 1 one without an error, 255 the band's worst.
    """
    worst = np.nanmax(np.nan_to_num(rmse), axis=(1, 2))
    peaks = _log_codes(worst.astype(np.float64), step)
    top = _from_log_codes(peaks, step)[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        codes = np.clip(np.rint(255 + _RMSE_STEPS * np.log2(rmse / top)), 2, 255)
    codes = np.where(np.isnan(rmse), 0, np.where(rmse == 0, 1, codes)).astype(np.uint8)
    return codes, peaks, _from_rmse_codes(codes, peaks, step)


def _from_rmse_codes(codes: NDArray[np.uint8], peaks: NDArray[np.uint16], step: float) -> Blocks:
    top = np.nan_to_num(_from_log_codes(peaks, step))[:, None, None]
    values = top * np.exp2((codes.astype(np.float64) - 255) / _RMSE_STEPS)
    values[codes == 1] = 0
    values[codes == 0] = np.nan
    return values.astype(np.float32)


def _differences(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each code minus the one to its left, modulo 256."""
    return np.diff(codes, axis=2, prepend=np.uint8(0))


def _log_codes(values: Figures, step: float) -> NDArray[np.uint16]:
    """0 is NaN, 1 zero; else (code − 2)/1024 − 22 is the logarithm to base 2 of value/step."""
    with np.errstate(divide="ignore", invalid="ignore"):
        octaves = np.log2(np.asarray(values, np.float64) / step)
        codes = np.clip(np.rint((octaves - _FIGURE_LOWEST) * _FIGURE_STEPS) + 2, 2, 65535)
    return np.where(np.isnan(values), 0, np.where(values == 0, 1, codes)).astype("<u2")


def _from_log_codes(codes: NDArray[np.uint16], step: float) -> Figures:
    values = step * np.exp2((codes.astype(np.float64) - 2) / _FIGURE_STEPS + _FIGURE_LOWEST)
    return np.where(codes == 0, np.nan, np.where(codes == 1, 0.0, values))


def _shares(bias: Figures, rmse: Figures) -> NDArray[np.int16]:
    share = np.divide(bias, rmse, out=np.zeros_like(rmse), where=rmse > 0)
    codes: NDArray[np.int16] = np.clip(np.rint(share * _SHARE_UNITS), -_SHARE_UNITS, _SHARE_UNITS).astype(
        "<i2"
    )
    return codes


def _needed(figures: NDArray[Any] | None) -> NDArray[Any]:
    if figures is None:
        raise ValueError("figures required by this detail level are missing")
    return figures
