"""Corrections of a level's blocks, which are known a row of blocks late: corners belong to four blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from comeo.archive.references import Place
from comeo.codecs import Codec
from comeo.codecs.correction import corner_line, correction_of, power_ratio, with_correction
from comeo.scene import Pixels

Corners = NDArray[np.uint8]
"""(bands, 4): the upper left and right, the lower left and right corner of a block."""


@dataclass(frozen=True, slots=True)
class Uncorrected:
    """A block of decibels that is coded but for its correction.

    Attributes:
        place: Row and column of the block.
        pixels: Its original pixels.
        payload: Without a correction; None where no pixel is valid.
        ratio: (bands,) what even ground's mean power lacks, in dB: see `power_ratio`.
        count: (bands,) valid pixels.
    """

    place: Place
    pixels: Pixels
    payload: bytes | None
    ratio: NDArray[np.float64]
    count: NDArray[np.int64]

    @classmethod
    def of(cls, place: Place, pixels: Pixels, payload: bytes | None, codec: Codec) -> Uncorrected:
        """Measure a block by decoding it."""
        bands = len(pixels.values)
        if payload is None:
            return cls(place, pixels, None, np.zeros(bands), np.zeros(bands, np.int64))
        ratio = power_ratio(pixels.values, codec.decode(payload), pixels.valid)
        return cls(place, pixels, payload, ratio, pixels.valid.sum(axis=(1, 2)))

    def corrected(self, corners: Corners, codec: Codec) -> bytes | None:
        """The payload with a correction between these corners."""
        if self.payload is None:
            return None
        values, valid = self.pixels
        decoded = codec.decode(self.payload)
        return with_correction(self.payload, correction_of(values, decoded, valid, corners))

    def kept(self) -> Uncorrected:
        """The same, holding nothing but its own pixels."""
        return replace(self, pixels=Pixels(*(array.copy() for array in self.pixels)))


Row = Sequence[Uncorrected]
Corrected = tuple[Uncorrected, Corners]


class CornerRows:
    """Gives blocks their corners, row after row: each row as soon as the next one is known."""

    def __init__(self) -> None:
        self._row: Row = ()
        self._line: NDArray[np.uint8] | None = None  # of the corners above it

    def add(self, row: Row) -> list[Corrected]:
        """Take in the next row of blocks; returns the one before, with its corners."""
        line = _line([self._row, row] if self._row else [row])
        done = self._done(line)
        self._row, self._line = [block.kept() for block in row], line
        return done

    def last(self) -> list[Corrected]:
        """The last row."""
        return self._done(_line([self._row]))

    def _done(self, below: NDArray[np.uint8]) -> list[Corrected]:
        if self._line is None:
            return []
        above = self._line
        corners = (
            np.hstack([line[:, col : col + 2] for line in (above, below)]) for col in range(len(self._row))
        )
        return list(zip(self._row, corners, strict=True))


def _line(rows: Sequence[Row]) -> NDArray[np.uint8]:
    """Corners between two rows of blocks, or along the outer edge of one: see `corner_line`."""
    ratios = np.array([[block.ratio for block in row] for row in rows])
    counts = np.array([[block.count for block in row] for row in rows])
    return corner_line(np.moveaxis(ratios, -1, 0), np.moveaxis(counts, -1, 0))
