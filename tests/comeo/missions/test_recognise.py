"""Missions by what products state and by their names: another one is named, never taken for a Sentinel."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import SourceError
from comeo.missions import (
    MISSIONS,
    ancillary_name,
    band_facts,
    band_title,
    described_band,
    display_range,
    mission_id,
    mission_of,
    of_mission,
    other_mission_in,
    peak,
    platform_of,
    unit_in_words,
)
from comeo.missions.other import OTHERS
from comeo.missions.sentinel2 import SCALE, SENTINEL2
from comeo.scene import Band


@pytest.mark.parametrize(
    ("properties", "mission"),
    [
        ({"constellation": "Sentinel 2", "platform": "Sentinel-2B"}, "sentinel-2"),
        ({"constellation": "SENTINEL-2"}, "sentinel-2"),
        ({"platform": "S2A"}, "sentinel-2"),
        ({"platform": "sentinel-2c", "instruments": ["msi"]}, "sentinel-2"),
        ({"s2:mgrs_tile": "32TMT"}, "sentinel-2"),
        ({"sentinel:utm_zone": 32}, "sentinel-2"),
        ({"platform": "SENTINEL-1A"}, "sentinel-1"),
        ({"platform": "landsat-8", "instruments": ["oli", "tirs"]}, "Landsat"),
        ({"instruments": ["OLI", "TIRS"]}, "Landsat"),
        ({"platform": "aqua", "instruments": ["modis"]}, "MODIS"),
        ({"constellation": "PlanetScope", "platform": "2274"}, "PlanetScope"),
        ({"constellation": "Sentinel-3", "platform": "Sentinel-3B"}, "Sentinel-3"),
        ({"platform": "gaofen-6"}, "Gaofen"),
        ({"platform": "never-heard-of"}, "never-heard-of"),
        ({"constellation": "sentinel-2", "platform": "landsat-8"}, "Landsat"),
        ({"mission": "a campaign of ours"}, ""),
        ({"instruments": ["msi"], "platform": 3}, ""),
        ({}, ""),
    ],
)
def test_what_properties_state(properties: dict[str, Any], mission: str) -> None:
    assert mission_id(properties) == mission


def test_what_is_stated_counts_before_names_and_a_first_name_before_others() -> None:
    stated = {"platform": "sentinel-2a"}
    assert mission_of("x", stated, ["LC08_L2SP_190027"]) is SENTINEL2
    assert mission_of("x", {}, ["S2A_over_landsat", "LC08_L2SP"]) is SENTINEL2
    assert mission_of("x", {}, ["forest", "beach"]) is None
    for names in (["LC08_L2SP_190027_20220301"], ["scene", "HLS.L30.T32TMT.2022150T103031.v2.0"]):
        with pytest.raises(
            SourceError, match=r"x is of Landsat, and only scenes of Sentinel-1 and Sentinel-2"
        ):
            mission_of("x", {}, names)


@pytest.mark.parametrize(
    "name", ["terra_indigena_2020", "planet_field", "spot_check", "aster_garden", "IS2A", "re1"]
)
def test_words_of_everyday_are_no_missions_in_names(name: str) -> None:
    assert other_mission_in(name) is None


@given(st.text(max_size=60))
def test_any_text_can_be_looked_at(text: str) -> None:
    assert mission_id({"platform": text}) == "" or text.strip()
    assert platform_of(text) == "" or platform_of(text).startswith("sentinel-")
    for mission in ("", *MISSIONS, "Landsat"):
        described_band(text, mission)
    ancillary_name(text)
    unit_in_words(text)
    assert SCALE.offset_of(text) in (None, 0.0, -0.1)


def test_others_have_titles_of_their_own() -> None:
    titles = [each.title for each in OTHERS]
    assert len(set(titles)) == len(titles)
    assert not {mission.title for mission in MISSIONS.values()} & set(titles)


def test_facts_of_a_band_stay_with_its_mission() -> None:
    ours, theirs, unknown = (
        Band("B05", unit="reflectance", mission=m) for m in ("sentinel-2", "Landsat", "")
    )
    assert band_title(ours) == band_title(unknown) == "red edge, 0.70 µm"
    assert band_title(theirs) == ""
    assert band_facts("B05", "Landsat") is None
    assert of_mission(Band("B05"), "Landsat").mission == "Landsat"
    assert of_mission(Band("VV"), "sentinel-2").mission == ""


def test_a_band_of_unknown_unit_is_shown_in_its_own_range() -> None:
    assert display_range(Band("DN")) is None
    assert display_range(Band("DN", display=(2.0, 7.0))) == (2.0, 7.0)
    assert display_range(Band("B04", unit="reflectance", display=(2.0, 7.0))) == (0.0, 0.3)


@pytest.mark.parametrize(
    ("band", "value"),
    [
        (Band("B04", 1e-4, -0.1, "reflectance"), 10_000.0),
        (Band("B04", 1.0, 0.0, "reflectance"), 1.0),
        (Band("B04", 1 / 255, 0.0, "reflectance"), 255.0),
        (Band("VV", unit="dB"), 50),
        (Band("DN"), None),
    ],
)
def test_the_peak_of_psnr_is_reflectance_one(band: Band, value: float | None) -> None:
    assert peak(band) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("baseline", "offset"),
    [
        ("02.12", 0.0),
        ("03.01", 0.0),
        ("04.00", -0.1),
        ("05.11", -0.1),
        ("99.99", None),
        ("", None),
        ("5.11", -0.1),
    ],
)
def test_the_offset_of_a_baseline(baseline: str, offset: float | None) -> None:
    assert SCALE.offset_of(baseline) == offset


@pytest.mark.parametrize(
    ("text", "unit"),
    [("db", "dB"), (" Decibels ", "dB"), ("REFLECTANCE", "reflectance"), ("K", "K"), ("", "")],
)
def test_units_are_written_in_one_way(text: str, unit: str) -> None:
    assert unit_in_words(text) == unit
