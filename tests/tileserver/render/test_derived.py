"""Numbers derived from any box on the globe agree: TileJSON, limits of tile matrix sets, regions of KML."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from comeo import globe
from comeo.grid import Bounds
from tileserver.files.pyramid import Pyramid
from tileserver.render.describe import tilejson
from tileserver.render.links import WORLD_SETS, link

ZOOM = 6
BOXES = st.builds(
    lambda west, width, south, height: globe.rolled((west, south, west + width, min(south + height, 90.0))),
    st.floats(-180, 179.9), st.floats(0.01, 170), st.floats(-90, 89.9), st.floats(0.05, 180),
)  # fmt: skip
SHARES = st.floats(0.001, 0.999)


def place_in(box: Bounds, across: float, up: float) -> tuple[float, float]:
    west, south, east, north = globe.unrolled(box)
    lon = west + across * (east - west)
    return lon - 360 if lon > 180 else lon, south + up * (north - south)


@given(BOXES, SHARES, SHARES)
def test_tilejson_holds_the_box_and_its_middle(box: Bounds, across: float, up: float) -> None:
    document = tilejson("", "", box, (3, 9), "")
    west, south, east, north = document["bounds"]
    lon, lat, zoom = document["center"]
    assert -180 <= west < east <= 180
    assert (west <= lon <= east, south <= lat <= north, 3 <= zoom <= 9) == (True, True, True)
    inside_lon, inside_lat = place_in(box, across, up)
    assert west - 1e-9 <= inside_lon <= east + 1e-9
    assert south <= inside_lat <= north
    middle = globe.intersections(box, (lon, lat - 0.001, lon + 1e-9, lat + 0.001))
    assert middle or abs(abs(lon) - 180) < 1e-6


@given(BOXES, SHARES, SHARES, st.sampled_from(WORLD_SETS))
def test_limits_hold_every_place_of_the_box(box: Bounds, across: float, up: float, name: str) -> None:
    lon, lat = place_in(box, across, up)
    made = link(name, box, ZOOM)
    if made is None:
        assert min(abs(box[1]), abs(box[3])) > 85
        return
    reach = made.tms.bbox
    assume(reach.bottom < lat < reach.top)
    tile, limits = made.tms.tile(lon, lat, ZOOM), made.limits(ZOOM)
    assert limits.min_col <= tile.x <= limits.max_col
    assert limits.min_row <= tile.y <= limits.max_row


@given(BOXES, SHARES, SHARES)
def test_pyramids_of_kml_hold_every_place_of_the_box(box: Bounds, across: float, up: float) -> None:
    pyramid = Pyramid.over(globe.pieces(box), ZOOM)
    lon, lat = place_in(box, across, up)
    nodes = pyramid.roots()
    for node in nodes:
        assert node.exists
    holding = [node for node in nodes if _holds(node.bounds, lon, lat)]
    while holding and holding[0].z < ZOOM:
        holding = [node for node in pyramid.children(holding[0]) if _holds(node.bounds, lon, lat)]
    assert holding


def _holds(bounds: Bounds, lon: float, lat: float) -> bool:
    west, south, east, north = bounds
    return west <= lon <= east and south <= lat <= north
