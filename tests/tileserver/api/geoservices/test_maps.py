"""Short addresses of maps: who may follow them, where they lead, and what a document says of maps."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from comeo.compression import compress
from tests.tileserver.conftest import optical_scene
from tests.tileserver.people import DEFINITION, Caller, House, house
from tileserver.accounts.rights import PUBLIC, ROLES
from tileserver.store.geoservices import change_geoservice, find_geoservice
from tileserver.store.maps import MadeMap, keep_map
from tileserver.store.tables import gs_indicator

COLLECTION = "geoservice-fields"
MAP = "/geoservices/fields/map/2021-05"
TILE = "tiles/WebMercatorQuad/12/2150/1440.png"
MAPPED = {**DEFINITION, "maps": {"layers": ["first-below"]}}


@pytest.fixture(scope="module")
def place(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Caller]]:
    """A public geoservice with a map; its pixels do not matter here."""
    folder = Path(shutil.copytree(archives, tmp_path_factory.mktemp("maps") / "archives"))
    scene = optical_scene("ndvi-2021-05", 3)
    made = folder / "geoservices" / "fields" / "ndvi-2021-05.zarr.zip"
    object.__setattr__(scene, "collection", COLLECTION)
    compress(scene, made, step=200.0)
    found = house(folder, tmp_path_factory.mktemp("rights"))
    owner = found.enter("owner@example.org")
    assert owner.send("POST", "/geoservices", MAPPED).status_code == 201
    with found.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        change_geoservice(connection, one.id, {"visibility": "public"})
        number = connection.execute(select(gs_indicator.c.id)).scalar_one()
        for label, item in (("2021-05", "ndvi-2021-05"), ("2021-06", "ndvi-2021-06"), ("2021-07", "")):
            keep_map(connection, MadeMap(number, label, "0" * 64, item, datetime(2021, 8, 1, tzinfo=UTC)))
    yield found, owner
    found.database.close()


def set_visibility(made: House, visibility: str) -> None:
    with made.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        change_geoservice(connection, one.id, {"visibility": visibility})


@pytest.mark.parametrize("rest", ["tilejson.json", TILE, "extract.tif"])
def test_a_short_address_leads_to_the_scene_with_its_parameters(
    place: tuple[House, Caller], rest: str
) -> None:
    anybody = place[0].nobody()
    answer = anybody.get(f"{MAP}/{rest}?indicator=ndvi&style=true-color&lang=fr")
    assert answer.status_code == 307
    scene = f"http://localhost/collections/{COLLECTION}/items/ndvi-2021-05/"
    assert answer.location.startswith(scene)
    assert answer.location.endswith("?style=true-color&lang=fr")
    if rest != "extract.tif":
        assert answer.location.startswith(scene + rest)
    with anybody.get(answer.location.removeprefix("http://localhost")) as followed:
        assert followed.status_code == 200


@pytest.mark.parametrize("visibility", ["private", "link", "public"])
def test_who_may_follow_them(place: tuple[House, Caller], visibility: str) -> None:
    made, owner = place
    set_visibility(made, visibility)
    routes = [route for method, route in ROLES if "<period>" in route]
    assert len(routes) == 3
    assert all(ROLES["GET", route] is PUBLIC for route in routes)
    try:
        for rest in ("tilejson.json", TILE, "extract.tif"):
            assert owner.get(f"{MAP}/{rest}").status_code == 307
            expected = 307 if visibility == "public" else 404
            assert made.nobody().get(f"{MAP}/{rest}").status_code == expected
    finally:
        set_visibility(made, "public")


@pytest.mark.parametrize(
    "path",
    ["map/2021-06/tilejson.json", "map/2021-07/tilejson.json", "map/1999-01/extract.tif",
     "map/2021-05/tilejson.json?indicator=ndwi"],
)  # fmt: skip
def test_a_map_that_is_not_there(place: tuple[House, Caller], path: str) -> None:
    answer = place[0].nobody().get(f"/geoservices/fields/{path}")
    assert answer.status_code == 404
    assert "fields has no map" in answer.get_json()["detail"]


@pytest.mark.parametrize("period", ["2021-13", "2021", "2021-5", "x"])
def test_what_is_no_period(place: tuple[House, Caller], period: str) -> None:
    assert place[0].nobody().get(f"/geoservices/fields/map/{period}/extract.tif").status_code == 422


def test_the_list_has_what_can_be_opened(place: tuple[House, Caller]) -> None:
    listed = place[0].nobody().get("/geoservices/fields/maps").get_json()
    assert listed["collection"] == COLLECTION
    (row,) = listed["maps"]
    assert (row["period"], row["indicator"], row["item"]) == ("2021-05", "ndvi", "ndvi-2021-05")
    assert row["address"] == f"http://localhost/collections/{COLLECTION}/items/ndvi-2021-05"
    assert listed["policy"]["layers"] == ["first-below"]


def test_maps_are_changed_and_switched_off(place: tuple[House, Caller]) -> None:
    _, owner = place
    path = "/geoservices/fields"
    changed = owner.send("PATCH", path, {"maps": {"statistic": "max"}}).get_json()
    assert (changed["maps"]["statistic"], changed["maps"]["layers"]) == ("max", [])
    assert owner.send("PATCH", path, {"title": {"en": "New"}}).get_json()["maps"]["statistic"] == "max"
    assert owner.send("PATCH", path, {"maps": None}).get_json()["maps"] is None
    assert owner.send("PATCH", path, {"maps": {"statistic": "count"}}).status_code == 422
    bad = owner.send("PATCH", path, {"maps": {"indicators": ["ndwi"]}})
    assert (bad.status_code, "ndwi is not followed" in bad.text) == (422, True)
    assert owner.get(path).get_json()["maps"] is None, "what is refused changes nothing"
    owner.send("PATCH", path, {"maps": {"statistic": "min"}})
    copied = owner.send("POST", f"{path}/copy", {"slug": "copied"}).get_json()
    assert copied["maps"]["statistic"] == "min"
