"""Missions: every description is complete, and products are recognised by their names and bands."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.codecs.learned.model import DEFAULT
from comeo.errors import SourceError
from comeo.missions import (
    MISSIONS,
    QUANTITIES,
    BandFacts,
    Mission,
    ancillary_file,
    band_facts,
    band_name,
    band_order,
    band_title,
    credit,
    described_band,
    display_range,
    mission_in,
    mission_of_bands,
    native_gsd,
    nodata_in,
    platform_in,
    refuse_unreadable,
    sees_ground,
    unit_in,
)
from comeo.scene import Band

EACH_MISSION = pytest.mark.parametrize("mission", MISSIONS.values(), ids=MISSIONS)
EACH_BAND = pytest.mark.parametrize(
    "band",
    [band for mission in MISSIONS.values() for band in mission.bands.values()],
    ids=lambda band: band.name,
)
SENTINEL2 = MISSIONS["sentinel-2"]


@EACH_MISSION
def test_a_mission_is_described_wholly(mission: Mission) -> None:
    assert mission.title
    assert mission.credit
    assert mission.bands
    assert mission.properties["constellation"] == mission.id
    assert mission.properties["instruments"]
    assert mission_in(mission.id) is mission
    assert mission.collection_of("") == mission.id
    assert all(mission.collection_of(level).startswith(mission.id) for level in mission.collections)
    assert mission.scale is None or mission.scale.unit in QUANTITIES
    assert all(unit in QUANTITIES for unit in mission.name_units.values())


@EACH_BAND
def test_a_band_is_described_wholly(band: BandFacts) -> None:
    assert band_facts(band.name) is band
    assert band_name(band.name) == band.name
    assert band_title(Band(band.name)) == band.title != ""
    assert band.display
    assert not band.unit or band.unit in band.display
    for unit, (black, white) in band.display.items():
        assert unit in QUANTITIES
        assert black < white
        assert display_range(Band(band.name, unit=unit)) == (black, white)
    if band.gsd:
        assert band.common_name
        assert band.center_wavelength
        assert band_name(band.common_name) == band.name
    assert ancillary_file(band.name) is None


def test_a_band_that_no_mission_has_is_titled_by_its_common_name() -> None:
    assert band_title(Band("B17", common_name="lwir")) == "lwir"
    assert band_title(Band("DN")) == ""


def test_a_band_has_one_mission() -> None:
    names = [name for mission in MISSIONS.values() for name in mission.bands]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("unit", QUANTITIES)
def test_a_quantity_has_ranges_and_grades_for_every_error(unit: str) -> None:
    quantity = QUANTITIES[unit]
    assert quantity.unit == unit
    assert quantity.display[0] < quantity.display[1]
    assert 0 == quantity.error_range[0] < quantity.error_range[1]
    limits = [grade.limit for grade in quantity.grades]
    assert limits == sorted(set(limits))
    assert limits[-1] == math.inf
    assert all(grade.word and grade.meaning.endswith(".") for grade in quantity.grades)
    for grade in quantity.grades:
        assert quantity.grade(grade.limit) is grade
    assert quantity.grade(limits[0] * 1.01) is quantity.grades[1]
    assert quantity.grade(math.nan) is quantity.grades[-1]


@pytest.mark.parametrize(
    ("name", "mission", "platform"),
    [
        ("S2A_MSIL2A_20190530T103031_N0212_R108_T32TMT_20190530T123741", "sentinel-2", "sentinel-2a"),
        ("S1B_IW_GRDH_1SDV_20200101T000000", "sentinel-1", "sentinel-1b"),
        ("S2_romania_2016-08-15", "sentinel-2", ""),
        ("sentinel-1_spain", "sentinel-1", ""),
        ("copy_of_S1A_beside_S2B", "sentinel-1", "sentinel-1a"),
        ("S3A_OL_1_EFR", None, ""),
        ("IS2A_x", None, ""),
        ("", None, ""),
    ],
)
def test_the_mission_is_read_off_a_name(name: str, mission: str | None, platform: str) -> None:
    found = mission_in(name)
    assert (found and found.id) == mission
    assert platform_in(name) == platform


@given(st.text(max_size=40))
def test_any_text_can_be_looked_at(text: str) -> None:
    found = band_name(text)
    assert found is None or band_facts(found) is not None
    assert described_band(text, "") in (text, found)
    assert native_gsd(text) >= 0
    for recognise in (mission_in, platform_in, ancillary_file, nodata_in):
        recognise(text)
    assert unit_in(text, "B04") == ""


@given(
    st.sampled_from(sorted(SENTINEL2.bands)),
    st.sampled_from(["{}", " {} ", "{} (665 nm)", "{}_10m", "{}, red"]),
)
def test_a_band_is_recognised_in_any_dress(name: str, dress: str) -> None:
    for text in (dress.format(name), dress.format(name.lower()), dress.format(f"Band {name[1:]}")):
        assert band_name(text) == name


@given(
    st.lists(st.sampled_from(["B02", "B04", "B8A", "VV", "NDVI"]), max_size=5),
    st.sampled_from(["B13", "B99"]),
)
def test_bands_are_a_missions_if_all_that_have_its_form_are_its(names: list[str], stranger: str) -> None:
    own = any(name.startswith("B") for name in names)
    assert mission_of_bands(names) is (SENTINEL2 if own else None)
    assert mission_of_bands([*names, stranger]) is None


def test_bands_stand_in_the_order_of_their_wavelengths() -> None:
    assert sorted(sorted(SENTINEL2.bands, reverse=True), key=band_order) == list(SENTINEL2.bands)
    assert sorted(["VV", "B8A", "VH", "x", "B02"], key=band_order) == ["B02", "B8A", "VV", "VH", "x"]


def test_descriptions_in_words_are_only_read_for_missions_that_have_them() -> None:
    assert described_band("red", "sentinel-2") == "B04"
    assert described_band("red", "") == "red"
    assert described_band("b4", "") == "B04"
    assert described_band("red", "sentinel-1") == "red"
    assert described_band("vv", "") == "vv"


def test_units_and_nodata_in_names() -> None:
    assert unit_in("S1_spain_flood_VVVH_dB", "vv") == unit_in("a-db", "VH") == "dB"
    assert unit_in("S1_db_x", "VV") == unit_in("x_db", "B04") == unit_in("db", "VV") == ""
    assert nodata_in("T33UUU_20170216T102101_B04_10m") == 0
    assert nodata_in("my_B04") is None


def test_a_band_below_the_atmosphere_alone_sees_the_ground() -> None:
    assert [name for name in SENTINEL2.bands if not sees_ground(Band(name))] == ["B10"]
    assert sees_ground(Band("anything"))
    assert sees_ground(Band("B10", mission="Landsat"))


def test_the_offset_of_sentinel2_comes_with_baseline_04_00() -> None:
    assert SENTINEL2.scale is not None
    assert SENTINEL2.scale.offset_at(datetime(2022, 1, 24, 23, tzinfo=UTC)) == 0
    assert SENTINEL2.scale.offset_at(datetime(2022, 1, 25, tzinfo=UTC)) == -0.1
    assert SENTINEL2.scale.offsets[0].baseline == "04.00"


def test_the_model_trained_on_sentinel2_is_the_codecs_own() -> None:
    assert SENTINEL2.default_model == DEFAULT


@pytest.mark.parametrize(
    ("names", "year", "line"),
    [
        (("sentinel-2a",), 2020, "Contains modified Copernicus Sentinel data 2020"),
        (("sentinel-2a",), None, "Contains modified Copernicus Sentinel data"),
        ((None, None, "optical", "S1A_x"), 2021, "Contains modified Copernicus Sentinel data 2021"),
        ((None, "Sentinel-3"), 2021, "Contains modified Copernicus Sentinel data 2021"),
        (("landsat-8", None, "scenes", "x"), 2020, ""),
        ((), None, ""),
    ],
)
def test_credits(names: tuple[object, ...], year: int | None, line: str) -> None:
    assert credit(names, year) == line


def test_products_in_radar_geometry_are_refused_with_advice() -> None:
    for where, inside in (
        ("S1A_IW_GRDH.SAFE", []),
        ("x", ["S1A_x/measurement/a.tiff"]),
        ("x", ["annotation/"]),
    ):
        with pytest.raises(SourceError, match="no GRD with its annotation; take the GRD product"):
            refuse_unreadable(where, inside)
    refuse_unreadable("S2A_x", ["GRANULE/L2A/IMG_DATA/"])


@EACH_MISSION
def test_descriptions_cannot_be_changed(mission: Mission) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        mission.id = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        mission.bands["B99"] = BandFacts("B99", "stranger")  # type: ignore[index]
