"""GRD products of every form as sources: placed, calibrated, compressed; others are refused by name."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import OutputError, SourceError
from comeo.scene import Scene, Window
from comeo.sources import GeocodeOptions, open_source
from comeo.sources.container import open_container
from comeo.sources.grd.product import open_grd
from tests.grd_generator import NEEDS_PRODUCTS, Content, images, middle, unpack, write_measurement

pytestmark = [
    NEEDS_PRODUCTS,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]
TARS = "stactools_sentinel1_grd_xml.tar.xz"
OLD = "S1A_IW_GRDH_1SDV_20150203T043109"
PRODUCTS = {
    "IW of IPF 2.36": (f"{OLD}_20150203T043134_004454_00574F_FEC3.zip", OLD),
    "IW": (TARS, "S1A_IW_GRDH_1SDV_20210809T173953"),
    "EW, short names": (TARS, "S1A_EW_GRDM_1SDH_20221130T014342"),
    "stripmap of S1C": (TARS, "S1C_S4_GRDH_1SDH_20250118T171404"),
}
SIGMA0 = (0.1, 0.02)
_SIDE = 400


def make(folder: Path, kind: str) -> Path:
    """A product with clutter around its middle, of -10 and -17 dB."""
    product = unpack(*PRODUCTS[kind], folder)
    _, _, _, line, pixel = middle(product)
    for stem, sigma0 in zip(images(product), SIGMA0, strict=True):
        window = (line - _SIDE // 2, pixel - _SIDE // 2, _SIDE, _SIDE)
        write_measurement(product, stem, Content(window, sigma0=sigma0))
    return product


@pytest.fixture(scope="module", params=PRODUCTS)
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("product"), request.param)


@pytest.fixture(scope="module")
def stripmap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("stripmap"), "stripmap of S1C")


def options(product: Path, **given: object) -> GeocodeOptions:
    """The middle of a product, noise left in: there is none in the clutter."""
    longitude, latitude, *_ = middle(product)
    near = 0.004, 0.003
    if "_EW_" in product.name:
        near = 0.08, 0.02
    box = (longitude - near[0], latitude - near[1], longitude + near[0], latitude + near[1])
    return GeocodeOptions(**({"bbox": box, "noise": False} | given))  # type: ignore[arg-type]


def means(scene: Scene) -> list[float]:
    """Mean power of each polarisation in dB, and that most of the pixels are known."""
    group = scene.groups[0]
    values, valid = group.read(Window(0, 0, group.height, group.width))
    assert valid.mean() > 0.9
    return [
        10 * float(np.log10(np.mean(10 ** (band[known].astype(float) / 10))))
        for band, known in zip(values, valid, strict=True)
    ]


def test_every_kind_of_product_is_placed_and_calibrated(product: Path) -> None:
    with open_source(product, geocoding=options(product)) as scene:
        group = scene.groups[0]
        names = ("HH", "HV") if "SDH" in product.name else ("VV", "VH")
        assert tuple(band.name for band in group.bands) == names
        assert {(band.unit, band.scale, band.offset) for band in group.bands} == {("dB", 1.0, 0.0)}
        np.testing.assert_allclose(means(scene), 10 * np.log10(SIGMA0), atol=0.1)
        found = scene.properties
        assert scene.id == product.name.removesuffix(".SAFE")
        assert scene.datetime.strftime("%Y%m%dT%H%M%S") == product.name.split("_")[4]
        assert found["platform"] == f"sentinel-1{product.name[2].lower()}"
        mode = product.name.split("_")[1]
        assert found["sar:instrument_mode"] == ("SM" if mode.startswith("S") else mode)
        assert found["sar:polarizations"] == list(names)
        assert 1 <= found["sat:relative_orbit"] <= 175
        assert found["comeo:quantity"] == "sigma0"


def test_a_folder_of_short_names_may_be_renamed(tmp_path: Path) -> None:
    product = unpack(*PRODUCTS["EW, short names"], tmp_path)
    for stem in images(product):
        write_measurement(product, stem, Content((0, 0, 2, 2)))
    renamed = product.rename(tmp_path / "download")
    grd = open_grd(open_container(renamed))
    assert grd.name == product.name
    grd.close()
    for content in (b"[]", b"{", b'{"id": 7}', b"[" * 100_000):
        (renamed / "productInfo.json").write_bytes(content)
        grd = open_grd(open_container(renamed))
        assert grd.name == "download"
        grd.close()


def test_one_polarisation_of_two_is_taken(stripmap: Path) -> None:
    with open_source(stripmap, bands=["HV"], geocoding=options(stripmap)) as scene:
        assert [band.name for band in scene.groups[0].bands] == ["HV"]
        np.testing.assert_allclose(means(scene), [10 * np.log10(SIGMA0[1])], atol=0.1)
    with pytest.raises(SourceError, match="has HH, HV, and not VV; correct --bands"):
        open_source(stripmap, bands=["VV"], geocoding=options(stripmap))


def test_a_product_of_one_polarisation(stripmap: Path, tmp_path: Path) -> None:
    single = tmp_path / stripmap.name.replace("1SDH", "1SSH")
    shutil.copytree(stripmap, single, ignore=shutil.ignore_patterns("*-hv-*"))
    with open_source(single, geocoding=options(single)) as scene:
        assert scene.properties["sar:polarizations"] == ["HH"]
        np.testing.assert_allclose(means(scene), [-10], atol=0.1)


def test_a_cog_safe_in_a_zip_and_other_letters(stripmap: Path, tmp_path: Path) -> None:
    name = re.sub("^S1C", "S1D", stripmap.name).replace(".SAFE", "_COG.SAFE")
    packed = tmp_path / f"{name}.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(stripmap.rglob("*")):
            inner = str(path.relative_to(stripmap)).replace("s1c-", "s1d-")
            if path.suffix == ".tiff":
                inner = inner.replace(".tiff", "-cog.tiff")
            if path.is_file():
                content = path.read_bytes()
                if path.parent.name == "annotation":
                    content = content.replace(b"<missionId>S1C", b"<missionId>S1D")
                archive.writestr(f"{name}/{inner}", content)
    with open_source(packed, geocoding=options(stripmap)) as scene:
        assert scene.properties["platform"] == "sentinel-1d"
        np.testing.assert_allclose(means(scene), 10 * np.log10(SIGMA0), atol=0.1)
        assert scene.id == name.removesuffix(".SAFE")


def test_a_product_without_a_dem_says_how_far_off_it_is(stripmap: Path, tmp_path: Path) -> None:
    told: list[str] = []

    class Told:
        def start(self, stage: str, total: int) -> None:
            told.append(stage)

        def advance(self) -> None:
            pass

        def note(self, message: str) -> None:
            told.append(message)

    with open_source(stripmap, geocoding=options(stripmap), progress=Told()) as scene:
        assert scene.collection == "sentinel-1-not-terrain-corrected"
        archive = compress(scene, tmp_path, step=4.0, codec="jpeg2000")
    assert "geocoded" in told
    assert any("not terrain-corrected. Expect places to be off by up to" in message for message in told)
    with open_archive(archive) as opened:
        properties = opened.item["properties"]
        assert properties["comeo:terrain_corrected"] is False
        assert 0 <= properties["comeo:displacement"] < 5_000
        (group,) = opened.groups.values()
        assert [band.unit for band in group.bands] == ["dB", "dB"]


def test_temporary_files_go_with_the_scene(
    stripmap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scene = open_source(stripmap, geocoding=options(stripmap))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("comeo-geocoded-")]
    scene.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SourceError, match="outside the scene"):
        open_source(stripmap, geocoding=GeocodeOptions(bbox=(0, 0, 1, 1)))
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(OutputError, match="GB left; make room"):
        open_source(stripmap, geocoding=options(stripmap))
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_given_contradict_the_product(stripmap: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="calibrated by its own tables"):
        open_source(stripmap, scale=0.1)
    for wanted in ({"radiometry": "rtc"}, {"incidence": True}, {"mask": True}, {"dem_heights": "egm96"}):
        with pytest.raises(SourceError, match="needs heights of the ground"):
            GeocodeOptions(**wanted)
    with pytest.raises(SourceError, match="none of sigma0"):
        GeocodeOptions(dem="x", radiometry="beta")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["SLC_", "RAW_", "OCN_"])
def test_other_products_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / f"S1A_IW_{kind}_1SDV_20210101T000000_20210101T000030_036000_043000_ABCD.SAFE"
    (folder / "measurement").mkdir(parents=True)
    (folder / "measurement" / "s1a-iw-xxx-vv.tiff").write_bytes(b"")
    with pytest.raises(SourceError, match=f"{kind[:3]} product; take the GRD"):
        open_source(folder)


def test_options_for_radar_geometry_are_refused_for_maps(tmp_path: Path) -> None:
    name = tmp_path / "S1A_Sigma0_VV_db.tif"
    with rasterio.open(
        name, "w", driver="GTiff", width=64, height=64, count=1, dtype="float32", crs="EPSG:32633",
        transform=Affine(10, 0, 0, 0, -10, 0),
    ) as file:  # fmt: skip
        file.write(np.linspace(-20, -5, 4096, dtype=np.float32).reshape(1, 64, 64))
    with pytest.raises(SourceError, match="lies on a map already"):
        open_source(name, geocoding=GeocodeOptions(dem="dem.tif"))


@pytest.mark.parametrize("number", ["0", "176", "-5.5", "1e300"])
def test_relative_orbits_that_there_are_not_are_refused(number: str, tmp_path: Path) -> None:
    product = unpack(*PRODUCTS["stripmap of S1C"], tmp_path)
    for stem in images(product):
        write_measurement(product, stem, Content((0, 0, 2, 2)))
    manifest = product / "manifest.safe"
    manifest.write_text(re.sub(r"(relativeOrbitNumber[^>]*>)\d+", rf"\g<1>{number}", manifest.read_text()))
    with pytest.raises(SourceError, match="not 1 to 175; download it again"):
        open_grd(open_container(product))
