"""Styles that bands can give."""

from __future__ import annotations

import pytest

from comeo.errors import ParameterError
from comeo.scene import Band
from tileserver.render.styles import find_style, styles_for

FOUR = tuple(Band(name, 1e-4, -0.1, "reflectance") for name in ("B02", "B03", "B04", "B08"))
TEN = (*FOUR, *(Band(name, 1e-4, 0.0, "reflectance") for name in ("B05", "B8A", "B11", "B12")))
RADAR = (Band("VV", unit="dB"), Band("VH", unit="dB"))


def test_styles_are_those_that_the_bands_can_give() -> None:
    assert [name for name in styles_for(FOUR) if not name.startswith("b0")] == [
        "true-color", "false-color", "ndvi", "ndwi"
    ]  # fmt: skip
    assert {"moisture", "burn", "short-wave-infrared", "b8a"} <= set(styles_for(TEN))
    assert list(styles_for(RADAR)) == ["radar", "vv", "vh"]
    assert styles_for([Band("B04"), Band("B03"), Band("B02")]) == {}


def test_a_style_that_bands_cannot_give_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match=r"moisture needs .*B11"):
        find_style("moisture", FOUR)
    with pytest.raises(ParameterError, match="there is no style sepia"):
        find_style("sepia", FOUR)


def test_moisture_takes_the_bands_that_there_are() -> None:
    assert find_style("moisture", TEN).expression == "(B8A-B11)/(B8A+B11)"
    without = [band for band in TEN if band.name != "B8A"]
    assert find_style("moisture", without).expression == "(B08-B11)/(B08+B11)"
