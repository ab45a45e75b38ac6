"""Where a product's image lies on the ground, and how much of the ground has to be looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.grid import Grid
from comeo.radar.lattice import Locator
from comeo.radar.orbit import Orbit
from comeo.radar.timing import Timing
from comeo.scene import Window
from comeo.sources.dem import Heights
from comeo.sources.grd.product import Grd

# By how much ground is shifted towards the satellite, in heights: 1.73 at 30 degrees of incidence.
_FOLD: Final = 1.75
_LOOKS_AROUND: Final = 3
# Metres between the heights by which it is known how far to look: about those of DEMs.
_COARSE: Final = 40.0


@dataclass(frozen=True, slots=True)
class Placing:
    """The geometry of a product.

    Attributes:
        orbit: The satellite's.
        timing: The image's, with the offset that its own grid has from its own orbit.
        locator: Finds places in the image.
    """

    orbit: Orbit
    timing: Timing
    locator: Locator

    @classmethod
    def of(cls, grd: Grd) -> Placing:
        """The geometry of a product, by the precise orbit where it has been given one.

        Raises:
            SourceError: If orbit, grid and ranges of the annotation contradict each other.
        """
        annotation = grd.first.annotation
        own = annotation.orbit()
        timing = annotation.timing(own)
        orbit = grd.precise or own
        return cls(orbit, timing, Locator(orbit, timing, annotation.middle))


def surroundings(grid: Grid, heights: Heights) -> tuple[int, Grid, NDArray[np.float32]]:
    """A tile with all the ground that may fold onto it, or hide it.

    How far that reaches depends on the heights there, so it is looked for in a few steps, on coarser heights.

    Returns:
        Its margin in pixels, grid and heights (y, x).
    """
    margin, factor = 2, max(1, round(_COARSE / grid.pixel_size))
    for _ in range(_LOOKS_AROUND):
        wide = _widened(grid, margin)
        rows, columns = (max(2, side // factor) for side in (wide.height, wide.width))
        around = heights.over(Grid.over(wide.bounds, wide.crs, rows, columns))
        reach = 2 + math.ceil(_FOLD * float(np.ptp(around)) / grid.pixel_size)
        if reach <= margin:
            break
        margin = reach
    wide = _widened(grid, margin)
    return margin, wide, heights.over(wide)


def _widened(grid: Grid, margin: int) -> Grid:
    return grid.part(Window(-margin, -margin, grid.height + 2 * margin, grid.width + 2 * margin))


def image_window(
    lines: NDArray[np.float64], pixels: NDArray[np.float64], size: tuple[int, int]
) -> Window | None:
    """The part of an image that places need, two lines and samples at least; None if all lie outside.

    Args:
        lines: (y, x) float64, NaN for none.
        pixels: (y, x) float64.
        size: Lines and samples of the image.
    """
    within = (lines >= 0) & (lines <= size[0] - 1) & (pixels >= 0) & (pixels <= size[1] - 1)
    if not within.any():
        return None
    spans = []
    for places, side in zip((lines, pixels), size, strict=True):
        inside = places[within]
        first = min(int(inside.min()), side - 2)
        spans.append((first, min(side, int(inside.max()) + 2)))
    (top, bottom), (left, right) = spans
    return Window(top, left, bottom - top, right - left)
