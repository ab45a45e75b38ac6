"""Orbit, timing and lattice against the products' own geolocation grids and a second implementation."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import cache

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.radar.geodesy import to_ecef
from comeo.radar.lattice import Locator
from comeo.radar.orbit import fit_orbit, zero_doppler
from comeo.radar.resample import Image, resample
from comeo.scene import Window
from comeo.sources.grd.annotation import Annotation, parse_annotation
from comeo.sources.xmltree import XmlTree
from tests.comeo.radar.products import NEEDS_PRODUCTS, products
from tests.grd_generator import Geometry

_UTM33 = CRS.from_epsg(32633)
_ROME = "S1B_IW_GRDH_1SDV_20211223T051122"


@cache
def _images() -> dict[str, tuple[Annotation, ET.Element]]:
    return {
        f"{name[:32]} {polarisation}": (parse_annotation(XmlTree(ET.tostring(root), name)), root)
        for name, product in products().items()
        for polarisation, root in product.annotation.items()
    }


def _rome() -> tuple[Annotation, ET.Element]:
    return next(image for name, image in _images().items() if name.startswith(_ROME))


@NEEDS_PRODUCTS
def test_places_fall_on_the_annotated_grid() -> None:
    images = _images()
    assert len(images) == 11
    for name, (image, _) in images.items():
        orbit = image.orbit()
        timing = image.timing(orbit)
        grid = image.grid
        seconds, ranges = zero_doppler(
            orbit, to_ecef(grid.latitudes, grid.longitudes, grid.heights), image.middle
        )
        old = "20150203" in name  # IPF 2.36: its own grid is a sample off its polynomials
        assert np.abs(timing.line(seconds, ranges) - grid.lines).max() < 0.02, name
        assert np.abs(timing.pixel(seconds, ranges) - grid.pixels).max() < (1.2 if old else 0.02), name
        assert np.abs(ranges - grid.slant_ranges).max() < 0.002, name
        assert timing.offset[1] == pytest.approx(0.5, abs=0.02), name


@NEEDS_PRODUCTS
def test_the_lattice_follows_the_exact_geometry_over_mountains() -> None:
    image, root = _rome()
    orbit = image.orbit()
    locator = Locator(orbit, image.timing(orbit), image.middle)
    grid = Grid(_UTM33, Affine(10, 0, 290_000, 0, -10, 4_656_000), 400, 300)
    rng = np.random.default_rng(1)
    heights = rng.uniform(0, 4_000, (400, 300)).astype(np.float32)
    lines, pixels = locator.coordinates(grid, heights)
    reference = Geometry(root)
    to_degrees = Transformer.from_crs(32633, 4326, always_xy=True)
    for row, column in rng.integers(0, (400, 300), (40, 2)):
        place = to_degrees.transform(*(grid.transform @ (column + 0.5, row + 0.5)))
        line, pixel = reference.place(*place, float(heights[row, column]))
        assert lines[row, column] == pytest.approx(line, abs=0.005)
        assert pixels[row, column] == pytest.approx(pixel, abs=0.02)


@NEEDS_PRODUCTS
def test_a_place_without_height_has_no_place_in_the_image() -> None:
    image, _ = _rome()
    orbit = image.orbit()
    grid = Grid(_UTM33, Affine(10, 0, 290_000, 0, -10, 4_656_000), 2, 3)
    heights = np.array([[0, np.nan, 0], [0, 0, 0]], np.float32)
    lines, pixels = Locator(orbit, image.timing(orbit), image.middle).coordinates(grid, heights)
    for places in (lines, pixels):
        np.testing.assert_array_equal(np.isnan(places), np.isnan(heights))


def test_an_orbit_with_a_damaged_vector_is_refused() -> None:
    seconds = np.arange(17) * 10.0
    angles = seconds * 1e-3
    positions = np.array([7e6 * np.cos(angles), 7e6 * np.sin(angles), 0 * angles]).T.astype(np.float64)
    fit_orbit(seconds, positions, "it")
    positions[8, 1] += 100
    with pytest.raises(SourceError, match="off a smooth orbit"):
        fit_orbit(seconds, positions, "it")
    with pytest.raises(SourceError, match="four vectors"):
        fit_orbit(seconds[:3], positions[:3], "it")


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 9))
def test_power_between_samples_is_bilinear(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    slopes = rng.uniform(-1, 1, 3)
    rows, columns = np.mgrid[:height, :width]
    values = (slopes[0] + slopes[1] * rows + slopes[2] * columns).astype(np.float32)
    image = Image(Window(30, 70, height, width), values, np.zeros_like(values), np.ones(values.shape, bool))
    lines = 30 + rng.uniform(-1, height, (5, 7))
    pixels = 70 + rng.uniform(-1, width, (5, 7))
    power, _ = resample(image, lines, pixels)
    down, right = lines - 30, pixels - 70
    inside = (down >= 0) & (down <= height - 1) & (right >= 0) & (right <= width - 1)
    np.testing.assert_array_equal(np.isfinite(power), inside)
    expected = slopes[0] + slopes[1] * down + slopes[2] * right
    np.testing.assert_allclose(power[inside], expected[inside], atol=1e-4)


def test_one_sample_without_data_takes_the_places_around_it() -> None:
    valid = np.ones((4, 4), bool)
    valid[1, 1] = False
    values = np.ones((4, 4), np.float32)
    image = Image(Window(0, 0, 4, 4), values, values, valid)
    lines, pixels = np.array([[0.5, 1.5, 2.5]]), np.array([[0.5, 1.5, 2.5]])
    power, _ = resample(image, lines, pixels)
    np.testing.assert_array_equal(power, [[np.nan, np.nan, 1]])
