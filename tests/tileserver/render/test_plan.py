"""Plans that requests become."""

from __future__ import annotations

import pytest

from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.scene import Band
from tileserver import Settings
from tileserver.render.plan import RenderRequest, resolve

FOUR = tuple(Band(name, 1e-4, -0.1, "reflectance") for name in ("B02", "B03", "B04", "B08"))
SETTINGS = Settings()


def test_bands_without_a_range_get_the_one_of_their_unit() -> None:
    look = resolve(RenderRequest(bands=("B04",)), FOUR, SETTINGS, picture=True)
    assert look.rescale is not None
    assert look.rescale[0] == pytest.approx((1000.0, 4000.0))
    look = resolve(RenderRequest(bands=("B04",), unscale=True), FOUR, SETTINGS, picture=True)
    assert look.rescale == ((0.0, 0.3),)


def test_data_are_left_alone() -> None:
    look = resolve(RenderRequest(), FOUR, SETTINGS, picture=False)
    assert (look.bands, look.rescale, look.resampling) == (("B02", "B03", "B04", "B08"), None, "nearest")
    look = resolve(RenderRequest(style="ndvi"), FOUR, SETTINGS, picture=False)
    assert (look.bands, look.rescale, look.physical) == (("B08", "B04"), None, True)


def test_a_style_means_physical_values() -> None:
    """EVI of stored numbers was 0.61 instead of 0.30, under the same name."""
    for style, picture in (("evi", False), ("ndvi", True), ("true-color", True), ("b04", True)):
        with pytest.raises(ParameterError, match="leave unscale out"):
            resolve(RenderRequest(style=style, unscale=False), FOUR, SETTINGS, picture=picture)
    for style, ranges in (("true-color", None), ("b04", ((1000.0, 4000.0),))):
        stored = RenderRequest(style=style, unscale=False, rescale=ranges)
        assert not resolve(stored, FOUR, SETTINGS, picture=ranges is not None).physical


def test_contradictions_are_refused() -> None:
    wrong: list[tuple[RenderRequest, type[Exception]]] = [
        (RenderRequest(bands=("B04",), expression="B04"), ParameterError),
        (RenderRequest(bands=("B99",)), NotFoundError),
        (RenderRequest(bands=("B04",) * 17), BoundError),
        (RenderRequest(bands=("B04", "B03")), ParameterError),
        (RenderRequest(expression="B04"), ParameterError),
        (RenderRequest(style="ndvi", color_formula="gamma RGB 2"), ParameterError),
    ]
    for request, error in wrong:
        with pytest.raises(error):
            resolve(request, FOUR, SETTINGS, picture=True)
