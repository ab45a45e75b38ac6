"""Sentinel-2: the MultiSpectral Instrument, top of atmosphere (L1C) and surface (L2A) reflectance.

Wavelengths are Sentinel-2A's (ESA, Sentinel-2 Spectral Response Functions 3.0); common names are those of
the STAC `eo` extension 2.0.
"""

from __future__ import annotations

import re
from collections.abc import Set
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from comeo.missions import copernicus
from comeo.missions.clear import CLOUD, LAND, NODATA, SHADOW, SNOW, THIN, WATER
from comeo.missions.mission import BandFacts, ClassLayer, Line, Mission, Offset, Scale, band_table
from comeo.missions.quantity import REFLECTANCE, Range

_VISIBLE: Final[Range] = (0.0, 0.3)
_INFRARED: Final[Range] = (0.0, 0.45)


def _band(
    name: str,
    title: str,
    gsd: int,
    common_name: str,
    wavelength: float,
    display: Range = _VISIBLE,
    *,
    ground: bool = True,
) -> BandFacts:
    ranges = {REFLECTANCE: display}
    return BandFacts(name, title, gsd, common_name, wavelength, REFLECTANCE, ranges, ground)


BANDS: Final = band_table(
    _band("B01", "coastal aerosol", 60, "coastal", 0.443),
    _band("B02", "blue", 10, "blue", 0.493),
    _band("B03", "green", 10, "green", 0.560),
    _band("B04", "red", 10, "red", 0.665),
    _band("B05", "red edge, 0.70 µm", 20, "rededge071", 0.704),
    _band("B06", "red edge, 0.74 µm", 20, "rededge075", 0.741, _INFRARED),
    _band("B07", "red edge, 0.78 µm", 20, "rededge078", 0.783, _INFRARED),
    _band("B08", "near infrared", 10, "nir", 0.833, _INFRARED),
    _band("B8A", "near infrared, narrow", 20, "nir08", 0.865, _INFRARED),
    _band("B09", "water vapour", 60, "nir09", 0.945, _INFRARED),
    # Water vapour absorbs all of B10's light below the cirrus.
    _band("B10", "cirrus", 60, "cirrus", 1.374, ground=False),
    _band("B11", "short-wave IR, 1.6 µm", 20, "swir16", 1.614),
    _band("B12", "short-wave IR, 2.2 µm", 20, "swir22", 2.202),
)

# Words for bands, without spaces and the like: of catalogues (Earth Search, CDSE, Planetary Computer) and
# of Digital Earth Australia, whose second and third short waves are the only ones of Sentinel-2.
_ALIASES: Final = {
    **{band.common_name: name for name, band in BANDS.items()},
    "coastalaerosol": "B01", "aerosol": "B01", "aerosols": "B01",
    "rededge1": "B05", "rededge2": "B06", "rededge3": "B07", "rededge4": "B8A",
    "re1": "B05", "re2": "B06", "re3": "B07", "re4": "B8A",
    "nir1": "B08", "nir2": "B8A", "nirnarrow": "B8A", "narrownir": "B8A", "nirn": "B8A", "broadnir": "B08",
    "watervapour": "B09", "watervapor": "B09",
    "swir1": "B11", "swir2": "B12",
}  # fmt: skip
_DEA: Final = re.compile(r"nbart?_", re.IGNORECASE)
_DEA_ALIASES: Final = {"swir2": "B11", "swir3": "B12"}
_NUMBERED: Final = re.compile(r"^B(?:AND)?[ _]?0?(\d{1,2}A?)(?:[,\s(_:\-](.*))?$", re.IGNORECASE)
# Behind a band's number: another one's, or words for how it varies, mean what is made of the band.
_ANOTHER: Final = re.compile(r"(?<![A-Z])B(?:AND)?[ _]?0?(\d{1,2}A?)(?![A-Z0-9])", re.IGNORECASE)
_STATISTIC: Final = re.compile(
    r"(?<![A-Z])(?:std[a-z]*|variance|count|slope|error|uncertainty|diff|difference|ratio)(?![A-Z])",
    re.IGNORECASE,
)
_PLAIN: Final = re.compile(r"^b(?:and)?[ _]?([1-9]|1[01])(?![0-9a-z])")
_LETTERS: Final = {"r": "B04", "g": "B03", "b": "B02"}
# ACOLITE and others name reflectances by their wavelength in nm, which differs by platform.
_BY_WAVELENGTH: Final = re.compile(r"^rho[a-z]*_(\d{3,4})$", re.IGNORECASE)
_NEAR: Final = 0.017  # µm; Sentinel-2C's B12 is the farthest from Sentinel-2A's
_TILE: Final = re.compile(r"(?:^|[_\-.])T?(\d{2}[C-HJ-NP-X][A-HJ-NP-Z]{2})(?=[_\-.]|$)")
_BASELINE: Final = re.compile(r"_N(\d\d)(\d\d)_")


# Classes of Sen2Cor's scene classification; cloud cover is medium and high probability cloud and thin cirrus.
CLASSES: Final = ClassLayer(
    "SCL",
    # `T32TMT_20190530T103031_SCL_20m.jp2`, `R20m/SCL.tif`, and as sen2cor wrote it before 2017.
    re.compile(r"(?:^|[/_])SCL(?:_L2A_TL_[^/]*?)?(?:_(\d\d)m)?\.(jp2|tiff?)$", re.IGNORECASE),
    unusable=(0, 1),  # no data; saturated or defective
    shares=MappingProxyType(
        {
            "eo:cloud_cover": (8, 9, 10),
            "eo:snow_cover": (11,),
            "s2:saturated_defective_pixel_percentage": (1,),
            "s2:cloud_shadow_percentage": (3,),
            "s2:vegetation_percentage": (4,),
            "s2:not_vegetated_percentage": (5,),
            "s2:water_percentage": (6,),
            "s2:unclassified_percentage": (7,),
            "s2:medium_proba_clouds_percentage": (8,),
            "s2:high_proba_clouds_percentage": (9,),
            "s2:thin_cirrus_percentage": (10,),
        }
    ),
    clear=(
        NODATA,  # 0, no data
        THIN,  # 1, saturated or defective: nothing is known of the ground
        SHADOW,  # 2, dark areas, or shadows of hills from baseline 04.00 on
        SHADOW,  # 3, shadows of clouds
        LAND,  # 4, vegetation
        LAND,  # 5, not vegetated
        WATER,  # 6
        THIN,  # 7, unclassified, which early versions called cloud of low probability
        CLOUD,  # 8, cloud of medium probability
        CLOUD,  # 9, cloud of high probability
        THIN,  # 10, thin cirrus
        SNOW,  # 11, snow or ice
    ),
)


def band_name(text: str) -> str | None:
    """Read a band's name off a description or key: `b2`, `Band 8A`, `B04 (665 nm)`, `blue`, `B02_10m`.

    Returns:
        The instrument's own name (`B02`), or None when the text names none of its bands.
    """
    text = text.strip()
    if match := _NUMBERED.match(text):
        number, rest = match.group(1).upper(), match.group(2) or ""
        if _STATISTIC.search(rest) or any(each.upper() != number for each in _ANOTHER.findall(rest)):
            return None
        name = "B8A" if number == "8A" else f"B{number:0>2}"
        return name if name in BANDS else None
    if match := _BY_WAVELENGTH.match(text):
        return _nearest(int(match.group(1)) / 1000)
    words = re.sub(r"[ _\-]+", "", _DEA.sub("", text.lower()))
    return (_DEA_ALIASES.get(words) if _DEA.match(text) else None) or _ALIASES.get(words)


def own_name(text: str) -> str | None:
    """Read a band's name off a text in the instrument's own form: `B04`, `Band 8A`, not `red`."""
    return band_name(text) if _NUMBERED.match(text.strip()) else None


def name_beside(text: str, beside: Set[str]) -> str | None:
    """Read a band's name off a description that means it only beside the others.

    Beside a broad near infrared (FORCE), `NIR` is the narrow one; `B` is blue beside `R` and `G`.
    """
    word = text.strip().lower()
    if word == "nir" and beside & {"broadnir", "nirbroad", "broad nir", "nir broad"}:
        return "B8A"
    return _LETTERS.get(word) if beside >= _LETTERS.keys() else None


def shares_names(texts: Set[str]) -> bool:
    """Whether names of bands are Landsat's as well: `b1` to `b11`, not `b01`, without `b8a` and `b12`.

    Landsat's fifth is its near infrared: a file of a few bands with `b8`, but without `b5`, is Sentinel-2's.
    """
    numbers = {match.group(1) for text in texts if (match := _NUMBERED.match(text))}
    spelled = {match.group(1) for text in texts if (match := _PLAIN.match(text))}
    few = "8" in numbers and "5" not in numbers
    return any(len(number) == 1 for number in numbers) and numbers == spelled and not few


def _nearest(wavelength: float) -> str | None:
    """The band whose centre is nearest to a wavelength in µm, if that is near enough."""
    distance, name = min(
        (abs((band.center_wavelength or 0) - wavelength), band.name) for band in BANDS.values()
    )
    return name if distance <= _NEAR else None


def name_properties(name: str) -> dict[str, Any]:
    """STAC Item properties that a product or file name gives: the tile and the processing baseline."""
    found: dict[str, Any] = {}
    if match := _TILE.search(name):
        found |= {"grid:code": f"MGRS-{match.group(1)}", "s2:mgrs_tile": match.group(1)}
    if match := _BASELINE.search(name):
        found["s2:processing_baseline"] = f"{match.group(1)}.{match.group(2)}"
    return found


SCALE: Final = Scale(
    1e-4,
    REFLECTANCE,
    (Offset("04.00", datetime(2022, 1, 25, tzinfo=UTC), -0.1),),
    lines=(
        Line("HLS", re.compile(r"HLS2?[._\-]?S30", re.IGNORECASE), -9999),
        Line("MAJA", re.compile(r"SENTINEL2[A-DX]_\d{8}-\d{6}-\d{3}_L[23]A", re.IGNORECASE), -10000),
        Line("Digital Earth Australia", re.compile(r"(?:^|/)ga_s2[a-c]?m?_", re.IGNORECASE), -999),
        Line("Earth Engine's harmonized", re.compile(r"HARMONI[SZ]ED", re.IGNORECASE)),
        Line("FORCE", re.compile(r"LEVEL2_SEN2[A-DL]_", re.IGNORECASE), -9999),
    ),
    unscaled=(-0.5, 2.5),
    integers=(105.0, 20_000.0),
)

# Products and files of Sentinel-2 that do not name it: ESA's and Earth Engine's names of granules.
_NAME_MARK: Final = re.compile(
    r"(?:^|[_\-. ])(?:S|sentinel[-_ ]?)2(?=[A-D]?(?:[_\-. ]|$)|L1C|L2A)"
    r"|(?:^|_)LEVEL2_SEN2[A-DL](?=_)|(?:^|[_.\-])HLS2?[._-]?S30(?=[._-]|$)"
    r"|(?:^|_)GA_S2[A-C]?M?(?=_)|(?:^|_)T\d{2}[C-X][A-Z]{2}_\d{8}T\d{6}(?=[_.]|$)(?!_LS\d)"
    r"|\d{8}T\d{6}_\d{8}T\d{6}_T\d{2}[C-X][A-Z]{2}",
    re.IGNORECASE,
)

SENTINEL2: Final = Mission(
    id="sentinel-2",
    title="Sentinel-2",
    name_mark=_NAME_MARK,
    spelling=re.compile(
        r"(?<![A-Z0-9])S(?:ENTINEL)?[ _-]?2[ _-]?([A-D])?(?![A-Z0-9])|HLS2?[._-]?S30|GA_S2[ABC]?M",
        re.IGNORECASE,
    ),
    platform_mark=re.compile(
        r"(?:^|[_\-.])(?:GA_)?S(?:ENTINEL[-_]?)?2([A-D])M?(?=[_\-.]|$)", re.IGNORECASE
    ),
    credit_marks=("S2",),
    credit=copernicus.CREDIT,
    band_name=band_name,
    bands=BANDS,
    properties={"constellation": "sentinel-2", "instruments": ["msi"]},
    collections={"L1C": "sentinel-2-l1c", "L2A": "sentinel-2-l2a"},
    own_name=own_name,
    name_beside=name_beside,
    shares_names=shares_names,
    own_bands=re.compile(r"B(\d\d|8A)"),
    name_level=re.compile(r"(?:^|[_\-]|MSI|S2)(L1C|L2A)(?=[_\-]|$)", re.IGNORECASE),
    name_properties=name_properties,
    scale=SCALE,
    prefixes=("s2", "sentinel"),
    # Band files as ESA names them; JPEG 2000 itself cannot mark pixels without data.
    zero_is_nodata=re.compile(r"T\d{2}[A-Z]{3}_\d{8}T\d{6}_B(\d\d|8A)(_\d\dm)?$"),
    classes=CLASSES,
    default_model="sentinel2-2",
)  # fmt: skip
