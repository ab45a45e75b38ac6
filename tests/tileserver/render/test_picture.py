"""From values to colours."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from rio_tiler.models import ImageData

from comeo.view.pixels import observe
from tests.tileserver.render.pictures import FOUR, SETTINGS, stored_image
from tileserver.render.encode import encode
from tileserver.render.picture import colour
from tileserver.render.plan import RenderRequest, palette, resolve


def test_nothing_is_coloured_that_is_not_valid() -> None:
    image = stored_image(np.array([[[1000, 2000, 4000]]], np.uint16), [[[True, False, False]]])
    look = resolve(RenderRequest(bands=("B04",)), FOUR, SETTINGS, picture=True)
    shown = colour(observe(image, look), look)
    np.testing.assert_array_equal(shown.data[0], [[0, 85, 255]])
    np.testing.assert_array_equal(np.ma.getmaskarray(shown.array)[0], [[True, False, False]])


def test_a_colour_map_spans_the_range() -> None:
    values = np.array([[[-0.2, 0.35, 0.9, 5.0]]], np.float32)
    image = ImageData(np.ma.MaskedArray(values, mask=False), band_names=["x"])
    look = resolve(RenderRequest(style="ndvi"), FOUR, SETTINGS, picture=True)
    picture = Image.open(io.BytesIO(encode(colour(image, look), look, "png"))).convert("RGB")
    colours = palette("ylgn")
    found = [picture.getpixel((column, 0)) for column in range(4)]
    assert found[0] == tuple(colours[0, :3])
    assert found[2] == found[3] == tuple(colours[255, :3])
    assert np.abs(np.array(found[1]) - colours[127, :3].astype(int)).max() <= 4
