"""Sentinel-1: C-band radar, terrain-corrected, in decibels."""

from __future__ import annotations

import re
from typing import Final

from comeo.decibel import DECIBEL
from comeo.missions import copernicus
from comeo.missions.backscatter import GEOCODED, UNCALIBRATED, name_properties
from comeo.missions.mission import BandFacts, Mission, Unreadable, band_table
from comeo.missions.quantity import Range

_CO: Final[Range] = (-22.0, 0.0)
_CROSS: Final[Range] = (-28.0, -6.0)

BANDS: Final = band_table(
    BandFacts("VV", "co-polarised, vertical", display={DECIBEL: _CO}),
    BandFacts("VH", "cross-polarised, vertical", display={DECIBEL: _CROSS}),
    BandFacts("HH", "co-polarised, horizontal", display={DECIBEL: _CO}),
    BandFacts("HV", "cross-polarised, horizontal", display={DECIBEL: _CROSS}),
)


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
