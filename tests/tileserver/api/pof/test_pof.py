"""Documents of indicators over HTTP: listed, checked, kept as drafts, published, exported; short links."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comeo.errors import ParameterError
from comeo.indicators.document import read_document
from comeo.indicators.problems import DocumentError
from tests.tileserver.conftest import Server
from tileserver.render.documents import STYLES
from tileserver.render.fitting import check_any_fits, fits
from tileserver.render.styles import CHANGE, CLEAR, ERROR

TILE = "/collections/optical/items/old/tiles/WebMercatorQuad/14/8527/5781.png"


def fields(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "pof": 1, "id": "my-index", "version": "1.0.0", "title": {"en": "Mine", "fr": "Le mien"},
        "inputs": {"s2": {"constellation": "sentinel-2", "bands": {"nir": "B08", "red": "B04"}}},
        "value": {"formula": "(nir - red) / (nir + red)", "range": [-1, 1]},
        "display": {"rescale": [-0.2, 0.9], "colormap": "viridis"},
        "tests": [
            {"given": {"nir": 0.35, "red": 0.05}, "expect": 0.75},
            {"given": {"nir": 0, "red": 0}, "expect": "invalid"},
        ],
    }  # fmt: skip
    return {**made, **changes}


def told(answer: TestResponse) -> Any:
    """The JSON of an answer."""
    return answer.get_json()


@pytest.fixture
def api(server: Server, archives: Path) -> FlaskClient:
    return server(archives, pof_write=True)


def test_the_list_is_of_documents_with_titles_of_a_language(api: FlaskClient) -> None:
    rows = told(api.get("/pof?lang=fr"))["documents"]
    titles = {each["id"]: each["title"] for each in rows}
    assert "Végétation" in titles["ndvi"]
    english = api.get("/pof", headers={"Accept-Language": "es-MX;q=0.5, en;q=0.4"})
    assert "Vegetación" in {each["id"]: each["title"] for each in told(english)["documents"]}["ndvi"]
    assert "Accept-Language" in english.headers["Vary"]
    radar = {each["id"] for each in told(api.get("/pof?collection=radar"))["documents"]}
    optical = {each["id"] for each in told(api.get("/pof?collection=optical"))["documents"]}
    assert "ndvi" in optical - radar
    assert api.get("/pof?collection=none").status_code == 404
    for link in rows[0]["links"][:2]:
        assert api.get(link["href"]).status_code == 200


def test_the_index_catalogue_is_listed_by_its_origin_and_gives_styles(api: FlaskClient) -> None:
    pytest.importorskip("spyndex")
    rows = told(api.get("/pof?origin=asi&collection=optical"))["documents"]
    assert len(rows) > 50
    assert {each["origin"] for each in rows} == {"asi"}
    assert "asi-bai" in {each["id"] for each in rows}
    (item, *_) = told(api.get("/stac/search?collections=optical"))["features"]
    scene = f"/collections/optical/items/{item['id']}"
    for name in ("asi-ndvi", "asi-ndvi@1.0.0"):
        found = told(api.get(f"{scene}/statistics?style={name}"))
        assert next(iter(found.values()))["mean"] == pytest.approx(
            told(api.get(f"{scene}/statistics?style=ndvi"))["ndvi"]["mean"], abs=1e-3
        )
    assert api.get(f"{scene}/statistics?style=asi-ndvi@2.0.0").status_code == 422
    taken = told(api.post("/pof", json=fields(id="asi-mine")))
    assert "index catalogue" in json.dumps(taken)


def test_pages_of_other_sites_publish_nothing(api: FlaskClient) -> None:
    foreign = api.post("/pof", json=fields(), headers={"Origin": "https://elsewhere.example"})
    assert foreign.status_code == 403
    assert "other sites" in told(foreign)["detail"]
    assert api.post("/pof", json=fields(), headers={"Origin": "null"}).status_code == 403
    assert api.post("/pof", json=fields(), headers={"Origin": "http://localhost"}).status_code == 201


def test_a_document_is_json_or_toml_or_facts(api: FlaskClient) -> None:
    answer = api.get("/pof/ndvi")
    assert answer.content_type == "application/vnd.comeo.pof+json"
    schema = told(api.get("/schemas/pof-1.json"))
    jsonschema.validate(told(answer), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**told(answer), "colour": 1}, schema)
    again = api.get("/pof/ndvi", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    toml = api.get("/pof/ndvi?f=toml")
    checked = told(api.post("/pof/check", data=toml.data, content_type="application/toml"))
    assert checked["valid"]
    assert told(api.get("/pof/ndvi?f=facts"))["sha256"] == checked["sha256"]
    version = told(answer)["version"]
    assert "max-age=86400" in api.get(f"/pof/ndvi@{version}").headers["Cache-Control"]
    missing = api.get("/pof/nothing")
    assert missing.status_code == 404
    assert "/pof lists" in told(missing)["detail"]


def test_check_tells_place_and_advice(api: FlaskClient) -> None:
    wrong = fields(value={"formula": "(nir - rde) / nir"})
    answer = api.post("/pof/check", json=wrong)
    assert answer.status_code == 200
    (error,) = told(answer)["errors"]
    assert (error["path"], error["offset"], error["length"]) == ("value.formula", 7, 3)
    assert error["hint"] == "did you mean red?"
    good = told(api.post("/pof/check", json=fields()))
    assert (good["valid"], good["cost"]) == (True, {"bands": ["B08", "B04"], "halo": 0, "terms": 7})
    assert [each["passed"] for each in good["tests"]] == [True, True]
    toml = told(api.post("/pof/check", data="pof = 1\nid = ", content_type="application/toml"))
    assert not toml["valid"]
    assert told(api.post("/pof/check", data=b"\xff"))["errors"][0]["message"].startswith("byte 0")


def test_a_draft_is_a_style_at_once(api: FlaskClient) -> None:
    answer = api.post("/pof/drafts", json=fields())
    assert answer.status_code == 201
    name = told(answer)["id"]
    assert re.fullmatch("draft-[a-z2-7]{8}", name)
    assert answer.headers["Location"].endswith(f"/pof/{name}")
    assert told(api.get(f"/pof/{name}"))["id"] == "my-index"
    tile = api.get(f"{TILE}?style={name}")
    assert tile.status_code == 200
    other = told(api.post("/pof/drafts", json=fields(value={"formula": "nir"})))["id"]
    assert api.get(f"{TILE}?style={other}").headers["ETag"] != tile.headers["ETag"]
    refused = api.post("/pof/drafts", json=fields(id="No"))
    assert refused.status_code == 422
    assert refused.content_type == "application/problem+json"
    assert told(refused)["errors"][0]["path"] == "id"
    assert api.get(f"{TILE}?style=draft-aaaaaaaa").status_code == 422


def test_points_of_a_draft_are_its_values(api: FlaskClient) -> None:
    box = told(api.get("/collections/optical/items/old/tilejson.json"))["bounds"]
    lon, lat = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    name = told(api.post("/pof/drafts", json=fields()))["id"]
    point = f"/collections/optical/items/old/point/{lon},{lat}"
    own = [each["value"] for each in told(api.get(f"{point}?style={name}"))["results"]]
    bands = [each["value"] for each in told(api.get(f"{point}?expression=B08;B04"))["results"]]
    assert own[0] == pytest.approx((bands[0] - bands[1]) / (bands[0] + bands[1]), abs=0.01)


def test_publishing_is_off_until_it_is_switched_on(server: Server, archives: Path) -> None:
    answer = server(archives).post("/pof", json=fields())
    assert answer.status_code == 403
    assert "COMEO_POF_WRITE" in told(answer)["detail"]


def test_what_is_published_stays(api: FlaskClient) -> None:
    assert api.post("/pof", json=fields()).status_code == 201
    assert api.post("/pof", json=fields()).status_code == 200
    assert api.post("/pof", json=fields(title={"en": "Other"})).status_code == 409
    assert api.post("/pof", json=fields(id="ndvi")).status_code == 409
    few = api.post("/pof", json=fields(tests=[]))
    assert few.status_code == 422
    assert "too few" in told(few)["detail"]
    assert api.post("/pof?visibility=link", json=fields(version="1.10.0")).status_code == 201
    assert told(api.get("/pof/my-index"))["version"] == "1.10.0"
    (listed,) = [each for each in told(api.get("/pof"))["documents"] if each["id"] == "my-index"]
    assert (listed["version"], listed["state"]) == ("1.0.0", "published")
    pinned, newest = (api.get(f"{TILE}?style={name}") for name in ("my-index@1.0.0", "my-index"))
    assert "max-age=86400" in pinned.headers["Cache-Control"]
    assert "max-age=300" in newest.headers["Cache-Control"], "another version may come"
    assert api.patch("/pof/my-index@1.10.0", json={"state": "deprecated"}).status_code == 204
    assert told(api.get("/pof/my-index"))["version"] == "1.0.0"
    assert api.get("/pof/my-index@1.10.0").status_code == 200
    assert api.patch("/pof/ndvi", json={"state": "deprecated"}).status_code == 404


@pytest.mark.parametrize("taken", ["clear", "error", "change", "own", "b04", "vv", "draft-mine", "dn"])
def test_what_means_something_else_is_no_id(api: FlaskClient, taken: str) -> None:
    """Statistics of `b04` were those of the band, under the name of the document."""
    answer = api.post("/pof", json=fields(id=taken))
    assert (answer.status_code, taken in told(answer)["detail"]) == (422, True)


def test_who_sees_it_never_changes(api: FlaskClient) -> None:
    assert api.post("/pof?visibility=link", json=fields()).status_code == 201
    assert api.post("/pof?visibility=link", json=fields()).status_code == 200
    answer = api.post("/pof", json=fields())
    assert (answer.status_code, "who have its name" in told(answer)["detail"]) == (409, True)


def test_exports_are_files_of_other_languages(api: FlaskClient) -> None:
    assert told(api.get("/pof/ndvi/openeo.json"))["id"] == "ndvi"
    assert api.get("/pof/ndvi/evalscript.js").data.startswith(b"//VERSION=3")
    assert told(api.get("/pof/ndvi/render.json"))["assets"] == ["B08", "B04"]
    assert b'"scene@1"' in api.get("/pof/ndvi/qgis.txt").data
    assert api.get("/pof/ndvi/legend").data.startswith(b"\x89PNG")
    assert api.get("/pof/ndvi/word.doc").status_code == 404
    smooth = told(api.post("/pof/drafts", json=fields(value={"formula": "focal_mean(nir, 1)"}, tests=[])))[
        "id"
    ]
    refused = api.get(f"/pof/{smooth}/evalscript.js")
    assert refused.status_code == 422
    assert "focal_mean" in told(refused)["detail"]


def test_styles_of_the_server_are_known() -> None:
    assert {CHANGE, CLEAR, ERROR} < STYLES


def test_the_folder_of_the_operator_is_served(server: Server, archives: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.json").write_text(json.dumps(fields(id="of-the-house")))
    client = server(archives, pof=tmp_path / "own")
    assert client.get("/pof/of-the-house").status_code == 200
    (tmp_path / "own" / "b.json").write_text(json.dumps(fields(id="clear")))
    with pytest.raises(DocumentError, match="clear is the name of a style"):
        server(archives, pof=tmp_path / "own")
    assert "of-the-house" in [each["id"] for each in told(client.get("/pof?collection=optical"))["documents"]]


def test_a_short_link_opens_the_viewer(api: FlaskClient) -> None:
    state = "map=14/47.4/8.5&collection=optical&item=old&style=ndvi"
    made = api.post("/h", json={"state": state, "title": "Fields <b>", "description": "of 2019"})
    assert made.status_code == 201
    assert told(made)["href"].endswith(f"/h/{told(made)['id']}")
    assert told(
        api.post("/h", json={"state": state, "title": "Fields <b>", "description": "of 2019"})
    ) == told(made)
    page = api.get(told(made)["href"])
    assert page.content_type == "text/html; charset=utf-8"
    text = page.get_data(as_text=True)
    assert f'content="0; url=../#{state.replace("&", "&amp;")}"' in text
    assert "<title>Fields &lt;b&gt;</title>" in text
    picture = re.search(r'og:image" content="([^"]+)"', text)
    assert picture
    assert api.get(picture.group(1).replace("&amp;", "&")).content_type == "image/jpeg"
    assert api.get("/h/aaaaaaaa").status_code == 404
    assert api.post("/h", json={"state": "x" * 9000}).status_code == 422
    assert api.post("/h", json={"state": 'a"><script>'}).status_code == 422
    assert "8192" in told(api.post("/h", json={"state": "\u00e9" * 4097}))["detail"], "bytes are counted"
    long = told(api.post("/h", json={"state": "a=1&" * 300}))
    assert api.get(long["href"]).status_code == 200, "it names no scene, so it has no picture"


def test_everything_is_in_the_description_of_the_interface(api: FlaskClient) -> None:
    paths = told(api.get("/openapi.json"))["paths"]
    assert {"/pof", "/pof/{name}", "/pof/{name}/{export}", "/pof/check", "/pof/drafts", "/h", "/h/{id}",
            "/schemas/pof-1.json"} <= set(paths)  # fmt: skip
    assert "application/json" in paths["/pof/check"]["post"]["requestBody"]["content"]


def test_a_text_in_another_language_becomes_a_document_that_is_not_kept(api: FlaskClient) -> None:
    answer = api.post("/pof/import?from=snap", data="(B8 - B4) / (B8 + B4)", content_type="text/plain")
    assert answer.status_code == 200
    document = told(answer)["document"]
    assert told(api.post("/pof/check", json=document))["valid"]
    assert document["inputs"]["s2"]["bands"] == {"B04": "B04", "B08": "B08"}
    assert isinstance(told(answer)["left_out"], list)
    refused = api.post("/pof/import?from=evalscript", data="for (;;) {}", content_type="text/plain")
    assert refused.status_code in (400, 422)
    assert told(refused)["detail"]
    assert api.post("/pof/import?from=basic", data="B8").status_code == 422
    assert api.post("/pof/import?from=snap", data=b"\xff\xfe").status_code == 422
    assert api.post("/pof/import?from=snap", data="B8 + " * 20_000).status_code == 422


def test_what_is_for_other_scenes_is_refused_on_these(api: FlaskClient) -> None:
    inputs = {"s2": {"collection": "fields", "bands": {"nir": "B08", "red": "B04"}}}
    given = told(api.post("/pof/drafts", json=fields(inputs=inputs)))
    style = f"style={given['id']}"
    west, south, east, north = 9.0, 47.0, 9.1, 47.1
    area = {"type": "Point", "coordinates": [8.67, 47.3]}
    statistics = {"collection": "optical", "geometry": area, "indicator": given["id"]}
    for answer in (
        api.get(f"{TILE}?{style}"),
        api.get(f"/collections/optical/items/old/point/8.67,47.3?{style}"),
        api.get(f"/collections/optical/tilejson.json?{style}"),
        api.get(f"/collections/optical/items/old/bbox/{west},{south},{east},{north}.tif?{style}"),
        api.post("/collections/optical/items/old/extracts", json={"style": given["id"], "format": "kmz"}),
        api.post("/statistics", json=statistics),
    ):
        assert answer.status_code == 422, answer.text
        assert "scenes of the collection fields" in answer.text


@pytest.mark.parametrize(
    ("wanted", "stated", "fit"),
    [("L2A", "L1C", False), ("L2A", "Level-2A", True), ("L2A", "L2A", True), ("L2A", None, True)],
)
def test_levels_are_compared(wanted: str, stated: str | None, fit: bool) -> None:
    inputs = {"s2": {"constellation": "sentinel-2", "level": wanted, "bands": {"nir": "B08", "red": "B04"}}}
    document = read_document(json.dumps(fields(inputs=inputs)).encode(), "json")
    properties = {} if stated is None else {"processing:level": stated}
    scenes: Any = SimpleNamespace(catalog=SimpleNamespace(item=lambda _: {"properties": properties}))
    record: Any = SimpleNamespace(collection="optical", id="old")
    assert fits(scenes, record, document) is fit


def test_an_indicator_is_refused_where_it_is_for_no_scene_of_a_collection() -> None:
    inputs = {"s2": {"constellation": "sentinel-2", "level": "L2A", "bands": {"nir": "B08", "red": "B04"}}}
    document = read_document(json.dumps(fields(inputs=inputs)).encode(), "json")
    scenes: Any = SimpleNamespace(
        catalog=SimpleNamespace(item=lambda record: {"properties": {"processing:level": record.id}})
    )
    newest, older = (SimpleNamespace(collection="optical", id=level) for level in ("L1C", "L2A"))
    mixed: Any = [newest, older]
    check_any_fits(scenes, mixed, document)
    with pytest.raises(ParameterError, match="level L2A, and L1C is L1C"):
        check_any_fits(scenes, mixed[:1], document)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": {"s1": {"constellation": "sentinel-1", "same_orbit": True,
                            "bands": {"nir": "VV", "red": "VH"}}}}, "orbit"),
        ({"value": {"formula": "lin(nir) - red"}}, "not in dB"),
    ],
)  # fmt: skip
def test_what_nothing_does_or_means_is_refused(api: FlaskClient, changes: dict[str, Any], said: str) -> None:
    answer = api.post("/pof/drafts", json=fields(**changes))
    assert answer.status_code in (400, 422)
    assert said in answer.text
