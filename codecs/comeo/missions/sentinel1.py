"""Sentinel-1: C-band radar, terrain-corrected, in decibels."""

from __future__ import annotations

import re
from typing import Final

from comeo.decibel import DECIBEL
from comeo.missions import copernicus
from comeo.missions.backscatter import GEOCODED, UNCALIBRATED, name_properties
from comeo.missions.map_class import MapClass
from comeo.missions.mission import BandFacts, Mission, Unreadable, band_table
from comeo.missions.quantity import Range
from comeo.missions.recipe import Recipe

_CO: Final[Range] = (-22.0, 0.0)
_CROSS: Final[Range] = (-28.0, -6.0)
_RATIO: Final[Range] = (2.0, 16.0)

BANDS: Final = band_table(
    BandFacts("VV", "co-polarised, vertical", display={DECIBEL: _CO}),
    BandFacts("VH", "cross-polarised, vertical", display={DECIBEL: _CROSS}),
    BandFacts("HH", "co-polarised, horizontal", display={DECIBEL: _CO}),
    BandFacts("HV", "cross-polarised, horizontal", display={DECIBEL: _CROSS}),
)

RECIPES: Final = (
    Recipe(
        "radar", "Radar composite",
        "Co- and cross-polarised backscatter and their ratio: rough or built-up is bright, calm water dark.",
        ("VV;VH;VV-VH", "HH;HV;HH-HV"), (_CO, _CROSS, _RATIO), DECIBEL,
    ),
    Recipe(
        "ratio", "Co- to cross-polarised ratio",
        "Low where much is scattered within the ground's cover, as in forest; high over bare or wet ground.",
        ("VV-VH", "HH-HV"), (_RATIO,), DECIBEL, "ylgnbu", result_unit=DECIBEL,
    ),
    Recipe(
        "rvi", "Radar vegetation index",
        "From 0 (bare) upwards, of power: the more stems and leaves, the higher. Of single pixels mostly "
        "speckle.",
        ("4*pow(VH)/(pow(VV)+pow(VH))",), ((0.0, 1.2),), DECIBEL, "rdylgn", "RVI",
        "Nasirzadehdizaji et al. 2019, after Kim and van Zyl 2009",
    ),
    Recipe(
        "water", "Open water", "VV below −15 dB, of means of power over 5×5 pixels. Wind hides water, and "
        "smooth sand, tarmac and radar shadow look like it.",
        ("VV<-15",), (), DECIBEL, window=5,
        marks=(MapClass(0, "land", "Land, or rough water", (226, 222, 211)),
               MapClass(1, "water", "VV < −15 dB: open water", (31, 97, 171))),
    ),
    Recipe(
        "urban", "Built-up", "VV above −5 dB and VH above −12 dB, of means of power over 5×5 pixels: walls "
        "that face the satellite. Steep slopes look alike.",
        ("(VV>-5)*(VH>-12)",), (), DECIBEL, window=5,
        marks=(MapClass(0, "other", "Other ground", (226, 222, 211)),
               MapClass(1, "urban", "VV > −5 dB, VH > −12 dB", (186, 48, 42))),
    ),
)  # fmt: skip


# SNAP: Sigma0_VV_db, Gamma0_VH, Beta0_VV; the terrain-flattened and the speckle-filtered add words behind.
_CALIBRATED: Final = re.compile(
    r"(?:sigma|gamma|beta)(?:0|_?nought)[ _-]?(?:RTC[ _-]?)?(VV|VH|HH|HV)(?=[ _-]|$)", re.IGNORECASE
)
_LAYERS: Final = re.compile(r"(?:^|[ _-])(?:angle|phase|coh|coherence|i|q)(?:[ _-]|$)", re.IGNORECASE)


def band_name(text: str) -> str | None:
    """The polarisation that a text is or is the backscatter of, or None."""
    name = text.strip().upper()
    if name in BANDS:
        return name
    match = _CALIBRATED.match(text.strip()) or UNCALIBRATED.match(text.strip())
    return match.group(1).upper() if match and not _LAYERS.search(text) else None


def calibrated_name(text: str) -> str | None:
    """The polarisation of a band whose name says that it is calibrated backscatter, or None."""
    return band_name(text) if _CALIBRATED.match(text.strip()) else None


def processed_name(text: str) -> str | None:
    """The polarisation of a band named as processors of radar name theirs, calibrated or not, or None."""
    return band_name(text) if UNCALIBRATED.match(text.strip()) else calibrated_name(text)


SENTINEL1: Final = Mission(
    id="sentinel-1",
    title="Sentinel-1",
    name_mark=re.compile(r"(?:^|[_\-. ])(?:S|sentinel[-_ ]?)1(?=[A-D]?(?:[_\-. ]|$)|GRD|RTC)", re.IGNORECASE),
    spelling=re.compile(r"(?<![A-Z0-9])S(?:ENTINEL)?[ _-]?1[ _-]?([A-D])?(?![A-Z0-9])", re.IGNORECASE),
    platform_mark=re.compile(r"(?:^|[_\-.])S(?:ENTINEL[-_]?)?1([A-D])(?=[_\-.]|$)", re.IGNORECASE),
    credit_marks=("S1",),
    credit=copernicus.CREDIT,
    band_name=band_name,
    bands=BANDS,
    recipes=RECIPES,
    properties={"constellation": "sentinel-1", "instruments": ["c-sar"], "sar:frequency_band": "C"},
    bands_property="sar:polarizations",
    name_units={"db": DECIBEL},
    own_name=processed_name,
    name_properties=name_properties,
    prefixes=("s1",),
    default_model="sentinel1-1",
    unreadable=Unreadable(
        re.compile(r"S1[A-D]_(?:IW|EW|WV|S[1-6])_(?:GRD|SLC|RAW|OCN)"),
        re.compile(r"(?:^|/)(?:S1[A-D]_[^/]*/)?(?:measurement|annotation)/"),
        "is a Sentinel-1 product in radar geometry, and no GRD with its annotation; take the GRD product of "
        "the same acquisition, whole",
        GEOCODED,
    ),
)
