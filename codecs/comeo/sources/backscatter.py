"""Radar backscatter as sources have it: which quantity, on which scale; read as decibels.

What the caller gives counts first, then units, descriptions, tags and names, then the values. A scale that
cannot be known is asked for: power at a uniform step loses its dark half, amplitude taken for power doubles
every decibel. All is converted where a band is read, so that nothing behind it meets another scale.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from comeo.decibel import to_decibels
from comeo.errors import SourceError
from comeo.missions import DECIBEL, POWER, SENTINEL1, Mission, calibrated, stated_unit
from comeo.missions.backscatter import form_of, is_uncalibrated, quantity_in, scale_in
from comeo.missions.quantity import AMPLITUDE
from comeo.scene import Window
from comeo.sources.arguments import Given
from comeo.sources.raster import Plane, RasterBand
from comeo.sources.sampling import sample_planes

logger = logging.getLogger(__name__)

FLOOR: Final = -40.0
"""Least decibels of what comes as power: a tenth of the noise of Sentinel-1 at its best (-30 dB). Power below
it is what is left where noise was taken off, half of it negative; it is kept, and counted."""

_FLOOR_POWER: Final = np.float32(10 ** (FLOOR / 10))
_LIKELY: Final = (-35.0, 5.0)  # median, in decibels
_POSSIBLE: Final = (-60.0, 5.0)  # the same, where the caller gives the scale
_MOST_POWER: Final = 10 ** (_LIKELY[1] / 10)
_MANY_ZEROS: Final = 0.001
_BYTE: Final = "uint8"


@dataclass(frozen=True, slots=True)
class Backscatter:
    """What the numbers of a band are.

    Attributes:
        quantity: `sigma0`, `gamma0`, `gamma0-rtc`, `beta0`, or empty where nothing says.
        scale: `power`, `amplitude` or `dB`, of number × factor + offset.
        factor: See `scale`.
        offset: See `scale`.
        why: The rule that tells the scale.
    """

    quantity: str
    scale: str
    factor: float
    offset: float
    why: str


def is_backscatter(item: RasterBand, mission: Mission | None) -> bool:
    """Whether a band is a polarisation of a radar: no other sensor's bands have such names."""
    return item.band.name in SENTINEL1.bands and mission in (None, SENTINEL1)


def to_backscatter(
    bands: Sequence[RasterBand], where: str, mission: Mission | None, names: Iterable[str], given: Given
) -> tuple[list[RasterBand], dict[str, Any], str]:
    """Say what the numbers of a scene's polarisations are, and have them read as decibels.

    Args:
        bands: The polarisations.
        where: Name of the source.
        mission: Its mission, or None.
        names: Of the product, its collection and its files.
        given: What the caller gives.

    Returns:
        The bands, in dB; STAC properties; and the rule in words.

    Raises:
        SourceError: If the scale cannot be known, or is not that of backscatter.
    """
    names = tuple(names)
    samples = [_sample(item, given) for item in bands]
    pooled = np.concatenate(samples)
    found = [resolve_backscatter(item, where, names, given, pooled) for item in bands]
    _check(where, bands, found, samples, given)
    quantities = {each.quantity for each in found}
    if len(quantities) > 1:
        mixed = zip(bands, found, strict=True)
        told = ", ".join(f"{item.band.name} {each.quantity or 'unknown'}" for item, each in mixed)
        raise SourceError(f"{where} mixes quantities ({told}); give --quantity if that is wrong, or --bands")
    converted = [_converted(item, each, mission) for item, each in zip(bands, found, strict=True)]
    properties = _properties(where, bands, found)
    if not found[0].quantity:
        logger.warning(
            "%s does not say which backscatter its numbers are; give --quantity sigma0, gamma0, gamma0-rtc "
            "or beta0 to have it recorded", where,
        )  # fmt: skip
    for item, each in zip(bands, found, strict=True):
        _warn_of_zeros(where, item, each, given)
    rules = {f"{_formula(each)} ({each.why})": None for each in found}
    return converted, properties, f"{', '.join(b.band.name for b in bands)}: {'; '.join(rules)}"


def resolve_backscatter(
    item: RasterBand, where: str, names: Sequence[str], given: Given, sample: NDArray[np.float64]
) -> Backscatter:
    """What the numbers of one band are.

    Args:
        item: The band, with what its source says of it.
        where: Name of the source.
        names: Of the product, its collection and its files.
        given: What the caller gives.
        sample: (n,) float64 valid numbers of all polarisations, × factor + offset.

    Raises:
        SourceError: Where nothing tells, with the options that do.
    """
    factor, offset = given.factor_and_offset(item.band)
    if not (np.isfinite([factor, offset]).all() and factor):
        raise SourceError(f"{where} states a scale of {factor:g} for {item.band.name}; give it with --scale")
    form = form_of(names)
    words = [text for text in item.words if text]
    quantity = given.quantity or quantity_in(words) or (form.quantity if form else "") or quantity_in(names)
    if quantity == "gamma0" and not given.quantity:
        quantity = quantity_in((*words, *names))
    scale, why = _scale(item, where, names, given, sample)
    return Backscatter(quantity, scale, factor, offset, why)


def _scale(
    item: RasterBand, where: str, names: Sequence[str], given: Given, sample: NDArray[np.float64]
) -> tuple[str, str]:
    """The scale of a band, and the rule that it comes from."""
    if given.backscatter_scale:
        return given.backscatter_scale, "scale as given"
    name, unit = item.band.name, stated_unit(item.band.unit)
    if given.unit is not None or unit not in ("", DECIBEL, POWER, AMPLITUDE):
        stated = given.unit if given.unit is not None else unit
        raise SourceError(f"{where}: {stated} is no scale of backscatter, as {name} is; give --scale power, "
                          "--scale amplitude or --scale dB")  # fmt: skip
    is_scaled = given.scale is not None or item.band.scale != 1.0
    if item.source_dtype == _BYTE and not is_scaled:
        raise SourceError(
            f"{where}: {name} is stretched to 8 bits for a picture, and a byte is not dB; give the "
            "measurements, or the stretch, as --scale 0.118 --offset -30 --unit dB"
        )
    if any(map(is_uncalibrated, item.words)):
        _ask_to_calibrate(where, name)
    if unit:
        return unit, "scale as stated"
    is_whole = np.issubdtype(np.dtype(item.source_dtype or item.dtype), np.integer)
    by_values = _by_values(sample)
    if is_whole and not is_scaled and by_values != DECIBEL:
        _ask_for_factor(where, name, sample)
    form = form_of(names)
    for scale, why in (
        (DECIBEL if is_whole and not is_scaled else "", "by the values"),
        (scale_in(item.words), "scale as described"),
        (form.scale if form else "", f"scale of {form.title}" if form else ""),
        (by_values, "by the values"),
        (POWER if any(map(calibrated, item.words)) else "", "power, as calibrated bands are"),
        (scale_in(names), "scale as named"),
    ):
        if scale:
            return scale, why
    raise SourceError(
        f"{where}: nothing says whether {name} is power or amplitude; give --scale power or --scale "
        "amplitude, and --quantity, as sigma0"
    )


def _ask_to_calibrate(where: str, name: str) -> NoReturn:
    raise SourceError(
        f"{where}: {name} is not calibrated; calibrate it (in SNAP by Radar > Radiometric > Calibrate), or, "
        "if it is, say what it is, as --quantity sigma0 --scale amplitude"
    )


def _ask_for_factor(where: str, name: str, sample: NDArray[np.float64]) -> NoReturn:
    low, high = (float(value) for value in np.percentile(sample, (2, 98)))
    if low >= 0:
        raise SourceError(
            f"{where}: {name} holds whole numbers from {low:g} to {high:g} without a scale, as of an image "
            "that is not calibrated; calibrate it, or give its factor and what it is, as --scale 0.001 "
            "--unit amplitude --quantity sigma0"
        )
    raise SourceError(
        f"{where}: {name} holds whole numbers from {low:g} to {high:g} without a scale; give it, as "
        "--scale 0.01 --unit dB"
    )


def _by_values(sample: NDArray[np.float64]) -> str:
    """The scale that numbers can only be on, or empty: what is never negative is power or amplitude."""
    low, median, high = (float(value) for value in np.percentile(sample, (2, 50, 98)))
    if _is_decibels(low, median):
        return DECIBEL
    # Noise that was taken off leaves power as far below 0 as it was above; amplitude has no sign.
    return POWER if sample.min() < 0 and median > -0.1 and high <= _MOST_POWER * 10 else ""


def _is_decibels(low: float, median: float) -> bool:
    return low < -1 and _LIKELY[0] <= median <= _LIKELY[1]


def _sample(item: RasterBand, given: Given) -> NDArray[np.float64]:
    """Numbers of a band, scaled, without those that are 0."""
    planes = [values[valid & (values != 0)].astype(np.float64) for values, valid in sample_planes(item)]
    found = np.concatenate(planes)
    if not found.size:
        raise SourceError(
            f"{item.band.name} has no valid pixel where it was looked at; choose others with --bands"
        )
    factor, offset = given.factor_and_offset(item.band)
    return found * factor + offset


def _check(
    where: str, bands: Sequence[RasterBand], found: Sequence[Backscatter],
    samples: Sequence[NDArray[np.float64]], given: Given,
) -> None:  # fmt: skip
    """Refuse numbers that are no backscatter on the scale that was found."""
    pairs = list(zip(found, samples, strict=True))
    scales = ", ".join(dict.fromkeys(each.scale for each in found))
    names = ", ".join(item.band.name for item in bands)
    if any(each.scale == AMPLITUDE and sample.min() < 0 for each, sample in pairs):
        raise SourceError(f"{where}: numbers of {names} are negative, which no amplitude is; give --scale")
    decibels = np.concatenate([_decibels(each.scale, sample)[0] for each, sample in pairs])
    low, median = (float(value) for value in np.percentile(decibels, (2, 50)))
    least, greatest = _POSSIBLE if given.backscatter_scale else _LIKELY
    if not least <= median <= greatest or (low >= 0 and DECIBEL in scales):
        raise SourceError(
            f"{where}: {names}, taken as {scales}, would have a median of {median:.3g} dB, and the lowest "
            f"fiftieth below {low:.3g} dB, which no backscatter has; give --scale power, amplitude or dB, or "
            "a factor, as --scale 0.01 --unit dB"
        )


def _decibels(
    scale: str, numbers: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Numbers in decibels, where they are measurements, and where they were raised to the floor."""
    numbers = numbers.astype(np.float32)
    measured = np.isfinite(numbers)
    if scale == DECIBEL:
        return numbers, measured, np.zeros(numbers.shape, np.bool_)
    measured &= numbers > 0 if scale == AMPLITUDE else numbers != 0
    with np.errstate(over="ignore", invalid="ignore"):
        power = numbers * numbers if scale == AMPLITUDE else numbers
        low = measured & (power < _FLOOR_POWER)
        raised = np.maximum(power, _FLOOR_POWER)
    decibels = to_decibels(raised)
    return decibels, measured & np.isfinite(decibels), low


def _converted(item: RasterBand, each: Backscatter, mission: Mission | None) -> RasterBand:
    """A band that is read as decibels."""
    band = replace(
        item.band, scale=1.0, offset=0.0, unit=DECIBEL, mission=mission.id if mission else item.band.mission
    )
    if each.scale == DECIBEL and (each.factor, each.offset) == (1.0, 0.0) and item.dtype == np.float32:
        return item.named(band)
    read = item.read

    def decibels(window: Window) -> Plane:
        values, valid = read(window)
        found, measured, _ = _decibels(each.scale, _scaled(values, each))
        return Plane(found, valid & measured)

    return replace(item, band=band, read=decibels, dtype=np.dtype(np.float32), has_nodata=True)


def _scaled(values: NDArray[Any], each: Backscatter) -> NDArray[Any]:
    """Numbers × factor + offset; 0 stays 0, which marks no data where there is no offset."""
    if (each.factor, each.offset) == (1.0, 0.0):
        return values
    return values.astype(np.float64) * each.factor + each.offset


def _properties(where: str, bands: Sequence[RasterBand], found: Sequence[Backscatter]) -> dict[str, Any]:
    """STAC properties: quantity, scale of the source, and how many pixels were raised to the floor."""
    properties: dict[str, Any] = {
        "comeo:source_scale": ", ".join(dict.fromkeys(each.scale for each in found)),
    }
    if found[0].quantity:
        properties["comeo:quantity"] = found[0].quantity
    linear = [(item, each) for item, each in zip(bands, found, strict=True) if each.scale != DECIBEL]
    if not linear:
        return properties
    counts = {item.band.name: _floored(item, each) for item, each in linear}
    if any(counts.values()):
        logger.warning(
            "%s: power below %g dB, negative power included, is kept as %g dB: %s pixels",
            where, FLOOR, FLOOR,
            ", ".join(f"{name} {count:,}" for name, count in counts.items()),
        )  # fmt: skip
    return properties | {"comeo:floor": FLOOR, "comeo:floored_pixels": counts}


def _floored(item: RasterBand, each: Backscatter) -> int:
    """How many pixels of a band are raised to the floor."""
    count = 0
    for values, valid in item.strips():
        _, _, low = _decibels(each.scale, _scaled(values, each))
        count += int(np.count_nonzero(valid & low))
    return count


def _warn_of_zeros(where: str, item: RasterBand, each: Backscatter, given: Given) -> None:
    """Tell of zeros among decibels, where 0 is a measurement and the usual mark of none at once."""
    if each.scale != DECIBEL:
        return
    counted = lonely = total = 0
    for values, valid in sample_planes(item):
        total += values.size
        counted += int(np.count_nonzero(valid & (values == 0)))
        holes = ~valid & (values == 0)
        lonely += int(np.count_nonzero(holes[1:-1, 1:-1] & valid[1:-1, :-2] & valid[1:-1, 2:]
                                       & valid[:-2, 1:-1] & valid[2:, 1:-1]))  # fmt: skip
    if lonely:
        logger.warning(
            "%s: 0 marks no data in %s, and single pixels amid others have it: measured 0 dB is lost",
            where, item.band.name,
        )  # fmt: skip
    if counted > _MANY_ZEROS * total and given.nodata != 0:
        logger.warning(
            "%s: many numbers of %s are 0 and count as 0 dB; give --nodata 0 if they mark no data",
            where, item.band.name,
        )  # fmt: skip


def _formula(each: Backscatter) -> str:
    offset = f" {'+' if each.offset > 0 else '−'} {abs(each.offset):g}" if each.offset else ""
    number = f"number{f' × {each.factor:g}' if each.factor != 1 else ''}{offset}"
    quantity = each.quantity or "backscatter"
    formulas = {DECIBEL: number, POWER: f"10·log10({number})", AMPLITUDE: f"20·log10({number})"}
    return f"{quantity} in dB = {formulas[each.scale]}"
