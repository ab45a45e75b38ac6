"""Sentinel-1: C-band radar, terrain-corrected, in decibels."""

from __future__ import annotations

import re
from typing import Final

from comeo.missions import copernicus
from comeo.missions.mission import BandFacts, Mission, Unreadable, band_table
from comeo.missions.quantity import DECIBEL, Range
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
        "radar", "Radar composite", "VV, VH and their ratio: rough or built-up is bright, calm water dark.",
        ("VV;VH;VV-VH",), (_CO, _CROSS, _RATIO), DECIBEL,
    ),
)  # fmt: skip


def band_name(text: str) -> str | None:
    """The polarisation that a text is, in any case, or None."""
    name = text.upper()
    return name if name in BANDS else None


SENTINEL1: Final = Mission(
    id="sentinel-1",
    title="Sentinel-1",
    name_mark=re.compile(r"(?:^|[_\-])(?:S|sentinel-?)1(?=[A-D]?(?:[_\-]|$))", re.IGNORECASE),
    platform_mark=re.compile(r"(?:^|[_\-])S1([A-D])(?=[_\-]|$)", re.IGNORECASE),
    credit_marks=("S1",),
    credit=copernicus.CREDIT,
    band_name=band_name,
    bands=BANDS,
    recipes=RECIPES,
    properties={"constellation": "sentinel-1", "instruments": ["c-sar"], "sar:frequency_band": "C"},
    bands_property="sar:polarizations",
    name_units={"db": DECIBEL},
    unreadable=Unreadable(
        re.compile(r"S1[A-D]_(?:IW|EW|WV|S[1-6])_(?:GRD|SLC|RAW|OCN)"),
        re.compile(r"(?:^|/)(?:S1[A-D]_[^/]*/)?(?:measurement|annotation)/"),
        "is a Sentinel-1 product in radar geometry; calibrate and terrain-correct it, "
        "with SNAP or the like, then give the GeoTIFF, its bands described as VV and VH",
    ),
)
