"""Labels of a scene's pixels: the scene classification that its product carries."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.quality.lattice import Lattice, transform_places
from comeo.scene import ClassRaster, Scene, Window

logger = logging.getLogger(__name__)

_STRIP_PIXELS: Final = 1 << 22


def scene_labels(scene: Scene, lattice: Lattice) -> NDArray[np.int64] | None:
    """Labels at the points of a lattice.

    Args:
        scene: The scene.
        lattice: The points, of the scene's finest grid.

    Returns:
        (rows, cols) numbers of the product's own classes, −1 where a pixel has none; None where the product
        carries no classes, or none that can be read.
    """
    if scene.classes is None:
        return None
    finest = scene.groups[0]
    try:
        with closing(scene.classes.open()) as raster:
            if raster.crs != finest.crs:
                raise SourceError(f"the {scene.classes.name} of {scene.id} has another projection")
            return _at_points(raster, ~raster.transform @ finest.transform, lattice)
    except SourceError as error:
        logger.warning("the scene classification is left out: %s", error)
        return None


def _at_points(raster: ClassRaster, to_raster: Affine, lattice: Lattice) -> NDArray[np.int64]:
    rows, cols = transform_places(to_raster, lattice.rows, lattice.cols)
    out = np.full((rows.size, cols.size), -1, np.int64)
    across = np.flatnonzero((cols >= 0) & (cols < raster.width))
    step = max(1, _STRIP_PIXELS // raster.width)
    for top in range(0, raster.height, step):
        strip = Window(top, 0, min(step, raster.height - top), raster.width)
        down = np.flatnonzero((rows >= top) & (rows < top + strip.height))
        if down.size:
            out[np.ix_(down, across)] = raster.labels(strip)[np.ix_(rows[down] - top, cols[across])]
    return out
