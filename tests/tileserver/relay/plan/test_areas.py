"""Areas of subscriptions: boxes, files, and sites of geoservices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.affinity import translate
from shapely.geometry import Point, box

from comeo.errors import ComeoError
from comeo.globe import cut, rolled
from tests.tileserver.watch.followed import follow, square
from tileserver.catalog.footprints import box_of
from tileserver.relay.plan.areas import area_of, cells_of, parts_shown
from tileserver.relay.plan.definition import Subscription
from tileserver.relay.plan.sites import sites_in
from tileserver.store.database import Database


def wanted(area: object) -> Subscription:
    return Subscription.model_validate({"name": "here", "area": area})


def test_sites_of_a_geoservice_are_an_area(sqlite_database: Database) -> None:
    sites = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"name": f"Site {number}"}, "geometry": square(10 + number)}
        for number in range(2)
    ]}  # fmt: skip
    follow(sqlite_database, sites=sites, slug="forest")
    find = sites_in(str(sqlite_database.path))
    found = area_of(wanted("sites:forest"), Path(), find)
    assert found is not None
    assert len(getattr(found, "geoms", [found])) == 2
    with pytest.raises(ComeoError, match="there is no such geoservice"):
        find("desert")


def test_without_a_database_there_are_no_sites() -> None:
    with pytest.raises(ComeoError, match="needs the database of geoservices; name it with --database"):
        area_of(wanted("sites:forest"), Path())


def test_a_file_is_an_area(tmp_path: Path) -> None:
    terms = wanted("a.geojson")
    with pytest.raises(ComeoError, match="cannot be read: No such file"):
        area_of(terms, tmp_path)
    path = tmp_path / "a.geojson"
    feature = {"type": "Feature", "properties": {}, "geometry": square(10)}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature, feature]}))
    found = area_of(terms, tmp_path)
    assert found is not None
    assert found.area > 0
    wrong = {
        "{": "is not GeoJSON",
        '{"type": "FeatureCollection", "features": []}': "has no features",
        '{"type": "Nothing"}': r"a\.geojson: ",
    }
    for text, said in wrong.items():
        path.write_text(text)
        with pytest.raises(ComeoError, match=said):
            area_of(terms, tmp_path)


def test_a_box_may_pass_the_antimeridian(tmp_path: Path) -> None:
    found = area_of(wanted([179, 0, -179, 1]), tmp_path)
    assert found is not None
    assert found.area == pytest.approx(2)


def test_a_country_is_an_area() -> None:
    """By the borders that `make install` makes."""
    found = area_of(wanted("country:SN, gmb"), Path())
    assert found is not None
    assert found.covers(Point(-15.0, 13.45))  # in the Gambia
    assert found.covers(Point(-14.8, 14.7))
    assert not found.intersects(Point(-15.6, 11.9))  # Bissau
    with pytest.raises(ComeoError, match=r"UK is no country's code .* GB \(United Kingdom\)"):
        area_of(wanted("country:SN,UK"), Path())


def test_a_cell_on_the_antimeridian_is_on_both_sides() -> None:
    scene = (179.45, -17.0, -179.55, -16.0)  # 180 is within the ninth column
    for side in (box(179.96, -17, 180, -16), box(-180, -17, -179.99, -16)):
        assert cells_of(scene, side)[:, 8].all()


hundredths = st.integers(-150, 150).map(lambda value: value / 100)
places = st.tuples(hundredths, hundredths)


@given(st.lists(places, min_size=3, max_size=12), st.sampled_from([20.0, 180.0, -179.7]))
def test_all_that_a_scene_shows_of_an_area_is_in_its_parts(
    points: list[tuple[float, float]], lon: float
) -> None:
    """Also across the antimeridian."""
    area = cut(translate(shapely.make_valid(shapely.Polygon(points)), lon))
    west, south, east, north = rolled((lon - 0.5, -0.5, lon + 0.5, 0.5))
    scene = (west, south, east, north)
    shown = shapely.union_all([box(*part.bounds) for part in parts_shown(area, scene)])
    lost = area.intersection(box_of(scene)).difference(shown.buffer(1e-9))
    assert lost.area == pytest.approx(0, abs=1e-12)


def test_boxes_around_a_country_leave_its_neighbour_out() -> None:
    """A border from corner to corner: what lies more than a row of cells beyond it is in no box."""
    country = shapely.Polygon([(0, 0), (10, 0), (10, 10)])
    boxes = shapely.union_all([box(*part.bounds) for part in parts_shown(country, (4.5, 4.5, 5.5, 5.5))])
    assert boxes.area == pytest.approx(0.5 + 1 / 32)
    site = box(5.1, 4.9, 5.2, 5.0)
    assert [*parts_shown(site, (4.5, 4.5, 5.5, 5.5))] == [site]
    assert [*parts_shown(country, (4.0, 8.0, 5.0, 9.0))] == []
