"""A coarse map of the error: squares of the finest grid, with what lies in them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.quality.cover import KINDS, UNKNOWN
from comeo.quality.strips import Strip

CELL: Final = 32  # pixels to a side


class ErrorMap:
    """Squared errors by square of the map and by kind of ground.

    Attributes:
        rmse: (rows, cols), over all bands of the group; NaN where nothing is valid.
        kinds: (rows, cols, kinds), pixels of each kind of ground.
        kind_squares: (kinds,), mean over bands of squared errors, summed over the kind's pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        shape = (-(-height // CELL), -(-width // CELL))
        self._squares = np.zeros(shape)
        self._counts = np.zeros(shape, np.int64)
        self.kinds = np.zeros((*shape, len(KINDS)), np.int64)
        self.kind_squares = np.zeros(len(KINDS))

    def add(self, strip: Strip, kinds: NDArray[np.uint8] | None) -> None:
        """Count the core of a strip; `kinds` is (y, x) of the core."""
        valid = strip.valid[:, strip.core]
        counts = np.count_nonzero(valid, axis=0)
        squares = np.zeros(counts.shape)
        for ours, theirs in zip(strip.reference[:, strip.core], strip.decoded[:, strip.core], strict=True):
            squares += np.square(np.subtract(theirs, ours, dtype=np.float64))
        first = strip.row // CELL
        rows = slice(first, first + -(-strip.height // CELL))
        self._squares[rows] = _sums(squares)
        self._counts[rows] = _sums(counts)
        if kinds is None:
            return
        mean = np.divide(squares, counts, out=np.zeros_like(squares), where=counts > 0)
        known = kinds != UNKNOWN
        self.kind_squares += np.bincount(kinds[known], mean[known], minlength=len(KINDS))
        for kind in range(len(KINDS)):
            self.kinds[rows, :, kind] = _sums(kinds == kind)

    @property
    def rmse(self) -> NDArray[np.float64]:
        """(rows, cols) root of the mean squared error; NaN where nothing is valid."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(self._squares / np.where(self._counts > 0, self._counts, np.nan))

    @property
    def filled(self) -> NDArray[np.float64]:
        """(rows, cols), share of each square's valid numbers among those of the fullest."""
        return np.asarray(self._counts / max(1, self._counts.max()), np.float64)


def _sums(plane: NDArray[Any]) -> NDArray[Any]:
    """Sums over squares; those at the far edges are smaller."""
    rows = np.add.reduceat(plane, np.arange(0, plane.shape[0], CELL), axis=0, dtype=np.float64)
    return np.add.reduceat(rows, np.arange(0, plane.shape[1], CELL), axis=1)
