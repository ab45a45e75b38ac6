"""Layers beside the bands, recognised by their names: classes, masks, probabilities, angles, previews.

None of them may be coded with loss as if it were a band: the number between two classes is a third class.
"""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = frozenset(
    [
        *("SCL", "CLD", "AOT", "WVP", "TCI", "PVI", "DDV", "CLDPRB", "SNWPRB"),  # ESA
        *("QA10", "QA20", "QA60", "CLM", "CLP", "DATAMASK"),  # Earth Engine, Sentinel Hub
        *("FMASK", "SAA", "SZA", "VAA", "VZA"),  # HLS
        *("CONTIGUITY", "AZIMUTH", "AZIMUTHAL", "ZENITH", "EXITING", "INCIDENT", "TIMEDELTA"),  # DEA
        *("MG2", "ATB", "IAB", "DTF", "WVC"),  # MAJA
        *("MASK", "MASKS", "CLASSI", "CLASSIFICATION", "PROB", "PROBA", "PROBABILITY", "CONFIDENCE"),
        *("FLAG", "FLAGS", "QA", "PIXELQA", "CLOUDMASK"),
        # SNAP, of radar
        *("LOCALINCIDENCEANGLE", "PROJECTEDLOCALINCIDENCEANGLE", "INCIDENCEANGLEFROMELLIPSOID", "LIA"),
    ]
)
# Words that name a layer where they stand alone or last: they also occur in names of whole scenes.
_LAST_WORDS: Final = frozenset(
    [
        *("SNW", "SNOW", "CLOUD", "CLOUDS", "CLASS", "CLASSES", "QUALITY", "SAT", "EDG", "CS", "CDF"),
        *("ANGLE", "INCIDENCE"),  # of radar
        *("VISUAL", "PREVIEW", "OVERVIEW", "THUMBNAIL", "COLOR", "COLOUR"),
    ]
)
_PARTS: Final = re.compile(
    r"(?:^|_)MSK_|^OA_|CLDPRB|SNWPRB|S2CLOUDLESS|^QUALITY_|OPAQUE_CLOUDS|CIRRUS_CLOUDS|^TCI_[RGB]$|^(?:VIEW|SUN)_"
    r"|_(?:ATB|CLM|DFP|DTS|EDG|FLG|IAO|MG2|QLT|SAT|WGT)_(?:R\d|XS)$"  # MAJA, by resolution
    r"|^OPERA_L3_"  # water and disturbance: classes in layers called B01, B02 …
    r"|_(?:dem|ls_map|inc_map|area|rgb)$"  # HyP3: heights, layover and shadow, angles, area, a picture
    r"|-nrb-.*-(?:d[mr]|e[im]|gs|id|l[cdi]|sg|wm|np-[vh]{2}|cc-[gs]-lin)$"  # S1-NRB: its annotation
    r"|_(?:local_)?incidence_angle$|_number_of_looks$|_rtc_anf_",  # OPERA
    re.IGNORECASE,
)
_DETAIL: Final = re.compile(r"(?:R[12]|\d\dM|JP2|TIF|COG)")


def ancillary_name(text: str) -> str | None:
    """Name of the layer beside the bands that a text names: `SCL`, `L2A_PVI`, `TCI_10m`; None for a band."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", text.upper()) if word]
    if found := next((word for word in words if word in _WORDS), None):
        return found
    while len(words) > 1 and _DETAIL.fullmatch(words[-1]):
        words.pop()
    if words and words[-1] in _LAST_WORDS:
        return words[-1]
    return text[:40] if _PARTS.search(text) else None


def ancillary_file(stem: str) -> str | None:
    """Name of the layer or mask that a file of this name, without its extension, holds; None for a band."""
    return "mask" if _PARTS.search(stem) else ancillary_name(stem)
