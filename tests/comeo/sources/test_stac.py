"""STAC Items as Earth Search and CDSE publish them, from files and over http; hostile ones are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources import open_source
from comeo.sources.gdal import GdalFile
from tests.comeo.sources.conftest import north_up, write_tif
from tests.ranges import Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A folder served over http: its URL, the folder, the requests so far."""
    with serving(tmp_path) as found:
        yield found


def item_of(assets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2A_32TMT_20190530_0_L2A",
        "collection": "sentinel-2-l2a",
        "geometry": None,
        "links": [],
        "properties": {
            "datetime": "2019-05-30T10:34:27.461Z",
            "platform": "sentinel-2a",
            "constellation": "sentinel-2",
            "eo:cloud_cover": 12.5,
            **properties,
        },
        "assets": assets,
    }


def save(path: Path, item: Any) -> Path:
    path.write_text(json.dumps(item), "utf-8")
    return path


def numbers(shape: tuple[int, int], seed: int = 0) -> NDArray[np.uint16]:
    values = np.random.default_rng(seed).integers(1, 9000, (1, *shape), dtype=np.uint16)
    values[0, :4] = 0
    return values


def earth_search(folder: Path, href: str = "") -> tuple[dict[str, Any], dict[str, NDArray[np.uint16]]]:
    """An Item with COGs as Earth Search writes it, with its JPEG 2000 twins on s3."""
    assets: dict[str, Any] = {
        "visual": {
            "href": f"{href}TCI.tif",
            "eo:bands": [{"name": "red"}, {"name": "green"}, {"name": "blue"}],
            "roles": ["visual"],
        },
        "scl": {"href": f"{href}SCL.tif", "roles": ["data"], "raster:bands": [{"nodata": 0}]},
        "thumbnail": {"href": f"{href}thumbnail.jpg", "roles": ["thumbnail"]},
        "granule_metadata": {"href": f"{href}MTD_TL.xml", "type": "application/xml", "roles": ["metadata"]},
    }
    values = {}
    for key, name, size, gsd in (
        ("blue", "B02", 96, 10),
        ("nir", "B08", 96, 10),
        ("rededge1", "B05", 48, 20),
    ):
        values[name] = numbers((size, size), gsd + len(key))
        write_tif(
            folder / f"{name}.tif",
            values[name],
            transform=north_up(gsd),
            tiled=True,
            blockxsize=32,
            blockysize=32,
        )
        asset = {
            "href": f"{href}{name}.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "eo:bands": [{"name": key, "common_name": key}],
            "gsd": gsd,
            "raster:bands": [{"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}],
            "roles": ["data", "reflectance"],
        }
        assets[key] = asset
        assets[f"{key}-jp2"] = {**asset, "href": f"s3://store/{name}.jp2", "type": "image/jp2"}
    return item_of(assets, **{"s2:processing_baseline": "05.09"}), values


def check(scene: Any, values: dict[str, NDArray[np.uint16]]) -> None:
    for group in scene.groups:
        pixels = group.read(Window(0, 0, group.height, group.width))
        for index, band in enumerate(group.bands):
            assert np.array_equal(pixels.values[index], values[band.name][0])
            assert np.array_equal(pixels.valid[index], values[band.name][0] != 0)


def test_earth_search_over_http(served: Served) -> None:
    url, folder, requests = served
    item, values = earth_search(folder, "./")
    save(folder / "item.json", item)
    scene = open_source(f"{url}/item.json")
    assert (scene.id, scene.collection) == ("S2A_32TMT_20190530_0_L2A", "sentinel-2-l2a")
    assert scene.datetime == datetime(2019, 5, 30, 10, 34, 27, 461000, UTC)
    assert scene.properties["eo:cloud_cover"] == 12.5
    assert scene.properties["s2:processing_baseline"] == "05.09"
    assert {group.name: [band.name for band in group.bands] for group in scene.groups} == {
        "r10m": ["B02", "B08"],
        "r20m": ["B05"],
    }
    band = scene.groups[0].bands[0]
    assert (band.scale, band.offset, band.unit, band.common_name) == (1e-4, -0.1, "reflectance", "blue")
    check(scene, values)
    assert scene.source_checksum == ""
    assert any(asked for path, asked in requests if path.endswith(".tif")), "COGs are read by ranges"
    assert not any(path.endswith(("SCL.tif", "TCI.tif")) for path, _ in requests)
    scene.close()


def test_the_same_item_from_a_file_with_absolute_hrefs(served: tuple[str, Path, Any], tmp_path: Path) -> None:
    url, folder, _ = served
    item, values = earth_search(folder, f"{url}/")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    scene = open_source(save(elsewhere / "item.json", item))
    check(scene, values)
    scene.close()


def test_assets_downloaded_beside_their_item_are_read_there(tmp_path: Path) -> None:
    item, values = earth_search(tmp_path, "https://store.invalid/32/T/MT/")
    path = save(tmp_path / "item.json", item)
    for source in (path, tmp_path):
        scene = open_source(source)
        check(scene, values)
        assert len(scene.source_checksum) == 64
        scene.close()


def test_an_offset_that_is_already_applied_is_not_applied_again(tmp_path: Path) -> None:
    item, _ = earth_search(tmp_path)
    item["properties"]["earthsearch:boa_offset_applied"] = True
    scene = open_source(save(tmp_path / "item.json", item))
    assert {band.offset for group in scene.groups for band in group.bands} == {0.0}
    scene.close()


def test_cdse_with_alternates_and_several_resolutions(served: tuple[str, Path, Any]) -> None:
    url, folder, _ = served
    values = {"B02": numbers((96, 96)), "B05": numbers((48, 48), 1), "B01": numbers((16, 16), 2)}
    assets: dict[str, Any] = {}
    for name, own in (("B02", 10), ("B05", 20), ("B01", 60)):
        for gsd in (10, 20, 60):
            if gsd < own:
                continue
            file = f"T32TMT_20190530T103031_{name}_{gsd}m.jp2"
            side = values[name].shape[1] * own // gsd
            part = values[name][:, :side, :side]
            with rasterio.open(
                folder / file, "w", driver="JP2OpenJPEG", dtype="uint16", count=1, height=side, width=side,
                crs="EPSG:32632", transform=north_up(gsd), QUALITY=100, REVERSIBLE=True,
            ) as dataset:  # fmt: skip
                dataset.write(part)
            assets[f"{name}_{gsd}m"] = {
                "href": f"s3://eodata/Sentinel-2/{file}",
                "type": "image/jp2",
                "roles": ["data", "reflectance"],
                "gsd": gsd,
                "bands": [{"name": name, "eo:common_name": "x", "eo:center_wavelength": 0.49}],
                "nodata": 0,
                "raster:scale": 0.0001,
                "raster:offset": -0.1,
                "alternate": {"https": {"href": f"{url}/{file}"}},
            }
    assets["SCL_20m"] = {"href": "s3://eodata/SCL_20m.jp2", "roles": ["data"], "bands": [{"name": "SCL"}]}
    item = item_of(assets) | {"stac_version": "1.1.0"}
    scene = open_source(save(folder / "item.json", item))
    assert [[band.name for band in group.bands] for group in scene.groups] == [["B02"], ["B05"], ["B01"]]
    check(scene, values)
    assert scene.groups[0].bands[0].offset == -0.1
    scene.close()
    (folder / "away").mkdir()
    remote = open_source(save(folder / "away" / "item.json", item))
    check(remote, values)
    remote.close()
    chosen = open_source(folder / "item.json", bands=["B05"])
    assert [group.name for group in chosen.groups] == ["r20m"]
    chosen.close()
    with pytest.raises(SourceError, match="has no asset of band B08"):
        open_source(folder / "item.json", bands=["B08"])


def test_an_asset_opens_while_another_thread_reads_a_local_file(served: Served) -> None:
    """What GDAL is told in the main thread holds in every thread that is told nothing else."""
    url, folder, _ = served
    local = GdalFile(write_tif(folder / "B04.tif", numbers((64, 64))))
    with local.handle(), ThreadPoolExecutor(1) as other:
        remote = other.submit(GdalFile, f"{url}/B04.tif").result()
    remote.close()
    local.close()


def test_two_assets_alike_are_refused(tmp_path: Path) -> None:
    item, _ = earth_search(tmp_path)
    write_tif(tmp_path / "other.tif", numbers((96, 96)))
    item["assets"]["B02"] = {**item["assets"]["blue"], "href": "other.tif"}
    with pytest.raises(SourceError, match="offers band B02 several times alike: blue, B02"):
        open_source(save(tmp_path / "item.json", item))


def test_assets_that_can_t_be_reached_are_named(served: tuple[str, Path, Any], tmp_path: Path) -> None:
    url, folder, _ = served
    item = item_of({"blue": {"href": "s3://store/B02.tif"}})
    with pytest.raises(SourceError, match=r"asset blue is neither at an http\(s\) URL"):
        open_source(save(folder / "s3.json", item))
    item = item_of({"blue": {"href": f"{url}/missing.tif"}})
    with pytest.raises(SourceError, match=r"missing\.tif cannot be opened"):
        open_source(save(folder / "404.json", item))
    with pytest.raises(SourceError, match="answers 404"):
        open_source(f"{url}/nothing.json")
    with pytest.raises(SourceError, match="cannot be reached"):
        open_source("http://127.0.0.1:9/item.json")


def test_hrefs_that_lead_out_are_refused(tmp_path: Path) -> None:
    write_tif(tmp_path / "secret.tif", numbers((16, 16)))
    inner = tmp_path / "inner"
    inner.mkdir()
    for href in ("../secret.tif", str(tmp_path / "secret.tif"), "x/../../secret.tif", "%2e%2e/secret.tif"):
        with pytest.raises(SourceError, match="leads out of the folder"):
            open_source(save(inner / "item.json", item_of({"blue": {"href": href}})))
    for href in ("file:///etc/passwd", "/vsicurl/http://127.0.0.1:9/x.tif", "zip://x.zip!y.tif"):
        with pytest.raises(SourceError):
            open_source(save(inner / "item.json", item_of({"blue": {"href": href}})))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not readable JSON"),
        ("{", "is not readable JSON"),
        ("[" * 100_000, "is not readable JSON"),
        ("[]", "no STAC Item but 'list'"),
        ("3", "no STAC Item but 'int'"),
        ('{"type": "FeatureCollection", "stac_version": "1.0.0"}', "no STAC Item but 'FeatureCollection'"),
        ('{"type": "Feature"}', "no STAC Item"),
        ('{"type": "Feature", "stac_version": "1.0.0"}', "without an id"),
        ('{"type": "Feature", "stac_version": "1.0.0", "id": 3}', "without an id"),
        ('{"type": "Feature", "stac_version": "1.0.0", "id": "x"}', "without properties"),
        (
            '{"type": "Feature", "stac_version": "1", "id": "x", "properties": {}, "assets": []}',
            "without assets",
        ),
        ('{"type": "Feature", "stac_version": "1", "id": "x", "properties": {}, "assets": {}}', "no asset"),
        (
            '{"type": "Feature", "stac_version": "1", "id": "x", "properties": {}, "assets": {"B02": 3}}',
            "has no href",
        ),
    ],
)
def test_what_is_no_item_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "item.json"
    path.write_text(content)
    with pytest.raises(SourceError, match=message):
        open_source(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("raster:scale", "NaN"), ("raster:scale", [1]), ("raster:offset", "1e999"), ("nodata", {"a": 1})],
)
def test_numbers_that_are_none_are_refused(tmp_path: Path, field: str, value: object) -> None:
    write_tif(tmp_path / "B02.tif", numbers((16, 16)))
    item = item_of({"B02": {"href": "B02.tif", "roles": ["data"], field: value}})
    with pytest.raises(SourceError, match="not a number"):
        open_source(save(tmp_path / "item.json", item))


def test_ids_and_properties_of_strangers_are_kept_small_and_safe(tmp_path: Path) -> None:
    write_tif(tmp_path / "B02.tif", numbers((16, 16)))
    item = item_of(
        {"B02": {"href": "B02.tif"}}, **{"s2:note": "x" * 10_000, "eo:list": [0] * 1000, "evil": "y"}
    )
    item["id"], item["collection"] = "../../etc/cron.d/x", "a/b"
    scene = open_source(save(tmp_path / "item.json", item))
    assert (scene.id, scene.collection) == ("etc_cron.d_x", "a_b")
    assert not {"s2:note", "eo:list", "evil"} & set(scene.properties)
    scene.close()
    item["id"] = "///"
    with pytest.raises(SourceError, match="id '' is not usable"):
        open_source(save(tmp_path / "item.json", item))


def test_the_real_item(shared_data: Path) -> None:
    folder = shared_data / "scenes" / "S2A_29RKH_20200219_0_L2A"
    scene = open_source(folder)
    assert {group.name: len(group.bands) for group in scene.groups} == {"r100m": 4, "r200m": 6, "r600m": 2}
    assert scene.datetime == datetime(2020, 2, 19, 11, 34, 25, 405000, UTC)
    assert scene.properties["eo:cloud_cover"] == 4.051854
    assert scene.properties["s2:processing_baseline"] == "02.14"
    for group in scene.groups:
        pixels = group.read(Window(0, 0, group.height, group.width))
        for index, band in enumerate(group.bands):
            with rasterio.open(folder / f"{band.name}.tif") as dataset:
                assert np.array_equal(pixels.values[index], dataset.read(1))
                assert dataset.transform == group.transform
        assert {(band.scale, band.offset) for band in group.bands} == {(1e-4, 0.0)}
    scene.close()
