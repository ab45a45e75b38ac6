"""What is known of Sentinel-2's bands whatever file they come in.

Wavelengths are Sentinel-2A's (ESA, Sentinel-2 Spectral Response Functions 3.0); common names are those of
the STAC `eo` extension 2.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

REFLECTANCE_SCALE: Final = 1e-4
MISSION: Final = "sentinel-2"


@dataclass(frozen=True, slots=True)
class Spectral:
    """One band of the instrument.

    Attributes:
        gsd: Native pixel size in metres.
        common_name: STAC `eo:common_name`, or empty.
        center_wavelength: In micrometres.
    """

    gsd: int
    common_name: str
    center_wavelength: float


BANDS: Final[dict[str, Spectral]] = {
    "B01": Spectral(60, "coastal", 0.443),
    "B02": Spectral(10, "blue", 0.493),
    "B03": Spectral(10, "green", 0.560),
    "B04": Spectral(10, "red", 0.665),
    "B05": Spectral(20, "rededge071", 0.704),
    "B06": Spectral(20, "rededge075", 0.741),
    "B07": Spectral(20, "rededge078", 0.783),
    "B08": Spectral(10, "nir", 0.833),
    "B8A": Spectral(20, "nir08", 0.865),
    "B09": Spectral(60, "nir09", 0.945),
    "B10": Spectral(60, "cirrus", 1.374),
    "B11": Spectral(20, "swir16", 1.614),
    "B12": Spectral(20, "swir22", 2.202),
}

# Asset keys and common names as catalogues publish them (Earth Search, CDSE, Planetary Computer).
ALIASES: Final[dict[str, str]] = {
    **{spectral.common_name: name for name, spectral in BANDS.items()},
    "rededge1": "B05",
    "rededge2": "B06",
    "rededge3": "B07",
}

# Layers that a product carries beside its bands: classes, masks and previews, or by-products of the
# atmospheric correction. None of them may be coded with loss as if it were a band.
ANCILLARY: Final = frozenset({"SCL", "CLD", "SNW", "AOT", "WVP", "TCI", "PVI", "DDV", "QA60", "CLM", "CLP"})

_NUMBERED = re.compile(r"^B(?:AND)?[ _]?0?(\d{1,2}A?)(?:[,\s(_].*)?$", re.IGNORECASE)


def band_name(text: str) -> str | None:
    """Read a band's name off a description or key: `b2`, `Band 8A`, `B04 (665 nm)`, `blue`, `B02_10m`.

    Returns:
        The instrument's own name (`B02`), or None when the text names none of its bands.
    """
    text = text.strip()
    if match := _NUMBERED.match(text):
        number = match.group(1).upper()
        name = "B8A" if number == "8A" else f"B{number:0>2}"
        return name if name in BANDS else None
    return ALIASES.get(text.lower())


def ancillary_name(text: str) -> str | None:
    """Return the layer's name when the text names one that is not a band: `SCL`, `L2A_PVI`, `TCI_10m`."""
    for part in re.split(r"[^A-Za-z0-9]+", text.upper()):
        if part in ANCILLARY:
            return part
    return None


def has_own_names(names: Iterable[str]) -> bool:
    """Whether names can only be Sentinel-2's: all are of its bands, in its two-character form."""
    own = [name for name in names if re.fullmatch(r"B(\d\d|8A)", name)]
    return bool(own) and all(name in BANDS for name in own)


# Surface reflectance classes of the scene classification (Sen2Cor), by the STAC property for their share.
SCENE_CLASSES: Final[dict[str, tuple[int, ...]]] = {
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
