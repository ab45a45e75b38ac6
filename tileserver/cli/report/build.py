"""The report of one archive: what the template needs, drawn from a qualification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from comeo.quality.crops import Crop
from comeo.quality.render import COMPOSITES, rendering_of
from comeo.quality.results import Qualification
from comeo.quality.sar.results import RadarQualification
from comeo.quality.spots import choose_spots, class_names
from comeo.quality.thematic import assign
from tileserver.cli.report import charts, images
from tileserver.cli.report.parts import Subject, environment, error_map, rendered
from tileserver.cli.report.radar import radar_comparison, radar_report

_SHOWN_CLASSES: Final = 8


def report(subject: Subject, source: str) -> str:
    """The page as HTML."""
    if isinstance(subject.found, RadarQualification):
        return radar_report(subject, subject.found, source)
    return _optical_report(subject, subject.found, source)


def comparison(subjects: Sequence[Subject], source: str) -> str:
    """The page that puts several archives of one scene side by side."""
    if isinstance(subjects[0].found, RadarQualification):
        return radar_comparison(subjects, source)
    return environment().get_template("quality_compare.html").render(
        subjects=subjects, source=source, gain=images.GAIN,
        rows=[[_pictures(each.crops[place]) for each in subjects] for place in range(len(subjects[0].crops))],
    )  # fmt: skip


def _optical_report(subject: Subject, found: Qualification, source: str) -> str:
    clustering = found.clustering(_SHOWN_CLASSES)
    bands = tuple(band.name for band in subject.crops[0].bands) if subject.crops else ()
    names = class_names(clustering, bands) if clustering else []
    spots = choose_spots(subject.crops[0], clustering, names) if subject.crops and clustering else []
    return environment().get_template("quality.html").render(
        subject=subject, source=source, found=found, unit=_unit(subject), words=_words(found),
        pictures=[_pictures(crop) for crop in subject.crops],
        error_map=error_map(found.evidence, _scale(found)),
        worst=_worst(found, _scale(found)), histograms=_histograms(found),
        spots=spots, spectra=_spectra(subject, spots), class_maps=_class_maps(subject, clustering),
        class_names=names, colours=images.CLASS_COLOURS, clustering=clustering,
        confusion=_confusion(clustering), gain=images.GAIN, scale=_scale(found),
    )  # fmt: skip


def _unit(subject: Subject) -> str:
    units = {band.unit for band in subject.crops[0].bands} if subject.crops else set()
    return units.pop() or "stored numbers" if len(units) == 1 else "stored numbers"


def _scale(found: Qualification) -> float:
    """Physical value of one stored number, of the finest bands."""
    first = found.bands[0]
    return first.unit_rmse / first.rmse if first.rmse > 0 else 1.0


def _words(found: Qualification) -> dict[str, float]:
    """How far off a pixel is, over the finest bands."""
    finest = [band for band in found.bands if band.group == found.groups[0].group]
    scale = _scale(found)
    return {
        "half": scale * float(np.mean([band.p50 for band in finest])),
        "most": scale * float(np.mean([band.p95 for band in finest])),
    }


def _pictures(crop: Crop) -> dict[str, Any]:
    found = (rendering_of(each, crop.bands) for each in COMPOSITES)
    return {"crop": crop, "rows": [rendered(crop, rendering) for rendering in found if rendering]}


def _worst(found: Qualification, scale: float) -> str:
    """Where the error is largest, and why, in a sentence or two."""
    kinds = [each for each in found.ground if each.share >= 0.002]
    if not kinds:
        return "The bands of this scene do not tell what lies on the ground, so no cause can be named."
    worst, best = max(kinds, key=lambda each: each.rmse), min(kinds, key=lambda each: each.rmse)
    most = found.ground[0]
    text = (
        f"Errors are largest where the ground is {worst.kind} (RMSE {worst.rmse * scale:.4f}): "
        f"{_REASONS[worst.kind]}. They are smallest where it is {best.kind} ({best.rmse * scale:.4f})."
    )
    if most.kind != worst.kind:
        text += (
            f" Most of all error, {100 * most.error_share:.0f} %, lies in {most.kind}, which covers "
            f"{100 * most.share:.0f} % of the scene."
        )
    return text


_REASONS: Final = {
    "cloud edge": "it is the sharpest step in a scene, and takes more bits than it gets",
    "cloud, snow or ice": "it is far brighter than anything else, so the same relative error is larger",
    "water": "what little it reflects is mostly waves, glint and haze, which are as fine as noise",
    "shadow or very dark": "slopes and trees change from pixel to pixel there, which is averaged out first",
    "town, road or rough ground": "it changes from pixel to pixel, which is averaged out first",
    "vegetation": "it reflects much near infrared, which changes from field to field and from tree to tree",
    "bare or sparse ground": "it is bright, and soils differ from field to field",
}


def _histograms(found: Qualification) -> list[charts.Histogram]:
    out = []
    for band in found.bands:
        if band.band in found.evidence.histograms and band.group == found.groups[0].group:
            edges, counts = found.evidence.histograms[band.band]
            scale = band.unit_rmse / band.rmse if band.rmse else 1.0
            summary = f"half of all pixels within ±{band.p50 * scale:.4f}"
            out.append(charts.histogram(band.band, summary, edges * scale, counts))
    return out[:6]


def _spectra(subject: Subject, spots: Sequence[Any]) -> list[charts.Spectrum]:
    if not spots:
        return []
    bands = subject.crops[0].bands
    wavelengths = [band.center_wavelength for band in bands]
    places_ = [float(w) for w in wavelengths if w is not None]
    if len(places_) < len(bands):
        places_ = [float(number) for number in range(len(bands))]
    order = np.argsort(places_, kind="stable")
    positions, names = [places_[i] for i in order], [bands[i].name for i in order]
    out = []
    for mark, spot in enumerate(spots):
        worst = float(np.abs(spot.decoded - spot.reference).max())
        out.append(
            charts.spectrum(
                f"{chr(ord('A') + mark)}: {spot.name}", f"largest difference {worst:.3f}", positions, names,
                (spot.reference[order], spot.decoded[order]),
            )
        )  # fmt: skip
    return out


def _class_maps(subject: Subject, clustering: Any) -> dict[str, Any] | None:
    if clustering is None or not subject.crops:
        return None
    crop = subject.crops[0]
    labels = []
    for values in (crop.reference, crop.decoded):
        plane = np.full(crop.valid.shape, -1)
        plane[crop.valid] = assign(values[:, crop.valid].T, clustering.centroids)
        labels.append(plane)
    before, after = labels
    same = float(np.mean(before[crop.valid] == after[crop.valid]))
    return {
        "original": images.classes(before), "decoded": images.classes(after),
        "changed": images.changed(before, after), "same": same,
    }  # fmt: skip


def _confusion(clustering: Any) -> list[list[float]]:
    """Rows as shares of the original class."""
    if clustering is None:
        return []
    counts = clustering.confusion
    return [[float(x) for x in row / max(1, row.sum())] for row in counts]
