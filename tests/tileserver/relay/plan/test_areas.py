"""Areas of subscriptions: boxes, files, and sites of geoservices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comeo.errors import ComeoError
from tests.tileserver.watch.followed import follow, square
from tileserver.relay.plan.areas import area_of
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
