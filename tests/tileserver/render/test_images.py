"""Finished images."""

from __future__ import annotations

import numpy as np
import rasterio
from rasterio.io import MemoryFile

from tests.tileserver.render.pictures import FOUR, SETTINGS, stored_image
from tileserver.render.images import finish
from tileserver.render.plan import RenderRequest, resolve


def test_a_geotiff_says_what_is_in_it() -> None:
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    mask = np.zeros(values.shape, bool)
    mask[:, 0, 0] = True
    look = resolve(RenderRequest(bands=("B04", "B08")), FOUR, SETTINGS, picture=False)
    for nodata in (0, None):
        image = stored_image(values, mask)
        image.nodata, image.band_names = nodata, ["B04", "B08"]
        blob = finish(image, look, "tif", {"COMEO_ID": "scene"})
        with rasterio.Env(), MemoryFile(blob).open() as dataset:
            assert dataset.nodata == nodata
            assert dataset.descriptions == ("B04", "B08")
            assert dataset.tags()["COMEO_ID"] == "scene"
            np.testing.assert_array_equal(dataset.read_masks(1) > 0, ~mask[0])
            np.testing.assert_array_equal(dataset.read()[~mask], values[~mask])
