"""Errors of clouds and of the ground apart, of archives whose clouds were coded more coarsely."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.archive import Archive
from comeo.archive.clear import classes_under
from comeo.errors import ArchiveError
from comeo.grid import Grid
from comeo.metrics import psnr_of
from comeo.missions.clear import CLOUD, Classes
from comeo.quality.strips import Strip
from comeo.scene import BandGroup, Window

_PARTS: Final = 2  # ground, clouds


@dataclass(frozen=True, slots=True)
class CloudFigures:
    """A group whose clouds were coded more coarsely.

    Attributes:
        group: Name.
        share: Of the valid pixels that are cloud, of all bands; NaN without a valid pixel.
        ground_rmse: Root of the mean of the bands' mean squared errors on the ground, in stored numbers; this
            and the next are NaN where there is no such pixel.
        cloud_rmse: In the clouds.
        ground_psnr: dB, on the ground; peak at the group's data range.
        cloud_psnr: dB, in the clouds.
    """

    group: str
    share: float
    ground_rmse: float
    cloud_rmse: float
    ground_psnr: float
    cloud_psnr: float


@dataclass(frozen=True)
class CloudClasses:
    """The classes of an archive whose clouds were coded more coarsely.

    Attributes:
        classes: (y, x) of the whole layer.
        grid: Where they lie.
    """

    classes: Classes
    grid: Grid

    @classmethod
    def of(cls, archive: Archive) -> CloudClasses | None:
        """Those of an archive; None where clouds were coded as the ground was.

        Raises:
            ArchiveError: If the classes are damaged, without which clouds and ground would be judged as one.
        """
        if archive.clouds is None:
            return None
        if archive.clear is None:
            raise ArchiveError(
                "clouds were coded more coarsely, and which pixels are cloud is unknown: "
                f"{archive.damaged['clear']}; compress the scene again"
            )
        return cls(archive.clear.read(), archive.clear.grid)

    def cloud(self, group: BandGroup, row: int, height: int) -> NDArray[np.bool_]:
        """Which pixels of rows of a group are cloud, (y, x)."""
        window = Window(row, 0, height, group.width)
        return np.asarray(classes_under(self.classes, self.grid, group.transform, window) == CLOUD)


class GroundAndClouds:
    """Errors of a group's ground and clouds, gathered strip by strip.

    Args:
        group: The group.
        classes: Of the archive.
    """

    def __init__(self, group: BandGroup, classes: CloudClasses) -> None:
        self._group = group
        self._classes = classes
        self._count = np.zeros((_PARTS, len(group.bands)), np.int64)
        self._squares = np.zeros((_PARTS, len(group.bands)))

    def add(self, strip: Strip) -> None:
        """Count the core of a strip."""
        cloud = self._classes.cloud(self._group, strip.row, strip.height)
        core = slice(None), strip.core
        squares = np.square(np.subtract(strip.decoded[core], strip.reference[core], dtype=np.float64))
        for part, here in enumerate((~cloud, cloud)):
            counted = strip.valid[core] & here
            self._count[part] += counted.sum(axis=(1, 2))
            self._squares[part] += np.where(counted, squares, 0).sum(axis=(1, 2))

    def figures(self, data_range: float) -> CloudFigures:
        """Figures of what was counted; `data_range` is the peak of the PSNR."""
        total = self._count.sum()
        ground, cloud = (self._mse(part) for part in range(_PARTS))
        return CloudFigures(
            self._group.name, float(self._count[1].sum() / total) if total else math.nan,
            math.sqrt(ground), math.sqrt(cloud), psnr_of(ground, data_range), psnr_of(cloud, data_range),
        )  # fmt: skip

    def _mse(self, part: int) -> float:
        known = self._count[part] > 0
        if not known.any():
            return math.nan
        return float((self._squares[part, known] / self._count[part, known]).mean())
