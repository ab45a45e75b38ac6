"""What an archive is good enough for, by its figures.

The limits and why they are what they are stand in docs/quality.md and, for radar, docs/sentinel-1.md.
"""

from __future__ import annotations

import math
from typing import Final

from comeo.quality.answers import Answer, Check, Verdict, answered
from comeo.quality.results import Qualification
from comeo.quality.sar.results import RadarQualification
from comeo.quality.sar.verdicts import radar_verdicts

_FIELDS: Final = {
    Answer.YES: "Maps of fields and land cover made from it come out as from the original: at most 3 of "
    "100 pixels get another class, and borders stay where they are.",
    Answer.CARE: "Fields and land cover can be told apart, but up to 1 pixel in 10 gets another "
    "class than from the original, most of them at borders and in mixed areas: clean maps up before use, and "
    "do not trust objects of a few pixels.",
    Answer.NO: "Too many pixels fall in another class than they do in the original, or borders are "
    "washed out. Use it to look at, or compress less.",
    Answer.UNKNOWN: "The scene shows no clear land in visible and near infrared light, the ground for this.",
}
_NDVI: Final = {
    Answer.YES: "Pixel by pixel: the error added is well below the uncertainty that the satellite's own "
    "product has.",
    Answer.CARE: "Trust means over fields of half a hectare and more, not single pixels.",
    Answer.NO: "Even means over fields are off by as much as the differences one looks for. Use it to "
    "look at, or compress less.",
    Answer.UNKNOWN: "The scene has no clear land seen in red and near infrared.",
}


def verdicts(found: Qualification | RadarQualification) -> tuple[Verdict, ...]:
    """The answers for the uses that a scene of this kind has."""
    return radar_verdicts(found) if isinstance(found, RadarQualification) else _optical_verdicts(found)


def _optical_verdicts(found: Qualification) -> tuple[Verdict, ...]:
    fields = (
        Check("pixels of clear land that a classifier gets wrong only because of compression (share)",
              found.land.loss, 0.03, 0.10),
        Check("edges kept on clear land (correlation of gradients, finest bands)", found.land.edges,
              0.90, 0.75, at_least=True),
    )  # fmt: skip
    ndvi = found.index("NDVI")
    pixel = ndvi.land_rmse if ndvi else math.nan
    field = ndvi.field_rmse if ndvi else math.nan
    bias = abs(ndvi.land_bias) if ndvi else math.nan
    measuring = (
        Check("NDVI error of a single pixel (RMSE, clear land)", pixel, 0.02, math.inf),
        Check("NDVI error of the mean of 8×8 pixels (RMSE, clear land)", field, 0.02, 0.03),
        Check("mean NDVI error (bias, without its sign)", bias, 0.005, 0.01),
    )
    classes = (
        f"Here a classifier gets {100 * max(found.land.loss, 0):.0f} more of 100 pixels wrong than in the "
        f"original, and edges match the original's by {found.land.edges:.2f} (1 is equal)."
    )
    off = (
        f"Here NDVI is off by {pixel:.3f} in a single pixel, by {field:.3f} in the mean of 8×8 pixels, and "
        f"by {bias:.3f} on the whole."
    )
    return (
        answered("mapping fields", _FIELDS, classes, fields),
        answered("measuring NDVI", _NDVI, off, measuring),
    )
