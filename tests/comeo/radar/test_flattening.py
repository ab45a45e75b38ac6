"""Terrain-flattened γ⁰: analytic on slopes, conserved, and the product's own γ⁰ on level ground."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS

from comeo.grid import Grid
from comeo.radar.facets import Surface, spread, surface_of
from comeo.radar.flattening import TerrainFlattening, beta_areas, seen_areas
from comeo.radar.geodesy import grid_degrees, to_ecef
from comeo.radar.orbit import Orbit, zero_doppler
from comeo.radar.timing import Timing
from comeo.scene import Window
from tests.comeo.radar import hills
from tests.comeo.radar.geometry import geolocation, orbit_and_timing
from tests.comeo.radar.products import NEEDS_PRODUCTS, products
from tests.comeo.radar.test_calibration import flat, table

CELL = hills.SLANT * hills.SPACING


def window_of(surface: Surface, margin: int = 4) -> Window:
    row, col = int(surface.lines.min()) - margin, int(surface.pixels.min()) - margin
    height = int(surface.lines.max()) + margin - row
    return Window(row, col, height, int(surface.pixels.max()) + margin - col)


def flattened(surface: Surface) -> TerrainFlattening:
    flattening = TerrainFlattening(window_of(surface), flat(CELL))
    flattening.add(surface)
    return flattening


@pytest.mark.parametrize("slope", [0.0, 0.2, 0.5])
def test_faces_of_a_pyramid_have_the_tangent_of_their_own_incidence(slope: float) -> None:
    side = 120
    surface = hills.seen(hills.pyramid(side, slope))
    factor = flattened(surface).factor(surface.lines, surface.pixels)
    theta, tilt = hills.incidence(surface), np.arctan(slope)
    middle = side // 2
    faces = {
        "towards": (np.s_[middle - 3 : middle + 4, 30:50], theta - tilt),
        "away": (np.s_[middle - 3 : middle + 4, 70:90], theta + tilt),
        "aside": (np.s_[30:50, middle - 3 : middle + 4], theta),
        "plain": (np.s_[5:12, 20:100], theta),
    }
    for name, (where, angle) in faces.items():
        off = 10 * np.log10(factor[where] / np.tan(angle[where]))
        assert np.abs(off).max() < 0.1, name
        assert abs(off.mean()) < 0.02, name


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1_000), roughness=st.sampled_from([0.0, 3.0, 30.0]))
def test_projected_area_is_conserved(seed: int, roughness: float) -> None:
    """On any ground, cliffs and folds included: what facets have is what the image's cells get."""
    heights = np.random.default_rng(seed).normal(0, roughness, (23, 31))
    surface = hills.seen(heights)
    flattening = flattened(surface)
    assert flattening.area.sum(dtype=float) == pytest.approx(seen_areas(surface).sum(dtype=float), rel=1e-5)


def test_the_area_of_level_ground_is_that_of_the_patch_seen_slantwise() -> None:
    surface = hills.seen(np.zeros((41, 61)))
    expected = 40 * 60 * 100 * np.cos(hills.incidence(surface)).mean()
    assert flattened(surface).area.sum(dtype=float) == pytest.approx(expected, rel=1e-5)


def test_surfaces_that_share_a_row_make_one() -> None:
    surface = hills.seen(hills.pyramid(301, 0.3))
    whole = flattened(surface)
    parts = TerrainFlattening(whole.window, flat(CELL))
    parts.add(surface.part(0, 117))
    parts.add(surface.part(117, 300))
    np.testing.assert_allclose(parts.area, whole.area, rtol=1e-5, atol=1e-2)


def test_ground_that_is_unknown_or_faces_away_has_no_factor() -> None:
    surface = hills.seen(np.zeros((40, 40)))
    surface.lines[10:30, 10:30] = np.nan
    whole = hills.seen(np.zeros((40, 40)))
    factor = flattened(whole).factor(surface.lines, surface.pixels)
    assert np.isnan(factor[20, 20])
    flattening = TerrainFlattening(window_of(whole), flat(CELL))
    flattening.add(surface)
    assert np.isnan(flattening.factor(whole.lines, whole.pixels)[15:25, 15:25]).all()
    steep = hills.seen(hills.pyramid(120, 1.5))  # its back falls by 56°, and the look by 51° from the plain
    assert (seen_areas(steep)[58:62, 70:90] == 0).all()


def test_a_point_falls_on_four_cells_by_their_nearness() -> None:
    image = np.zeros((3, 3), np.float32)
    places = np.array([[0.0, 0.0], [1e-9, 1e-9]]) + 0.25
    spread(places, np.array([[0.0, 1e-9], [0.0, 1e-9]]) + 1.5, np.ones((1, 1, 2), np.float32), image)
    np.testing.assert_allclose(image[:2, 1:], [[0.75, 0.75], [0.25, 0.25]], rtol=1e-5)


@NEEDS_PRODUCTS
@pytest.mark.parametrize("name", ["S1B_IW_GRDH_1SDV_20211223T051122", "S1A_EW_GRDM_1SDH_20221130T014342"])
def test_level_ground_has_the_gamma_of_the_product(name: str) -> None:
    product = products()[name]
    polarisation, root = next(iter(product.annotation.items()))
    orbit, timing = orbit_and_timing(root)
    lines, pixels, latitudes, longitudes, heights = geolocation(root)
    cells = beta_areas(orbit, timing, lines, pixels, (latitudes, longitudes, heights))
    offs = []
    for share in (0.1, 0.5, 0.9):
        near = int(np.argmin(np.hypot(lines - lines.max() / 2, pixels - share * pixels.max())))
        surface = level(orbit, timing, latitudes[near], longitudes[near])
        window = window_of(surface)
        flattening = TerrainFlattening(window, cells)
        flattening.add(surface)
        inner = np.s_[15:-15, 15:-15]
        factor = flattening.factor(surface.lines[inner], surface.pixels[inner])
        beta, gamma = (
            table(product.calibration[polarisation], quantity).over(window)
            for quantity in ("betaNought", "gamma")
        )
        offs.append(10 * np.log10(np.mean(factor)) - 20 * np.log10(np.mean(beta / gamma)))
        assert np.std(10 * np.log10(factor)) < 0.05
    assert np.abs(offs).max() < 0.1, offs


def level(orbit: Orbit, timing: Timing, latitude: float, longitude: float) -> Surface:
    """Ground at sea level around a place."""
    zone = 32601 + int((longitude + 180) // 6)
    x, y = Transformer.from_crs(4326, zone, always_xy=True).transform(longitude, latitude)
    metres = 10 if timing.spacing < 20 else 40
    grid = Grid(CRS.from_epsg(zone), Affine(metres, 0, x, 0, -metres, y), 80, 90)
    rows, columns = np.indices((80, 90)).astype(float)
    points = to_ecef(*grid_degrees(grid, rows, columns), np.zeros((80, 90)))
    seconds, ranges = zero_doppler(orbit, points.reshape(-1, 3), 12.0)
    lines = timing.line(seconds, ranges).reshape(80, 90)
    pixels = timing.pixel(seconds, ranges).reshape(80, 90)
    return surface_of(grid, np.zeros((80, 90), np.float32), orbit, timing, lines, pixels)
