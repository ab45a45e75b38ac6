"""Folders of band files."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources import open_source
from comeo.sources.folder import band_in
from tests.comeo.sources.conftest import north_up, write_tif


def numbers(side: int) -> np.ndarray:
    return np.random.default_rng(side).integers(1, 9000, (1, side, side), dtype=np.uint16)


@pytest.mark.parametrize(
    ("stem", "band"),
    [
        ("T33UUU_20170216T102101_B04", "B04"),
        ("T32TMT_20190530T103031_B8A_20m", "B8A"),
        ("B2", "B02"),
        ("b12", "B12"),
        ("scene_vv", "VV"),
        ("S2A_29RKH", None),
        ("B99", None),
        ("manifest", None),
    ],
)
def test_bands_by_file_name(stem: str, band: str | None) -> None:
    assert band_in(stem) == band


def test_the_real_jp2_folder(shared_data: Path) -> None:
    folder = shared_data / "scenes" / "S2A_T33UUU_20170216_L1C_jp2"
    scene = open_source(folder)
    assert scene.id == "S2A_T33UUU_20170216_L1C_jp2"
    assert scene.collection == "sentinel-2-l1c"
    assert scene.datetime == datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
    assert scene.properties["grid:code"] == "MGRS-33UUU"
    assert [(group.name, len(group.bands)) for group in scene.groups] == [
        ("r10m", 4),
        ("r20m", 6),
        ("r60m", 3),
    ]
    for group in scene.groups:
        pixels = group.read(Window(0, 0, group.height, group.width))
        for index, band in enumerate(group.bands):
            with rasterio.open(folder / f"T33UUU_20170216T102101_{band.name}.jp2") as dataset:
                assert np.array_equal(pixels.values[index], dataset.read(1))
                assert dataset.transform == group.transform
                assert dataset.crs == group.crs
            assert np.array_equal(pixels.valid[index], pixels.values[index] != 0)
    scene.close()


def test_geotiffs_with_layers_beside_the_bands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "S2B_32TMT_20210102_0_L2A"
    folder.mkdir()
    caplog.set_level("INFO")
    write_tif(folder / "B02.tif", numbers(60), nodata=0)
    write_tif(folder / "B05.tif", numbers(30), transform=north_up(20), nodata=0)
    for layer in ("SCL", "AOT", "WVP", "TCI", "L2A_PVI", "MSK_CLDPRB_20m"):
        write_tif(folder / f"{layer}.tif", numbers(30), transform=north_up(20))
    scene = open_source(folder)
    assert [[band.name for band in group.bands] for group in scene.groups] == [["B02"], ["B05"]]
    assert scene.datetime == datetime(2021, 1, 2, tzinfo=UTC)
    assert scene.properties["platform"] == "sentinel-2b"
    assert caplog.text.count("not a band, and is left out") == 6
    scene.close()
    chosen = open_source(folder, bands=["B05"])
    assert [group.name for group in chosen.groups] == ["r20m"]
    chosen.close()
    with pytest.raises(SourceError, match="has no file of band B11: it has B02, B05"):
        open_source(folder, bands=["B11"])


def test_a_band_at_several_resolutions_is_taken_at_its_own(tmp_path: Path) -> None:
    for resolution in (10, 20, 60):
        (tmp_path / f"R{resolution}m").mkdir()
        file = tmp_path / f"R{resolution}m" / f"T32TMT_20190530T103031_B02_{resolution}m.tif"
        write_tif(file, numbers(600 // resolution), transform=north_up(resolution))
    scene = open_source(tmp_path)
    assert [(group.name, group.height) for group in scene.groups] == [("r10m", 60)]
    scene.close()


def test_what_is_not_understood_is_refused_by_name(tmp_path: Path) -> None:
    write_tif(tmp_path / "B02.tif", numbers(60))
    write_tif(tmp_path / "mystery.tif", numbers(60))
    with pytest.raises(SourceError, match=r"the name of mystery\.tif does not say which band"):
        open_source(tmp_path)
    (tmp_path / "mystery.tif").rename(tmp_path / "other_b2.tif")
    with pytest.raises(SourceError, match="more than one file of band B02"):
        open_source(tmp_path)
    (tmp_path / "other_b2.tif").unlink()
    write_tif(tmp_path / "B03.tif", np.concatenate([numbers(60)] * 3))
    with pytest.raises(SourceError, match=r"B03\.tif has 3 bands"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("T32TMT_20190530T103031_B02", "T32TMT_20190531T103031_B03", "have different times"),
        ("T32TMT_20190530T103031_B02", "T33TMT_20190530T103031_B03", "have different tiles"),
        ("2019-05-30_B02", "2019-05-31_B03", "have different dates"),
    ],
)
def test_files_of_several_scenes_are_refused(tmp_path: Path, first: str, second: str, message: str) -> None:
    write_tif(tmp_path / f"{first}.tif", numbers(60))
    write_tif(tmp_path / f"{second}.tif", numbers(60))
    with pytest.raises(SourceError, match=message):
        open_source(tmp_path)


def test_grids_that_can_t_be_one_scene_are_refused(tmp_path: Path) -> None:
    write_tif(tmp_path / "B02.tif", numbers(60))
    write_tif(tmp_path / "B03.tif", numbers(60), transform=north_up(origin=(0.0, 0.0)))
    with pytest.raises(SourceError, match="B02 and B03 have pixels of one size"):
        open_source(tmp_path)
    write_tif(tmp_path / "B03.tif", numbers(60), crs="EPSG:32633")
    with pytest.raises(SourceError, match="different coordinate reference systems"):
        open_source(tmp_path)


def test_folders_without_a_scene_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="neither a SAFE product, a STAC Item nor band files"):
        open_source(tmp_path)
    (tmp_path / "S1A_IW_GRDH_x").mkdir()
    with pytest.raises(SourceError, match="Sentinel-1 product"):
        open_source(tmp_path)


def test_damaged_jp2_files_are_named(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "scenes" / "S2A_T33UUU_20170216_L1C_jp2"
    names = ["T33UUU_20170216T102101_B02.jp2", "T33UUU_20170216T102101_B03.jp2"]
    for name in names:
        shutil.copyfile(source / name, tmp_path / name)
    content = (tmp_path / names[1]).read_bytes()
    for share in (0.0, 0.001, 0.5, 0.99):
        (tmp_path / names[1]).write_bytes(content[: int(share * len(content))])
        with pytest.raises(SourceError, match=r"_B03\.jp2"):
            open_source(tmp_path).groups[0].read(Window(0, 0, 768, 1536))
