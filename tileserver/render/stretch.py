"""Stretch of a scene to its own percentiles, so that neither deserts are blown out nor forests black.

Ranges come from the histograms that an archive keeps of its original pixels: no pixel is read for them. Small
archives and those of format 1 keep none; of these a few blocks of the coarsest level are decoded, once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from comeo.archive import Archive
from comeo.archive.histogram import Histogram
from comeo.cache import ByteCache
from comeo.errors import ArchiveError, NotFoundError, NotHereError
from comeo.missions import Range
from comeo.missions.clear import cloud_percentage, shares_of
from comeo.scene import Band
from comeo.view.clear import damage_as_unknown
from comeo.view.display import sampled_histograms
from tileserver.render.plan import RenderPlan

LOWEST: Final = 2.0
HIGHEST: Final = 98.0
"""Percentages of a scene's pixels, clouds left aside, that are not above darkest and brightest."""
MOST_CLOUD: Final = 90.0
"""In percent: of a scene with more than that, the little ground does not decide alone."""
UPPER_QUARTER: Final = 75.0
CLOUD_FACTOR: Final = 2.0
"""Where nobody tells clouds: what is so many times as bright as the upper quartile is taken for cloud, unless
it lies within the range of before. Deserts and snow stay far below, clouds over land are beyond."""
_REFLECTANCE: Final = "reflectance"
_SAMPLED: Final[ByteCache[tuple[str, str], list[Histogram | None]]] = ByteCache(
    1 << 20, lambda found: 500 * len(found)
)
logger = logging.getLogger(__name__)


def settled(archive: Archive, plan: RenderPlan) -> RenderPlan:
    """The plan with its ranges from the scene's own histograms, where it is to be shown so.

    Bands that are shown in one range before keep sharing one, so that their colours stay comparable. What is
    computed from bands keeps its own range: an index means the same in every scene.

    Args:
        archive: The scene.
        plan: Of a picture.

    Raises:
        NotFoundError: If a band that is shown has no pixels to go by.
    """
    if not plan.stretched or not plan.rescale:
        return plan
    shown = shown_bands(plan)
    own = ranges(archive, shown, plan.rescale)
    if own is None:
        missing = next(band.name for band in shown if band and histogram_of(archive, band.name) is None)
        raise NotFoundError(
            f"{archive.id} has no sound pixels of {missing} for rescale=auto to go by; give rescale=min,max"
        )
    if not plan.physical:
        bands = {band.name: band for band in plan.sources}
        own = tuple(
            limits if band is None else _stored(limits, bands[band.name])
            for limits, band in zip(own, shown, strict=True)
        )
    return replace(plan, rescale=own, stretched=False)


def shown_bands(plan: RenderPlan) -> tuple[Band | None, ...]:
    """Of each result the band that it shows unchanged, or None."""
    if plan.error or plan.classes:
        return (None,) * plan.results
    if plan.expression is None:
        return plan.sources
    by_name = {band.name: band for band in plan.sources}
    return tuple(by_name[name] if name else None for name in plan.expression.whole_bands)


def ranges(
    archive: Archive, shown: Sequence[Band | None], before: Sequence[Range]
) -> tuple[Range, ...] | None:
    """Ranges in physical values of what is shown, by the scene's own histograms.

    Args:
        archive: The scene.
        shown: Of each result the band that it shows, or None for what keeps its range.
        before: Range of each result otherwise, as a style has it: equal ones stay equal.

    Returns:
        None if one of the bands has no pixels to go by.
    """
    clouded = _clouded(archive)
    ends: list[Range | None] = []
    for band, limits in zip(shown, before, strict=True):
        found = None if band is None else histogram_of(archive, band.name)
        if band is not None and found is None:
            return None
        ends.append(_ends(found, band, clouded, limits[1]) if band and found else None)
    return tuple(_common(place, ends, before) for place in range(len(ends)))


def histogram_of(archive: Archive, band: str) -> Histogram | None:
    """The histogram that an archive keeps of a band, else one of decoded pixels; None if none are sound."""
    kept = archive.histogram(band)
    if kept is not None:
        return kept
    group = next(each for each in archive.groups.values() if band in {one.name for one in each.bands})
    place = [one.name for one in group.bands].index(band)

    def sample() -> list[Histogram | None]:
        try:
            return sampled_histograms(archive, group)
        except NotHereError:
            raise
        except ArchiveError as error:
            logger.warning("%s: the range of its bands is unknown: %s", archive.name, error)
            return [None] * len(group.bands)

    return _SAMPLED.get((archive.etag, group.name), sample)[place]


def _ends(found: Histogram, band: Band, clouded: float | None, brightest: float) -> Range:
    """Range of a band in physical values, clouds left aside."""
    reflects = band.unit == _REFLECTANCE
    share = HIGHEST * (1 - (clouded or 0.0) / 100) if reflects else HIGHEST
    low, high = (found.percentile(each) * band.scale + band.offset for each in (LOWEST, share))
    if reflects and clouded is None:
        quartile = found.percentile(UPPER_QUARTER) * band.scale + band.offset
        high = min(high, max(brightest, CLOUD_FACTOR * quartile))
    return min(low, high), max(low, high)


def _common(place: int, ends: Sequence[Range | None], before: Sequence[Range]) -> Range:
    """Range of a result: of all that were shown in one range with it, from the least to the greatest."""
    if ends[place] is None:
        return before[place]
    alike = [each for each, old in zip(ends, before, strict=True) if each and old == before[place]]
    low, high = min(each[0] for each in alike), max(each[1] for each in alike)
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))


def _clouded(archive: Archive) -> float | None:
    """Percentage of cloud, which is brighter than nearly all ground and at the upper end of a histogram.

    By the archive's classes; of one that has none, by its product's own figure; None where neither tells.
    """
    classes = archive.clear_here
    if classes is not None:
        try:
            with damage_as_unknown():
                shares = shares_of(classes.counts)
        except (NotFoundError, NotHereError):
            shares = None
        if shares is not None:
            return min(cloud_percentage(shares), MOST_CLOUD)
    told = archive.item["properties"].get("eo:cloud_cover")
    return min(max(float(told), 0.0), MOST_CLOUD) if isinstance(told, int | float) else None


def _stored(limits: Range, band: Band) -> Range:
    low, high = ((value - band.offset) / band.scale for value in limits)
    return (low, high) if low < high else (high, low)
