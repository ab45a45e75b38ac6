"""SAFE products as they come: repacked, renamed, cut down, of old formats. What is in them is read."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
import pytest

from comeo.errors import SourceError
from comeo.scene import Scene, Window
from comeo.sources import open_source
from comeo.sources.safe_metadata import parse_tile
from tests.comeo.sources.conftest import write_tif
from tests.safe_generator import Recipe

Make = Callable[..., tuple[Path, Recipe]]
Change = Callable[[Path], Path]

SIZE = 60
FULL = {
    "L1C": {"r10m": "B02 B03 B04 B08", "r20m": "B05 B06 B07 B8A B11 B12", "r60m": "B01 B09 B10"},
    "L2A": {"r10m": "B02 B03 B04 B08", "r20m": "B05 B06 B07 B8A B11 B12", "r60m": "B01 B09"},
}
GRANULES = (
    "S2A_OPER_MSI_L1C_TL_EPA__20160605T113933_A000734_T32TMT_N02.02",
    "S2A_OPER_MSI_L1C_TL_EPA__20160605T113933_A000734_T32TMS_N02.02",
)


def bands_of(scene: Scene) -> dict[str, str]:
    return {group.name: " ".join(band.name for band in group.bands) for group in scene.groups}


def zipped(rename: Callable[[str], str], *extra: str) -> Change:
    """Pack a product, each file's name changed; `extra` files are put in, too."""

    def change(product: Path) -> Path:
        packed = product.parent / "packed.zip"
        with ZipFile(packed, "w") as archive:
            for file in sorted(product.rglob("*")):
                if file.is_file():
                    entry = ZipInfo("x")
                    entry.filename = rename(file.relative_to(product.parent).as_posix())
                    archive.writestr(entry, file.read_bytes())
            for name in extra:
                archive.writestr(name, b"\0\5\x16\7")
        return packed

    return change


def edited(name: str, pattern: str, text: str) -> Change:
    def change(product: Path) -> Path:
        for file in product.rglob(name):
            content, count = re.subn(pattern, text, file.read_text("utf-8"), flags=re.DOTALL)
            assert count
            file.write_text(content, "utf-8")
        return product

    return change


def without(*patterns: str) -> Change:
    def change(product: Path) -> Path:
        for pattern in patterns:
            found = list(product.glob(pattern))
            assert found
            for path in found:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return product

    return change


def put_below(*parents: str) -> Change:
    def change(product: Path) -> Path:
        top = product.parent / parents[0]
        target = product.parent.joinpath(*parents)
        target.mkdir(parents=True)
        product.rename(target / product.name)
        return top

    return change


def renamed(pattern: str, name: str) -> Change:
    def change(product: Path) -> Path:
        (found,) = product.parent.glob(pattern.replace("@", product.name))
        target = found.with_name(name)
        found.rename(target)
        return target if found == product else product

    return change


def littered(product: Path) -> Path:
    (images,) = product.glob("GRANULE/*/IMG_DATA")
    for folder in (product, images, next(images.rglob("*.jp2")).parent):
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._MTD_MSIL2A.xml", "._T32TMT_B02_10m.jp2"):
            (folder / name).write_bytes(b"\0\5\x16\7")
        (folder / "@eaDir").mkdir()
        (folder / "@eaDir" / "T32TMT_B02_10m.jp2").write_bytes(b"\0")
    return product


def flattened(product: Path) -> Path:
    for file in [*product.rglob("*.jp2"), *product.rglob("MTD_TL.xml")]:
        file.rename(product / file.name)
    shutil.rmtree(product / "GRANULE")
    return product


def with_backslashes_as_names(product: Path) -> Path:
    """A zip of Windows, unpacked by a program that takes its names as they are."""
    target = product.parent / "unpacked"
    target.mkdir()
    for file in product.rglob("*"):
        if file.is_file():
            shutil.copy(file, target / str(file.relative_to(product.parent)).replace("/", "\\"))
    return target


def one_resolution(gsd: int, *extra: str) -> Change:
    """What sen2cor writes with --resolution; `extra` bands are there from finer grids, averaged."""

    def change(product: Path) -> Path:
        metadata = product / "MTD_MSIL2A.xml"
        text = metadata.read_text("utf-8")
        kept = re.findall(rf"[^\s>]*_{gsd}m(?=</IMAGE_FILE>)", text)
        pattern = next(file for file in kept if "_B" in file)
        for band in extra:
            name = re.sub(r"B\w\w(?=_\d\dm$)", band, pattern)
            if name not in kept:
                shutil.copy(product / f"{pattern}.jp2", product / f"{name}.jp2")
                kept.append(name)
        text = re.sub(r"\s*<IMAGE_FILE>[^<]*</IMAGE_FILE>", "", text)
        lines = "".join(f"<IMAGE_FILE>{file}</IMAGE_FILE>" for file in kept)
        metadata.write_text(re.sub(r"(<Granule [^>]*>)", rf"\1{lines}", text), "utf-8")
        for file in product.rglob("*.jp2"):
            if not file.stem.endswith(f"_{gsd}m"):
                file.unlink()
        (product / "manifest.safe").unlink()
        return product

    return change


def georeferenced(product: Path) -> Path:
    """Give the image files their georeference, as ESA's have it, and take the granule's metadata away."""
    (metadata,) = product.rglob("MTD_TL.xml")
    grids = parse_tile(metadata.read_bytes(), "").grids
    for file in product.rglob("*_B*_*0m.jp2"):
        grid = grids[int(file.stem[-3:-1])]
        values = np.ones((1, grid.height, grid.width), np.uint16)
        write_tif(file, values, transform=grid.transform, crs=grid.crs.to_string())
    metadata.unlink()
    (product / "manifest.safe").unlink()
    return product


def as_geotiffs(product: Path) -> Path:
    """As Planetary Computer keeps products: their layout, and Cloud-Optimized GeoTIFFs."""
    georeferenced(product)
    for file in product.rglob("*_B*_*0m.jp2"):
        file.rename(file.with_suffix(".tif"))
    return product


def old_format(*granules: str, level: str = "L1C") -> Change:
    """A product as it was laid out before December 2016."""

    def change(product: Path) -> Path:
        number = level[1:]
        (old,) = (product / "GRANULE").iterdir()
        lists = ""
        for granule in (name.replace("L1C", level) for name in granules):
            images = product / "GRANULE" / granule / "IMG_DATA"
            images.mkdir(parents=True)
            stem = granule.removesuffix("_N02.02")
            shutil.copy(old / "MTD_TL.xml", images.parent / f"{stem.replace('_MSI_', '_MTD_')}.xml")
            files = {file: f"{stem}_{file.stem.split('_', 2)[2]}" for file in old.rglob("*_B*.jp2")}
            for file, name in files.items():
                folder = images / file.parent.name if level == "L2A" else images
                folder.mkdir(exist_ok=True)
                shutil.copy(file, folder / f"{name}.jp2")
            tag = "IMAGE_ID" if level == "L1C" else "IMAGE_ID_2A"
            listed = "".join(f"<{tag}>{name}</{tag}>" for name in files.values())
            lists += (
                f'<Granule_List><Granules granuleIdentifier="{granule}">{listed}</Granules></Granule_List>'
            )
        shutil.rmtree(old)
        metadata = product / f"MTD_MSIL{number}.xml"
        text = re.sub(r"<Granule_List>.*</Granule_List>", lists, metadata.read_text("utf-8"), flags=re.DOTALL)
        if level == "L2A":
            text = text.replace("BOA_QUANTIFICATION", "L2A_BOA_QUANTIFICATION")
        (product / f"S2A_OPER_MTD_SAFL{number}_PDMC_20160605T172420_R108.xml").write_text(text, "utf-8")
        metadata.unlink()
        (product / "manifest.safe").unlink()
        return product

    return change


def part(pattern: str, before: Change = lambda product: product) -> Change:
    """Give a folder or file inside the product instead of the product."""

    def change(product: Path) -> Path:
        return next(iter(sorted(before(product).glob(pattern))))

    return change


READ: dict[str, tuple[str, Change, dict[str, str]]] = {
    "windows zip": ("L2A", zipped(lambda name: name.replace("/", "\\")), FULL["L2A"]),
    "zip with ./": ("L2A", zipped(lambda name: f"./{name}"), FULL["L2A"]),
    "zip with absolute names": ("L1C", zipped(lambda name: f"/home/me//data/{name}"), FULL["L1C"]),
    "zip with a drive": ("L1C", zipped(lambda name: f"C:\\data\\{name}"), FULL["L1C"]),
    "zip without its top folder": ("L2A", zipped(lambda name: name.partition("/")[2]), FULL["L2A"]),
    "zip of a Mac": (
        "L2A",
        zipped(str, "__MACOSX/x.SAFE/._MTD_MSIL2A.xml", "x.SAFE/._MTD_MSIL2A.xml", ".DS_Store"),
        FULL["L2A"],
    ),
    "litter": ("L2A", littered, FULL["L2A"]),
    "names with backslashes": ("L2A", with_backslashes_as_names, FULL["L2A"]),
    "two folders above": ("L2A", put_below("download", "2019"), FULL["L2A"]),
    "renamed product": ("L2A", renamed("@", "my field in May"), FULL["L2A"]),
    "renamed granule": ("L2A", renamed("@/GRANULE/*", "G1"), FULL["L2A"]),
    "renamed granule of L1C": ("L1C", renamed("@/GRANULE/*", "0"), FULL["L1C"]),
    "no folders at all": ("L2A", flattened, FULL["L2A"]),
    "prefixed metadata": ("L1C", renamed("@/MTD_MSIL1C.xml", "S2A_MTD_MSIL1C.xml"), FULL["L1C"]),
    "sen2cor at 20 m": (
        "L2A",
        one_resolution(20, "B02", "B03", "B04", "B01"),
        {"r20m": "B01 B02 B03 B04 B05 B06 B07 B8A B11 B12"},
    ),
    "sen2cor at 60 m": ("L2A", one_resolution(60), {"r60m": "B01 B02 B03 B04 B05 B06 B07 B8A B09 B11 B12"}),
    "no manifest, datastrip, quality": (
        "L2A",
        without("manifest.safe", "DATASTRIP", "GRANULE/*/QI_DATA", "HTML", "rep_info", "GRANULE/*/AUX_DATA"),
        FULL["L2A"],
    ),
    "broken manifest": ("L2A", edited("manifest.safe", "^.*$", "<xfdu"), FULL["L2A"]),
    "no tile metadata": ("L2A", georeferenced, FULL["L2A"]),
    "folder of granules": ("L2A", part("GRANULE"), FULL["L2A"]),
    "granule": ("L2A", part("GRANULE/*"), FULL["L2A"]),
    "image folder": ("L2A", part("GRANULE/*/IMG_DATA"), FULL["L2A"]),
    "tile metadata": ("L2A", part("GRANULE/*/MTD_TL.xml"), FULL["L2A"]),
    "manifest": ("L2A", part("manifest.safe"), FULL["L2A"]),
    "one resolution's folder": (
        "L2A",
        part("GRANULE/*/IMG_DATA/R20m"),
        {"r20m": "B02 B03 B04 B05 B06 B07 B8A B11 B12"},
    ),
    "GeoTIFFs in a SAFE": ("L2A", as_geotiffs, FULL["L2A"]),
    "capitals": ("L2A", zipped(str.upper), FULL["L2A"]),
    "old format": ("L1C", old_format(GRANULES[0]), FULL["L1C"]),
    "old format of sen2cor": ("L2A", old_format(GRANULES[0], level="L2A"), FULL["L2A"]),
    "old granule": ("L1C", part("GRANULE/*T32TMS*", old_format(*GRANULES)), FULL["L1C"]),
}


@pytest.fixture
def copy_of(tmp_path: Path, make_safe: Make) -> Callable[[str], Path]:
    """A small product of its own."""

    def copy(level: str) -> Path:
        path, _ = make_safe(level, size=SIZE)
        return Path(shutil.copytree(path, tmp_path / path.name))

    return copy


WITHOUT_TILE = ("no tile metadata", "GeoTIFFs in a SAFE")


@pytest.mark.parametrize("what", READ)
def test_layouts_that_are_read(copy_of: Callable[[str], Path], make_safe: Make, what: str) -> None:
    level, change, expected = READ[what]
    scene = open_source(change(copy_of(level)))
    assert bands_of(scene) == expected
    assert scene.properties["processing:level"] == level
    assert scene.properties["platform"] == "sentinel-2a"
    assert {(band.scale, band.unit) for group in scene.groups for band in group.bands} == {
        (1e-4, "reflectance")
    }
    assert scene.collection == f"sentinel-2-{level.lower()}"
    if what not in ("old granule", *WITHOUT_TILE):
        assert scene.id == Recipe(SIZE, level).name.removesuffix(".SAFE")
        assert scene.datetime == datetime(2019, 5, 30, 10, 34, 27, 461000, UTC)
    if not what.startswith(("sen2cor at", "one resolution")) and what not in WITHOUT_TILE:
        original, _ = make_safe(level, size=SIZE)
        plain = open_source(original)
        for group, other in zip(scene.groups, plain.groups, strict=True):
            window = Window(0, 0, group.height, group.width)
            assert np.array_equal(group.read(window).values, other.read(window).values)
            assert group.transform == other.transform
        plain.close()
    scene.close()


REFUSED: dict[str, tuple[str, Change, str]] = {
    "old format with granules": (
        "L1C",
        old_format(*GRANULES),
        rf"has 2 granules, each of which is a scene: {GRANULES[1]}, {GRANULES[0]}; give the folder of one",
    ),
    "zip with granules": (
        "L1C",
        lambda product: zipped(str)(old_format(*GRANULES)(product)),
        "has 2 granules.*; unzip it and give the folder of one",
    ),
    "no images": ("L2A", without("GRANULE/*/IMG_DATA"), "no image file of any band"),
    "a part only": (
        "L1C",
        without("GRANULE/*/IMG_DATA/*_B0[1567].jp2"),
        "no file of band B01, which its metadata list: add it, or .*--bands B02,B03,B04,B08,B8A,B09,B10,",
    ),
    "a native one is missing": (
        "L2A",
        without("GRANULE/*/IMG_DATA/R20m/*_B11_20m.jp2"),
        "no file of band B11, which its metadata list",
    ),
    "images of another tile": (
        "L2A",
        lambda product: renamed(
            "@/GRANULE/*/IMG_DATA/R10m/*_B02_10m.jp2", "T33TMT_20190530T103031_B02_10m.jp2"
        )(without("manifest.safe")(product)),
        "files of several scenes: their names have different tiles",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_layouts_that_are_refused(copy_of: Callable[[str], Path], what: str) -> None:
    level, change, message = REFUSED[what]
    with pytest.raises(SourceError, match=message) as caught:
        open_source(change(copy_of(level)))
    assert "download" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_coarser_copy_is_taken_if_it_is_asked_for(copy_of: Callable[[str], Path]) -> None:
    product = without("GRANULE/*/IMG_DATA/R10m")(copy_of("L2A"))
    with pytest.raises(SourceError, match="no file of band B02, which its metadata list"):
        open_source(product)
    scene = open_source(product, bands=["B02", "B05"])
    assert bands_of(scene) == {"r20m": "B02 B05"}
    scene.close()
    with pytest.raises(SourceError, match="no file of band B08"):
        open_source(product, bands=["B02", "B08"])


def test_of_two_products_in_a_folder_the_one_that_is_given_is_read(copy_of: Callable[[str], Path]) -> None:
    both = copy_of("L1C")
    shutil.copytree(copy_of("L2A"), both, dirs_exist_ok=True)
    with pytest.raises(SourceError, match="more than one product"):
        open_source(both)
    for level in ("L1C", "L2A"):
        scene = open_source(both / f"MTD_MSI{level}.xml")
        assert bands_of(scene) == FULL[level]
        scene.close()


def test_two_products_are_named(copy_of: Callable[[str], Path]) -> None:
    folder = copy_of("L1C").parent
    copy_of("L2A")
    with pytest.raises(
        SourceError, match=r"more than one product: .*MTD_MSIL1C\.xml, .*MTD_MSIL2A\.xml; give"
    ):
        open_source(folder)


UNNEEDED: dict[str, Change] = {
    "NaN angles": edited("MTD_TL.xml", r"(<(?:ZENITH|AZIMUTH)_ANGLE[^>]*>)[^<]*", r"\1NaN"),
    "no angles": edited("MTD_TL.xml", "<Mean_Sun_Angle>.*</Mean_Sun_Angle>", ""),
    "no percentages": edited("MTD_TL.xml", "<Image_Content_QI>.*</Image_Content_QI>", ""),
    "broken percentages": edited("MTD_TL.xml", r"(_PERCENTAGE>)[\d.]+<", r"\1N/A<"),
    "broken time": edited("MTD_TL.xml", "<SENSING_TIME[^<]*<", "<SENSING_TIME>noon<"),
    "no time": edited("MTD_TL.xml", "<SENSING_TIME.*</SENSING_TIME>", ""),
    "no tile id": edited("MTD_TL.xml", "<TILE_ID.*</TILE_ID>", ""),
    "no platform": edited("MTD_MSI*.xml", "<SPACECRAFT_NAME>.*</SPACECRAFT_NAME>", ""),
    "broken orbit": edited("MTD_MSI*.xml", "(<SENSING_ORBIT_NUMBER>)[^<]*", r"\1-"),
    "NaN clouds": edited("MTD_MSI*.xml", "(<Cloud_Coverage_Assessment>)[^<]*", r"\1NaN"),
    "broken saturation": edited(
        "MTD_MSI*.xml", "<SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX>", "<SPECIAL_VALUE_INDEX/>"
    ),
    "no list of files": edited("MTD_MSI*.xml", r"<IMAGE_FILE>[^<]*</IMAGE_FILE>", ""),
}


@pytest.mark.parametrize("what", UNNEEDED)
def test_metadata_that_are_not_needed_never_refuse_pixels(copy_of: Callable[[str], Path], what: str) -> None:
    product = UNNEEDED[what](copy_of("L2A"))
    (product / "manifest.safe").unlink()
    scene = open_source(product)
    assert bands_of(scene) == FULL["L2A"]
    expected = (30, 31) if "time" in what else (34, 27)  # of the datatake, where the tile has none
    assert (scene.datetime.minute, scene.datetime.second) == expected
    assert "nan" not in str(scene.properties).lower()
    scene.close()
    chosen = open_source(product, datetime="2001-02-03T04:05:06Z", scene_id="mine")
    assert (chosen.id, chosen.datetime) == ("mine", datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC))
    chosen.close()


def test_an_offset_that_is_listed_as_0_is_0(make_safe: Make, tmp_path: Path) -> None:
    original, _ = make_safe("L2A", "04.00", SIZE)
    product = Path(shutil.copytree(original, tmp_path / original.name))
    edited("MTD_MSIL2A.xml", r"(<BOA_ADD_OFFSET[^>]*>)-1000<", r"\g<1>0<")(product)
    scene = open_source(product)
    assert {band.offset for group in scene.groups for band in group.bands} == {0.0}
    scene.close()


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_an_offset_that_is_not_listed_follows_the_baseline(
    make_safe: Make, tmp_path: Path, level: str
) -> None:
    original, _ = make_safe(level, "04.00", SIZE)
    product = Path(shutil.copytree(original, tmp_path / original.name))
    edited("MTD_MSI*.xml", r"<\w+_ADD_OFFSET band_id[^<]*</\w+_ADD_OFFSET>", "")(product)
    (product / "manifest.safe").unlink()

    def offsets(**options: Any) -> set[float]:
        scene = open_source(product, **options)
        scene.close()
        return {band.offset for group in scene.groups for band in group.bands}

    assert offsets() == {-0.1}
    edited("MTD_MSI*.xml", "(<PROCESSING_BASELINE>)04.00", r"\g<1>03.01")(product)
    assert offsets() == {0.0}
    edited("MTD_MSI*.xml", "(<PROCESSING_BASELINE>)03.01", r"\g<1>99.99")(product)
    assert offsets() == {0.0}
