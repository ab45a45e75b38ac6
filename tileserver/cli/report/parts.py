"""What reports of all kinds of scenes share: their subject, pictures, maps of errors and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from comeo.quality.answers import Verdict
from comeo.quality.crops import Crop
from comeo.quality.render import Rendering
from comeo.quality.results import Evidence, Qualification
from comeo.quality.sar.results import RadarQualification
from tileserver import pages
from tileserver.cli.report import formats, images


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
    found: Qualification | RadarQualification
    verdicts: tuple[Verdict, ...]
    crops: Sequence[Crop]


def environment() -> jinja2.Environment:
    """Where templates are, and how they write numbers."""
    made = pages.environment()
    made.filters.update(number=formats.number, percent=formats.percent, size=formats.size)
    return made


def rendered(crop: Crop, rendering: Rendering) -> dict[str, str]:
    """A crop in one rendering: both versions and their difference, with the names of the bands."""
    order = list(rendering.places)
    ours, theirs = (rendering.brightness(each[order]) for each in (crop.reference, crop.decoded))
    return pictures(crop, rendering.document.title_in("en").lower(), rendering.expression.names, ours, theirs)


def pictures(
    crop: Crop,
    name: str,
    bands: Sequence[str],
    ours: NDArray[np.float32],
    theirs: NDArray[np.float32],
) -> dict[str, str]:
    """Both versions of a crop, (3, y, x) of 0 to 1, and their difference."""
    return {
        "name": name,
        "bands": ", ".join(bands),
        "original": images.picture(ours, crop.valid),
        "decoded": images.picture(theirs, crop.valid),
        "difference": images.difference(ours, theirs, crop.valid),
    }


def error_map(evidence: Evidence, scale: float = 1.0) -> dict[str, Any]:
    """The map of errors with its legend; `scale` is the physical value of one number of it."""
    errors = evidence.error_map * scale
    known = errors[np.isfinite(errors)]
    top = float(np.percentile(known, 99)) if known.size else 1.0
    rows, cols = errors.shape
    legend = [
        {"colour": colour, "text": formats.number(top * place / 4, 3)}
        for place, colour in enumerate(images.heat_colours(5))
    ]
    return {"uri": images.heat(errors, top), "rows": rows, "cols": cols, "legend": legend}
