"""Layover and shadow of radar: where a product's own mask has them, there is no measurement of the ground."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np

from comeo.scene import Band, Window
from comeo.sources.bandfile import open_band
from comeo.sources.container import Container
from comeo.sources.jp2 import tile_cache
from comeo.sources.raster import Plane, RasterBand

logger = logging.getLogger(__name__)

# HyP3 sets bit 1 of pixels that were looked at, and the others for layover and shadow. OPERA has 1 for
# shadow, 2 for layover, 3 for both.
_MASKS: Final = (
    (re.compile(r"_RTC\d\d_G_\w+_ls_map$", re.IGNORECASE), tuple(range(2, 32))),
    (re.compile(r"^OPERA_L2_RTC-S1_.*_mask$", re.IGNORECASE), (1, 2, 3)),
)


def without_shadow(
    container: Container, where: str, bands: Sequence[RasterBand], files: Iterable[str]
) -> tuple[list[RasterBand], dict[str, Any]]:
    """Bands whose pixels in layover or shadow count as without data, if a mask beside them says which.

    Args:
        container: Where the files lie.
        where: Name of the product.
        bands: Its bands.
        files: Names of its raster files.

    Returns:
        The bands; and STAC properties, empty where there is no mask.

    Raises:
        SourceError: If the mask cannot be read.
    """
    found = ((name, classes) for name in files for mark, classes in _MASKS
             if mark.search(PurePosixPath(name).stem))  # fmt: skip
    name, classes = next(found, ("", ()))
    if not name:
        return list(bands), {}
    mask = open_band(container.local(name), Band("mask"), tile_cache())
    if any(band.grid != mask.grid for band in bands):
        mask.close()
        logger.warning("%s: the mask %s is on another grid than the bands, and is left out", where, name)
        return list(bands), {}
    logger.info("%s: layover and shadow, by %s, count as without data", where, PurePosixPath(name).name)
    masked = [_masked(band, mask, classes) for band in bands]
    masked[0] = replace(masked[0], close=_closing(masked[0], mask))
    return masked, {"comeo:layover_shadow": "no data"}


def _masked(band: RasterBand, mask: RasterBand, classes: tuple[int, ...]) -> RasterBand:
    read = band.read

    def seen(window: Window) -> Plane:
        values, valid = read(window)
        return Plane(values, valid & ~np.isin(mask.read(window).values, classes))

    return replace(band, read=seen, has_nodata=True)


def _closing(band: RasterBand, mask: RasterBand) -> Callable[[], None]:
    """What closes a band and the mask."""

    def close() -> None:
        band.close()
        mask.close()

    return close
