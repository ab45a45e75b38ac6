"""What names say, and which are safe."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import SourceError
from comeo.missions import ancillary_name, band_name
from comeo.sources.naming import check_id, facts_of, parse_time, safe_id


@pytest.mark.parametrize(
    ("name", "mission", "level", "properties"),
    [
        (
            "S2A_MSIL2A_20190530T103031_N0212_R108_T32TMT_20190530T123741",
            "sentinel-2",
            "L2A",
            {
                "platform": "sentinel-2a",
                "grid:code": "MGRS-32TMT",
                "s2:mgrs_tile": "32TMT",
                "s2:processing_baseline": "02.12",
            },
        ),
        ("S2_romania_2019-04-07", "sentinel-2", "", {}),
        ("S1_spain_flood_VVVH_dB", "sentinel-1", "", {}),
        (
            "S1A_IW_GRDH_1SDV_20180716T004042",
            "sentinel-1",
            "",
            {"platform": "sentinel-1a", "sar:instrument_mode": "IW", "sar:product_type": "GRD"},
        ),
        (
            "T33UUU_20170216T102101_B04",
            "sentinel-2",
            "",
            {"grid:code": "MGRS-33UUU", "s2:mgrs_tile": "33UUU"},
        ),
        ("orthophoto_2019", "", "", {}),
        ("USS2Axx", "", "", {}),
    ],
)
def test_facts(name: str, mission: str, level: str, properties: dict[str, str]) -> None:
    facts = facts_of(name)
    assert (facts.mission, facts.level, facts.properties) == (mission, level, properties)


@given(st.text(max_size=120))
def test_no_name_breaks_anything(name: str) -> None:
    facts_of(name)
    band_name(name)
    ancillary_name(name)
    try:
        found = safe_id(name, "id")
    except SourceError:
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", found)
    assert check_id(found, "id") == found


@pytest.mark.parametrize("text", ["B13", "B00", "B8B", "B2A", "band", "", "B", "red-ish"])
def test_what_is_no_band(text: str) -> None:
    assert band_name(text) is None


@pytest.mark.parametrize("text", ["yesterday", "", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(SourceError, match="is not a time"):
        parse_time(text, "it")
