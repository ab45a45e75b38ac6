"""Caching, errors, bounds and the other manners of HTTP."""

from __future__ import annotations

import json
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comeo.compression import compress
from tests.tileserver.conftest import STEP, Server, optical_scene
from tests.tileserver.places import CUT_ITEM, ITEM, position, tile_url


def test_a_tile_can_be_kept_and_asked_for_again(client: FlaskClient) -> None:
    first = client.get(tile_url())
    etag = first.headers["ETag"]
    assert etag.startswith('"')
    assert "public, max-age=86400" in first.headers["Cache-Control"]
    again = client.get(tile_url(), headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert not again.data
    assert again.headers["ETag"] == etag
    assert "max-age" in again.headers["Cache-Control"]
    assert client.get(tile_url(), headers={"If-None-Match": '"other"'}).status_code == 200


def test_etags_differ_where_tiles_may(client: FlaskClient) -> None:
    urls = [
        tile_url(), tile_url(suffix=".webp"), tile_url(suffix="@2x.png"), tile_url(zoom=13),
        tile_url(suffix=".png?style=ndvi"), tile_url(suffix=".png?resampling=nearest"),
        tile_url("/collections/optical/items/old"), tile_url("/collections/optical"),
        tile_url("/collections/optical", suffix=".png?datetime=../2020-05-12"),
    ]  # fmt: skip
    assert len({client.get(url).headers["ETag"] for url in urls}) == len(urls)
    same = client.get(tile_url(suffix=".png?cache_buster=1")).headers["ETag"]
    assert same == client.get(tile_url()).headers["ETag"]


def test_a_new_scene_changes_the_etag_of_a_collection_and_a_new_archive_that_of_a_scene(
    server: Server, own_archives: Path
) -> None:
    client = server(own_archives)
    item, collection = tile_url(), tile_url("/collections/optical")
    before = client.get(item), client.get(collection)
    assert "max-age=300" in before[1].headers["Cache-Control"]
    compress(optical_scene("newest", 25, seed=30), own_archives / "newest.zarr.zip", step=STEP)
    assert client.get(collection).headers["ETag"] != before[1].headers["ETag"]
    assert client.get(item).headers["ETag"] == before[0].headers["ETag"]
    compress(optical_scene("middle", 10, seed=31), own_archives / "middle.zarr.zip", step=STEP, force=True)
    after = client.get(item, headers={"If-None-Match": before[0].headers["ETag"]})
    assert after.status_code == 200
    assert after.data != before[0].data


def test_head_says_what_get_would(client: FlaskClient) -> None:
    for url in (tile_url(), f"{ITEM}/info", "/stac", "/healthz"):
        head, get = client.head(url), client.get(url)
        assert head.status_code == 200
        assert not head.data
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
        assert head.headers.get("ETag") == get.headers.get("ETag")


def test_web_pages_of_others_may_ask(client: FlaskClient) -> None:
    answer = client.options(f"{ITEM}/feature.tif", headers={"Origin": "https://example.org"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]


def test_web_pages_of_others_may_read_what_headers_tell(client: FlaskClient) -> None:
    tile = client.get(tile_url())
    size = client.head(f"{ITEM}/bbox/8.6,47.4,8.75,47.5.tif")
    for answer, name in ((tile, "Comeo-Expected-RMSE"), (size, "Comeo-Estimated-Bytes"), (tile, "ETag")):
        assert name in answer.headers
        assert name in answer.headers["Access-Control-Expose-Headers"].split(", ")


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("/nothing/here", 404, "nothing at"),
        ("/collections/optical/items/none/info", 404, "no item none"),
        ("/collections/none/tilejson.json", 404, "no collection none"),
        ("/collections/none/tiles/WebMercatorQuad/0/0/0.png", 404, "there is no collection none"),
        (f"{ITEM}/tiles/WebMercatorQuad/3/8/0.png", 404, "no tile 3/8/0"),
        (f"{ITEM}/tiles/WebMercatorQuad/3/-1/0.png", 404, "no tile 3/-1/0"),
        (f"{ITEM}/tiles/WebMercatorQuad/99/0/0.png", 404, "no tile 99/0/0"),
        (f"{ITEM}/tiles/Nowhere/3/0/0.png", 404, "WebMercatorQuad"),
        (f"{ITEM}/tiles/WebMercatorQuad/a/0/0.png", 422, "z: "),
        (f"{ITEM}/tiles/WebMercatorQuad/1/0/0.gif", 422, "'png'"),
        (f"{ITEM}/tiles/WebMercatorQuad/1/0/0@9x.png", 422, "scale"),
        (tile_url(suffix=".png?bands=B04,B99"), 404, "B99"),
        (tile_url(suffix=".png?bands=B04&style=ndvi"), 422, "one of"),
        (tile_url(suffix=".png?style=sepia"), 422, "is unknown; choose one of the styles true-color"),
        (tile_url(suffix=".png?style=burn"), 422, "B12"),
        (tile_url(suffix=".png?expression=B04/B03"), 422, "rescale"),
        (tile_url(suffix=".png?expression=__import__('os')"), 422, "expression"),
        (tile_url(suffix=".png?bands=B04&rescale=5,1"), 422, "min has to be less"),
        (tile_url(suffix=".png?bands=B04&rescale=nan,1"), 422, "range"),
        (tile_url(suffix=".png?bands=B04&rescale=1"), 422, "min,max"),
        (tile_url(suffix=".png?bands=B04&rescale=0,1&rescale=0,1"), 422, "2 ranges for 1 bands"),
        (tile_url(suffix=".png?bands=B04,B03"), 422, "one band or three"),
        (tile_url(suffix=".png?bands=B04&colormap_name=nope"), 422, "colour map nope"),
        (tile_url(suffix=".png?colormap_name=viridis"), 422, "one band"),
        (tile_url(suffix=".png?color_formula=boom RGB 1"), 422, "colour formula"),
        (tile_url(suffix=".png?color_formula=gamma"), 422, "colour formula"),
        (tile_url(suffix=".npy?bands=B04&colormap_name=viridis"), 422, "rescale"),
        (tile_url(suffix=".png?resampling=magic"), 422, "'bilinear'"),
        (tile_url("/collections/optical", suffix=".png?datetime=yesterday"), 422, "examples"),
        (f"{ITEM}/point/200,0", 422, "lon"),
        (f"{ITEM}/point/a,0", 422, "lon"),
        (f"{ITEM}/point/0,0", 404, "outside the scene"),
        (f"{ITEM}/point/-90,0", 404, "outside the scene"),
        (f"{ITEM}/point/-171,-90", 404, "outside the scene"),
        ("/collections/optical/point/0,0", 404, "no scene"),
        (f"{ITEM}/bbox/1,1,2,2.tif", 404, "outside the scene"),
        (f"{ITEM}/bbox/2,1,1,2.tif", 422, "swap them if that is not meant"),
        (f"{ITEM}/bbox/1,2,3.tif", 404, ""),
        (f"{ITEM}/bbox/8,47,9,48.tif?dst_crs=EPSG:999999", 422, "EPSG:999999"),
        (f"{ITEM}/bbox/8,47,9,48.tif?dst_crs=/etc/passwd", 422, "dst_crs"),
        (f"{ITEM}/bbox/8,47,9,48.tif?dst_crs=EPSG:4978", 422, "EPSG:4978"),
        (f"{ITEM}/bbox/8,47,9,48.png?dst_crs=EPSG:3855", 422, "EPSG:3855"),
        (f"{ITEM}/statistics?p=101", 422, "p"),
        ("/collections/optical/tilejson.json?style=sepia", 422, "sepia"),
        (f"{ITEM}/tilejson.json?tms=Nowhere", 404, "Nowhere"),
        ("/stac/search?limit=0", 400, "limit"),
        ("/stac/search?bbox=1,2,3", 400, "west,south,east,north"),
        ("/stac/search?token=nonsense", 400, "token"),
        ("/stac/collections/none", 404, "none"),
        ("/assets/none.js", 404, ""),
        ("/assets/../../settings.py", 404, ""),
    ],
)  # fmt: skip
def test_errors_are_problems_that_help(client: FlaskClient, url: str, status: int, words: str) -> None:
    answer = client.get(url)
    assert answer.status_code == status, answer.data[:300]
    _check_problem(answer, status)
    assert words in json.loads(answer.data)["detail"]


def test_methods_that_are_not_there_are_refused(client: FlaskClient) -> None:
    answer = client.post(tile_url())
    _check_problem(answer, 405)
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("no json", 422),
        ("[]", 422),
        ('{"type": "Point", "coordinates": [8.6, 47.4]}', 422),
        ('{"type": "Polygon", "coordinates": [[[8.6, 47.4], [8.7, 47.4]]]}', 422),
        ('{"type": "Polygon", "coordinates": [[[860, 47.4], [8.7, 47.4], [8.7, 47.5], [860, 47.4]]]}', 422),
        ('{"type": "Polygon", "coordinates": "everything"}', 422),
        ('{"type": "Polygon", "coordinates": []}', 422),
        ('{"type": "Polygon"}', 422),
        ('{"type": "Polygon", "coordinates": [[[8.6, 47.4], [8.7, 47.5], [8.6, 47.4], [8.6, 47.4]]]}', 422),
        ('{"type": "Feature", "geometry": null}', 422),
        ('{"type": "FeatureCollection", "features": []}', 422),
        ('{"type": "Polygon", "coordinates": [[[NaN, 47.4], [8.7, 47.4], [8.7, 47.5], [8.6, 47.4]]]}', 422),
        ("[" * 100_000, 422),
        ('{"type": "Polygon", "coordinates": ' + "[" * 500 + "]" * 500 + "}", 422),
        ('{"type": "Polygon", "coordinates": [[' + "[8.6, 47.4]," * 20_000 + "[8.6, 47.4]]]}", 413),
        ('{"type": "Polygon", "pad": "' + "x" * (1 << 20) + '"}', 413),
    ],
)
def test_bodies_from_outside_are_checked(client: FlaskClient, body: str, status: int) -> None:
    answer = client.post(f"{ITEM}/feature.tif", data=body, content_type="application/json")
    _check_problem(answer, status)


@pytest.mark.parametrize(
    ("url", "bound"),
    [
        (f"{ITEM}/preview.png?max_size=5000", None),
        (f"{ITEM}/bbox/{{area}}.png?width=5000&height=10", "max_image_side"),
        (f"{ITEM}/bbox/{{area}}.tif?width=4000&height=4000", "max_output_samples"),
        (tile_url(suffix=".png?expression=" + "B04%2B" * 300 + "B04&rescale=0,1"), "max_expression_length"),
        (tile_url(suffix=".png?expression=B04" + "%2B1" * 200 + "&rescale=0,1"), "max_expression_nodes"),
        (tile_url(suffix=".npy?expression=" + ";".join(["B04"] * 17)), "max_bands"),
        (tile_url(suffix=".png?color_formula=" + "gamma RGB 1 " * 50), "color_formula"),
    ],
)
def test_bounds_are_named_before_any_work(client: FlaskClient, url: str, bound: str | None) -> None:
    west, north = position(0.1, 0.1)
    east, south = position(0.9, 0.9)
    answer = client.get(url.replace("{area}", f"{west},{south},{east},{north}"))
    if bound is None:  # A preview is never larger than the scene.
        assert answer.status_code == 200
        return
    _check_problem(answer, 413)
    assert json.loads(answer.data)["bound"] == bound


def test_decoding_is_bounded(server: Server, archives: Path) -> None:
    client = server(archives, max_decoded_samples=1000)
    answer = client.get(tile_url())
    _check_problem(answer, 413)
    assert json.loads(answer.data)["bound"] == "max_decoded_samples"


def test_a_broken_archive_is_a_problem_of_its_own(server: Server, own_archives: Path) -> None:
    path = own_archives / "old.zarr.zip"
    data = bytearray(path.read_bytes())
    (own_archives / "torn.zarr.zip").write_bytes(data[: len(data) // 2])
    client = server(own_archives)
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json is not None
    assert ready.json["archives"] == 5
    assert list(ready.json["broken"]) == ["torn.zarr.zip"]
    assert client.get(tile_url()).status_code == 200


def test_damage_found_while_decoding_is_reported_and_not_kept(server: Server, own_archives: Path) -> None:
    path = own_archives / "old.zarr.zip"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    client = server(own_archives)
    first, second = [client.get(f"/collections/optical/items/old/preview.{name}") for name in ("png", "webp")]
    if first.status_code != 404:  # The metadata were hit, and the catalogue said so.
        _check_problem(first, 503)
        assert "damaged" in json.loads(first.data)["detail"]
        assert first.headers["Retry-After"]
    assert second.status_code == 404
    assert client.get(tile_url()).status_code == 200


def test_a_damaged_scene_does_not_keep_a_mosaic_from_the_others(server: Server, own_archives: Path) -> None:
    path = own_archives / f"{CUT_ITEM.rsplit('/', 1)[1]}.zarr.zip"
    sound = path.read_bytes()
    damaged = bytearray(sound)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if "/c/0/" in info.filename:  # the first payload of every shard
                damaged[info.header_offset + 30 + len(info.filename) + 20] ^= 0xFF
    path.write_bytes(damaged)
    client = server(own_archives)
    url = tile_url("/collections/optical", zoom=13, suffix=".png?style=true-color")
    _check_problem(client.get(url), 503)
    ready = client.get("/readyz").json
    assert ready is not None
    assert list(ready["broken"]) == [path.name]
    without = client.get(url)
    assert without.status_code == 200
    path.write_bytes(sound)
    again = client.get(url)
    assert again.status_code == 200
    assert again.headers["ETag"] != without.headers["ETag"]
    assert again.data != without.data


def test_archives_come_and_go_while_the_server_runs(server: Server, own_archives: Path) -> None:
    client = server(own_archives)
    assert client.get("/collections/optical/items/later/info").status_code == 404
    hidden = own_archives / ".middle.zarr.zip.1234.partial"
    shutil.copy(own_archives / "middle.zarr.zip", hidden)
    compress(optical_scene("later", 28, seed=40), own_archives / "later.zarr.zip", step=STEP)
    assert client.get("/collections/optical/items/later/info").status_code == 200
    readiness = client.get("/readyz").json
    assert readiness is not None
    assert (readiness["archives"], readiness["broken"]) == (6, {})
    (own_archives / "later.zarr.zip").unlink()
    assert client.get("/collections/optical/items/later/info").status_code == 404


def test_too_many_heavy_requests_are_asked_to_come_again(server: Server, archives: Path) -> None:
    client = server(archives, heavy_requests=1, threads=1, queue_seconds=0.05)
    gate = client.application.extensions["comeo"].gate
    with gate.enter():
        answer = client.get(f"{ITEM}/preview.png?max_size=2000")
        assert client.get(tile_url()).status_code == 200
        assert client.get(f"{ITEM}/preview.webp?max_size=256").status_code == 200
    _check_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get(f"{ITEM}/preview.png?max_size=2000").status_code == 200


def test_many_clients_at_once_get_the_same_tile(server: Server, archives: Path) -> None:
    client = server(archives)
    found: list[bytes] = []

    def ask() -> None:
        found.append(client.application.test_client().get(tile_url()).data)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_the_interface_describes_itself(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert "/collections/{collection}/items/{item}/tiles/{tms}/{z}/{x}/{y}.{format}" in paths
    operation = paths["/collections/{collection}/items/{item}/preview.{format}"]["get"]
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert names >= {
        "bands",
        "expression",
        "rescale",
        "colormap_name",
        "color_formula",
        "style",
        "resampling",
    }
    page = client.get("/docs", follow_redirects=True)
    assert page.status_code == 200
    assert b"http" not in page.data.replace(b"http-equiv", b"")
    with client.get("/docs/swagger/js/swagger-ui-bundle.js") as script:
        assert script.status_code == 200


def test_bodies_of_geojson_are_described(client: FlaskClient) -> None:
    document: Any = client.get("/openapi.json").json
    schemas = document["components"]["schemas"]

    def kinds(schema: Any) -> set[str]:
        """Values of `type` that a schema allows, behind all references."""
        if "$ref" in schema:
            return kinds(schemas[schema["$ref"].rpartition("/")[2]])
        choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        if choices:
            return set().union(*map(kinds, choices))
        return {schema["properties"]["type"]["const"]} if "properties" in schema else set()

    polygons = {"Polygon", "MultiPolygon"}
    areas = {*polygons, "Feature", "FeatureCollection"}
    assert kinds(schemas["GeoJSONBody"]) == areas
    assert kinds(schemas["ExtractBody"]["properties"]["geometry"]) == areas
    assert kinds(schemas["SearchBody"]["properties"]["intersects"]) > {
        *polygons,
        "Point",
        "GeometryCollection",
    }


def test_metrics_count_what_is_served(client: FlaskClient) -> None:
    client.get(tile_url())
    text = client.get("/metrics").get_data(as_text=True)
    for name in ("comeo_requests_total{", "comeo_request_seconds_bucket{", "comeo_decoded_blocks_total{"):
        assert name in text
    assert 'comeo_cache_misses_total{cache="blocks"}' in text


def test_the_viewer_is_served_when_it_is_built(server: Server, archives: Path, tmp_path: Path) -> None:
    missing = server(archives).get("/")
    assert missing.status_code == 503
    assert b"has not been built" in missing.data
    built = tmp_path / "viewer"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html>viewer")
    (built / "assets" / "app-1234.js").write_text("1")
    client = server(archives, static=built, basemap="https://maps.example.org/{z}/{x}/{y}.png")
    page = client.get("/")
    assert page.data == b"<!doctype html>viewer"
    page.close()
    assert "https://maps.example.org" in page.headers["Content-Security-Policy"]
    with client.get("/assets/app-1234.js") as asset:
        assert "immutable" in asset.headers["Cache-Control"]
    config = client.get("/viewer-config.json").json
    assert config == {
        "basemap": {
            "tiles": ["https://maps.example.org/{z}/{x}/{y}.png"], "attribution": "", "maxzoom": 19
        },
        "publish": False, "geoservices": False, "relay": False,
    }  # fmt: skip
    assert client.get("/secret.txt").status_code == 404


def test_addresses_are_the_publics(server: Server, archives: Path) -> None:
    client = server(archives, public_url="https://tiles.example.org/comeo/")
    tiles: Any = client.get(f"{ITEM}/tilejson.json?style=ndvi&tile_format=png&tile_scale=2").json
    assert tiles["tiles"] == [
        f"https://tiles.example.org/comeo{ITEM}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}@2x.png?style=ndvi"
    ]
    client = server(archives, proxy_proto=1, proxy_host=1, proxy_prefix=1)
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "p.example.org",
        "X-Forwarded-Prefix": "/c",
    }
    tiles = client.get(f"{ITEM}/tilejson.json", headers=forwarded).json
    assert tiles["tiles"][0].startswith(f"https://p.example.org/c{ITEM}/")


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("tile_server:8080", "http://tile_server:8080"),
        ("xn--mnchen-3ya.de", "http://xn--mnchen-3ya.de"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("maps.example.org:80", "http://maps.example.org"),
    ],
)
def test_links_go_where_the_client_has_found_the_server(client: FlaskClient, host: str, shown: str) -> None:
    root: Any = client.get("/stac", headers={"Host": host}).json
    assert {link["href"] for link in root["links"] if link["rel"] == "self"} == {f"{shown}/stac"}


@pytest.mark.parametrize("host", ["a:b", "a/b?c", "[::1", "a b", '"><script>', "a@b", "a:999999", "%", "ü"])
def test_links_are_not_made_of_a_host_that_is_none(client: FlaskClient, host: str) -> None:
    for address in ("/stac", f"{ITEM}/tilejson.json"):
        _check_problem(client.get(address, headers={"Host": host}), 400)
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_links_are_not_made_of_a_prefix_that_is_none(server: Server, archives: Path) -> None:
    client = server(archives, proxy_prefix=1)
    for prefix in ("javascript:x", "//evil.example.org", "x"):
        _check_problem(client.get("/stac", headers={"X-Forwarded-Prefix": prefix}), 400)
    root: Any = client.get("/stac", headers={"X-Forwarded-Prefix": "/k b/c/"}).json
    assert root["links"][0]["href"].startswith("http://localhost/k%20b/c/stac")


def _check_problem(answer: TestResponse, status: int) -> None:
    assert answer.status_code == status, answer.data[:300]
    assert answer.content_type.startswith("application/problem+json")
    assert answer.headers["Cache-Control"] == "no-store"
    body = json.loads(answer.data)
    assert body["status"] == status
    assert body["title"]
    assert "Traceback" not in body["detail"]
    assert len(body["detail"]) < 600
