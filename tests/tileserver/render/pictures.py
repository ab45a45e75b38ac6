"""Small images that tests of pictures share."""

from __future__ import annotations

from typing import Any

import numpy as np
from rasterio.crs import CRS
from rio_tiler.models import ImageData

from comeo.scene import Band
from tileserver import Settings

FOUR = tuple(Band(name, 1e-4, -0.1, "reflectance") for name in ("B02", "B03", "B04", "B08"))
SETTINGS = Settings()


def stored_image(values: Any, mask: Any) -> ImageData:
    """Bands B04, B03, B02 as stored."""
    count = len(values)
    return ImageData(
        np.ma.MaskedArray(values, mask=mask), bounds=(0, 0, 10, 10), crs=CRS.from_epsg(32632),
        band_names=["B04", "B03", "B02"][:count], scales=[1e-4] * count, offsets=[-0.1] * count,
    )  # fmt: skip
