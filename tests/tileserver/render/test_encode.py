"""Pictures as bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from comeo.view.pixels import observe
from tests.tileserver.render.pictures import FOUR, SETTINGS, stored_image
from tileserver.render.encode import PICTURES, encode
from tileserver.render.picture import colour
from tileserver.render.plan import RenderRequest, resolve


@pytest.mark.parametrize("extension", sorted(PICTURES))
@pytest.mark.parametrize("bands", [("B04",), ("B04", "B03", "B02")])
@pytest.mark.parametrize("masked", [False, True])
def test_pictures_show_what_they_are_of(extension: str, bands: tuple[str, ...], masked: bool) -> None:
    ramp = np.linspace(1000, 4000, 64).astype(np.uint16)
    values = np.broadcast_to(ramp, (len(bands), 64, 64)).copy()
    mask = np.zeros(values.shape, bool)
    mask[:, :32, :32] = masked
    look = resolve(RenderRequest(bands=bands), FOUR, SETTINGS, picture=True)
    blob = encode(colour(observe(stored_image(values, mask), look), look), look, extension)
    shown = np.asarray(Image.open(io.BytesIO(blob)).convert("RGBA")).astype(int)
    expected = np.clip((ramp - 1000.0) / 3000 * 255, 0, 255)
    tolerance = 1 if extension == "png" else 12
    assert np.abs(shown[40, :, 0] - expected).max() <= tolerance
    hidden = shown[8, 8]
    if masked and extension == "jpg":
        assert hidden[:3].min() > 230
    else:
        assert hidden[3] == (0 if masked else 255)
