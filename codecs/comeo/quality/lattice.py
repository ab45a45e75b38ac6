"""Spectra of all bands at regular points of the finest grid, for what needs all bands at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from comeo.missions import sees_ground
from comeo.quality.strips import Strip
from comeo.scene import Band, BandGroup

MAX_POINTS: Final = 2_000_000


class Lattice:
    """A sample of a scene's spectra: every so many rows and columns of the finest grid.

    A band of a coarser group has the value of the pixel that the point lies in; nothing is interpolated.

    Attributes:
        rows: Rows of the finest grid.
        cols: Columns of the finest grid.
        bands: The bands, those of finer groups first.
        reference: (bands, rows, cols) physical values.
        decoded: The same of the other version.
        valid: (rows, cols), where all bands have values.
        land: (rows, cols), where the ground is known to be clear land.
    """

    def __init__(self, groups: Sequence[BandGroup], max_points: int = MAX_POINTS) -> None:
        finest = groups[0]
        step = max(1, math.ceil(math.sqrt(finest.height * finest.width / max_points)))
        self.rows = np.arange(min(step // 2, finest.height - 1), finest.height, step)
        self.cols = np.arange(min(step // 2, finest.width - 1), finest.width, step)
        self._groups = [group for group in groups if group.crs == finest.crs]
        self._finest = finest
        self.bands: tuple[Band, ...] = tuple(
            band for group in self._groups for band in group.bands if sees_ground(band)
        )
        shape = (len(self.bands), self.rows.size, self.cols.size)
        self.reference, self.decoded = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.valid = np.ones(shape[1:], np.bool_)
        self.land = np.zeros(shape[1:], np.bool_)

    def add(self, group: BandGroup, strip: Strip) -> None:
        """Take what the core of a strip has of the points; all strips of all groups must be given once."""
        if group not in self._groups:
            return
        rows, cols = grid_places(self._finest, group, self.rows, self.cols)
        here = (rows >= strip.row) & (rows < strip.row + strip.height)
        inside = (rows >= 0) & (rows < group.height)
        if strip.row == 0:  # points outside a group have no spectrum; said once a group
            self.valid[~inside] = False
            self.valid[:, (cols < 0) | (cols >= group.width)] = False
        place = np.ix_(rows[here] - strip.row + strip.margin, np.clip(cols, 0, group.width - 1))
        for index, band in enumerate(group.bands):
            if not sees_ground(band):
                continue
            target = self.bands.index(band)
            self.reference[target, here] = strip.reference[index][place] * band.scale + band.offset
            self.decoded[target, here] = strip.decoded[index][place] * band.scale + band.offset
            self.valid[here] &= strip.valid[index][place]

    def add_land(self, strip: Strip, land: NDArray[np.bool_]) -> None:
        """Take what the core of a strip of the finest group has of the points: (y, x), clear land."""
        here = (self.rows >= strip.row) & (self.rows < strip.row + strip.height)
        self.land[here] = land[np.ix_(self.rows[here] - strip.row, self.cols)]

    def spectra(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Valid spectra of both versions: (n, bands) each."""
        return self.reference[:, self.valid].T.copy(), self.decoded[:, self.valid].T.copy()

    def checkerboard(self, side: int = 16) -> NDArray[np.bool_]:
        """(n,), which valid points lie on white squares: parts of a scene that are not neighbours."""
        squares = (np.indices(self.valid.shape) // side).sum(axis=0)
        return np.asarray(squares[self.valid] % 2 == 0, np.bool_)


def grid_places(
    finest: BandGroup, other: BandGroup, rows: NDArray[Any], cols: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of another grid that hold the centres of pixels of the finest one, north up both."""
    return transform_places(~other.transform @ finest.transform, rows, cols)


def transform_places(
    to_other: Affine, rows: NDArray[Any], cols: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Like `grid_places`, for a transform between two grids without rotation."""
    y = to_other.e * (rows + 0.5) + to_other.f
    x = to_other.a * (cols + 0.5) + to_other.c
    return np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
