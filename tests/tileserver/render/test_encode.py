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


def test_classes_keep_their_colours_in_webp() -> None:
    plan = resolve(RenderRequest(style="clear"), FOUR, SETTINGS, picture=True)
    classes = np.random.default_rng(0).integers(1, 6, (1, 64, 64)).astype(np.uint8)
    image = stored_image(classes, np.zeros(classes.shape, bool))
    exact, webp = (
        np.asarray(Image.open(io.BytesIO(encode(image, plan, extension))).convert("RGBA"))
        for extension in ("png", "webp")
    )
    assert np.array_equal(exact, webp)


def test_values_in_a_palette_take_fewer_bytes_and_stay_close() -> None:
    plan = resolve(RenderRequest(style="ndvi"), FOUR, SETTINGS, picture=True)
    ramp = np.linspace(1, 255, 256).astype(np.uint8)
    image = stored_image(np.broadcast_to(ramp, (1, 256, 256)).copy(), np.zeros((1, 256, 256), bool))
    exact, webp = (encode(image, plan, extension) for extension in ("png", "webp"))
    shown, wanted = (
        np.asarray(Image.open(io.BytesIO(one)).convert("RGB")).astype(int) for one in (webp, exact)
    )
    assert np.sqrt(((shown - wanted) ** 2).mean()) < 8
