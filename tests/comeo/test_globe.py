"""Boxes and rings on the globe: unions, intersections, middles and outlines agree with each other."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from comeo import globe
from comeo.errors import ParameterError
from comeo.grid import Bounds

EPS = 1e-9
TURNS = (-360, 0, 360)
SPANS = st.lists(
    st.tuples(st.floats(-180, 179.99), st.floats(0, 200)).map(lambda span: (span[0], span[0] + span[1])),
    min_size=1, max_size=8,
)  # fmt: skip
BOXES = st.builds(
    lambda west, width, south, height: globe.rolled((west, south, west + width, min(south + height, 90.0))),
    st.floats(-180, 179.9), st.floats(0.1, 340), st.floats(-90, 89), st.floats(0.1, 180),
)  # fmt: skip


def contains(box: Bounds, lon: float, lat: float) -> bool:
    west, south, east, north = globe.unrolled(box)
    around = any(west - EPS <= lon + turn <= east + EPS for turn in TURNS)
    return around and south - EPS <= lat <= north + EPS


@given(SPANS)
def test_a_union_is_the_shortest_span_around_all(spans: list[tuple[float, float]]) -> None:
    west, east = globe.union(spans)
    _, _, east, _ = globe.unrolled((west, 0, east, 0))
    for low, high in spans:
        inside = any(west - EPS <= low + turn and high + turn <= east + EPS for turn in TURNS)
        assert inside or (west, east) == (-180, 180)
    frames = [(low % 360, high - low) for low, high in spans]
    shortest = min(
        max((low - first) % 360 + width for low, width in frames) for first, _ in frames
    )  # one of the spans begins it
    assert east - west == pytest.approx(min(shortest, 360), abs=1e-6)


@pytest.mark.parametrize(
    ("spans", "union"),
    [
        ([(179.9, 180.1), (-179.9, -179.5)], (179.9, -179.5)),
        ([(170.0, 180.0), (-180.0, -170.0)], (170.0, -170.0)),
        ([(-90.0, -80.0), (80.0, 90.0)], (-90.0, 90.0)),  # both gaps are 160 and more: none crosses
        ([(-90.0, -80.0), (90.0, 100.0)], (-90.0, 100.0)),  # equal gaps: the antimeridian is not crossed
        ([(-180.0, 180.0)], (-180.0, 180.0)),
        ([(0.0, 200.0), (190.0, 360.0)], (-180.0, 180.0)),
        ([(8.0, 9.0)], (8.0, 9.0)),
    ],
)
def test_unions(spans: list[tuple[float, float]], union: tuple[float, float]) -> None:
    assert globe.union(spans) == pytest.approx(union)


@given(BOXES, BOXES, st.floats(-180, 180), st.floats(-90, 90))
def test_intersections_hold_what_both_boxes_hold(one: Bounds, other: Bounds, lon: float, lat: float) -> None:
    shared = globe.intersections(one, other)
    assert len(shared) <= 2
    for box in shared:
        assert contains(one, *globe.centre(box))
        assert contains(other, *globe.centre(box))
        assert contains(box, *globe.centre(box))
    inside = [
        west + 1e-6 < lon + turn < east - 1e-6 and south + 1e-6 < lat < north - 1e-6
        for west, south, east, north in map(globe.unrolled, (one, other))
        for turn in TURNS
    ]
    if any(inside[:3]) and any(inside[3:]):
        assert any(contains(box, lon, lat) for box in shared)


@given(BOXES)
def test_boxes_come_back_from_every_frame(box: Bounds) -> None:
    west, south, east, north = globe.unrolled(box)
    assert globe.rolled((west + 360, south, east + 360, north)) == pytest.approx(box, abs=1e-9)
    assert sum(part[2] - part[0] for part in globe.pieces(box)) == pytest.approx(east - west)
    lon, lat = globe.centre(box)
    assert -180 <= lon <= 180
    assert contains(box, lon, lat)
    assert globe.union_of_boxes(globe.pieces(box)) == pytest.approx(box)
    near = globe.near(box, 175.0)
    assert abs((near[0] + near[2]) / 2 - 175) <= 180 + EPS


@given(st.floats(-180, 180), st.floats(-89, 89), st.floats(0.05, 60))
def test_outlines_of_caps_are_on_the_globe(lon: float, lat: float, radius: float) -> None:
    """Rings around any place, those across the antimeridian and around a pole included."""
    azimuths = np.linspace(0, 2 * np.pi, 361)[:-1][::-1]
    lons, lats = _circle(lon, lat, radius, azimuths)
    geometry, box = globe.outline(lons, lats)
    polygon = shape(geometry)
    west, south, east, north = polygon.bounds
    assert polygon.is_valid
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    assert all(part.exterior.is_ccw for part in shapely.get_parts(polygon))
    pole = abs(lat) + radius > 90
    assert (box[:1] + box[2:3] == (-180, 180)) == pole or 90 - abs(lat) - radius == pytest.approx(0, abs=1e-3)
    assert contains(box, lon, lat)
    if radius < 90 - abs(lat) or pole:
        point = shapely.Point(lon, lat)
        assert polygon.distance(point) < 1e-6 or polygon.distance(shapely.Point(-lon, lat)) < 1e-6


def _circle(
    lon: float, lat: float, radius: float, azimuths: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Points at a distance in degrees from a place on a sphere."""
    phi, distance = np.radians(lat), np.radians(radius)
    sine = np.sin(phi) * np.cos(distance) + np.cos(phi) * np.sin(distance) * np.cos(azimuths)
    around = np.arctan2(
        np.sin(azimuths) * np.sin(distance) * np.cos(phi), np.cos(distance) - np.sin(phi) * sine
    )
    lons = (lon + np.degrees(around) + 180) % 360 - 180
    return lons, np.degrees(np.arcsin(np.clip(sine, -1, 1)))


def test_a_ring_through_a_pole_has_no_longitude_there() -> None:
    """A quarter of a polar grid whose corner is the pole: PROJ gives the pole any longitude."""
    lons = np.array([-45.0, 0.0, 45.0, 123.4])
    lats = np.array([80.0, 75.0, 80.0, 90.0])
    geometry, box = globe.outline(lons, lats)
    assert box == pytest.approx((-45, 75, 45, 90))
    assert shape(geometry).bounds == pytest.approx((-45, 75, 45, 90))


@pytest.mark.parametrize(
    "box",
    [
        (8, 47, 8, 48), (8, 48, 9, 47), (9, 47, 8, 48), (float("nan"), 0, 1, 1), (0, 0, float("inf"), 1),
        (-721, 0, 1, 1), (0, -91, 1, 1), (0, -91, 361, 91), (0, 0, 1, 91),
    ],
)  # fmt: skip
def test_areas_that_are_none_are_refused(box: Bounds) -> None:
    with pytest.raises(ParameterError):
        globe.checked(box)


@pytest.mark.parametrize(
    ("box", "within"),
    [
        ((179, -17, 181, -16), (179, -17, -179, -16)), ((-181, 0, 1, 1), (179, 0, 1, 1)),
        ((190, 0, 200, 1), (-170, 0, -160, 1)), ((-400, -90, 400, 90), (-180, -90, 180, 90)),
    ],
)  # fmt: skip
def test_longitudes_beyond_180_are_brought_within(box: Bounds, within: Bounds) -> None:
    assert globe.checked(box) == within


@pytest.mark.parametrize("box", [(179, -17, -179, -16), (-180, -90, 180, 90), (100, 0, -100, 1)])
def test_areas_across_the_antimeridian_are_areas(box: Bounds) -> None:
    assert globe.checked(box) == box


@pytest.mark.parametrize("side", [1e-3, 5e-7, 1e-8])
def test_a_small_outline_is_not_rounded_away(side: float) -> None:
    ring = np.array([[8, 47], [8 + side, 47], [8 + side, 47 + side], [8, 47 + side]])
    found, box = globe.outline(ring[:, 0], ring[:, 1])
    assert shape(found).is_valid
    assert shape(found).bounds == pytest.approx(box, rel=0, abs=side / 500)
    assert box == (8, 47, 8 + side, 47 + side)
