"""SAFE products: pixels, georeference and metadata as an independent reader sees them; damage is named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import rasterio

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources import open_source
from tests.safe_generator import Recipe

Make = Callable[..., tuple[Path, Recipe]]

NATIVE = {
    "L1C": {
        "r10m": ["B02", "B03", "B04", "B08"],
        "r20m": ["B05", "B06", "B07", "B8A", "B11", "B12"],
        "r60m": ["B01", "B09", "B10"],
    },
    "L2A": {
        "r10m": ["B02", "B03", "B04", "B08"],
        "r20m": ["B05", "B06", "B07", "B8A", "B11", "B12"],
        "r60m": ["B01", "B09"],
    },
}


@pytest.fixture
def copy_of(tmp_path: Path, make_safe: Make) -> Callable[..., Path]:
    """A product of its own, to be damaged."""

    def copy(level: str = "L2A") -> Path:
        path, _ = make_safe(level)
        return Path(shutil.copytree(path, tmp_path / path.name))

    return copy


def replace_in(file: Path, pattern: str, text: str) -> None:
    content, count = re.subn(pattern, text, file.read_text("utf-8"), flags=re.DOTALL)
    assert count
    file.write_text(content, "utf-8")


def forget_checksums(product: Path) -> None:
    (product / "manifest.safe").unlink()


def image(product: Path, band: str) -> Path:
    (found,) = (product / "GRANULE").glob(f"*/IMG_DATA/**/*_{band}*")
    return found


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_pixels_and_georeference_are_those_that_gdal_reads(make_safe: Make, level: str) -> None:
    path, recipe = make_safe(level)
    scene = open_source(path)
    assert {group.name: [band.name for band in group.bands] for group in scene.groups} == NATIVE[level]
    for group in scene.groups:
        pixels = group.read(Window(0, 0, group.height, group.width))
        address = f"SENTINEL2_{level}:{path / f'MTD_MSI{level}.xml'}:{group.name[1:]}:EPSG_32632"
        with rasterio.open(address) as dataset:
            assert dataset.transform == group.transform
            assert dataset.crs == group.crs
            assert dataset.shape == (group.height, group.width)
            names = [text.split(",")[0] for text in dataset.descriptions]
            for index, band in enumerate(group.bands):
                other = dataset.read(names.index(f"B{band.name[1:].lstrip('0')}") + 1)
                assert np.array_equal(pixels.values[index], other)
                assert np.array_equal(pixels.valid[index], other != 0)
        assert 0.7 < pixels.valid.mean() < 0.95
        assert (pixels.values == 65535).any()
    assert scene.raw_bytes == sum(len(g.bands) * g.height * g.width * 2 for g in scene.groups)
    assert recipe.size == scene.groups[0].height
    scene.close()


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize(("baseline", "offset"), [("02.12", 0.0), ("04.00", -0.1), ("05.11", -0.1)])
def test_the_radiometric_offset_follows_the_baseline(
    make_safe: Make, level: str, baseline: str, offset: float
) -> None:
    path, _ = make_safe(level, baseline)
    scene = open_source(path)
    bands = [band for group in scene.groups for band in group.bands]
    assert {(band.scale, band.offset, band.unit) for band in bands} == {(1e-4, offset, "reflectance")}
    assert scene.properties["s2:processing_baseline"] == baseline
    assert "comeo:scale_assumed" not in scene.properties
    values = scene.groups[0].read(Window(0, 0, 100, 100)).values
    plain, _ = make_safe(level, "02.12")
    before = open_source(plain).groups[0].read(Window(0, 0, 100, 100)).values
    ordinary = (before > 0) & (before < 65535)
    assert np.array_equal(values[ordinary].astype(int) + round(offset * 1e4), before[ordinary])
    assert np.array_equal(values[~ordinary], before[~ordinary])
    scene.close()


def test_metadata(make_safe: Make) -> None:
    path, recipe = make_safe("L2A")
    scene = open_source(path)
    assert scene.id == recipe.name.removesuffix(".SAFE")
    assert scene.collection == "sentinel-2-l2a"
    assert scene.datetime == datetime(2019, 5, 30, 10, 34, 27, 461000, UTC)
    expected = {
        "platform": "sentinel-2a",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "eo:cloud_cover": 22.25,
        "grid:code": "MGRS-32TMT",
        "s2:mgrs_tile": "32TMT",
        "s2:product_uri": recipe.name,
        "s2:vegetation_percentage": 60.25,
        "sat:relative_orbit": 108,
        "sat:orbit_state": "descending",
        "view:sun_elevation": 62.2569,
        "view:sun_azimuth": 152.0217,
        "processing:level": "L2A",
        "gsd": 10.0,
    }
    assert expected.items() <= scene.properties.items()
    green = scene.groups[0].bands[1]
    assert (green.common_name, green.center_wavelength) == ("green", 0.560)
    scene.close()


def test_zip_folder_and_metadata_file_are_one_product(make_safe: Make, tmp_path: Path) -> None:
    folder, _ = make_safe("L2A")
    stored, _ = make_safe("L2A", zipped=True)
    flat = tmp_path / "flat.zip"
    with ZipFile(flat, "w", ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    scenes = [open_source(path) for path in (folder, stored, flat, folder / "MTD_MSIL2A.xml", folder.parent)]
    first = scenes[0]
    for scene in scenes:
        assert (scene.id, scene.datetime, dict(scene.properties)) == (
            first.id,
            first.datetime,
            first.properties,
        )
        assert scene.source_checksum == first.source_checksum
        for group, other in zip(scene.groups, first.groups, strict=True):
            window = Window(10, 7, group.height - 11, group.width - 9)
            assert np.array_equal(group.read(window).values, other.read(window).values)
    for scene in scenes:
        scene.close()


def test_what_a_zip_needed_on_disk_is_gone_after_closing(
    make_safe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = make_safe("L2A", zipped=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scene = open_source(path)
    assert list(tmp_path.rglob("*.jp2"))
    scene.close()
    assert not list(tmp_path.iterdir())
    with pytest.raises(SourceError):
        open_source(path, bands=["B77"])
    assert not list(tmp_path.iterdir())


def test_threads_read_what_one_reads(make_safe: Make) -> None:
    path, _ = make_safe("L2A", size=1296)
    scene = open_source(path)
    group = scene.groups[0]
    windows = [Window(row, col, 190, 290) for row in range(0, 1100, 180) for col in range(0, 1000, 310)]
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(group.read, windows))
    whole = group.read(Window(0, 0, 1296, 1296))
    for window, part in zip(windows, parts, strict=True):
        assert np.array_equal(part.values, whole.values[:, *window.slices])
        assert np.array_equal(part.valid, whole.valid[:, *window.slices])
    scene.close()


def test_bands_can_be_chosen(make_safe: Make) -> None:
    path, _ = make_safe("L2A")
    scene = open_source(path, bands=["B8A", "b2"])
    assert [[band.name for band in group.bands] for group in scene.groups] == [["B02"], ["B8A"]]
    scene.close()
    with pytest.raises(SourceError, match="has no band B10"):
        open_source(path, bands=["B10"])
    with pytest.raises(SourceError, match="no band is named"):
        open_source(path, bands=[])


def test_a_missing_band_is_named(copy_of: Callable[..., Path]) -> None:
    product = copy_of()
    image(product, "B11_20m").unlink()
    with pytest.raises(SourceError, match="has no file of band B11, which its metadata list: add it, or"):
        open_source(product)
    scene = open_source(product, bands=["B02", "B03"])
    assert len(scene.groups) == 1
    scene.close()


def test_damage_that_jpeg2000_would_not_notice_is_found_by_the_manifest(copy_of: Callable[..., Path]) -> None:
    product = copy_of()
    file = image(product, "B03_10m")
    content = bytearray(file.read_bytes())
    content[-1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(SourceError, match=r"_B03_10m\.jp2 does not match its manifest\.safe"):
        open_source(product)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_truncated_images_are_named(copy_of: Callable[..., Path], share: float) -> None:
    product = copy_of()
    forget_checksums(product)
    file = image(product, "B04_10m")
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SourceError, match=r"_B04_10m\.jp2"):
        open_source(product).groups[0].read(Window(0, 0, 240, 240))


def test_an_image_of_another_size_is_refused(copy_of: Callable[..., Path]) -> None:
    product = copy_of()
    forget_checksums(product)
    shutil.copyfile(image(product, "B05_20m"), image(product, "B02_10m"))
    with pytest.raises(SourceError, match="has 120×120 pixels, but its metadata say 240×240"):
        open_source(product)


@pytest.mark.parametrize(
    ("file", "pattern", "text", "message"),
    [
        (
            "MTD_MSIL2A.xml",
            "<BOA_QUANTIFICATION_VALUE.*?</BOA_QUANTIFICATION_VALUE>",
            "",
            "give it with --scale",
        ),
        ("MTD_MSIL2A.xml", ">10000<", ">0<", "give it with --scale"),
        ("MTD_MSIL2A.xml", ">10000<", ">many<", "give it with --scale"),
        ("MTD_MSIL2A.xml", ">10000<", ">1e999<", "give it with --scale"),
        ("MTD_MSIL2A.xml", "Level-2A_User_Product", "Level-3_User_Product", "only Sentinel-2 L1C and L2A"),
        ("MTD_MSIL2A.xml", "</n1:Level-2A_User_Product>", "", "is not readable XML"),
        ("MTD_TL.xml", "EPSG:32632", "EPSG:nowhere", "unknown coordinate reference system"),
        ("MTD_TL.xml", "EPSG:32632", "http://127.0.0.1:9/crs", "unknown coordinate reference system"),
        ("MTD_TL.xml", "<YDIM>-20</YDIM>", "<YDIM>20</YDIM>", "run backwards"),
        ("MTD_TL.xml", "<NROWS>40</NROWS>", "<NROWS>41</NROWS>", "its metadata say"),
        ("MTD_TL.xml", "<NROWS>40</NROWS>", "<NROWS>9999999999</NROWS>", "at most"),
        ("MTD_TL.xml", "<ULX>399960</ULX>", "", "has no ULX"),
        ("MTD_TL.xml", '<Geoposition resolution="60">.*?</Geoposition>', "", "not describe the 60 m grid"),
    ],
)
def test_metadata_that_can_t_be_understood_are_refused(
    copy_of: Callable[..., Path], file: str, pattern: str, text: str, message: str
) -> None:
    product = copy_of()
    forget_checksums(product)
    (found,) = product.rglob(file)
    replace_in(found, pattern, text)
    with pytest.raises(SourceError, match=message):
        open_source(product)


@pytest.mark.parametrize(
    ("pattern", "text", "given", "said"),
    [
        (
            "(<BOA_QUANTIFICATION_VALUE[^>]*>)10000",
            r"\g<1>0",
            {"scale": 1e-4, "offset": -0.1},
            "not positive",
        ),
        (
            "<BOA_QUANTIFICATION_VALUE.*?</BOA_QUANTIFICATION_VALUE>",
            "",
            {"scale": 1e-4, "offset": -0.1},
            "no BOA_Q",
        ),
        ("(<BOA_ADD_OFFSET[^>]*>)-1000", r"\g<1>x", {"offset": -0.1}, "is 'x', not a number"),
    ],
)
def test_numbers_that_metadata_lack_are_asked_for_and_can_be_given(
    make_safe: Make, tmp_path: Path, pattern: str, text: str, given: dict[str, float], said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    path, _ = make_safe("L2A", "05.11")
    product = Path(shutil.copytree(path, tmp_path / path.name))
    forget_checksums(product)
    replace_in(product / "MTD_MSIL2A.xml", pattern, text)
    with pytest.raises(SourceError, match=f"give it with --{next(iter(given))}"):
        open_source(product)
    assert said in caplog.text
    with open_source(product, **given) as scene:  # type: ignore[arg-type]
        assert {(band.scale, band.offset) for group in scene.groups for band in group.bands} == {(1e-4, -0.1)}


@pytest.mark.parametrize("listed", ["../../../etc/passwd_B02_10m", "/etc/passwd_B02_10m"])
def test_a_listed_path_leads_nowhere(copy_of: Callable[..., Path], listed: str) -> None:
    product = copy_of()
    replace_in(product / "MTD_MSIL2A.xml", r"GRANULE/[^<]*_B02_10m<", f"{listed}<")
    scene = open_source(product)
    assert [band.name for band in scene.groups[0].bands] == NATIVE["L2A"]["r10m"]
    scene.close()


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_xml_with_entities_is_refused(copy_of: Callable[..., Path], declaration: str) -> None:
    product = copy_of()
    metadata = product / "MTD_MSIL2A.xml"
    metadata.write_text(metadata.read_text("utf-8").replace("?>", f"?>{declaration}", 1), "utf-8")
    with pytest.raises(SourceError, match="is not readable XML"):
        open_source(product)


def test_other_products_are_told_apart(tmp_path: Path) -> None:
    radar = tmp_path / "S1A_IW_GRDH_1SDV_20180716T004042_20180716T004107_022812_02792A_FD5B.SAFE"
    (radar / "measurement").mkdir(parents=True)
    (radar / "measurement" / "s1a-iw-grd-vv.tiff").touch()
    (radar / "manifest.safe").touch()
    with pytest.raises(SourceError, match="Sentinel-1 product in radar geometry"):
        open_source(radar)
    packed = tmp_path / "radar.zip"
    with ZipFile(packed, "w") as archive:
        archive.write(radar / "manifest.safe", f"{radar.name}/manifest.safe")
        archive.write(radar / "measurement" / "s1a-iw-grd-vv.tiff", f"{radar.name}/measurement/x.tiff")
    with pytest.raises(SourceError, match="Sentinel-1 product in radar geometry"):
        open_source(packed)
    ocean = tmp_path / "S3A_OL_1_EFR____20200101.SEN3.SAFE"
    ocean.mkdir()
    with pytest.raises(SourceError, match="with neither a SAFE product, a STAC Item nor band files"):
        open_source(ocean)
