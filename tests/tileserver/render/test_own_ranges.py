"""Scenes whose unit nobody knows, or whose numbers are not Sentinel's, from the file to the tile."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.sources import open_source
from comeo.view.display import bands_to_show
from tests.comeo.sources.conftest import write_tif
from tests.scenes import landscape
from tileserver import Settings, create_app
from tileserver.cli.main import cli

NAMES = ("B02", "B03", "B04", "B08")


def archived(folder: Path, name: str, values: Any, names: Any, step: float, **options: Any) -> str:
    path = write_tif(folder / f"{name}.tif", values, names)
    (folder / "archives").mkdir(exist_ok=True)
    with open_source(path, **options) as scene:
        compress(scene, folder / "archives" / f"{scene.id}.zarr.zip", step=step, codec="dct")
        return f"/collections/{scene.collection}/items/{scene.id}"


def client_of(folder: Path) -> FlaskClient:
    settings = {"paths": (folder / "archives",), "catalog": folder / "catalog.sqlite"}
    return create_app(Settings.model_validate(settings)).test_client()


def test_float_reflectance_is_shown_and_its_psnr_has_its_own_peak(tmp_path: Path) -> None:
    numbers = landscape(4, 256, 256)
    item = archived(tmp_path, "S2A_20190530_float", (numbers / 1e4).astype(np.float32), NAMES, 0.01)
    twin = archived(tmp_path, "S2A_20190530_whole", numbers, NAMES, 100.0)
    client = client_of(tmp_path)
    assert client.get(f"{item}/tilejson.json").status_code == 200
    styles = [style["id"] for style in client.get(f"{item}/info").get_json()["styles"]]
    assert {"true-color", "ndvi"} <= set(styles)
    figures = [client.get(f"{each}/certificate").get_json() for each in (item, twin)]
    assert [each["peak"] for each in figures] == [pytest.approx(1.0), pytest.approx(10_000)]
    psnr = [each["groups"]["r10m"]["psnr"] for each in figures]
    assert psnr[0] == pytest.approx(psnr[1], abs=0.5)


def test_a_picture_of_bytes_is_shown_in_a_range_of_its_own(tmp_path: Path) -> None:
    values = (landscape(3, 256, 256) / 20).clip(1, 255).astype(np.uint8)
    item = archived(tmp_path, "T32TMT_20190530T103031_TCI_10m", values, ("red", "green", "blue"), 2.0)
    client = client_of(tmp_path)
    facts = client.get(f"{item}/info").get_json()
    assert [style["id"] for style in facts["styles"]] == ["red", "green", "blue"]
    for style, plane in zip(facts["styles"], values, strict=True):
        assert style["rescale"][0] == pytest.approx(np.percentile(plane, (2, 98)), abs=12)
    assert client.get(f"{item}/tilejson.json").status_code == 200
    tile = client.get(f"{item}/preview.png?max_size=64")
    assert tile.status_code == 200
    assert client.get(f"{item}/certificate").get_json()["groups"]["r10m"]["psnr"] is None


def test_ranges_come_from_valid_pixels_of_the_archive(tmp_path: Path) -> None:
    values = landscape(2, 300, 300).astype(np.float32)
    values[0, :150], values[1] = np.nan, np.nan
    archived(tmp_path, "heights", values, ("height", "none"), 1.0, datetime="2020-01-01")
    with open_archive(tmp_path / "archives" / "heights.zarr.zip") as archive:
        height, none = bands_to_show(archive)
    assert height.display == pytest.approx(np.nanpercentile(values[0], (2, 98)), rel=0.1)
    assert none.display is None


def test_an_archive_of_another_mission_gets_no_names_of_sentinel2(tmp_path: Path) -> None:
    with open_source(write_tif(tmp_path / "S2_2020-01-01.tif", landscape(4, 64, 64), NAMES)) as scene:
        properties = {**scene.properties, "constellation": "landsat", "platform": "landsat-8"}
        other = type(scene)(scene.id, "landsat", scene.datetime, scene.groups, properties)
        compress(other, tmp_path / "other.zarr.zip", step=100.0, codec="dct")
    with open_archive(tmp_path / "other.zarr.zip") as archive:
        assert {band.mission for group in archive.groups.values() for band in group.bands} == {"Landsat"}


def test_the_command_takes_what_the_source_lacks_and_prints_the_rule(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = landscape(1, 64, 64)
    values[0, 0] = 65535
    source = write_tif(tmp_path / "S2_2023-01-01.tif", values, ["B04"], tags={"datetime": "broken"})
    given = ["--offset", "-0.1", "--nodata", "65535", "--datetime", "2023-01-01T10:00:00Z"]
    caplog.set_level("INFO", logger="comeo")
    output = tmp_path / "out.zarr.zip"
    line = ["compress", str(source), "-o", str(output), "--codec", "dct", "--step", "50", *given]
    assert CliRunner().invoke(cli, line, catch_exceptions=False).exit_code == 0
    assert "B04: reflectance = number × 0.0001 − 0.1 (scale assumed, offset as given)" in caplog.text
    with open_archive(output) as archive:
        (band,) = archive.groups["r10m"].bands
        assert (band.scale, band.offset, band.unit, band.mission) == (1e-4, -0.1, "reflectance", "sentinel-2")
        assert archive.groups["r10m"].has_nodata
        assert archive.item["properties"]["datetime"] == "2023-01-01T10:00:00Z"
        assert not math.isnan(archive.info()["certificate"]["groups"]["r10m"]["psnr"])
    bad = CliRunner().invoke(cli, ["compress", str(source), "-o", str(output), "--scale", "zero"])
    assert bad.exit_code == 2
