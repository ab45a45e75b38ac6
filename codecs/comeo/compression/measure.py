"""What the blocks of level 0 hold and lose, gathered while they are coded, for the archive to state."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.archive import ArchiveGroup, histogram, means
from comeo.archive import certificate as cert
from comeo.archive.certificate import Certificate, GroupErrors, Layout
from comeo.archive.model import MAX_CERTIFICATE_CHARACTERS
from comeo.archive.power import BandPower
from comeo.codecs.payload import Buffer
from comeo.compression.power import PowerErrors, cell_errors, power_errors, power_of
from comeo.errors import ArchiveError
from comeo.figures import significant
from comeo.scene import Pixels

SHARE = 0.01  # of the archive, that a certificate may take
HISTOGRAM_SHARE = 0.05  # that histograms may take: without them no picture is stretched by its own values
_KEY_BYTES = len(',"certificate":""')
TOLERANCE = 0.05  # of a block's RMSE


@dataclass(frozen=True, slots=True)
class BlockErrors:
    """Sums over a block's valid pixels, of ground alone where clouds are told apart.

    Attributes:
        count: (bands,) valid pixels.
        total: (bands,) sum of the errors.
        squares: (bands,) of their squares.
        maximum: (bands,) greatest absolute error.
        products: (bands, bands) of each two bands' errors, over pixels valid in all bands.
        cells: (sides, bands) cells of `means.SIDES` pixels to a side, all of them valid.
        cell_squares: (sides, bands) sum of the squares of the errors of these cells' means; of decibels, of
            those of their mean power, in dB.
        counts: Of each band, original pixels by value, of clouds too: see `histogram.count`.
        clouds: Of the pixels that are no ground, if they are told apart.
        power: Of bands in decibels: what their mean power lost.
    """

    count: NDArray[np.int64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    maximum: NDArray[np.float64]
    products: NDArray[np.float64]
    cells: NDArray[np.int64]
    cell_squares: NDArray[np.float64]
    counts: Sequence[histogram.Counts]
    clouds: CloudSums | None = None
    power: PowerErrors | None = None


@dataclass(frozen=True, slots=True)
class CloudSums:
    """Sums over a block's valid pixels that are no ground.

    Attributes:
        count: (bands,) pixels.
        squares: (bands,) sum of the squared errors.
        maximum: (bands,) greatest absolute error.
    """

    count: NDArray[np.int64]
    squares: NDArray[np.float64]
    maximum: NDArray[np.float64]


def block_errors(
    original: Pixels,
    decoded: NDArray[Any] | None,
    ground: NDArray[np.bool_] | None = None,
    *,
    power: bool = False,
) -> BlockErrors:
    """Compare a block with its decoded payload; None is a block without a valid pixel.

    Args:
        original: The block.
        decoded: (bands, y, x).
        ground: (y, x) pixels whose errors are told by themselves, apart from those of all others. None: all.
        power: Whether they are decibels, whose means are those of power.
    """
    bands = len(original.values)
    if decoded is None:
        zeros, none = np.zeros(bands), np.zeros(bands, np.int64)
        sides = len(means.SIDES), bands
        nothing = [np.zeros(0, np.int64)] * bands
        return BlockErrors(
            none, zeros, zeros, zeros, np.zeros((bands, bands)), np.zeros(sides, np.int64), np.zeros(sides),
            nothing,
        )  # fmt: skip
    seen = original.valid if ground is None else original.valid & ground
    valid = seen.reshape(bands, -1)
    error = np.subtract(decoded, original.values, dtype=np.float64).reshape(bands, -1)
    clouds = None if ground is None else _of_clouds(error, (original.valid & ~ground).reshape(bands, -1))
    error[~valid] = 0
    shared = error if valid.all() else error[:, valid.all(axis=0)]
    whole, lost = error.reshape(decoded.shape), None
    if power:
        both = power_of(original.values, seen), power_of(decoded, seen)
        lost = power_errors(*both, seen)
        cells, squares = zip(*(cell_errors(*both, seen, side) for side in means.SIDES), strict=True)
    else:
        cells, squares = zip(*(_cells(whole, seen, side) for side in means.SIDES), strict=True)
    return BlockErrors(
        valid.sum(axis=1), error.sum(axis=1), np.einsum("ij,ij->i", error, error),
        np.abs(error).max(axis=1), shared @ shared.T, np.stack(cells), np.stack(squares),
        [histogram.count(*band) for band in zip(original.values, original.valid, strict=True)], clouds,
        lost,
    )  # fmt: skip


def _of_clouds(error: NDArray[np.float64], cloud: NDArray[np.bool_]) -> CloudSums:
    size = np.where(cloud, np.abs(error), 0)
    return CloudSums(cloud.sum(axis=1), np.square(size).sum(axis=1), size.max(axis=1))


def _cells(
    error: NDArray[np.float64], valid: NDArray[np.bool_], side: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Number of whole, valid cells of a block, and the sum of the squares of their mean errors, by band."""
    bands, height, width = error.shape
    rows, cols = height // side, width // side
    shape = bands, rows, side, cols, side
    inside = slice(None), slice(rows * side), slice(cols * side)
    whole = valid[inside].reshape(shape).all(axis=(2, 4))
    mean = error[inside].reshape(shape).mean(axis=(2, 4))
    return whole.sum(axis=(1, 2)), np.square(mean, where=whole, out=np.zeros_like(mean)).sum(axis=(1, 2))


def _digest(payload: Buffer | None) -> bytes:
    return b"" if payload is None else hashlib.blake2b(payload, digest_size=16).digest()


class _GroupAccumulator:
    def __init__(self, layout: Layout) -> None:
        shape = (layout.bands, layout.rows, layout.cols)
        self._count = np.zeros(shape, np.int64)
        self._total, self._squares, self._maximum = (np.zeros(shape) for _ in range(3))
        self._products = np.zeros((layout.bands, layout.bands))
        sides = len(means.SIDES), layout.bands
        self._cells, self._cell_squares = np.zeros(sides, np.int64), np.zeros(sides)
        self._cloud_count = np.zeros(layout.bands, np.int64)
        self._cloud_squares, self._cloud_maximum = np.zeros(layout.bands), np.zeros(layout.bands)
        self.counts = np.zeros((layout.bands, 1 << 16), np.int64)
        self.power: PowerErrors | None = None

    def add(self, row: int, col: int, block: BlockErrors) -> None:
        self._count[:, row, col] = block.count
        self._total[:, row, col] = block.total
        self._squares[:, row, col] = block.squares
        self._maximum[:, row, col] = block.maximum
        self._products += block.products
        self._cells += block.cells
        self._cell_squares += block.cell_squares
        for total, counts in zip(self.counts, block.counts, strict=True):
            histogram.add(total, counts)
        if block.power is not None:
            self.power = block.power if self.power is None else self.power + block.power
        if block.clouds is not None:
            self._cloud_count += block.clouds.count
            self._cloud_squares += block.clouds.squares
            self._cloud_maximum = np.maximum(self._cloud_maximum, block.clouds.maximum)

    def clouds(self) -> list[tuple[float | None, float | None]]:
        """RMSE and greatest error of each band in clouds, None without a pixel."""
        sums = zip(self._cloud_count, self._cloud_squares, self._cloud_maximum, strict=True)
        figures = (
            (squares / count, maximum) if count else (math.nan, math.nan) for count, squares, maximum in sums
        )
        return [(significant(math.sqrt(mse), 4), significant(float(maximum), 4)) for mse, maximum in figures]

    def factors(self, step: float) -> list[float]:
        """Factors of the law of means, those of each band together."""
        sides = zip(self._cell_squares, self._cells, means.SIDES, strict=True)
        return np.ravel([means.measured_factors(*each, step) for each in sides], order="F").tolist()

    def errors(self) -> GroupErrors:
        everywhere = (1, 2)
        count = self._count.sum(axis=everywhere)
        spread = np.sqrt(np.diag(self._products))
        scale = np.outer(spread, spread)
        with np.errstate(divide="ignore", invalid="ignore"):
            blocks = (
                np.sqrt(self._squares / self._count),
                np.where(self._count > 0, self._maximum, np.nan),
                self._total / self._count,
            )
            return GroupErrors(
                np.sqrt(self._squares.sum(axis=everywhere) / count),
                np.where(count > 0, self._maximum.max(axis=everywhere), np.nan),
                self._total.sum(axis=everywhere) / count,
                np.divide(self._products, scale, out=np.eye(len(count)), where=scale > 0),
                *(figures.astype(np.float32) for figures in blocks),
            )


class ErrorAccumulator:
    """Errors of a scene, block by block."""

    def __init__(self, groups: Sequence[ArchiveGroup], step: float) -> None:
        self._layouts = [group.layout for group in groups]
        self._types = {group.name: group.dtype for group in groups}
        self._bands = {group.name: [band.name for band in group.bands] for group in groups}
        self._step = step
        self._groups = {layout.name: _GroupAccumulator(layout) for layout in self._layouts}
        self._digests: dict[tuple[str, int, int], bytes] = {}

    def add(self, group: str, row: int, col: int, block: BlockErrors, payload: bytes | None) -> None:
        """Take in a block of level 0, measured on its decoded payload."""
        self._groups[group].add(row, col, block)
        self._digests[group, row, col] = _digest(payload)

    def measured_on(self, group: str, row: int, col: int, payload: Buffer | None) -> bool:
        """Whether a block of level 0 was measured on this very payload."""
        return self._digests[group, row, col] == _digest(payload)

    def errors(self) -> Mapping[str, GroupErrors]:
        """Errors measured, by group."""
        return {name: group.errors() for name, group in self._groups.items()}

    def certificate(self, archive_bytes: int) -> tuple[str, int] | None:
        """The most detailed certificate that takes at most a hundredth of an archive, and its detail.

        Args:
            archive_bytes: Of the archive without it.

        Returns:
            None if the archive is too small for any.
        """
        most = min(MAX_CERTIFICATE_CHARACTERS, SHARE * archive_bytes - _KEY_BYTES)
        errors = self.errors()
        large = sum(layout.cells for layout in self._layouts) > cert.MAX_CELLS
        for detail in cert.DETAILS:
            if large and detail & cert.BLOCK_RMSE:
                continue
            text = cert.encode(errors, self._layouts, self._step, detail)
            if len(text) <= most:
                return text, detail
        return None

    def means(self) -> str:
        """How certain means of areas are, as an archive states it: see `comeo.archive.means`."""
        factors = [group.factors(self._step) for group in self._groups.values()]
        return means.encode(list(chain.from_iterable(factors)))

    def clouds(self) -> dict[str, dict[str, float | None]]:
        """RMSE and greatest error of each band in clouds, as `CloudFacts` has them."""
        pairs = {
            band: pair
            for name, group in self._groups.items()
            for band, pair in zip(self._bands[name], group.clouds(), strict=True)
        }
        return {
            "rmse": {band: rmse for band, (rmse, _) in pairs.items()},
            "maximum": {band: maximum for band, (_, maximum) in pairs.items()},
        }

    def power(self) -> dict[str, BandPower]:
        """What the mean power of bands in decibels lost, by band; empty if there are none."""
        return {
            band: own
            for name, group in self._groups.items()
            if group.power is not None
            for band, own in zip(self._bands[name], group.power.stated(), strict=True)
        }

    def histograms(self, archive_bytes: int) -> str | None:
        """Histograms of all bands, or None if they would be more than a twentieth of such an archive."""
        counts = [(row, self._types[name]) for name, group in self._groups.items() for row in group.counts]
        text = histogram.encode(counts)
        return text if len(text) + _KEY_BYTES <= HISTOGRAM_SHARE * archive_bytes else None

    def check(self, name: str, certificate: Certificate | None) -> None:
        """Compare a certificate that has been read back with what was measured.

        Raises:
            ArchiveError: If they differ by more than a certificate may.
        """
        if certificate is None:
            return
        for group, measured in self.errors().items():
            certified = certificate.groups[group]
            pairs = [(certified.rmse, measured.rmse)]
            blocks = certified.block_rmse, measured.block_rmse
            if blocks[0] is not None and blocks[1] is not None:
                pairs.append((blocks[0].astype(np.float64), blocks[1].astype(np.float64)))
            for stated, true in pairs:
                # Blocks a million times better than the band's worst are certified as just that.
                slack = 1e-5 * np.nanmax(np.nan_to_num(true), initial=0)
                if not np.allclose(stated, true, rtol=TOLERANCE, atol=slack, equal_nan=True):
                    raise ArchiveError(f"{name}: its certificate does not state the errors of {group}")
