"""Which pixels of a scene are clear, as its archive keeps it: classes on a grid of about 60 m.

At 60 m the layer takes a fifth of its bytes at 20 m, and a mask at 10 m was never better than that: clouds
have soft edges, and classifications are noisy at their own resolution.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from typing import Final

import numpy as np

from comeo.archive import Archive
from comeo.archive.clear import ClearLayer
from comeo.archive.clear_model import ClearFacts
from comeo.compression.cloudless import from_bands
from comeo.compression.coarse import coarse_grid, worst
from comeo.errors import ArchiveError, SourceError
from comeo.grid import Grid
from comeo.missions.clear import (
    CLASSES,
    Classes,
    clear_percentage,
    cloud_percentage,
    counts_of,
    shares_of,
)
from comeo.scene import ClassRaster, Scene, Window

SCL: Final = "scl"
S2CLOUDLESS: Final = "s2cloudless"
NONE: Final = "none"
METHODS: Final = (SCL, S2CLOUDLESS, NONE)
_STRIP_PIXELS: Final = 1 << 23
_CLOUD_COVER: Final = "eo:cloud_cover"
CLEAR_PROPERTY: Final = "comeo:clear_percentage"


def check_method(method: str | None) -> None:
    """Refuse a way of knowing which pixels are clear that there is not.

    Raises:
        SourceError: Saying which ways there are.
    """
    if method not in (None, *METHODS):
        raise SourceError(f"clear is one of {', '.join(METHODS)}, not {str(method)[:40]!r}")


def clear_layer(scene: Scene, method: str | None = None) -> ClearLayer | None:
    """Find out which pixels of a scene are clear.

    Args:
        scene: The scene.
        method: `scl`, the classes that the product carries; `s2cloudless`, from the bands of a level-1C
            scene; `none`. By default `scl` where the product carries classes, else `none`.

    Returns:
        None where there is no layer.

    Raises:
        SourceError: If the product carries no classes, they cannot be read, or bands are missing.
    """
    check_method(method)
    if method is None:
        method = NONE if scene.classes is None else SCL
    if method == SCL:
        return _from_product(scene)
    if method == S2CLOUDLESS:
        return from_bands(scene)
    return None


def with_shares(scene: Scene, layer: ClearLayer | None) -> Scene:
    """The scene with the STAC Item properties that its classes give; what its product states stays."""
    shares = None if layer is None else shares_of(counts_of(layer.classes))
    if shares is None:
        return scene
    found: dict[str, float] = {}
    if _CLOUD_COVER not in scene.properties:
        if layer and layer.facts.source != S2CLOUDLESS and scene.classes is not None:
            with closing(scene.classes.open()) as raster:  # at its own resolution, where worst never wins
                found.update(raster.properties())
        else:
            found[_CLOUD_COVER] = cloud_percentage(shares)
    found[CLEAR_PROPERTY] = clear_percentage(shares)
    return replace(scene, properties={**found, **scene.properties, CLEAR_PROPERTY: found[CLEAR_PROPERTY]})


def check_written(archive: Archive, layer: ClearLayer | None) -> None:
    """Compare the classes that have been read back with those that were written.

    Raises:
        ArchiveError: If they differ.
    """
    found = archive.clear
    if found is None or layer is None:
        same = found is None and layer is None
    else:
        same = found.grid == layer.grid and np.array_equal(found.read(), layer.classes)
    if not same:
        raise ArchiveError(f"{archive.name}: its classes are not those that were written")


def _from_product(scene: Scene) -> ClearLayer:
    if scene.classes is None:
        raise SourceError(
            f"{scene.source_name or scene.id} carries no scene classification (SCL); give --clear none, or "
            "--clear s2cloudless for a level-1C product with all its bands"
        )
    facts = ClearFacts(source=scene.classes.name, classes=tuple(each.name for each in CLASSES))
    try:
        with closing(scene.classes.open()) as raster:
            own = Grid(raster.crs, raster.transform, raster.height, raster.width)
            _check_cover(scene, own)
            grid, factor = coarse_grid(own)
            return ClearLayer(_reduced(raster, grid, factor), grid, facts)
    except SourceError as error:
        raise SourceError(f"{error}; give the product its own, or go without by --clear none") from error


def _reduced(raster: ClassRaster, grid: Grid, factor: int) -> Classes:
    """The worst classes on a coarser grid, read strip by strip."""
    rows = max(1, _STRIP_PIXELS // (raster.width * factor))
    strips = []
    for top in range(0, grid.height, rows):
        height = min(rows * factor, raster.height - top * factor)
        strips.append(worst(raster.read(Window(top * factor, 0, height, raster.width)), factor))
    return np.concatenate(strips)


def _check_cover(scene: Scene, own: Grid) -> None:
    """Refuse classes that lie elsewhere than the scene: a pixel without one would count as without data.

    Raises:
        SourceError: If they do not cover the finest bands to within one of their pixels.
    """
    finest = scene.groups[0]
    if own.crs != finest.crs:
        raise SourceError(f"the scene classification of {scene.id} has another projection")
    left, bottom, right, top = own.bounds
    west, south, east, north = Grid(finest.crs, finest.transform, finest.height, finest.width).bounds
    across, up = (math.hypot(own.transform.a, own.transform.d), math.hypot(own.transform.b, own.transform.e))
    if left > west + across or right < east - across or bottom > south + up or top < north - up:
        raise SourceError(f"the scene classification of {scene.id} does not cover its bands")
