"""Real metadata of Sentinel-2 (A, B, C; baselines 02.09 to 05.11 and 99.04; antimeridian, poles), each field
compared with what XPath finds in the same files and, where they lie beside them, with others' STAC Items.
"""

from __future__ import annotations

import json
import math
import re
import tarfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from lxml import etree

from comeo.scene import Scene, Window
from comeo.sources import open_source
from comeo.sources.safe_metadata import ProductMetadata, TileMetadata, parse_product, parse_tile
from tests.comeo.sources.conftest import write_tif

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
GSD = {"B01": 60, "B09": 60, "B10": 60, "B02": 10, "B03": 10, "B04": 10, "B08": 10}
PIXELS = np.arange(100, 136, dtype=np.uint16).reshape(1, 6, 6)
PRODUCT_TEXTS = {
    "s2:product_uri": "PRODUCT_URI",
    "s2:processing_baseline": "PROCESSING_BASELINE",
    "s2:generation_time": "GENERATION_TIME",
    "s2:product_type": "PRODUCT_TYPE",
    "s2:datatake_type": "DATATAKE_TYPE",
    "s2:datatake_id": "Datatake/@datatakeIdentifier",
    "s2:granule_id": "Granule/@granuleIdentifier",
    "s2:datastrip_id": "Granule/@datastripIdentifier",
}
PRODUCT_NUMBERS = {
    "sat:relative_orbit": "SENSING_ORBIT_NUMBER",
    "eo:cloud_cover": "Cloud_Coverage_Assessment",
    "s2:reflectance_conversion_factor": "Reflectance_Conversion/U",
}
# Beyond what is compared by name: other people's Items derive these in other ways.
NOT_COMPARED = re.compile(
    r"created|providers|datetime|mgrs:|proj:|view:(azimuth|incidence_angle)|eo:snow_cover"
)


class Reading:
    """A metadata file, looked into by XPath."""

    def __init__(self, path: Path) -> None:
        self.root = etree.parse(path).getroot()

    def every(self, path: str) -> list[Any]:
        """All elements or attributes that end a path of local names."""
        steps = [
            f"@{step[1:]}" if step.startswith("@") else f"*[local-name()='{step}']"
            for step in path.split("/")
        ]
        return list(self.root.xpath("//" + "/".join(steps)))

    def needed(self, path: str) -> str:
        """The text of an element that every product has."""
        found = self.text(path)
        assert found is not None, path
        return found

    def text(self, path: str) -> str | None:
        found = [each if isinstance(each, str) else (each.text or "") for each in self.every(path)]
        return found[0].strip() if found else None

    def number(self, path: str) -> float | None:
        text = self.text(path)
        value = math.nan if text is None else float(text)
        return None if math.isnan(value) else value


@pytest.fixture(scope="module")
def products(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all real products are unpacked in."""
    folder = tmp_path_factory.mktemp("real")
    for packed in sorted((shared_data / "products" / "sentinel2").glob("*.tar.xz")):
        with tarfile.open(packed) as archive:
            if hasattr(tarfile, "data_filter"):  # Python 3.11 has it from 3.11.4 on
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(folder)
    return folder


def time_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def check_product(path: Path) -> tuple[ProductMetadata, int]:
    """Compare a product's metadata with XPath's reading; return them, and how many fields were compared."""
    read, mine = Reading(path), parse_product(path.read_bytes(), path.name)
    level = "L2A" if "2A" in str(read.root.tag) else "L1C"
    quantification = float(
        read.needed("BOA_QUANTIFICATION_VALUE" if level == "L2A" else "QUANTIFICATION_VALUE")
    )
    offsets = {
        BANDS[int(element.get("band_id"))]: float(element.text) / quantification
        for element in read.every("BOA_ADD_OFFSET" if level == "L2A" else "RADIO_ADD_OFFSET")
    }
    expected = {
        **{name: read.text(where) for name, where in PRODUCT_TEXTS.items()},
        **{name: read.number(where) for name, where in PRODUCT_NUMBERS.items()},
        "platform": read.needed("SPACECRAFT_NAME").lower(),
        "sat:orbit_state": read.needed("SENSING_ORBIT_DIRECTION").lower(),
        "processing:level": level,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
    }
    assert mine.properties == {name: value for name, value in expected.items() if value is not None}, path
    assert mine.level == level
    assert mine.scale == 1 / quantification
    assert mine.offsets == offsets
    assert mine.nodata == int(read.root.xpath("//*[SPECIAL_VALUE_TEXT='NODATA']/SPECIAL_VALUE_INDEX")[0].text)
    assert mine.sensing_time == time_of(read.text("DATATAKE_SENSING_START"))
    assert [f"{name}" for name in mine.image_files] == [
        element.text.split("/")[-1] for element in read.every("IMAGE_FILE")
    ]
    # The offset of a baseline, stated by hand: none before 04.00.
    baseline = mine.properties["s2:processing_baseline"]
    assert set(mine.offsets.values()) == ({-0.1} if baseline >= "04.00" else set())
    return mine, len(mine.properties) + len(offsets) + 6


def check_tile(path: Path) -> tuple[TileMetadata, int]:
    """The same for a tile's metadata."""
    read, mine = Reading(path), parse_tile(path.read_bytes(), path.name)
    identifier = read.needed("TILE_ID")
    zenith, azimuth = (read.number(f"Mean_Sun_Angle/{name}_ANGLE") for name in ("ZENITH", "AZIMUTH"))
    shares = {
        f"s2:{element.tag.lower()}": float(element.text)
        for element in read.root.xpath("//Image_Content_QI/*")
        if element.tag.endswith("_PERCENTAGE")
        and not element.tag.startswith(("CLOUDY", "SNOW_PIXEL"))
        and element.text != "NaN"
    }
    expected = {
        "s2:tile_id": identifier,
        "s2:mgrs_tile": identifier.split("_")[-2][1:],
        "grid:code": f"MGRS-{identifier.split('_')[-2][1:]}",
        "s2:processing_baseline": identifier.split("_")[-1][1:],
        "view:sun_elevation": None if zenith is None else pytest.approx(90 - zenith, abs=1e-6),
        "eo:cloud_cover": read.number("CLOUDY_PIXEL_PERCENTAGE"),
        "view:sun_azimuth": None if azimuth is None else pytest.approx(azimuth, abs=1e-6),
        **shares,
    }
    expected = {name: value for name, value in expected.items() if value is not None}
    assert {name: value for name, value in mine.properties.items() if name in expected} == expected, path
    assert mine.level == identifier.split("_")[3]
    assert mine.sensing_time == time_of(read.text("SENSING_TIME"))
    assert set(mine.grids) == {10, 20, 60}
    for gsd, grid in mine.grids.items():
        values = {
            name: float(read.root.xpath(f"//*[@resolution='{gsd}']/{name}")[0].text)
            for name in ("NROWS", "NCOLS", "ULX", "ULY", "XDIM", "YDIM")
        }
        assert (grid.height, grid.width) == (values["NROWS"], values["NCOLS"])
        assert grid.transform == Affine(values["XDIM"], 0, values["ULX"], 0, values["YDIM"], values["ULY"])
        assert f"EPSG:{grid.crs.to_epsg()}" == read.text("HORIZONTAL_CS_CODE")
    return mine, len(expected) + 2 + 3 * 7


def other_item(path: Path) -> dict[str, Any]:
    """Somebody else's STAC Item; some were stored with both sides of a merge in them."""
    text = re.sub(
        r"^<{7}.*?\n(.*?)^={7}\n.*?^>{7}.*?\n", r"\1", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    content: dict[str, Any] = json.loads(text)
    return content


def check_item(item: dict[str, Any], mine: dict[str, Any], tile: TileMetadata) -> int:
    """Compare properties and grids with somebody else's Item."""
    compared = 0
    for stated, value in item["properties"].items():
        name = re.sub("^sentinel2:", "s2:", stated)  # as the extension was called at first
        if NOT_COMPARED.match(name):
            continue
        if name == "grid:code":  # the older ones have no leading zero
            assert re.sub("-0", "-", mine[name]) == re.sub("-0", "-", value)
        elif isinstance(value, float):
            assert mine[name] == pytest.approx(value, abs=2e-6), (item["id"], name)
        else:
            assert mine[name] == value, (item["id"], name)
        compared += 1
    assert tile.grids[10].crs.to_epsg() == item["properties"]["proj:epsg"]
    for asset in item["assets"].values():
        grid = tile.grids.get(asset.get("gsd", 0))
        if grid is None or "reflectance" not in asset["roles"] or "proj:transform" not in asset:
            continue
        assert list(grid.transform[:6]) == asset["proj:transform"][:6]
        assert [grid.height, grid.width] == asset["proj:shape"]
        compared += 8
    return compared + 1


def test_all_metadata_are_read_as_others_read_them(products: Path) -> None:
    counts: Counter[str] = Counter()
    seen: set[tuple[str, str, str]] = set()
    for path in sorted(products.glob("*/*MTD_MSI*.xml")):
        product, fields = check_product(path)
        counts.update(products=1, fields=fields)
        facts = product.properties
        seen.add((facts["platform"], product.level, facts["s2:processing_baseline"]))
        for found in [*path.parent.rglob("MTD_TL.xml")]:
            tile, fields = check_tile(found)
            counts.update(tiles=1, fields=fields)
            for other in path.parent.glob("expected_output.json"):
                compared = check_item(other_item(other), tile.properties | facts, tile)
                counts.update(items=1, item_fields=compared)
    bucket = products / "S2B_MSIL2A_20200914T231559_N0500_R087_T01VCG_20230315T224658"
    tile, fields = check_tile(bucket / "metadata.xml")
    counts.update(tiles=1, fields=fields)
    assert counts["products"] >= 16
    assert counts["tiles"] >= 12
    assert counts["items"] >= 6
    assert counts["fields"] > 900
    assert counts["item_fields"] > 350
    assert {platform for platform, _, _ in seen} == {"sentinel-2a", "sentinel-2b", "sentinel-2c"}
    print(dict(counts), sorted(seen))


def with_pixels(product: Path) -> Path:
    """Give a product images: corners of its tile, of 6 × 6 pixels, one a band."""
    (found,) = product.rglob("MTD_TL.xml")
    tile = parse_tile(found.read_bytes(), found.name)
    (metadata,) = product.glob("MTD_MSI*.xml")
    images = [element.text.strip() for element in Reading(metadata).every("IMAGE_FILE")]
    for image in images:
        match = re.search(r"_(B\w\w)(?:_(\d\d)m)?$", image)
        gsd = GSD.get(match.group(1), 20) if match else 0
        if match is None or int(match.group(2) or gsd) != gsd:
            continue
        file = product / f"{image}.jp2"
        file.parent.mkdir(parents=True, exist_ok=True)
        grid = tile.grids[gsd]
        write_tif(file, PIXELS, transform=grid.transform, crs=grid.crs.to_string())
    return product


def check_scene(scene: Scene, product: Path) -> None:
    (path,) = product.glob("MTD_MSI*.xml")
    (tile_path,) = product.rglob("MTD_TL.xml")
    metadata, tile = parse_product(path.read_bytes(), ""), parse_tile(tile_path.read_bytes(), "")
    assert scene.id == Reading(path).needed("PRODUCT_URI").removesuffix(".SAFE")
    assert scene.collection == f"sentinel-2-{metadata.level.lower()}"
    assert scene.datetime == time_of(Reading(tile_path).text("SENSING_TIME"))
    assert (tile.properties | metadata.properties).items() <= scene.properties.items()
    assert sum(len(group.bands) for group in scene.groups) == (13 if metadata.level == "L1C" else 12)
    for group in scene.groups:
        assert group.transform == tile.grids[int(group.name[1:-1])].transform
        assert {(band.scale, band.offset) for band in group.bands} == {
            (1e-4, -0.1 if metadata.offsets else 0.0)
        }
        pixels = group.read(Window(0, 0, 6, 6))
        assert (pixels.values == PIXELS).all()
        assert group.has_nodata


def test_products_with_pixels_are_opened(products: Path, tmp_path: Path) -> None:
    opened = 0
    for found in sorted(products.glob("*/GRANULE/*/MTD_TL.xml")):
        product = found.parents[2]
        if list(product.rglob("*_B02*.jp2")):
            continue
        (product / "manifest.safe").unlink(missing_ok=True)
        scene = open_source(with_pixels(product))
        check_scene(scene, product)
        scene.close()
        opened += 1
    assert opened >= 9


def test_the_real_cropped_product(products: Path) -> None:
    (product,) = products.glob("*T30TXR*.SAFE")
    with pytest.raises(Exception, match=r"no file of band B01.*--bands B02,B04"):
        open_source(product)
    scene = open_source(product, bands=["B02", "B04"])
    (group,) = scene.groups
    assert (group.height, group.width) == (106, 523)
    assert group.transform == Affine(10, 0, 638840, 0, -10, 5023620)
    assert {(band.name, band.offset) for band in group.bands} == {("B02", -0.1), ("B04", -0.1)}
    assert scene.id == product.name.removesuffix(".SAFE")
    scene.close()


def test_the_real_bucket_metadata(products: Path, tmp_path: Path) -> None:
    folder = products / "S2B_MSIL2A_20200914T231559_N0500_R087_T01VCG_20230315T224658"
    for name in ("metadata.xml", "tileInfo.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    for gsd, band in ((10, "B02"), (20, "B05"), (60, "B01")):
        (tmp_path / f"R{gsd}m").mkdir()
        transform = Affine(gsd, 0, 300000, 0, -gsd, 6700020)
        write_tif(tmp_path / f"R{gsd}m" / f"{band}.jp2", PIXELS, transform=transform, crs="EPSG:32601")
    scene = open_source(tmp_path)
    assert scene.id == folder.name
    assert scene.collection == "sentinel-2-l2a"
    assert scene.datetime == datetime(2020, 9, 14, 23, 19, 31, 559091, UTC)
    assert scene.properties["s2:processing_baseline"] == "05.00"
    assert scene.properties["grid:code"] == "MGRS-01VCG"
    assert scene.properties["platform"] == "sentinel-2b"
    assert scene.properties["view:sun_elevation"] == pytest.approx(32.646172)
    assert [group.name for group in scene.groups] == ["r10m", "r20m", "r60m"]
    assert all(group.has_nodata for group in scene.groups)
    assert {band.offset for group in scene.groups for band in group.bands} == {-0.1}  # of baseline 05.00
    tile = parse_tile((folder / "metadata.xml").read_bytes(), "metadata.xml")
    facts = {**scene.properties, "s2:product_type": "S2MSI2A"}  # which no file of the bucket states
    assert check_item(other_item(folder / "expected_output.json"), facts, tile) > 100
    scene.close()
