"""Extracts over HTTP: valid files of the right pixels, bounded, at once or as jobs."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.features import geometry_mask
from rasterio.io import MemoryFile
from rasterio.warp import transform, transform_geom
from rio_cogeo.cogeo import cog_validate

from comeo.archive import open_archive
from comeo.codecs import codec_names
from comeo.compression import compress
from comeo.scene import Window
from tests.scenes import array_group, array_scene, landscape
from tests.tileserver.conftest import SIZE, Server
from tests.tileserver.places import CUT_ITEM, ITEM, RADAR_ITEM, position
from tileserver.errors import ClientGoneError
from tileserver.http.files import ClientWatch

PLAIN_ITEM = "/collections/plain/items/plain"
WHOLE = "8.6,47.4,8.75,47.5"


def test_an_extract_is_a_cog_that_says_what_it_is(client: FlaskClient) -> None:
    with _extract(client, f"{ITEM}/bbox/{WHOLE}.tif?bands=B02,B03,B04,B08") as dataset:
        assert (dataset.height, dataset.width) == (SIZE, SIZE)
        assert dataset.descriptions == ("B02", "B03", "B04", "B08")
        assert dataset.units == ("reflectance",) * 4
        tags = dataset.tags()
        assert tags["COMEO_ID"] == "middle"
        assert tags["TIFFTAG_DATETIME"] == "2020:05:10 10:30:00"
        assert tags["COMEO_DATETIME"] == "2020-05-10T10:30:00+00:00"
        assert tags["COMEO_CODEC"] in codec_names()
        assert float(tags["COMEO_RATIO"]) > 1
        assert "COMEO_RESAMPLING" not in tags
        for band in range(1, 5):
            numbers = dataset.read(band)
            statistics = dataset.tags(band)
            assert float(statistics["STATISTICS_MEAN"]) == pytest.approx(numbers.mean(), rel=1e-6)
            assert float(statistics["STATISTICS_MAXIMUM"]) == numbers.max()


@pytest.mark.parametrize(
    "query",
    [
        "", "?style=ndvi", "?bands=B04&unscale=true", "?bands=B04,B03,B02&rescale=1000,3000",
        "?bands=B04&rescale=1000,3000&colormap_name=viridis", "?dst_crs=EPSG:3857", "?max_size=100",
        "?width=700&height=600", "?bands=B11,B04",
    ],
)  # fmt: skip
def test_every_kind_of_extract_is_a_valid_cog(client: FlaskClient, tmp_path: Path, query: str) -> None:
    answer = client.get(f"{CUT_ITEM}/bbox/{WHOLE}.tif{query}")
    assert answer.status_code == 200, answer.data
    path = tmp_path / "extract.tif"
    path.write_bytes(answer.data)
    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert dataset.profile["tiled"]
        assert (dataset.dataset_mask() == 0).any()
        assert (dataset.dataset_mask() > 0).any()


def test_stored_numbers_are_those_of_the_archive_and_physical_values_follow(
    client: FlaskClient, archives: Path
) -> None:
    with open_archive(archives / "new.zarr.zip") as archive:
        expected = archive.read(archive.groups["r10m"].levels[0], Window(0, 0, SIZE, SIZE))
    with _extract(client, f"{CUT_ITEM}/bbox/{WHOLE}.tif?bands=B02,B03,B04,B08") as dataset:
        np.testing.assert_array_equal(dataset.read(), expected)
        assert dataset.nodata == 0
    with _extract(client, f"{CUT_ITEM}/bbox/{WHOLE}.tif?bands=B04&unscale=true") as dataset:
        values = dataset.read(1)
        assert dataset.dtypes == ("float32",)
        np.testing.assert_array_equal(np.isnan(values), expected[2] == 0)
        np.testing.assert_allclose(values, np.where(expected[2], expected[2] * 1e-4 - 0.1, np.nan), atol=1e-6)


def test_a_projected_extract_lies_where_the_scene_does(client: FlaskClient) -> None:
    with _extract(client, f"{ITEM}/bbox/{WHOLE}.tif?bands=B04") as own:
        source, affine, crs = own.read(1), own.transform, own.crs
    with _extract(client, f"{ITEM}/bbox/{WHOLE}.tif?bands=B04&dst_crs=EPSG:4326") as moved:
        assert moved.tags()["COMEO_RESAMPLING"] == "nearest"
        rows, cols = np.mgrid[: moved.height, : moved.width]
        xs, ys = transform(moved.crs, crs, *moved.xy(rows.ravel(), cols.ravel()))
        x, y = ~affine @ (np.asarray(xs), np.asarray(ys))
        # GDAL's approximate transformer may be off by an eighth of a pixel.
        clear = (np.abs(x - np.rint(x)) > 0.2) & (np.abs(y - np.rint(y)) > 0.2)
        clear &= (x > 1) & (y > 1) & (x < SIZE - 1) & (y < SIZE - 1)
        assert clear.mean() > 0.2
        got = moved.read(1).ravel()[clear]
        np.testing.assert_array_equal(got, source[y[clear].astype(int), x[clear].astype(int)])
        assert moved.width < 1.1 * SIZE


def test_where_no_number_is_free_a_mask_says_what_is_outside(client: FlaskClient) -> None:
    triangle = _ring([(0.05, 0.05), (0.4, 0.05), (0.05, 0.4)])
    answer = client.post(f"{PLAIN_ITEM}/feature.tif", json={"type": "Polygon", "coordinates": [triangle]})
    with MemoryFile(answer.data) as memory, memory.open() as dataset:
        assert dataset.nodata is None
        assert MaskFlags.per_dataset in dataset.mask_flag_enums[0]
        assert (dataset.dataset_mask() > 0).mean() == pytest.approx(0.5, abs=0.03)
    with _extract(client, f"{PLAIN_ITEM}/bbox/{WHOLE}.tif") as dataset:
        assert dataset.mask_flag_enums[0] == [MaskFlags.all_valid]


def test_radar_has_nan_for_nodata(client: FlaskClient) -> None:
    with _extract(client, f"{RADAR_ITEM}/bbox/{WHOLE}.tif") as dataset:
        assert np.isnan(dataset.nodata)
        assert dataset.units == ("dB", "dB")


places = st.tuples(st.floats(0.02, 0.98), st.floats(0.02, 0.98))


@st.composite
def polygons(draw: st.DrawFn) -> dict[str, Any]:
    """Convex polygons with a smaller copy of themselves cut out, alone or in twos."""
    hulls = []
    for _ in range(draw(st.integers(1, 2))):
        hull = shapely.MultiPoint(
            [position(*place) for place in draw(st.lists(places, min_size=3, max_size=9))]
        )
        if isinstance(hull.convex_hull, shapely.Polygon) and hull.convex_hull.area > 1e-6:
            hulls.append(hull.convex_hull)
    if not hulls:
        hulls = [shapely.box(*position(0.2, 0.8), *position(0.8, 0.2))]
    share = draw(st.floats(0.2, 0.8))
    parts = [
        shapely.Polygon(
            hull.exterior, [shapely.affinity.scale(hull, share, share, origin="centroid").exterior]
        )
        for hull in hulls
    ]
    both = shapely.MultiPolygon(parts)
    shape = both if both.is_valid else parts[0]  # parts that overlap are refused
    return json.loads(shapely.to_geojson(shape))  # type: ignore[no-any-return]


@settings(
    max_examples=5,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(polygons())
def test_a_polygon_with_holes_is_cut_as_rasterio_cuts_it(
    client: FlaskClient, geometry: dict[str, Any]
) -> None:
    answer = client.post(f"{ITEM}/feature.tif?bands=B04", json=geometry)
    assert answer.status_code == 200, answer.data
    with MemoryFile(answer.data) as memory, memory.open() as dataset:
        inside = dataset.read(1) > 0
        own = transform_geom("EPSG:4326", dataset.crs, geometry)
        expected = geometry_mask([own], dataset.shape, dataset.transform, invert=True)
        rows, cols = np.mgrid[: dataset.height, : dataset.width]
        xs, ys = (np.asarray(part) for part in dataset.xy(rows.ravel(), cols.ravel()))
        edges = shapely.boundary(shapely.geometry.shape(own))
        clear = (shapely.distance(edges, shapely.points(xs, ys)) > 1.0).reshape(dataset.shape)  # a metre
        np.testing.assert_array_equal(inside[clear], expected[clear])
        assert clear.mean() > 0.5
        left, bottom, right, top = shapely.geometry.shape(own).bounds
        assert -1e-3 <= left - dataset.bounds.left <= 120  # the meridians lean
        assert -1e-3 <= dataset.bounds.top - top <= 120  # the meridians lean
        assert -1e-3 <= dataset.bounds.right - right <= 120  # the meridians lean
        assert -1e-3 <= bottom - dataset.bounds.bottom <= 120  # the meridians lean


def test_long_edges_are_straight_in_degrees(client: FlaskClient) -> None:
    """As RFC 7946 says; in the projection they bend."""
    (lon, north), (_, south) = position(0.5, 0.1), position(0.5, 0.9)
    west, east = lon - 1.5, lon + 1.5
    answer = client.post(
        f"{ITEM}/feature.tif?bands=B04",
        json={"type": "Polygon", "coordinates": [[[west, north], [east, north], [east, south], [west, south],
                                                  [west, north]]]},
    )  # fmt: skip
    assert answer.status_code == 200, answer.data
    with MemoryFile(answer.data) as memory, memory.open() as dataset:
        inside = dataset.read(1) > 0
        rows, cols = np.mgrid[: dataset.height, : dataset.width]
        xs, ys = dataset.xy(rows.ravel(), cols.ravel())
        _, latitudes = transform(dataset.crs, "EPSG:4326", xs, ys)
        latitude = np.asarray(latitudes).reshape(dataset.shape)
        away = np.minimum(np.abs(latitude - north), np.abs(latitude - south)) > 2e-6  # 20 cm
        expected = (latitude < north) & (latitude > south)
        np.testing.assert_array_equal(inside[away], expected[away])


def test_an_estimate_is_near_what_comes(client: FlaskClient) -> None:
    for order in (
        {"bands": "B02,B03,B04,B08"},
        {"style": "ndvi"},
        {"bands": ["B04"], "dst_crs": "EPSG:3857"},
    ):
        found = client.post(f"{ITEM}/extracts/estimate", json=order)
        assert found.status_code == 200, found.json
        assert found.json is not None
        query = "&".join(
            f"{key}={value if isinstance(value, str) else value[0]}" for key, value in order.items()
        )
        body = client.get(f"{ITEM}/bbox/{WHOLE}.tif?{query}").data
        with MemoryFile(body) as memory, memory.open() as dataset:
            assert (found.json["height"], found.json["width"]) == pytest.approx(dataset.shape, abs=30)
            assert found.json["bands"] == dataset.count
        # A third of the estimate is for overviews, which so small a file has none of.
        assert 0.6 * found.json["bytes"] < len(body) < 1.2 * found.json["bytes"]
        assert found.json["job"] is False


def test_head_tells_the_size_and_makes_nothing(client: FlaskClient) -> None:
    answer = client.head(f"{ITEM}/bbox/{WHOLE}.tif?bands=B04&rescale=1000,3000")
    assert answer.status_code == 200
    assert int(answer.headers["Comeo-Estimated-Bytes"]) > 1000
    assert "Content-Length" not in answer.headers
    assert answer.data == b""


def test_a_client_that_has_the_file_gets_no_other(client: FlaskClient) -> None:
    url = f"{ITEM}/bbox/{WHOLE}.tif?bands=B04"
    with client.get(url) as first:
        etag = first.headers["ETag"]
    again = client.get(url, headers={"If-None-Match": etag})
    assert again.status_code == 304
    with client.get(f"{url}&resampling=cubic") as other:
        assert other.headers["ETag"] != etag


@pytest.mark.parametrize(
    ("order", "status", "words"),
    [
        ({"bbox": [1, 2, 3]}, 422, "bbox"),
        ({"bbox": [9, 47, 8, 48]}, 422, "swap them if that is not meant"),
        ({"bbox": [8, 47, 8, "NaN"]}, 422, "degrees"),
        ({"bbox": [100, 10, 101, 11]}, 404, "outside"),
        ({"geometry": {"type": "Point", "coordinates": [8, 47]}}, 422, "Polygon"),
        ({"geometry": {}}, 422, "Polygon"),
        ({"dst_crs": "/etc/passwd"}, 422, "dst_crs"),
        ({"dst_crs": "EPSG:999999"}, 422, "projection"),
        ({"bands": "B99"}, 404, "B99"),
        ({"expression": "__import__('os')"}, 422, "has no place"),
        ({"format": "exe"}, 422, "format"),
        ({"max_size": 0}, 422, "max_size"),
        ({"width": 10**7, "height": 10**7}, 413, "max"),
        ({"format": "kmz", "bands": "B04,B03"}, 422, "one band or three"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_job_starts(
    client: FlaskClient, order: dict[str, Any], status: int, words: str
) -> None:
    for path in ("extracts", "extracts/estimate"):
        answer = client.post(f"{ITEM}/{path}", json=order)
        assert answer.status_code == status, answer.json
        assert answer.json is not None
        assert words in answer.json["detail"]


def test_what_is_too_large_is_refused_with_its_bound(server: Server, archives: Path) -> None:
    client = server(archives, max_output_samples=1000, max_extract_samples=100_000, max_kmz_tiles=64)
    direct = client.get(f"{ITEM}/bbox/{WHOLE}.tif?bands=B04")
    assert direct.status_code == 413
    assert direct.json is not None
    assert direct.json["bound"] == "max_output_samples"
    assert "/extracts" in direct.json["detail"]
    job = client.post(f"{ITEM}/extracts", json={"bands": "B04"})
    assert job.status_code == 413
    assert job.json is not None
    assert job.json["bound"] == "max_extract_samples"


def test_what_a_narrow_picture_has_to_decode_is_bounded_too(server: Server, archives: Path) -> None:
    """A column of pixels takes all of a scene; piece by piece each had been below the bound."""
    client = server(archives, max_decoded_samples=1_000_000)
    narrow = f"{ITEM}/bbox/{WHOLE}.tif?bands=B04&width=1&height=3000"
    refused = client.get(narrow)
    assert refused.status_code == 413
    assert refused.json is not None
    assert refused.json["bound"] == "max_decoded_samples"
    assert (
        client.get(f"{ITEM}/bbox/{WHOLE}.tif?bands=B04&width=10&height=10", buffered=True).status_code == 200
    )
    assert server(archives, max_decoded_samples=4_000_000).get(narrow, buffered=True).status_code == 200


def test_a_job_makes_the_same_file_and_can_be_resumed(server: Server, archives: Path) -> None:
    client = server(archives)
    order = {"bands": "B04", "rescale": ["1000,3000"], "bbox": [8.6, 47.4, 8.75, 47.5]}
    created = client.post(f"{ITEM}/extracts", json=order)
    assert created.status_code == 201, created.json
    assert created.json is not None
    address = created.headers["Location"].replace("http://localhost", "")
    early = client.get(f"{address}/result")
    assert early.status_code == 409
    assert early.json is not None
    done = _finish(client, address)
    assert done["status"] == "successful", done
    assert done["progress"] == 100
    with client.get(f"{address}/result") as whole:
        assert whole.status_code == 200
        assert len(whole.data) == done["bytes"]
        tag = whole.headers["ETag"]
        direct = client.get(f"{ITEM}/bbox/{WHOLE}.tif?bands=B04&rescale=1000,3000").data
        np.testing.assert_array_equal(_pixels(whole.data), _pixels(direct))
        ranged = {"Range": "bytes=100-", "If-Range": tag}
        with client.get(f"{address}/result", headers=ranged) as rest:
            assert rest.status_code == 206
            assert rest.data == whole.data[100:]
    with client.get(f"{address}/result", headers={"Range": "bytes=100-", "If-Range": '"other"'}) as other:
        assert other.status_code == 200
    gone = client.delete(address)
    assert gone.status_code == 200
    assert gone.json is not None
    assert gone.json["status"] == "dismissed"
    for path in (address, f"{address}/result"):
        assert client.get(path).status_code == 404


def test_a_job_that_fails_says_why(server: Server, own_archives: Path) -> None:
    client = server(own_archives, scan_seconds=3600)
    (own_archives / "middle.zarr.zip").replace(own_archives / "hidden")
    # The catalogue knows the scene still, and this process has its file open; the job's process has not.
    created = client.post(f"{ITEM}/extracts", json={"bands": "B04"})
    if created.status_code == 201:
        done = _finish(client, created.headers["Location"].replace("http://localhost", ""))
        assert done["status"] == "failed"
        assert "Traceback" not in done["message"]
    else:
        assert created.status_code in (500, 503)


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection's two ends."""
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_work_ends_when_the_client_has_gone(
    client: FlaskClient, connection: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = connection
    watch = ClientWatch({"gunicorn.socket": ours})
    watch.start("extracting", 10)
    theirs.send(b"GET /next HTTP/1.1")  # a request sent ahead is no end
    watch.advance()
    theirs.close()
    ours.recv(100)
    with pytest.raises(ClientGoneError):
        watch.advance()
    answer = client.get(f"{ITEM}/bbox/{WHOLE}.tif", environ_overrides={"gunicorn.socket": ours})
    assert answer.status_code == 408


@contextlib.contextmanager
def _extract(client: FlaskClient, url: str) -> Iterator[Any]:
    answer = client.get(url)
    assert answer.status_code == 200, answer.data
    with MemoryFile(answer.data) as memory, memory.open() as dataset:
        yield dataset


def _pixels(body: bytes) -> NDArray[Any]:
    with MemoryFile(io.BytesIO(body)) as memory, memory.open() as dataset:
        return np.concatenate([dataset.read(), dataset.dataset_mask()[None]])


def _ring(places: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [position(*place) for place in [*places, places[0]]]


def _finish(client: FlaskClient, address: str) -> dict[str, Any]:
    deadline = time.monotonic() + 90
    while True:
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json is not None
        if answer.json["status"] not in ("accepted", "running"):
            return dict(answer.json)
        assert time.monotonic() < deadline, answer.json
        time.sleep(0.1)


def test_a_scene_across_the_antimeridian_is_taken_in_parts(server: Server, tmp_path: Path) -> None:
    crs = CRS.from_epsg(32760)
    (x,), (y,) = transform("EPSG:4326", crs, [179.98], [-17.0])
    grid = Affine(100, 0, round(x), 0, -100, round(y))
    scene = array_scene(array_group(landscape(1, 120, 100), transform=grid, crs=crs), scene_id="fiji")
    compress(scene, tmp_path / "scenes" / "fiji.zarr.zip", step=40.0)
    client = server(tmp_path / "scenes")
    fiji = "/collections/test/items/fiji"
    whole = client.post(f"{fiji}/extracts/estimate", json={})
    assert whole.json is not None
    assert (whole.json["height"], whole.json["width"]) == (120, 100)
    moved = client.post(f"{fiji}/extracts/estimate", json={"dst_crs": "EPSG:3857"})
    assert moved.status_code == 422
    assert moved.json is not None
    assert "antimeridian" in moved.json["detail"]
    with _extract(client, f"{fiji}/bbox/179.97,-17.2,-179.5,-16.9.tif?dst_crs=EPSG:4326") as dataset:
        assert dataset.bounds.left < -180 < dataset.bounds.right
        assert (dataset.dataset_mask() > 0).mean() > 0.5
    for side in ("179.97,-17.2,180,-16.9", "-180,-17.2,-179.97,-16.9"):
        with _extract(client, f"{fiji}/bbox/{side}.tif?dst_crs=EPSG:4326") as dataset:
            assert (dataset.dataset_mask() > 0).mean() > 0.2
    tiles = client.get(f"{fiji}/bbox/-180,-17.2,180,-16.9.kmz?bands=B01&rescale=0,5000")
    assert tiles.status_code == 200, tiles.data
