"""The report of a radar archive: what its template needs, drawn from a qualification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from comeo.decibel import DECIBEL
from comeo.indicators.catalogue import document
from comeo.missions import display_range
from comeo.quality.crops import Crop
from comeo.quality.render import rendering_of
from comeo.quality.sar.results import RadarQualification
from tileserver.cli.report import charts, images
from tileserver.cli.report.parts import Subject, environment, error_map, pictures, rendered

_COMPOSITE: Final = document("radar")
_MOST_HISTOGRAMS: Final = 6


def radar_report(subject: Subject, found: RadarQualification, source: str) -> str:
    """The page as HTML."""
    return environment().get_template("quality_radar.html").render(
        subject=subject, source=source, found=found, gain=images.GAIN,
        pictures=[_pictures(crop) for crop in subject.crops], error_map=error_map(found.evidence),
        histograms=[
            charts.histogram(name, f"half of all pixels within ±{_half(found, name):.2f} dB", edges, counts)
            for name, (edges, counts) in found.evidence.histograms.items()
        ][:_MOST_HISTOGRAMS],
    )  # fmt: skip


def radar_comparison(subjects: Sequence[Subject], source: str) -> str:
    """The page that puts several archives of one scene side by side."""
    return environment().get_template("quality_radar_compare.html").render(
        subjects=subjects, source=source, gain=images.GAIN,
        rows=[[_pictures(each.crops[place]) for each in subjects] for place in range(len(subjects[0].crops))],
    )  # fmt: skip


def _half(found: RadarQualification, name: str) -> float:
    return next(band.p50 for band in found.bands if band.band == name)


def _pictures(crop: Crop) -> dict[str, Any]:
    """The first polarisation in grey, as radar is read, and the composite where there are two."""
    rows = []
    place = next((row for row, band in enumerate(crop.bands) if band.unit == DECIBEL), None)
    if place is not None:
        band = crop.bands[place]
        low, high = display_range(band) or (-25.0, 0.0)
        grey = [
            np.repeat(np.clip((each[place] - low) / (high - low), 0, 1)[None], 3, axis=0)
            for each in (crop.reference, crop.decoded)
        ]
        rows.append(pictures(crop, f"grey, {low:g} to {high:g} dB", [band.name], *grey))
    composite = rendering_of(_COMPOSITE, crop.bands)
    return {"crop": crop, "rows": rows + ([rendered(crop, composite)] if composite else [])}
