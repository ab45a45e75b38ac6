"""A part of a scene says of its ground what the whole does."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.warp import transform_bounds

from comeo.errors import NotFoundError
from comeo.grid import WGS84
from comeo.scene import Scene, Window
from comeo.sources.window import PADDING, window_of
from tests.scenes import UTM32, array_classes, array_group, array_scene, landscape, patchy

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
SIDE = 240


@pytest.fixture(scope="module")
def scene() -> Scene:
    coarse = FINE @ Affine.scale(2)
    return array_scene(
        array_group(landscape(4, SIDE, SIDE), transform=FINE),
        array_group(landscape(2, SIDE // 2, SIDE // 2, 1), names=["B8A", "B11"], transform=coarse),
        classes=array_classes(patchy(SIDE // 2, SIDE // 2)),
    )


@settings(max_examples=30, deadline=None)
@given(
    left=st.floats(0.02, 0.9),
    top=st.floats(0.02, 0.9),
    width=st.floats(0.005, 0.5),
    height=st.floats(0.005, 0.5),
)
def test_a_window_has_the_pixels_of_the_whole(
    scene: Scene, left: float, top: float, width: float, height: float
) -> None:
    right, bottom = min(0.98, left + width), min(0.98, top + height)
    (x0, y0), (x1, y1) = FINE @ (left * SIDE, bottom * SIDE), FINE @ (right * SIDE, top * SIDE)
    bounds = transform_bounds(UTM32, WGS84, x0, y0, x1, y1)
    part = window_of(scene, bounds)
    corners = set()
    for own, whole in zip(part.groups, scene.groups, strict=True):
        col, row = (round(each) for each in ~whole.transform @ (own.transform.c, own.transform.f))
        assert 0 <= row <= whole.height - own.height
        assert 0 <= col <= whole.width - own.width
        inside = own.read(Window(0, 0, own.height, own.width))
        there = whole.read(Window(row, col, own.height, own.width))
        np.testing.assert_array_equal(inside.values, there.values)
        corners.add((own.transform.c, own.transform.f, *(own.transform @ (own.width, own.height))))
        ground = own.transform @ (0, 0), own.transform @ (own.width, own.height)
        assert ground[0][0] <= x0
        assert ground[1][0] >= x1
        assert ground[0][1] >= y1
        assert ground[1][1] <= y0
    assert len(corners) == 1, "all groups cover the same ground"
    assert part.classes is not None
    raster = part.classes.open()
    assert (raster.height, raster.width) == (part.groups[1].height, part.groups[1].width)
    coarse = scene.groups[1]
    col, row = (round(each) for each in ~coarse.transform @ (raster.transform.c, raster.transform.f))
    assert scene.classes is not None
    expected = scene.classes.open().read(Window(row, col, raster.height, raster.width))
    np.testing.assert_array_equal(raster.read(Window(0, 0, raster.height, raster.width)), expected)


def test_little_more_than_the_place_is_read(scene: Scene) -> None:
    x, y = FINE @ (120, 120)
    bounds = transform_bounds(UTM32, WGS84, x, y - 20, x + 20, y)
    part = window_of(scene, bounds)
    assert part.groups[1].width <= 2 * PADDING + 3


def test_a_place_outside_is_refused(scene: Scene) -> None:
    with pytest.raises(NotFoundError, match="outside the scene"):
        window_of(scene, (20.0, 10.0, 20.1, 10.1))
