"""The report of one archive: what the template needs, drawn from a qualification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np

from comeo.quality.crops import Crop
from comeo.quality.render import COMPOSITES, rendering_of
from comeo.quality.results import Qualification
from comeo.quality.spots import choose_spots, class_names
from comeo.quality.thematic import assign
from comeo.quality.verdict import Verdict
from tileserver.cli.report import charts, formats, images

_SHOWN_CLASSES: Final = 8


@dataclass(frozen=True)
class Subject:
    """One archive under qualification.

    Attributes:
        file: Name of its file.
        facts: Facts about it, as `comeo info` prints.
        found: Its figures.
        verdicts: The answers.
        crops: Windows to show.
    """

    file: str
    facts: dict[str, Any]
    found: Qualification
    verdicts: tuple[Verdict, ...]
    crops: Sequence[Crop]


def report(subject: Subject, source: str) -> str:
    """The page as HTML."""
    found = subject.found
    clustering = found.clustering(_SHOWN_CLASSES)
    bands = tuple(band.name for band in subject.crops[0].bands) if subject.crops else ()
    names = class_names(clustering, bands) if clustering else []
    spots = choose_spots(subject.crops[0], clustering, names) if subject.crops and clustering else []
    return _environment().get_template("quality.html").render(
        subject=subject, source=source, found=found, unit=_unit(subject), words=_words(subject),
        pictures=[_pictures(crop) for crop in subject.crops], error_map=_error_map(found, _scale(subject)),
        worst=_worst(found, _scale(subject)), histograms=_histograms(subject),
        spots=spots, spectra=_spectra(subject, spots), class_maps=_class_maps(subject, clustering),
        class_names=names, colours=images.CLASS_COLOURS, clustering=clustering,
        confusion=_confusion(clustering), gain=images.GAIN, scale=_scale(subject),
    )  # fmt: skip


def comparison(subjects: Sequence[Subject], source: str) -> str:
    """The page that puts several archives of one scene side by side."""
    return _environment().get_template("quality_compare.html").render(
        subjects=subjects, source=source, gain=images.GAIN,
        rows=[[_pictures(each.crops[place]) for each in subjects] for place in range(len(subjects[0].crops))],
    )  # fmt: skip


def _environment() -> jinja2.Environment:
    here = Path(__file__).resolve().parents[2]
    installed = here / "templates"
    folder = installed if installed.is_dir() else here.parent / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(number=formats.number, percent=formats.percent, size=formats.size)
    return environment


def _unit(subject: Subject) -> str:
    units = {band.unit for band in subject.crops[0].bands} if subject.crops else set()
    return units.pop() or "stored numbers" if len(units) == 1 else "stored numbers"


def _scale(subject: Subject) -> float:
    """Physical value of one stored number, of the finest bands."""
    first = subject.found.bands[0]
    return first.unit_rmse / first.rmse if first.rmse > 0 else 1.0


def _words(subject: Subject) -> dict[str, float]:
    """How far off a pixel is, over the finest bands."""
    finest = [band for band in subject.found.bands if band.group == subject.found.groups[0].group]
    scale = _scale(subject)
    return {
        "half": scale * float(np.mean([band.p50 for band in finest])),
        "most": scale * float(np.mean([band.p95 for band in finest])),
    }


def _pictures(crop: Crop) -> dict[str, Any]:
    rows = []
    for rendering in filter(None, (rendering_of(recipe, crop.bands) for recipe in COMPOSITES)):
        order = list(rendering.places)
        ours, theirs = (rendering.brightness(each[order]) for each in (crop.reference, crop.decoded))
        rows.append(
            {
                "name": rendering.recipe.title.lower(),
                "bands": ", ".join(rendering.expression.names),
                "original": images.picture(ours, crop.valid),
                "decoded": images.picture(theirs, crop.valid),
                "difference": images.difference(ours, theirs, crop.valid),
            }
        )
    return {"crop": crop, "rows": rows}


def _error_map(found: Qualification, scale: float) -> dict[str, Any]:
    errors = found.evidence.error_map * scale
    known = errors[np.isfinite(errors)]
    top = float(np.percentile(known, 99)) if known.size else 1.0
    rows, cols = errors.shape
    legend = [
        {"colour": colour, "text": formats.number(top * place / 4, 3)}
        for place, colour in enumerate(images.heat_colours(5))
    ]
    return {"uri": images.heat(errors, top), "rows": rows, "cols": cols, "legend": legend}


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


def _histograms(subject: Subject) -> list[charts.Histogram]:
    out = []
    for band in subject.found.bands:
        if band.band in subject.found.evidence.histograms and band.group == subject.found.groups[0].group:
            edges, counts = subject.found.evidence.histograms[band.band]
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
