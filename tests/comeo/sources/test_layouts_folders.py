"""Folders of band files as processors and buckets lay them out: bands, and layers beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from comeo.errors import SourceError
from comeo.scene import Scene, Window
from comeo.sources import open_source
from tests.comeo.sources.conftest import north_up, write_tif

S2_NAME = "S2A_MSIL1C_20200101T103421_N0208_R108_T32TMT_20200101T123741"
MAJA = "SENTINEL2A_20200101-103421-123_L2A_T32TMT_C_V2-2"
HYP3 = "S1A_IW_20200101T053412_DVP_RTC30_G_gpuned_1A2B"
HLS = "HLS.S30.T32TMT.2020001T103421.v2.0"
L1C_10 = ("B02", "B03", "B04", "B08")
TILE_INFO = {
    "path": "tiles/32/T/MT/2020/1/1/0",
    "timestamp": "2020-01-01T10:34:27.461Z",
    "utmZone": 32,
    "latitudeBand": "T",
    "gridSquare": "MT",
    "datastrip": {"id": "S2A_OPER_MSI_L1C_DS_SGS__20200101T123741_S20200101T103421_N02.08"},
}
MAJA_METADATA = f"""<?xml version="1.0"?>
<Muscate_Metadata_Document>
  <Dataset_Identification><IDENTIFIER>{MAJA}</IDENTIFIER></Dataset_Identification>
  <Product_Characteristics>
    <PRODUCT_ID>{MAJA}</PRODUCT_ID><ACQUISITION_DATE>2020-01-01T10:34:21.123Z</ACQUISITION_DATE>
    <PLATFORM>SENTINEL2A</PLATFORM>
  </Product_Characteristics>
  <Radiometric_Informations>
    <REFLECTANCE_QUANTIFICATION_VALUE>10000</REFLECTANCE_QUANTIFICATION_VALUE>
    <SPECIAL_VALUES_LIST>
      <SPECIAL_VALUE name="nodata">-10000</SPECIAL_VALUE><SPECIAL_VALUE name="water">-1</SPECIAL_VALUE>
    </SPECIAL_VALUES_LIST>
  </Radiometric_Informations>
</Muscate_Metadata_Document>
"""


@dataclass(frozen=True)
class Layout:
    """A folder, and the scene that it is.

    Attributes:
        rasters: Names of raster files, without `.tif`, by pixel size in metres.
        others: Other files: their text, JSON or None for what is no file that anything reads.
        bands: Bands by group.
        give: The folder that is opened.
        dtype: Of the raster files.
        suffix: Of the raster files.
        options: Of `open_source`.
        facts: Attributes of the scene.
        nodata: Number of one pixel without data, or None.
        level: Number of the first raster's pixels; the next have one more each.
    """

    rasters: dict[int, tuple[str, ...]]
    bands: dict[str, str]
    others: dict[str, Any] = field(default_factory=dict)
    give: str = ""
    dtype: str = "uint16"
    suffix: str = ".tif"
    options: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    nodata: int | None = None
    level: float = 1000

    def write(self, folder: Path) -> Path:
        for gsd, names in self.rasters.items():
            for index, name in enumerate(names):
                path = folder / f"{name}{self.suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                values = np.full((1, 600 // gsd, 600 // gsd), self.level + index).astype(self.dtype)
                values[0, 0, 0] = self.nodata if self.nodata is not None else 1
                write_tif(path, values, transform=north_up(gsd))
        for name, content in self.others.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return folder / self.give


def below(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


def named(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for name in names)


BUCKET = "tiles/32/T/MT/2020/1/1/0"
L1C_RASTERS = {
    10: below(BUCKET, *L1C_10, "TCI"),
    20: below(BUCKET, "B05", "B8A"),
    60: below(BUCKET, "B01", "B10", "preview/B01", "preview/B02", "qi/MSK_CLASSI_B00"),
}
L1C_BANDS = {"r10m": "B02 B03 B04 B08", "r20m": "B05 B8A", "r60m": "B01 B10"}
DAY = datetime(2020, 1, 1, tzinfo=UTC)
TILE_TIME = datetime(2020, 1, 1, 10, 34, 27, 461000, UTC)

LAYOUTS: dict[str, Layout] = {
    "bucket, tile": Layout(
        L1C_RASTERS,
        L1C_BANDS,
        give=BUCKET,
        suffix=".jp2",
        nodata=0,
        facts={"id": "T32TMT_20200101_0_L1C", "datetime": DAY, "collection": "sentinel-2-l1c"},
    ),
    "bucket, from above": Layout(
        L1C_RASTERS,
        L1C_BANDS,
        nodata=0,
        facts={"id": "T32TMT_20200101_0_L1C", "datetime": DAY},
    ),
    "bucket, with metadata": Layout(
        L1C_RASTERS,
        L1C_BANDS,
        give=BUCKET,
        nodata=0,
        others={f"{BUCKET}/tileInfo.json": TILE_INFO, f"{BUCKET}/productInfo.json": {"name": S2_NAME}},
        facts={"id": S2_NAME, "datetime": TILE_TIME, "collection": "sentinel-2-l1c"},
    ),
    "bucket, metadata file": Layout(
        L1C_RASTERS,
        L1C_BANDS,
        {f"{BUCKET}/tileInfo.json": TILE_INFO},
        give=f"{BUCKET}/tileInfo.json",
        nodata=0,
        facts={"datetime": TILE_TIME, "collection": "sentinel-2-l1c"},
    ),
    "bucket, broken metadata": Layout(
        L1C_RASTERS,
        L1C_BANDS,
        give=BUCKET,
        nodata=0,
        others={
            f"{BUCKET}/tileInfo.json": "{",
            f"{BUCKET}/productInfo.json": [],
            f"{BUCKET}/metadata.xml": "<a",
        },
        facts={"id": "T32TMT_20200101_0_L1C", "datetime": DAY},
    ),
    "bucket, broken time": Layout(
        L1C_RASTERS,
        L1C_BANDS,
        give=BUCKET,
        nodata=0,
        options={"datetime": "2020-01-01T10:00:00Z"},
        others={f"{BUCKET}/tileInfo.json": TILE_INFO | {"timestamp": "soon"}},
        facts={"datetime": datetime(2020, 1, 1, 10, tzinfo=UTC)},
    ),
    "bucket, L2A": Layout(
        {
            10: below("0/R10m", "AOT", "B02", "B03", "B04", "B08", "TCI", "WVP"),
            20: (*below("0/R20m", "AOT", "B02", "B05", "B8A", "SCL"), *below("0/qi", "CLD_20m", "SNW_20m")),
            60: below("0/R60m", "B01", "B02", "B05", "B09", "SCL"),
        },
        {"r10m": "B02 B03 B04 B08", "r20m": "B05 B8A", "r60m": "B01 B09"},
        suffix=".jp2",
    ),
    "bucket, one resolution's folder": Layout(
        {10: below(f"{BUCKET}/R10m", "B02", "B03", "TCI"), 20: below(f"{BUCKET}/R20m", "B02", "SCL")},
        {"r10m": "B02 B03"},
        give=f"{BUCKET}/R10m",
        nodata=0,
        facts={"id": "T32TMT_20200101_0_L2A", "collection": "sentinel-2-l2a"},
    ),
    "20 m of it": Layout(
        {20: below("R20m", "B02", "B03", "B05", "SCL")}, {"r20m": "B02 B03 B05"}, suffix=".jp2"
    ),
    "60 m and 20 m of it": Layout(
        {20: below("R20m", "B05"), 60: below("R60m", "B01", "B02", "B05")},
        {"r20m": "B05", "r60m": "B01 B02"},
    ),
    "granule without a product": Layout(
        {
            10: below(
                "GRANULE/L2A_T32TMT_A020559_20200101T103421/IMG_DATA/R10m",
                *named("T32TMT_20200101T103421_", "B02_10m", "TCI_10m"),
            ),
            20: below(
                "GRANULE/L2A_T32TMT_A020559_20200101T103421/QI_DATA", "MSK_CLDPRB_20m", "MSK_SNWPRB_20m"
            ),
        },
        {"r10m": "B02"},
        facts={"collection": "sentinel-2-l2a"},
    ),
    "one folder, sizes in names": Layout(
        {
            10: ("B02_10m", "TCI_10m", "AOT_10m"),
            20: ("B02_20m", "B05_20m", "SCL_20m"),
            60: ("B01_60m", "SCL_60m"),
        },
        {"r10m": "B02", "r20m": "B05", "r60m": "B01"},
    ),
    "HyP3": Layout(
        {30: named(f"{HYP3}/{HYP3}_", "VV", "VH", "dem", "ls_map", "inc_map", "area", "rgb")},
        {"r30m": "VH VV"},
        {f"{HYP3}/{HYP3}_VV.tif.xml": "<metadata/>", f"{HYP3}/{HYP3}.README.md.txt": ""},
        give=HYP3,
        dtype="float32",
        level=0.1,
        facts={"id": HYP3, "datetime": datetime(2020, 1, 1, 5, 34, 12, tzinfo=UTC)},
    ),
    "MAJA": Layout(
        {
            10: (
                *named(
                    f"{MAJA}/{MAJA}_", "FRE_B2", "FRE_B3", "FRE_B8", "SRE_B2", "SRE_B3", "SRE_B8", "ATB_R1"
                ),
                *named(f"{MAJA}/MASKS/{MAJA}_", "CLM_R1", "EDG_R1", "SAT_R1", "MG2_R1", "IAO_R1", "DFP_R1"),
            ),
            20: (
                *named(f"{MAJA}/{MAJA}_", "FRE_B5", "FRE_B8A", "SRE_B5", "SRE_B8A", "ATB_R2"),
                *named(f"{MAJA}/MASKS/{MAJA}_", "CLM_R2", "EDG_R2"),
            ),
        },
        {"r10m": "B02 B03 B08", "r20m": "B05 B8A"},
        {f"{MAJA}/{MAJA}_MTD_ALL.xml": MAJA_METADATA, f"{MAJA}/{MAJA}_QKL_ALL.jpg": ""},
        give=MAJA,
        dtype="int16",
        nodata=-10000,
        facts={
            "id": MAJA,
            "datetime": datetime(2020, 1, 1, 10, 34, 21, 123000, UTC),
            "collection": "sentinel-2-l2a",
        },
    ),
    "MAJA without slopes": Layout(
        {10: named(f"{MAJA}_", "SRE_B2", "SRE_B3", "ATB_R1")},
        {"r10m": "B02 B03"},
        dtype="int16",
        nodata=-10000,
        facts={"collection": "sentinel-2-l2a"},
    ),
    "MAJA's syntheses (WASP)": Layout(
        {
            10: named(
                "SENTINEL2X_20200115-000000-000_L3A_T32TMT_C_V1-0_", "FRC_B2", "FRC_B3", "FLG_R1", "WGT_R1"
            )
        },
        {"r10m": "B02 B03"},
        dtype="int16",
        nodata=-10000,
    ),
    "HLS": Layout(
        {30: named(f"{HLS}.", "B02", "B8A", "B10", "B11", "Fmask", "SZA", "SAA", "VZA", "VAA")},
        {"r30m": "B02 B8A B10 B11"},
        dtype="int16",
        options={"native": False},
    ),
    "litter": Layout(
        {10: ("B02", "B03")},
        {"r10m": "B02 B03"},
        {
            "._B02.tif": "",
            ".B04.tif": "",
            "Thumbs.db": "",
            ".DS_Store": "",
            "__MACOSX/B05.tif": "",
            "B02.tfw": "",
        },
    ),
    "deep": Layout({10: below("a/b/c", "B02", "B03")}, {"r10m": "B02 B03"}, facts={"id": "c"}),
    "chosen bands": Layout(
        {10: ("B02", "B03", "mystery")},
        {"r10m": "B03"},
        options={"bands": ["B03"]},
    ),
    "SCL and others at 10 m": Layout(
        {10: ("B02", "SCL", "CLD", "SNW", "MSK_CLDPRB", "MSK_SNWPRB", "MSK_DETFOO_B02")},
        {"r10m": "B02"},
    ),
}


def check(scene: Scene, layout: Layout) -> None:
    assert {g.name: " ".join(band.name for band in g.bands) for g in scene.groups} == layout.bands
    for name, value in layout.facts.items():
        assert getattr(scene, name) == value
    if layout.nodata is not None:
        for group in scene.groups:
            valid = group.read(Window(0, 0, group.height, group.width)).valid
            assert not valid[:, 0, 0].any()
            assert valid.sum() == valid.size - len(group.bands)


@pytest.mark.parametrize("what", LAYOUTS)
def test_folders_are_read_by_what_they_are(tmp_path: Path, what: str) -> None:
    layout = LAYOUTS[what]
    scene = open_source(layout.write(tmp_path / "top"), **layout.options)
    check(scene, layout)
    scene.close()


@pytest.mark.parametrize("what", [name for name, layout in LAYOUTS.items() if "." not in layout.give])
def test_zips_of_them_are_the_same(tmp_path: Path, what: str) -> None:
    layout = LAYOUTS[what]
    folder = layout.write(tmp_path / "top")
    packed = tmp_path / "packed.zip"
    with ZipFile(packed, "w") as archive:
        for file in sorted((tmp_path / "top").rglob("*")):
            archive.write(file, file.relative_to(tmp_path / "top" if what != "litter" else tmp_path))
    scene = open_source(packed, **layout.options)
    check(scene, layout)
    plain = open_source(folder, **layout.options)
    assert scene.source_checksum == plain.source_checksum
    assert scene.properties == plain.properties
    plain.close()
    scene.close()


def test_maja_numbers_are_reflectance(tmp_path: Path) -> None:
    for what in ("MAJA", "MAJA without slopes"):
        scene = open_source(LAYOUTS[what].write(tmp_path / what))
        for group in scene.groups:
            assert {(band.scale, band.offset, band.unit) for band in group.bands} == {
                (1e-4, 0.0, "reflectance")
            }
        scene.close()
    flat = open_source(LAYOUTS["MAJA"].write(tmp_path / "again"))
    assert flat.groups[0].read(Window(1, 1, 1, 1)).values.ravel().tolist() == [1000, 1001, 1002]  # of FRE
    flat.close()


@pytest.mark.parametrize(
    ("letter", "level", "scale"), [("p", 0.1, "power"), ("d", -12, "dB"), ("a", 0.3, "amplitude")]
)
def test_the_scale_of_hyp3_is_in_its_name(tmp_path: Path, letter: str, level: float, scale: str) -> None:
    name = HYP3.replace("gpuned", f"g{letter}uned")
    layout = Layout(
        {30: named(f"{name}_", "VV", "VH", "dem")}, {"r30m": "VH VV"}, dtype="float32", level=level
    )
    scene = open_source(layout.write(tmp_path / "rtc"))
    check(scene, layout)
    assert {band.unit for band in scene.groups[0].bands} == {"dB"}
    assert scene.properties["comeo:source_scale"] == scale
    assert (scene.collection, scene.properties["platform"]) == ("sentinel-1", "sentinel-1a")
    scene.close()


@pytest.mark.parametrize(
    ("name", "mission"),
    [
        ("LC08_L2SP_195027_20200101_20200823_02_T1_SR_B", "Landsat"),
        ("VENUS-XS_20200101-103421-000_L2A_X_C_V2-2_FRE_B", "VENµS"),
        ("HLS.L30.T32TMT.2020001T102000.v2.0.B0", "Landsat"),
    ],
)
def test_bands_of_other_missions_are_refused(tmp_path: Path, name: str, mission: str) -> None:
    layout = Layout({30: named(name, "2", "3", "4")}, {})
    with pytest.raises(SourceError, match=mission):
        open_source(layout.write(tmp_path / "scene"))


def test_the_log_says_what_was_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    open_source(LAYOUTS["HyP3"].write(tmp_path)).close()
    assert caplog.text.count("not a band, and is left out") == 5
    caplog.clear()
    open_source(LAYOUTS["20 m of it"].write(tmp_path / "2")).close()
    assert "has band B02 at 20 m, not at its own 10 m" in caplog.text
    caplog.clear()
    open_source(LAYOUTS["MAJA"].write(tmp_path / "3")).close()
    assert "FRE is taken, corrected for slopes, and SRE left out" in caplog.text
