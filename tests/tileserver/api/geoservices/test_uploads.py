"""Files of sites over HTTP, and from the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from werkzeug.test import TestResponse

from tests.tileserver import uploads
from tests.tileserver.people import DEFINITION, Caller, House, house
from tileserver.cli.geoservice import geoservice
from tileserver.http.session import HEADER
from tileserver.store.geoservices import find_geoservice
from tileserver.store.sites import leaves

ME = "me@example.org"
TYPES = {
    "kml": "application/vnd.google-earth.kml+xml", "kmz": "application/vnd.google-earth.kmz",
    "gpkg": "application/geopackage+sqlite3", "shp": "application/zip",
}  # fmt: skip


def send(me: Caller, data: bytes, kind: str = "application/octet-stream", query: str = "") -> TestResponse:
    headers = {HEADER: me.token, "Content-Type": kind}
    return me.client.post(f"/sites{query}", data=data, headers=headers)


def names(answer: TestResponse) -> list[str]:
    return [each["properties"]["name"]["en"] for each in answer.get_json()["features"]]


@pytest.mark.parametrize("kind", TYPES)
def test_a_file_s_sites_are_added(server_of: House, kind: str) -> None:
    me = server_of.enter(ME)
    added = send(me, uploads.files()[kind], TYPES[kind])
    assert (added.status_code, names(added)) == (201, ["Nørd", "Süd"])
    assert names(me.get("/sites")) == ["Nørd", "Süd"]
    areas = [each["properties"]["area_m2"] for each in added.get_json()["features"]]
    assert areas[0] == pytest.approx(8.455e5, rel=0.01)


def test_a_form_and_geojson(server_of: House) -> None:
    me = server_of.enter(ME)
    form = {"file": (io.BytesIO(uploads.kmz()), "fields.kmz")}
    sent = me.client.post("/sites", data=form, headers={HEADER: me.token})
    assert (sent.status_code, names(sent)) == (201, ["Nørd", "Süd"])
    point = {"type": "Point", "coordinates": [9, 47]}
    feature = {"type": "Feature", "properties": {"name": "P"}, "geometry": point}
    collection = {"type": "FeatureCollection", "features": [feature, {**feature, "properties": None}]}
    added = send(me, json.dumps(collection).encode(), "application/geo+json")
    assert names(added) == ["P", "Site 2"]
    two = {"a": (io.BytesIO(b"x"), "a.kml"), "b": (io.BytesIO(b"x"), "b.kml")}
    assert me.client.post("/sites", data=two, headers={HEADER: me.token}).status_code == 422


def test_a_file_is_read_without_keeping_it(server_of: House) -> None:
    me = server_of.enter(ME)
    told = send(me, uploads.geopackage(), query="?keep=false")
    found = [each["properties"]["name"] for each in told.get_json()["features"]]
    assert (told.status_code, found) == (200, ["Nørd", "Süd"])
    assert me.get("/sites").get_json()["features"] == []
    drawn = {**DEFINITION, "sites": {**told.get_json()}}
    assert me.send("POST", "/geoservices", drawn).status_code == 201, "as it is, in a definition"


def test_all_or_none(server_of: House) -> None:
    import shapely

    me = server_of.enter(ME)
    bow = shapely.Polygon([(9, 47), (9.1, 47.1), (9.1, 47), (9, 47.1)])
    refused = send(me, uploads.kml(shapes=[uploads.FIELD, bow], names=["a", "b"]))
    assert refused.status_code == 422
    assert refused.get_json()["detail"].startswith("features[1]: the geometry is not valid")
    assert me.get("/sites").get_json()["features"] == []


def test_who_may_not_has_nothing_read(server_of: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tileserver.api.geoservices import uploads as module

    monkeypatch.setattr(module, "read_sites", lambda *_: pytest.fail("it was read"))
    me = server_of.enter(ME)
    assert send(server_of.nobody(), b"<kml/>").status_code == 401
    assert send(Caller(me.client, "0" * 64), b"<kml/>").status_code == 403


def test_a_file_may_be_larger_than_other_bodies_and_no_larger_than_that(
    archives: Path, tmp_path: Path
) -> None:
    me = house(archives, tmp_path, max_body_bytes=1000, max_upload_bytes=400_000).enter(ME)
    file = uploads.geopackage()
    assert 1000 < len(file) < 400_000
    assert send(me, file).status_code == 201
    assert send(me, file + b"\0" * 400_000).status_code == 413
    form = {"file": (io.BytesIO(file + b"\0" * 400_000), "x.gpkg")}
    assert me.client.post("/sites", data=form, headers={HEADER: me.token}).status_code == 413
    big = {"name": {"en": "x" * 2000}, "members": []}
    assert me.send("POST", "/sites", big).status_code == 413


def test_json_is_as_it_was(server_of: House) -> None:
    me = server_of.enter(ME)
    assert send(me, b"{", "application/json").status_code == 422
    assert send(me, b"", "application/json").status_code == 422
    assert me.send("POST", "/sites", {"name": {"en": "x"}}).status_code == 422
    group = me.client.post("/sites?keep=false", json={"name": {"en": "x"}, "members": []},
                           headers={HEADER: me.token})  # fmt: skip
    assert group.status_code == 422


def test_the_command_reads_sites_of_a_file(server_of: House, tmp_path: Path) -> None:
    written = {key: value for key, value in DEFINITION.items() if key != "sites"}
    (tmp_path / "fields.json").write_text(json.dumps(written))
    (tmp_path / "fields.zip").write_bytes(uploads.shapefile())
    arguments = ["add", str(tmp_path / "fields.json"), "--owner", ME, "--sites", str(tmp_path / "fields.zip"),
                 "--database", str(server_of.database.path)]  # fmt: skip
    answer = CliRunner().invoke(geoservice, arguments)
    assert answer.exit_code == 0, answer.exception
    with server_of.database.reading() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        assert [each.name["en"] for each in leaves(connection, one.site)] == ["Nørd", "Süd"]
