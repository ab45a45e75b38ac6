"""STAC Items as their publishers write them: mission, bands, numbers and layers come out right.

Properties, asset keys and band names are those of the catalogues named in the ids; the pixels are made up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources import open_source
from tests.comeo.sources.conftest import write_tif

Fields = dict[str, Any]
REFLECTANCE = "reflectance"
MINUS = (REFLECTANCE, 1e-4, -0.1)


def plain(*keys: str, **fields: Any) -> dict[str, Fields]:
    """Assets with a key each and the same fields."""
    return {key: dict(fields) for key in keys}


def eo(names: Iterable[tuple[str, str, str]], **fields: Any) -> dict[str, Fields]:
    """STAC 1.0 assets of (key, name, common name)."""
    return {
        key: {"eo:bands": [{"name": name, "common_name": common}], **fields} for key, name, common in names
    }


def raster(scale: float | None, offset: float | None, nodata: Any = 0, **more: Any) -> Fields:
    """`raster:bands`, leaving out what is None."""
    stated = {"scale": scale, "offset": offset, "nodata": nodata, **more}
    return {"raster:bands": [{name: value for name, value in stated.items() if value is not None}]}


@dataclass(frozen=True)
class Case:
    """An Item and what it is: bands by name, and (unit, scale, offset) of B04 or the first; or a refusal."""

    name: str
    properties: Fields
    assets: dict[str, Fields]
    bands: str = ""
    meaning: tuple[str, float, float] = (REFLECTANCE, 1e-4, 0.0)
    refused: str = ""
    options: Fields = field(default_factory=dict)
    constellation: str | None = "sentinel-2"
    collection: str = ""
    dtype: str = "uint16"
    zeros_are_nodata: bool = True


S2B = {"platform": "sentinel-2b", "constellation": "sentinel-2", "instruments": ["msi"]}
V0 = {**S2B, "sentinel:utm_zone": 32, "sentinel:data_coverage": 100.0}
V0_ASSETS = {
    **eo([("B02", "B02", "blue"), ("B04", "B04", "red"), ("B05", "B05", "rededge"), ("B8A", "B8A", "nir08")]),
    **plain("SCL", "AOT", "WVP"), "visual": {"roles": ["overview"]}, "overview": {"roles": ["overview"]},
    "thumbnail": {"roles": ["thumbnail"], "type": "image/png"},
}  # fmt: skip
V1_KEYS = [("blue", "blue", "blue"), ("red", "red", "red"), ("rededge1", "rededge1", "rededge"),
           ("nir08", "nir08", "nir08"), ("swir22", "swir22", "swir22")]  # fmt: skip
V1_LAYERS = {
    "cloud": {"roles": ["data", "cloud"], **raster(None, None)}, "snow": {"roles": ["data", "snow-ice"]},
    "scl": raster(None, None), "aot": raster(0.001, 0.0), "wvp": raster(0.001, 0.0),
    "preview": {"roles": ["overview"], "type": "image/jpeg"},
}  # fmt: skip
PC_ASSETS = {
    **eo([("B02", "B02", "blue"), ("B04", "B04", "red"), ("B8A", "B8A", "rededge")]),
    **plain("SCL", "AOT", "WVP"), "visual": {"eo:bands": [{"name": "B04"}, {"name": "B03"}, {"name": "B02"}]},
    "product-metadata": {"roles": ["metadata"], "type": "application/xml"},
    "preview": {"roles": ["thumbnail"]}, "tilejson": {"roles": ["tiles"], "type": "application/json"},
}  # fmt: skip
PC = {
    "platform": "Sentinel-2A",
    "constellation": "Sentinel 2",
    "instruments": ["msi"],
    "s2:product_type": "S2MSI2A",
}


def bands11(name: str, **fields: Any) -> Fields:
    """A STAC 1.1 asset of CDSE."""
    return {"bands": [{"name": name, "eo:common_name": "x"}], "nodata": 0, **fields}


CDSE_SCALE = {"raster:scale": 1e-4, "raster:offset": -0.1}
DEA = {"platform": "sentinel-2a", "instruments": ["msi"], "odc:product": "ga_s2am_ard_3",
       "sentinel:sentinel_tile_id":
       "S2A_OPER_MSI_L1C_TL_2APS_20230301T015903_A040163_T55HBU_N05.09"}  # fmt: skip
DEA_ASSETS = {
    **eo([(f"nbart_{n}", f"nbart_{n}", "") for n in
          ("coastal_aerosol", "blue", "red", "red_edge_1", "nir_1", "nir_2", "swir_2", "swir_3")]),
    **eo([(f"oa_{n}", f"oa_{n}", "") for n in
          ("fmask", "nbart_contiguity", "s2cloudless_mask", "s2cloudless_prob", "solar_zenith", "time_delta",
           "relative_azimuth", "azimuthal_exiting", "combined_terrain_shadow_mask")]),
}  # fmt: skip
DEA_BANDS = "B01 B02 B04 B05 B08 B8A B11 B12"
HLS_ASSETS = plain("B02", "B04", "B8A", "B11", "Fmask", "SAA", "SZA", "VAA", "VZA")
OLD, LATE = "2021-06-01T10:30:31Z", "2022-03-01T10:30:31Z"
LANDSAT = eo([("blue", "OLI_B2", "blue"), ("red", "OLI_B4", "red"), ("nir08", "OLI_B5", "nir08")],
             **raster(2.75e-5, -0.2))  # fmt: skip

CASES = [
    Case("S2A_28QCH_20200714_0_L2A",
         {**V0, "datetime": OLD, "sentinel:product_id": "S2A_MSIL2A_x_N0214_R1_y"},
         V0_ASSETS, "B02 B04 B05 B8A", collection="sentinel-s2-l2a-cogs"),
    Case("v0 after the offset came, not taken off",
         {**V0, "datetime": LATE, "sentinel:processing_baseline": "04.00",
          "sentinel:boa_offset_applied": False},
         V0_ASSETS, "B02 B04 B05 B8A", MINUS),
    Case("v0 baseline only in the product's name",
         {**V0, "datetime": LATE, "sentinel:product_id": "S2B_MSIL2A_20220301T103031_N0400_R108_T32TMT_2022"},
         V0_ASSETS, "B02 B04 B05 B8A", MINUS),
    Case("v0 taken off", {**V0, "datetime": LATE, "sentinel:processing_baseline": "04.00",
                          "sentinel:boa_offset_applied": True}, V0_ASSETS, "B02 B04 B05 B8A"),
    Case("v0 flag as text", {**V0, "datetime": LATE, "sentinel:processing_baseline": "04.00",
                             "s2:boa_add_offset_applied": "true"}, V0_ASSETS, "B02 B04 B05 B8A"),
    Case("v1 taken off", {**S2B, "datetime": LATE, "s2:processing_baseline": "05.09",
                          "earthsearch:boa_offset_applied": True},
         {**eo(V1_KEYS, **raster(1e-4, -0.1)), **V1_LAYERS}, "B02 B04 B05 B8A B12"),
    Case("v1 stated", {**S2B, "datetime": LATE, "s2:processing_baseline": "04.00",
                       "earthsearch:boa_offset_applied": False},
         {**eo(V1_KEYS, **raster(1e-4, -0.1)), **V1_LAYERS}, "B02 B04 B05 B8A B12", MINUS),
    Case("v1 an offset of 0 that is stated counts, too",
         {**S2B, "datetime": LATE, "s2:processing_baseline": "04.00"},
         eo(V1_KEYS, **raster(1e-4, 0)), "B02 B04 B05 B8A B12"),
    Case("v1 collection 1", {**S2B, "datetime": OLD, "s2:processing_baseline": "05.00"},
         {**eo(V1_KEYS, **raster(1e-4, -0.1)), **V1_LAYERS}, "B02 B04 B05 B8A B12", MINUS,
         collection="sentinel-2-c1-l2a"),
    Case("scale alone, offset by baseline", {**S2B, "datetime": OLD, "s2:processing_baseline": "05.00"},
         eo(V1_KEYS, **raster(1e-4, None)), "B02 B04 B05 B8A B12", MINUS),
    Case("an offset in numbers is no reflectance", {**S2B, "s2:processing_baseline": "04.00"},
         eo(V1_KEYS, **raster(1e-4, -1000)), refused="give it with --offset, as -0.1"),
    Case("and can be given", {**S2B, "s2:processing_baseline": "04.00"}, eo(V1_KEYS, **raster(1e-4, -1000)),
         "B02 B04 B05 B8A B12", MINUS, options={"offset": -0.1}),
    Case("pc old", {**PC, "datetime": OLD, "s2:processing_baseline": "03.00"}, PC_ASSETS, "B02 B04 B8A"),
    Case("pc of today", {**PC, "datetime": LATE, "s2:processing_baseline": "05.11"}, PC_ASSETS, "B02 B04 B8A",
         MINUS),
    Case("pc reprocessed", {**PC, "datetime": OLD, "s2:processing_baseline": "05.00"}, PC_ASSETS,
         "B02 B04 B8A", MINUS),
    Case("a private baseline says nothing", {**PC, "datetime": LATE, "s2:processing_baseline": "99.99"},
         PC_ASSETS, "B02 B04 B8A", zeros_are_nodata=False),
    Case("an offset given comes first", {**PC, "datetime": LATE, "s2:processing_baseline": "99.99"},
         PC_ASSETS, "B02 B04 B8A", MINUS, options={"offset": -0.1}, zeros_are_nodata=False),
    Case("S2A_MSIL2A_20250301T103031_N0511_R108_T32TMT_20250301T150000",
         {"platform": "sentinel-2a", "constellation": "sentinel-2", "datetime": "2025-03-01T10:30:31Z",
          "processing:version": "05.11", "processing:level": "L2"},
         {**{f"{n}_10m": bands11(n, **CDSE_SCALE) for n in ("B02", "B04", "B08")},
          "SCL_20m": bands11("SCL"), "AOT_10m": bands11("AOT", **CDSE_SCALE), "WVP_10m": bands11("WVP"),
          "TCI_10m": {"bands": [{"name": n} for n in ("B04", "B03", "B02")], "roles": ["visual"]}},
         "B02 B04 B08", MINUS),
    Case("cdse with nothing but a version",
         {"platform": "SENTINEL-2A", "constellation": "SENTINEL-2", "datetime": "2025-03-01T10:30:31Z",
          "processing:version": "05.11"},
         {"B04_10m": bands11("B04"), "B8A_20m": bands11("B8A")}, "B04 B8A", MINUS),
    Case("classes by their extension", {**S2B, "datetime": OLD, "s2:processing_baseline": "03.00"},
         {**plain("B04"), "landcover": {"classification:classes": [{"value": 1}]},
          "lc11": {"bands": [{"name": "lc", "classification:classes": []}]}}, "B04"),
    Case("ga_s2am_ard_3-2-1_55HBU", {**DEA, "datetime": "2023-03-01T00:10:31Z"}, DEA_ASSETS, DEA_BANDS,
         collection="ga_s2am_ard_3", dtype="int16", zeros_are_nodata=False),
    Case("de africa",
         {**V0, "datetime": LATE, "odc:product": "s2_l2a", "sentinel:processing_baseline": "04.00",
          "sentinel:boa_offset_applied": True}, V0_ASSETS, "B02 B04 B05 B8A", collection="s2_l2a"),
    Case("HLS.S30.T32TMT.2022150T103031.v2.0", {"datetime": LATE}, HLS_ASSETS, "B02 B04 B8A B11",
         collection="HLSS30.v2.0", dtype="int16", zeros_are_nodata=False),
    Case("hls of Planetary Computer", {"datetime": LATE}, HLS_ASSETS, "B02 B04 B8A B11",
         collection="hls2-s30", dtype="int16", zeros_are_nodata=False),
    Case("reflectances already", {**S2B, "datetime": LATE}, {"B04": {"_scale": 1e-4}}, "B04",
         (REFLECTANCE, 1.0, 0.0), dtype="float32", zeros_are_nodata=False),
    *[
        Case(f"baseline spelled {text!r}", {**PC, "datetime": LATE, "s2:processing_baseline": text},
             PC_ASSETS, "B02 B04 B8A", MINUS)
        for text in ("5.11", "N0511", "n05.11", "0511", " 05.11 ", 5.11, 4.0, 5.1)
    ],
    Case("an old baseline without its 0", {**PC, "datetime": LATE, "s2:processing_baseline": "2.14"},
         PC_ASSETS, "B02 B04 B8A"),
    Case("a program's version is no baseline", {**PC, "datetime": LATE, "processing:version": "5.1"},
         PC_ASSETS, "B02 B04 B8A", zeros_are_nodata=False),
    *[
        Case(f"flag {flag!r}", {**S2B, "datetime": LATE, "s2:processing_baseline": "05.09",
                                "earthsearch:boa_offset_applied": flag},
             eo(V1_KEYS, **raster(1e-4, -0.1)), "B02 B04 B05 B8A B12", meaning)
        for flag, meaning in ((" True", (REFLECTANCE, 1e-4, 0.0)), ("yes", (REFLECTANCE, 1e-4, 0.0)),
                              (1, (REFLECTANCE, 1e-4, 0.0)), ("false", MINUS), (0, MINUS), (None, MINUS))
    ],
    Case("the flag of each asset", {**S2B, "datetime": LATE, "s2:processing_baseline": "05.09"},
         {"B04": {"earthsearch:boa_offset_applied": True, **raster(1e-4, -0.1)}}, "B04"),
    Case("the flag of one asset only", {**S2B, "datetime": LATE, "s2:processing_baseline": "05.09"},
         {"B04": {"earthsearch:boa_offset_applied": True, **raster(1e-4, -0.1)},
          "B02": raster(1e-4, -0.1)}, refused="some of its assets only"),
    Case("numbers that are null", {**S2B, "datetime": LATE, "s2:processing_baseline": "05.09"},
         {"B04": {"raster:bands": [{"scale": None, "offset": None, "nodata": None, "unit": None}]}}, "B04",
         MINUS),
    *[
        Case(f"unit {unit!r} says nothing", {**S2B, "datetime": LATE, "s2:processing_baseline": "05.09"},
             {"B04": raster(1e-4, None, unit=unit)}, "B04", MINUS)
        for unit in ("1", "none", "unitless", "Dimensionless", "DN", "TOA reflectance")
    ],
    Case("dn without a scale", {**S2B, "datetime": LATE, "s2:processing_baseline": "05.09"},
         {"B04": raster(None, None, unit="DN")}, "B04", MINUS),
    Case("scale of 10000", {**S2B, "datetime": LATE}, {"B04": raster(10000, 0)},
         refused="give it with --scale, as 0.0001"),
    Case("scale of 0", {**S2B, "datetime": LATE}, {"B04": raster(0, 0)}, refused="states a scale of 0"),
    Case("scale below 0", {**S2B, "datetime": LATE}, {"B04": raster(-1e-4, 0)}, refused="a scale of -0.0001"),
    Case("a constellation that says less", {"constellation": "Copernicus", "platform": "Sentinel-2B"},
         {"B04": {}}, "B04", zeros_are_nodata=False),
    Case("a constellation that says otherwise", {"constellation": "Landsat", "platform": "Sentinel-2B"},
         {"B04": {}}, refused="is of Landsat"),
    *[
        Case(f"nodata {text!r}", {**S2B, "datetime": LATE, "s2:processing_baseline": "05.09"},
             {"B04": raster(1e-4, None, text, unit="1")}, "B04", MINUS)
        for text in ("nan", "inf", "-inf", "0", 0.0)
    ],
    Case("a nodata that is none", {**S2B, "datetime": LATE}, {"B04": raster(1e-4, None, "none")},
         refused="'none', not a number; give it with --nodata"),
    Case("eopf", S2B,
         {"SR_10m": {"type": "application/vnd+zarr", "bands": [{"name": "b02"}, {"name": "b03"}]}},
         refused=r"Zarr \(EOPF\) is not read"),
    Case("radar", {"platform": "SENTINEL-1A", "constellation": "Sentinel-1", "datetime": LATE},
         {"vv": raster(None, None, -32768), "vh": raster(None, None, -32768)}, "VV VH",
         refused="--scale power or --scale amplitude", dtype="float32"),
    Case("broken metadata that nobody needs",
         {**S2B, "datetime": "2021:06:01 noon", "view:sun_elevation": "NaN",
          "s2:processing_baseline": "03.00"},
         eo([("B04", "B04", "red")], **{"eo:center_wavelength": "wide"}), "B04"),
    Case("a nodata that is none, and one that is given", {**S2B, "datetime": OLD},
         {"B04": raster(None, None, {})},
         "B04", options={"nodata": 0}),
    Case("LC08_L2SP_190027_20220301_02_T1", {"platform": "LANDSAT_8", "instruments": ["OLI", "TIRS"]},
         LANDSAT, refused="is of Landsat"),
    Case("landsat of Planetary Computer", {"platform": "landsat-9", "landsat:wrs_path": "190"}, LANDSAT,
         refused="is of Landsat"),
    Case("landsat by its properties alone", {"landsat:wrs_path": "190"}, LANDSAT, refused="is of Landsat"),
    Case("HLS.L30.T32TMT.2022150T103031.v2.0", {}, HLS_ASSETS, refused="is of Landsat",
         collection="HLSL30.v2.0"),
    Case("hls2-l30", {}, HLS_ASSETS, refused="is of Landsat", collection="hls2-l30"),
    Case("dea landsat", {"odc:product": "ga_ls8c_ard_3"}, LANDSAT, refused="is of Landsat"),
    Case("MOD09A1.A2022057.h18v04.061", {"platform": "terra", "instruments": ["modis"]},
         plain("sur_refl_b01"), refused="is of MODIS"),
    Case("20220301_103031_03_2461",
         {"constellation": "planetscope", "platform": "2461", "pl:item_type": "PSScene"},
         plain("red", "nir"), refused="is of PlanetScope"),
    Case("pleiades", {"constellation": "pleiades", "platform": "PHR1A"}, plain("B1"),
         refused="is of Pléiades"),
    Case("S3A_OL_2_LFR", {"constellation": "Sentinel-3", "platform": "Sentinel-3A"}, plain("B04"),
         refused="is of Sentinel-3"),
    Case("S5P_OFFL_L2", {"constellation": "sentinel-5p", "platform": "sentinel-5p"}, plain("B04"),
         refused="is of Sentinel-5P"),
    Case("a platform that nobody knows", {"platform": "cubesat-7"}, plain("B04"), refused="is of cubesat-7"),
]  # fmt: skip


def written(folder: Path, case: Case) -> Path:
    """The Item of a case, with a small file for each asset."""
    assets = {}
    for key, fields in case.assets.items():
        values = np.random.default_rng(len(key)).integers(300, 4000, (1, 16, 16)).astype(case.dtype)
        values[0, :2] = 0
        own = dict(fields)
        if scale := own.pop("_scale", None):
            values = values * np.float32(scale)
        elif case.constellation == "sentinel-1":
            values = values / np.float32(1e4)
        write_tif(folder / f"{key}.tif", values)
        assets[key] = {
            "href": f"./{key}.tif",
            "type": "image/tiff; application=geotiff",
            "roles": ["data"],
            **own,
        }
    item: dict[str, Any] = {
        "type": "Feature", "stac_version": "1.0.0", "id": case.name, "geometry": None, "links": [],
        "properties": {"datetime": LATE, **case.properties}, "assets": assets,
        **({"collection": case.collection} if case.collection else {}),
    }  # fmt: skip
    path = folder / "item.json"
    path.write_text(json.dumps(item))
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_items(tmp_path: Path, case: Case) -> None:
    path = written(tmp_path, case)
    if case.refused:
        with pytest.raises(SourceError, match=case.refused):
            open_source(path, **case.options)
        return
    with open_source(path, **case.options) as scene:
        bands = {band.name: band for group in scene.groups for band in group.bands}
        assert list(bands) == case.bands.split()
        assert scene.properties.get("constellation") == case.constellation
        one = bands.get("B04") or next(iter(bands.values()))
        assert (one.unit, one.scale, one.offset) == case.meaning
        assert one.mission == case.constellation
        pixels = scene.groups[0].read(Window(0, 0, 16, 16))
        assert bool(pixels.valid[0, 0, 0]) is not case.zeros_are_nodata


def test_what_is_left_out_and_the_rule_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="comeo")
    case = next(case for case in CASES if case.name == "pc of today")
    with open_source(written(tmp_path, case)) as scene:
        assert scene.properties["comeo:numbers"].endswith("offset by processing baseline 05.11)")
    assert "asset SCL is the layer SCL, not a band, and is left out" in caplog.text
    assert (
        "reflectance = number × 0.0001 − 0.1 (scale assumed, offset by processing baseline 05.11)"
        in caplog.text
    )


def test_platforms_get_their_usual_spelling(tmp_path: Path) -> None:
    for number, text in enumerate(("Sentinel-2B", "SENTINEL-2B", "S2B", "sentinel2b", "Sentinel 2B")):
        folder = tmp_path / str(number)
        folder.mkdir()
        with open_source(written(folder, Case("x", {"platform": text}, plain("B04")))) as scene:
            assert (scene.properties["platform"], scene.properties["constellation"]) == (
                "sentinel-2b",
                "sentinel-2",
            )
