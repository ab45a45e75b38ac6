"""What a source's numbers mean: scale, offset, unit and nodata of each band, and by which rule.

What the caller gives counts first, then what the source states, then what the mission's products carry by
their processing baseline. Where no scale is stated, the values themselves say whether they are
reflectances already, integers that stand for them, or neither; then the unit stays unknown, and that is said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.missions import (
    REFLECTANCE,
    SENTINEL1,
    BandFacts,
    Line,
    Mission,
    Scale,
    stated_unit,
    unit_in_words,
)
from comeo.scene import Band, Window
from comeo.sources.arguments import Given
from comeo.sources.backscatter import is_backscatter, to_backscatter
from comeo.sources.raster import Plane, RasterBand
from comeo.sources.sampling import sample_planes

logger = logging.getLogger(__name__)

MAX_OFFSET: Final = 1.0  # of a scaled quantity: products have 0.1 at most
_SAME_OFFSET: Final = 1e-6
_ENOUGH: Final = 4096  # valid pixels
_BYTE: Final = "uint8"
_LENGTHS: Final = frozenset(["m", "metre", "meter", "metres", "meters", "foot", "ft", "us survey foot"])
_MOST_CLASSES: Final = 16


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a product when the meaning of its numbers is looked for.

    Attributes:
        name: For messages.
        mission: The mission, or None.
        time: Acquisition.
        names: Of the product, its collection and files.
        baseline: Processing baseline, or empty.
        offset_applied: Name of the property that says that the offset is in the numbers already, or empty.
    """

    name: str
    mission: Mission | None
    time: datetime
    names: tuple[str, ...]
    baseline: str = ""
    offset_applied: str = ""


class Sample(NamedTuple):
    """Percentiles 0, 2, 50, 98 and 100 of some valid numbers of a band or several."""

    least: float
    low: float
    median: float
    high: float
    greatest: float


def resolve(
    bands: Sequence[RasterBand], origin: Origin, given: Given
) -> tuple[list[RasterBand], dict[str, Any]]:
    """Say what the numbers of all bands mean.

    Returns:
        The bands, described; and STAC properties that record the rule.
    """
    rules: dict[str, list[str]] = {}
    readable = [with_nodata(_without_height(item, origin), given.nodata) for item in bands]
    radar, properties, radar_rule = _backscatter(readable, origin, given)
    resolved: list[RasterBand] = []
    others = [item for item in readable if item.band.name not in radar]
    guess = _Guess(others, origin)
    for item in others:
        band, rule, nodata = _meaning(item, origin, given, guess)
        marked, least = with_nodata(item, nodata), _least(item, band, origin)
        if least is not None:
            marked, rule = _from(marked, least), f"{rule}; below {least:g} no data"
        rules.setdefault(f"{_formula(band)} ({rule})", []).append(band.name)
        resolved.append(marked.named(band))
    told = [f"{', '.join(names)}: {rule}" for rule, names in rules.items()]
    text = "; ".join([*radar_rule, *told])
    if text:
        logger.info("%s: %s", origin.name, text)
    for warning in guess.warnings(resolved, given):
        logger.warning("%s: %s", origin.name, warning)
    if radar or any(item.band.mission for item in resolved):
        properties["comeo:numbers"] = text[:1000]
    described = radar | {item.band.name: item for item in resolved}
    in_order = [described[item.band.name] for item in readable]
    return in_order, properties | ({"comeo:scale_assumed": True} if guess.assumed else {})


def _backscatter(
    bands: Sequence[RasterBand], origin: Origin, given: Given
) -> tuple[dict[str, RasterBand], dict[str, Any], list[str]]:
    """A radar's polarisations among bands, by name; STAC properties; and their rule.

    Raises:
        SourceError: If a scene of Sentinel-1 has none, or options for radar are given for another.
    """
    radar = [item for item in bands if is_backscatter(item, origin.mission)]
    names = ", ".join(item.band.name for item in bands)
    if not radar and origin.mission is SENTINEL1:
        raise SourceError(
            f"{origin.name} is of Sentinel-1 by its name, but none of {names} is VV, VH, HH or HV; "
            "name its bands with --bands, as VV,VH, or correct its name"
        )
    if not radar and given.is_of_radar:
        raise SourceError(
            f"{origin.name} has bands {names}, and no backscatter: leave --quantity out, and give --scale "
            "a number"
        )
    if not radar:
        return {}, {}, []
    found, properties, rule = to_backscatter(radar, origin.name, origin.mission, origin.names, given)
    return {item.band.name: item for item in found}, properties, [rule]


def _formula(band: Band) -> str:
    offset = f" {'+' if band.offset > 0 else '−'} {abs(band.offset):g}" if band.offset else ""
    scale = f" × {band.scale:g}" if band.scale != 1 else ""
    return f"{band.unit or 'a value of unknown unit'} = number{scale}{offset}"


def _without_height(item: RasterBand, origin: Origin) -> RasterBand:
    """A band of a mission without a unit of length: GDAL gives all bands that of a compound CRS's heights."""
    length = stated_unit(item.band.unit).lower() in _LENGTHS
    known = origin.mission is not None and item.band.name in origin.mission.bands
    return item.named(replace(item.band, unit="")) if length and known else item


def _least(item: RasterBand, band: Band, origin: Origin) -> float | None:
    """The least number that can be measured; None where a number cannot be less, or nothing is known.

    Processors mark pixels without data by numbers that no measurement gives (−9999, −32768), and not all of
    them state which.
    """
    scale = origin.mission.scale if origin.mission else None
    if scale is None or band.unit != scale.unit or item.dtype == np.uint16 or band.scale <= 0:
        return None
    return (scale.unscaled[0] - band.offset) / band.scale


class _Guess:
    """What values tell, looked at once for all bands of a source, and only where it is needed."""

    def __init__(self, bands: Sequence[RasterBand], origin: Origin) -> None:
        self._bands, self._origin = bands, origin
        self._samples: dict[bool, Sample | None] = {}
        self.assumed = False
        self.offset_unknown = False
        self.unlikely: dict[float, list[str]] = {}  # bands by an offset that the baseline contradicts
        self.zeros_marked = False

    def sample(self, *, unstated: bool) -> Sample | None:
        """Numbers of the mission's bands: of those without a stated scale, or of all."""
        if unstated not in self._samples:
            known = self._origin.mission.bands if self._origin.mission else {}
            chosen = [b for b in self._bands if b.band.name in known and not (unstated and is_stated(b))]
            scale = self._origin.mission.scale if self._origin.mission else None
            least = (
                scale.unscaled[0] / scale.scale if scale else -np.inf
            )  # less is neither, but marks no data
            self._samples[unstated] = sample_of(chosen, least)
        return self._samples[unstated]

    def warnings(self, bands: Sequence[RasterBand], given: Given) -> Iterable[str]:
        """What the caller should know, and do."""
        scale = self._origin.mission.scale if self._origin.mission else None
        if unknown := [item.band.name for item in bands if not item.band.unit]:
            yield (
                f"the unit of {', '.join(unknown)} is unknown: shown in a range of its own, not in indices; "
                "give --unit, and --scale and --offset, if you know them"
            )
        if self.assumed and scale:
            yield (
                f"no scale is stated: {scale.unit} = number × {scale.scale:g} is assumed; "
                "give --scale if that is wrong"
            )
        if not self.zeros_marked and any(sample and sample.low == 0 for sample in self._samples.values()):
            yield (
                "many numbers are 0 and count as measurements; "
                "give --nodata 0 if they mark pixels without data"
            )
        for stated, names in self.unlikely.items():
            carried = scale.offset_of(self._origin.baseline) if scale else None
            yield (
                f"{', '.join(names)}: an offset of {stated:g} is stated, but products of processing baseline "
                f"{self._origin.baseline} carry one of {carried or 0:g}; give --offset if that is right"
            )
        late = scale.offset_at(self._origin.time) if scale else 0.0
        if self.offset_unknown and given.offset is None and late:
            yield (
                "neither an offset nor a processing baseline is stated: 0 is assumed, without the offset of "
                f"{late:g} that products carry by then; give --offset {late:g} or --offset 0"
            )


def _is_whole(item: RasterBand) -> bool:
    """Whether a source keeps a band in whole numbers."""
    return np.issubdtype(np.dtype(item.source_dtype or item.dtype), np.integer)


def is_stated(item: RasterBand) -> bool:
    """Whether a source says what a band's numbers are; whole numbers are no reflectances without a scale."""
    band = item.band
    unit = stated_unit(band.unit)
    only_unit = _is_whole(item) and unit == REFLECTANCE
    return (band.scale, band.offset) != (1.0, 0.0) or bool(unit and not only_unit)


def _meaning(item: RasterBand, origin: Origin, given: Given, guess: _Guess) -> tuple[Band, str, float | None]:
    """A band's description, the rule for its numbers, and its nodata number beside the source's own."""
    band = replace(item.band, unit=stated_unit(item.band.unit))
    if given.scale is None and not (np.isfinite(band.scale) and band.scale):
        raise SourceError(
            f"{origin.name} states a scale of {band.scale:g} for {band.name}; give it with --scale"
        )
    known = origin.mission.bands.get(band.name) if origin.mission else None
    if origin.mission and known:
        band = replace(
            band, common_name=known.common_name or band.common_name, mission=origin.mission.id,
            center_wavelength=known.center_wavelength or band.center_wavelength,
        )  # fmt: skip
    nodata = None
    scale = origin.mission.scale if origin.mission else None
    if scale and known:
        line = scale.line_of(origin.names)
        if given.nodata is None and line is None and scale.offset_of(origin.baseline) is not None:
            nodata = scale.nodata if item.dtype == np.uint16 else None
        elif given.nodata is None and line is not None:
            nodata = line.nodata
        guess.zeros_marked = guess.zeros_marked or nodata == 0
        band, rule = _scaled(item, band, known, scale, origin, given, guess)
    else:
        band, rule = _plain(band, given)
    return _overridden(band, given), rule, nodata


def _overridden(band: Band, given: Given) -> Band:
    """A band with what the caller gives over what was found."""
    scale, offset = given.factor_and_offset(band)
    return replace(
        band,
        scale=scale,
        offset=offset,
        unit=band.unit if given.unit is None else unit_in_words(given.unit),
    )


def _scaled(
    item: RasterBand, band: Band, known: BandFacts, scale: Scale, origin: Origin, given: Given, guess: _Guess
) -> tuple[Band, str]:
    """A band of a mission whose products have a scale."""
    if given.scale is not None:
        rule, band = "scale as given", replace(band, scale=given.scale, unit=band.unit or known.unit)
    elif is_stated(item):
        rule = "scale as stated"
        band = replace(band, unit=band.unit or (known.unit if band.scale != 1.0 else ""))
        if band.unit == scale.unit and not 0 < band.scale <= 1:
            upright = f", as {1 / band.scale:g}" if band.scale > 1 else ""
            raise SourceError(
                f"{origin.name} states a scale of {band.scale:g} for {band.name}, which no {scale.unit} has; "
                f"give it with --scale{upright}"
            )
    else:
        band, rule = _by_values(item, band, scale, origin, guess)
    if band.unit != scale.unit or (given.scale is None and band.scale == 1.0 and not band.offset):
        return band, f"{rule}{', offset as given' if given.offset is not None else ''}"
    offset, why = _offset(item, band, scale, origin, given, guess)
    return replace(band, offset=offset), f"{rule}, offset {why}"


def _by_values(item: RasterBand, band: Band, scale: Scale, origin: Origin, guess: _Guess) -> tuple[Band, str]:
    """A band without a stated scale, by its values."""
    if item.source_dtype == _BYTE:
        return replace(band, unit=""), "8 bits for a picture, not measurements"
    line = scale.line_of(origin.names)
    if line and _is_whole(item):
        return replace(band, scale=scale.scale, unit=scale.unit), f"scale of {line.title}"
    sample = guess.sample(unstated=True)
    is_scaled, why = _fits(sample, scale, whole=item.dtype == np.uint16)
    if is_scaled is None:
        return replace(band, unit=""), why
    if is_scaled:
        guess.assumed = True
        return replace(band, scale=scale.scale, unit=scale.unit), why
    return replace(band, unit=scale.unit), why


def _fits(sample: Sample | None, scale: Scale, *, whole: bool) -> tuple[bool | None, str]:
    """Whether numbers stand for the quantity by its scale; False: they are it already; None: neither."""
    if sample is None:
        return (True, "scale assumed") if whole else (None, "no valid pixel tells what the numbers are")
    seen = f"values from {sample.low:.3g} to {sample.high:.3g}"
    if not whole and scale.unscaled[0] <= sample.low <= sample.high <= scale.unscaled[1]:
        return False, seen
    least = 0.0 if whole else scale.integers[0]
    if least <= sample.median <= scale.integers[1]:
        return True, "scale assumed"
    return None, f"{seen} fit no known scale"


def _offset(
    item: RasterBand, band: Band, scale: Scale, origin: Origin, given: Given, guess: _Guess
) -> tuple[float, str]:
    """The offset of a scaled band, and the rule that it comes from."""
    if given.offset is not None:
        return given.offset, "as given"
    if origin.offset_applied:
        return 0.0, f"in the numbers already, by {origin.offset_applied}"
    scaled = band.offset * band.scale
    if not abs(band.offset) <= MAX_OFFSET:
        raise SourceError(
            f"{origin.name} states an offset of {band.offset:g} for {band.name}, which no {scale.unit} has; "
            f"give it with --offset{f', as {scaled:g}' if abs(scaled) <= MAX_OFFSET else ''}"
        )
    line, offset = scale.line_of(origin.names), scale.offset_of(origin.baseline)
    if band.offset or item.offset_stated:
        if offset is not None and abs(band.offset - offset) > _SAME_OFFSET and line is None:
            guess.unlikely.setdefault(band.offset, []).append(band.name)
        return band.offset, "as stated"
    return _unstated_offset(item, line, offset, origin, guess)


def _unstated_offset(
    item: RasterBand, line: Line | None, offset: float | None, origin: Origin, guess: _Guess
) -> tuple[float, str]:
    """The offset where none is stated: none in numbers that have it off, else that of the baseline."""
    if line:
        return 0.0, f"none in numbers of {line.title}"
    if item.dtype != np.uint16 and (sample := guess.sample(unstated=False)) and sample.least < 0:
        return 0.0, "none, as negative numbers show"
    if offset is not None:
        return offset, f"by processing baseline {origin.baseline}"
    guess.offset_unknown = True
    return 0.0, "not stated"


def _plain(band: Band, given: Given) -> tuple[Band, str]:
    """A band that comes in its physical unit, or whose mission is unknown."""
    if band.unit or given.unit is not None:
        return band, "as given" if given.unit is not None else "unit as stated"
    return band, "unit not stated"


def sample_of(bands: Sequence[RasterBand], least: float = -np.inf) -> Sample | None:
    """Numbers of bands, none below the least, at places spread over their grids; None without a valid one."""
    read = (sample_values(band) for band in bands)
    found = [values for every in read if (values := every[every >= least]).size]
    if not found:
        return None
    return Sample(*(float(each) for each in np.percentile(np.concatenate(found), (0, 2, 50, 98, 100))))


def sample_values(band: RasterBand) -> NDArray[np.float64]:
    """Valid numbers of a band at places spread over its grid, the middle first, until there are enough."""
    found: list[NDArray[Any]] = []
    for values, valid in sample_planes(band):
        found.append(values[valid].astype(np.float64))
        if sum(each.size for each in found) >= _ENOUGH:
            break
    return np.concatenate(found)


def is_classes(band: RasterBand) -> bool:
    """Whether a band's values are few small whole numbers, as those of a layer of classes are."""
    if not _is_whole(band):
        return False
    values = np.unique(sample_values(band))
    return 1 < values.size <= _MOST_CLASSES and values[0] >= 0 and values[-1] <= np.iinfo(np.uint8).max


def _from(band: RasterBand, least: float) -> RasterBand:
    """A band in which numbers below the least mark pixels without data."""
    read = band.read

    def measured(window: Window) -> Plane:
        values, valid = read(window)
        return Plane(values, valid & (values >= least))

    return replace(band, read=measured, has_nodata=True)


def with_nodata(band: RasterBand, nodata: float | None) -> RasterBand:
    """A band in which a number marks pixels without data, besides those that it has already."""
    if nodata is None or np.isnan(nodata):
        return band
    read = band.read

    def masked(window: Window) -> Plane:
        values, valid = read(window)
        return Plane(values, valid & (values != values.dtype.type(nodata)))

    fits = band.dtype != np.uint16 or (nodata == int(nodata) and 0 <= nodata <= np.iinfo(np.uint16).max)
    return replace(band, read=masked, has_nodata=True) if fits else band


__all__ = ["Origin", "is_classes", "resolve", "with_nodata"]
