"""The scene classification (SCL) of a Sentinel-2 level-2A product, found beside its bands."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.missions.sentinel2 import CLASSES
from comeo.quality.lattice import Lattice, transform_places
from comeo.scene import BandGroup
from comeo.sources.container import open_container
from comeo.sources.gdal import GEOTIFF, JPEG2000, GdalFile, grid_of

logger = logging.getLogger(__name__)

_MAX_PIXELS: Final = 1 << 27


def scene_classes(source: str | Path, lattice: Lattice, finest: BandGroup) -> NDArray[np.int64] | None:
    """Classes at the points of a lattice.

    Args:
        source: Source of the scene: a folder, a zip, or a STAC Item's file beside its assets.
        lattice: The points.
        finest: The group whose grid the lattice's points are of.

    Returns:
        (rows, cols) SCL classes, −1 where a pixel has none; None where the source has no such layer that
        can be read.
    """
    path = Path(source)
    if "://" in str(source) or not path.exists():
        return None
    if path.suffix.lower() in (".json", ".geojson") or re.fullmatch(r"MTD_MSIL2A\.xml", path.name):
        path = path.parent
    if not path.is_dir() and path.suffix.lower() != ".zip":
        return None
    try:
        container = open_container(path)
        try:
            found = [name for name in container.names if CLASSES.file.search(name)]
            if not found:
                return None
            name = min(found, key=lambda name: (CLASSES.file.search(name)[1] or "20", name))  # type: ignore[index]
            return _at_points(container.local(name), lattice, finest)
        finally:
            container.close()
    except SourceError as error:
        logger.warning("the scene classification is left out: %s", error)
        return None


def _at_points(path: Path, lattice: Lattice, finest: BandGroup) -> NDArray[np.int64] | None:
    file = GdalFile(path, JPEG2000 if path.suffix.lower() == ".jp2" else GEOTIFF)
    try:
        grid = grid_of(file)
        with file.handle() as dataset:
            fits = dataset.count == 1 and dataset.dtypes[0] == "uint8" and grid.crs == finest.crs
            if not fits or grid.height * grid.width > _MAX_PIXELS:
                raise SourceError(f"{path.name} is not a layer of classes on the scene's own projection")
            classes = dataset.read(1)
    finally:
        file.close()
    rows, cols = transform_places(~grid.transform @ finest.transform, lattice.rows, lattice.cols)
    inside = np.ix_((rows >= 0) & (rows < grid.height), (cols >= 0) & (cols < grid.width))
    out = np.full((rows.size, cols.size), -1, np.int64)
    out[inside] = classes[np.ix_(rows[inside[0].ravel()], cols[inside[1].ravel()])]
    out[np.isin(out, CLASSES.unusable)] = -1
    return out
