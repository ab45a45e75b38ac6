"""What a radar archive is good enough for. The limits and their reasons stand in docs/sentinel-1.md."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from comeo.missions import DECIBEL, QUANTITIES
from comeo.quality.answers import Answer, Check, Verdict, answered
from comeo.quality.sar.results import RadarBand, RadarQualification
from comeo.quality.sar.water import WaterFigures

_AREAS: Final = {
    Answer.YES: "Mean backscatter of fields and larger areas is as good as the original's: what compression "
    "adds is small beside the satellite's own uncertainty.",
    Answer.CARE: "Trust means over many fields; that of a single one is off by up to a few tenths of a "
    "dB. Say so where differences of less than a dB matter.",
    Answer.NO: "Means over areas are off by as much as the differences one looks for. Use it to look at, or "
    "compress less.",
    Answer.UNKNOWN: "The scene is too small for a field.",
}
_WATER: Final = {
    Answer.YES: "Maps of open water come out as from the original.",
    Answer.CARE: "Water is found, but its banks move by a pixel or two, and narrow rivers and small ponds "
    "may be gone: do not trust areas of a hectare.",
    Answer.NO: "Too much water is lost or made up. Use it to look at, or compress less.",
    Answer.UNKNOWN: "The scene shows too little open water in VV to judge by.",
}
_CHANGE: Final = {
    Answer.YES: "Two such archives show the changes that the originals show. Compare archives with archives, "
    "of one orbit, as means over 5×5 pixels or more.",
    Answer.CARE: "Compression adds as many false alarms as speckle itself does, or more: look for changes "
    "over 10×10 pixels, or of more than 3 dB.",
    Answer.NO: "Most small changes that two such archives show were made by compression. Compress less.",
    Answer.UNKNOWN: "The scene is too small for means over 5×5 pixels.",
}
_POINTS: Final = {
    Answer.YES: "Single pixels and point targets are as in the original. (A pixel of a GRD product is itself "
    "uncertain by 2 dB because of speckle.)",
    Answer.CARE: "Ships and masts are still seen, but darker; single pixels have lost some of their speckle, "
    "and what was in it.",
    Answer.NO: "Point targets are dimmed so much that weak ones are missed, or pixels are off by more than "
    "their speckle. Detect ships in the original, or compress less.",
    Answer.UNKNOWN: "The scene has no valid pixel.",
}
# The grades that archives get from their own certificates draw the same lines.
_YES, _CARE = QUANTITIES[DECIBEL].grades[:2]
FEWEST_POINTS: Final = 20
"""Points below which their mean loss says little."""


def radar_verdicts(found: RadarQualification) -> tuple[Verdict, ...]:
    """The answers for the four uses that radar is mostly put to; the worst band decides."""
    return (_areas(found), _water(found.water), _change(found), _points(found))


def _areas(found: RadarQualification) -> Verdict:
    bias, field = _worst(found, lambda band: band.bias), _worst(found, lambda band: band.field_rmse)
    even = _worst(found, lambda band: band.cells.bias)
    checks = [
        Check("bias of the scene's mean power, without its sign (dB)", bias, _YES.bias, _CARE.bias),
        Check("error of the mean of 8×8 pixels (RMSE, dB)", field, _YES.limit, _CARE.limit),
    ]
    if math.isfinite(even):
        checks.append(
            Check("bias of even ground, median of 16×16 pixels, without its sign (dB)", even, 0.1, 0.2)
        )
    measured = (
        f"Here mean power is off by {bias:.2f} dB over the scene, and by {field:.2f} dB in the mean of 8×8 "
        "pixels (the worst band)."
    )
    return answered("measuring backscatter of areas", _AREAS, measured, tuple(checks))


def _water(water: WaterFigures | None) -> Verdict:
    overlap, how = math.nan, ""
    if water is not None:
        by_otsu = math.isfinite(water.iou)
        overlap = water.iou if by_otsu else water.calm_iou
        level = f"{water.threshold:.1f}".replace("-", "−")
        how = f"Otsu's threshold, {level} dB" if by_otsu else "−15 dB"
    measured = (
        f"Here the water of both versions (VV below {how}, means of 5×5 pixels) has {100 * overlap:.1f} % of "
        "its area in common."
    )
    check = Check("water in common (intersection over union)", overlap, 0.95, 0.85, at_least=True)
    return answered("mapping water", _WATER, measured, (check,))


def _change(found: RadarQualification) -> Verdict:
    alarms, bias = _worst(found, lambda band: band.false_change), _worst(found, lambda band: band.bias)
    checks = (
        Check("5×5 pixels whose change is off by more than 2 dB (share)", alarms, 0.01, 0.05),
        Check("bias of the scene's mean power, without its sign (dB)", bias, 0.15, 0.3),
    )
    measured = (
        f"Here a change between two archives like this one is off by more than 2 dB in {100 * alarms:.1f} % "
        "of means over 5×5 pixels."
    )
    return answered("comparing dates", _CHANGE, measured, checks)


def _points(found: RadarQualification) -> Verdict:
    pixel = _worst(found, lambda band: band.rmse)
    checks = [Check("error of a single pixel (RMSE, dB)", pixel, 0.5, 2.0)]
    measured = f"Here a pixel is off by {pixel:.2f} dB"
    known = [band for band in found.bands if band.points >= FEWEST_POINTS]
    if known:
        worst = max(known, key=lambda band: band.points_lost)
        checks.append(Check("peak that point targets lose (mean, dB)", worst.points_lost, 0.5, 1.5))
        measured += f", and {worst.points} point targets in {worst.band} lose {worst.points_lost:.1f} dB"
    return answered("single pixels and points", _POINTS, f"{measured}.", tuple(checks))


def _worst(found: RadarQualification, figure: Callable[[RadarBand], float]) -> float:
    """The largest absolute figure of all bands that have one; NaN if none has."""
    known = [abs(figure(band)) for band in found.bands if not math.isnan(figure(band))]
    return max(known, default=math.nan)
