"""Terrain-flattened γ⁰ against sarsen's, on real orbit and simulated hills (extra `oracle`)."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.crs import CRS
from scipy.ndimage import uniform_filter

from comeo.grid import Grid
from comeo.radar.facets import Surface, surface_of
from comeo.radar.flattening import TerrainFlattening, beta_areas
from comeo.radar.lattice import Locator
from comeo.radar.orbit import Orbit, zero_doppler
from comeo.radar.timing import LIGHT, Timing
from comeo.scene import Window
from tests.comeo.radar.geometry import geolocation, orbit_and_timing
from tests.comeo.radar.products import NEEDS_PRODUCTS, products

pytest.importorskip("sarsen", reason="sarsen is not installed: pip install comeo[oracle]")
pytestmark = [NEEDS_PRODUCTS, pytest.mark.filterwarnings("ignore")]  # those of sarsen are not ours

SIDE = 150
FINER = 3
SLANT = 6.8785
"""Slant range between samples at the middle of the hills, in metres."""
MIDDLE = 12.5
Values = NDArray[np.float64]


def hills(orbit: Orbit, timing: Timing, corner: tuple[float, float], finer: int) -> Surface:
    """Hills of 40 m, with slopes of 24°, on pixels of 10 m / finer."""
    side, metres = SIDE * finer, 10 / finer
    grid = Grid(CRS.from_epsg(32633), Affine(metres, 0, corner[0], 0, -metres, corner[1]), side, side)
    along = (np.arange(side) + 0.5) * metres
    heights = 60 + 40 * np.outer(np.sin(along / 130), np.sin(along / 100))
    lines, pixels = Locator(orbit, timing, MIDDLE).coordinates(grid, heights.astype(np.float32))
    return surface_of(grid, heights.astype(np.float32), orbit, timing, lines, pixels)


def weights_of_sarsen(surface: Surface, orbit: Orbit, interval: float, azimuth: float) -> Values:
    """A_γ / A_β of each point by sarsen, in cells of even slant range."""
    import xarray as xr
    from sarsen.radiometry import compute_gamma_area, gamma_weights_bilinear

    side = len(surface.points)
    places = {"y": np.arange(side, 0.0, -1), "x": np.arange(side, dtype=float), "axis": [0, 1, 2]}

    def data(values: NDArray[np.generic], *names: str) -> xr.DataArray:
        return xr.DataArray(values, dims=names, coords={name: places[name] for name in names})

    seconds, ranges = (values.reshape(side, side) for values in passes(surface, orbit))
    epoch = np.datetime64("2021-12-23T05:11:22", "ns")
    scene = xr.Dataset(
        {
            "slant_range_time": data(ranges * 2 / LIGHT, "y", "x"),
            "azimuth_time": data(epoch + (seconds * 1e9).astype("timedelta64[ns]"), "y", "x"),
            "gamma_area": compute_gamma_area(
                data(surface.points, "y", "x", "axis").transpose("axis", "y", "x"),
                data(surface.looks(), "y", "x", "axis").transpose("axis", "y", "x"),
            ),
        }
    )
    first = scene.azimuth_time.values.min()
    weights = gamma_weights_bilinear(
        scene, ranges.min() * 2 / LIGHT, first, SLANT * 2 / LIGHT, interval, SLANT, azimuth
    )
    return np.asarray(weights.transpose("y", "x").values, np.float64)


def passes(surface: Surface, orbit: Orbit) -> tuple[Values, Values]:
    return zero_doppler(orbit, surface.points.reshape(-1, 3), MIDDLE)


def test_flattened_hills_are_those_of_sarsen() -> None:
    """To 0.1 dB in the mean, and over 5 × 5 pixels: its single cells alias by 0.4 dB, ours by 0.01."""
    root = products()["S1B_IW_GRDH_1SDV_20211223T051122"].annotation["VV"]
    orbit, timing = orbit_and_timing(root)
    lines, pixels, latitudes, longitudes, heights = geolocation(root)
    cells = beta_areas(orbit, timing, lines, pixels, (latitudes, longitudes, heights))
    to_map = Transformer.from_crs(4326, 32633, always_xy=True)
    corner = to_map.transform(longitudes[100], latitudes[100])
    surface = hills(orbit, timing, corner, 1)
    row, col = int(surface.lines.min()) - 2, int(surface.pixels.min()) - 2
    extent = (int(np.ptp(surface.lines)) + 5, int(np.ptp(surface.pixels)) + 5)
    flattening = TerrainFlattening(Window(row, col, *extent), cells)
    flattening.add(surface)
    ours = flattening.factor(surface.lines, surface.pixels)
    middle = cells.over(Window(row + extent[0] // 2, col + extent[1] // 2, 1, 1))[0, 0]
    fine = hills(orbit, timing, corner, FINER)
    # The azimuth spacing on the ground: sarsen's own divides by the annotated 10 m.
    weights = weights_of_sarsen(fine, orbit, timing.interval, float(middle) / SLANT)
    theirs = 1 / weights[FINER // 2 :: FINER, FINER // 2 :: FINER]
    inner = np.s_[15:-15, 15:-15]
    off = 10 * np.log10(uniform_filter(ours.astype(float), 5) / uniform_filter(theirs, 5))[inner]
    assert np.ptp(10 * np.log10(ours[inner])) > 5  # there is something to flatten
    assert abs(off.mean()) < 0.03
    assert off.std() < 0.1
