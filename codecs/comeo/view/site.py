"""What a scene says of an area: the mean of a value, how certain it is, and how much of the area is clear."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.errors import NotFoundError
from comeo.grid import WGS84, Grid
from comeo.indicators.uncertain import propagate
from comeo.missions.clear import CLASSES, CLEAR_CLASSES, Classes, ClearMask
from comeo.view.area import Area, Shares
from comeo.view.clear import check_mask, classes_on, damage_as_unknown, kept_on
from comeo.view.pixels import mask_of, read_pixels
from comeo.view.plan import PixelPlan
from comeo.view.propagation import (
    Errors,
    error_layers,
    mean_errors,
    result_errors,
    weighing_shares,
)
from comeo.view.reader import ArchiveReader

CLEAR_MASK: Final = ClearMask(CLEAR_CLASSES)
QUANTILES: Final = 101
"""Quantiles that an observation keeps of its pixels: 0, 1, … 100 %."""
_FEW: Final = 2.0  # pixels: the error of fewer is that of pixels, not that of means
_ALIKE: Final = 25.0  # pixels of 10 m that show one thing, and are hidden or seen together


@dataclass(frozen=True, slots=True)
class Observation:
    """A value of an area in a scene.

    Attributes:
        value: Mean of the pixels that count, each by its share in the area; None where none counts.
        uncertainty: Standard uncertainty u of it: the true value lies within 2u in 95 of 100 cases. None
            where it is unknown.
        spread: Standard deviation of these pixels.
        quantiles: 0, 1, … 100 % of them; empty where there is none.
        pixels: How many count, of the scene's own, parts of pixels included.
        seen: Pixels that have data, whether or not they count.
        covered: Share of the area that has data.
        clear: Share of what has data that is clear (land, water, snow); None if the archive does not tell.
        classes: Shares of all classes, by name; None likewise.
    """

    value: float | None
    uncertainty: float | None
    spread: float | None
    quantiles: tuple[float, ...]
    pixels: float
    seen: float
    covered: float
    clear: float | None
    classes: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """Pixels of an area: where they lie, their values, and the share of each that counts."""

    grid: Grid
    image: ImageData
    kept: Shares
    scale: float  # native pixels that one stands for


def mask_for(reader: ArchiveReader, mask: ClearMask | None) -> ClearMask | None:
    """The pixels that count: those of a mask, else the clear ones, else all where the archive does not tell.

    Raises:
        NotFoundError: If the archive cannot give the mask.
    """
    if mask is not None:
        check_mask(reader.archive, mask)
        return mask
    return None if reader.archive.clear is None else CLEAR_MASK


def observe_area(
    reader: ArchiveReader, plan: PixelPlan, area: Area, *, max_size: int = 1024
) -> Observation | None:
    """The mean of the single result of a plan over an area.

    Args:
        reader: Of the scene.
        plan: Bands and computation; its mask as in `mask_for`.
        area: Point or polygon.
        max_size: Longest side in pixels that a large area is read with.

    Returns:
        None if the scene has no pixel there.

    Raises:
        NotFoundError: If the archive cannot give the mask.
        BoundError: If the reader's budget does not suffice.
        ArchiveError: If a block is damaged.
    """
    mask = mask_for(reader, plan.mask)
    plain = replace(plan, mask=None)
    try:
        whole = reader.native_grid(plan.bands)
        native = reader.part_grid(area.bounds_near(whole), WGS84, bands=plan.bands)
        grid = native.fitted(max_size)
        inside = area.shares(grid)
    except NotFoundError:
        return None
    image = read_pixels(reader, grid, plain)
    seen = np.where(mask_of(image)[0], np.float32(0), inside)
    if not seen.any():
        return None
    classes = _classes(reader, grid)
    kept = seen if mask is None or classes is None else seen * kept_on(reader, grid, mask)
    found = _Seen(grid, image, kept, (grid.pixel_size / native.pixel_size) ** 2)
    shares = None if classes is None else _class_shares(classes, seen)
    clear = None if shares is None else _clear_share(shares)
    value, spread, quantiles = _mean(found, plain)
    return Observation(
        value,
        None if value is None else _uncertainty(reader, plain, found, spread or 0.0, clear),
        spread, quantiles, float(kept.sum()) * found.scale, float(seen.sum()) * found.scale,
        float(seen.sum() / inside.sum()), clear, shares,
    )  # fmt: skip


def _classes(reader: ArchiveReader, grid: Grid) -> Classes | None:
    if reader.archive.clear is None:
        return None
    with damage_as_unknown():
        return classes_on(reader, grid)


def _class_shares(classes: Classes, seen: Shares) -> dict[str, float]:
    """Shares of the classes of the pixels that have data, weighted; what is of no class counts in all."""
    sums = np.bincount(classes.ravel(), seen.ravel().astype(np.float64), minlength=256)
    total = float(seen.sum(dtype=np.float64))
    return {each.name: float(sums[each.number]) / total for each in CLASSES}


def _clear_share(shares: Mapping[str, float]) -> float:
    return min(1.0, sum(shares[each.name] for each in CLASSES if each.number in CLEAR_CLASSES))


def _mean(found: _Seen, plan: PixelPlan) -> tuple[float | None, float | None, tuple[float, ...]]:
    """Mean, standard deviation and quantiles of the pixels that count; of decibels the mean is of power."""
    counts = found.kept > 0
    if not counts.any():
        return None, None, ()
    weights = found.kept[counts].astype(np.float64)
    values = found.image.data[0][counts].astype(np.float32)
    reduction = plan.reduction
    summed = reduction.before(values[None])[0].astype(np.float64)
    mean = np.array([(summed * weights).sum() / weights.sum()])
    value = float(reduction.after(mean)[0])
    centre = float((values * weights).sum() / weights.sum())
    spread = math.sqrt(max(0.0, float((np.square(values - centre) * weights).sum() / weights.sum())))
    return value, spread, _quantiles(values, weights)


def _quantiles(values: NDArray[np.float32], weights: NDArray[np.float64]) -> tuple[float, ...]:
    """Quantiles of weighted values: each value stands at the middle of its weight, straight in between."""
    order = np.argsort(values, kind="stable")
    middles = np.cumsum(weights[order]) - weights[order] / 2
    first, last = middles[0], middles[-1]
    places = (middles - first) / (last - first) if last > first else np.zeros(len(middles))
    found = np.interp(np.linspace(0, 1, QUANTILES), places, values[order])
    return tuple(float(f"{each:.6g}") for each in found)


def _uncertainty(
    reader: ArchiveReader, plan: PixelPlan, found: _Seen, spread: float, clear: float | None
) -> float | None:
    """Of coding, and of what clouds hide: the unseen part differs as patches of the seen one do."""
    try:
        coding = _coding(reader, plan, found)
    except (
        NotFoundError
    ):  # the archive has no certificate, or does not tell its coarser clouds: `info` says so
        return None
    if coding is None:
        return None
    hidden = 0.0 if clear is None else 1.0 - clear
    patches = max(1.0, float(found.kept.sum()) * found.scale / _ALIKE)
    return math.hypot(coding, spread * math.sqrt(hidden / patches))


def _coding(reader: ArchiveReader, plan: PixelPlan, found: _Seen) -> float | None:
    """What coding adds: by the law of means, of fewer than two pixels by the error of pixels."""
    if plan.error or plan.classes:
        return None
    counts = found.kept > 0
    weights = found.kept[counts].astype(np.float64)
    effective = float(weights.sum() ** 2 / np.square(weights).sum())
    if effective * found.scale < _FEW:
        return _of_pixels(reader, plan, found)
    share = effective / len(weights) * weighing_shares(found.image, plan)[0]
    errors = mean_errors(reader, plan.bands, counts, found.grid, share)[:, None, None] * _scales(plan)
    if plan.expression is not None:
        independent = np.eye(len(plan.bands), dtype=np.float32)
        means = _band_means(reader, plan, found)
        errors = propagate(plan.expression, means, errors, independent, of_means=True)
    return _known(float(errors[0, 0, 0]))


def _of_pixels(reader: ArchiveReader, plan: PixelPlan, found: _Seen) -> float | None:
    """The expected error of the pixels that count, each by its share: neighbours err alike."""
    if plan.expression is not None:
        layer = result_errors(reader, found.grid, plan)[0]
    else:
        layer = (error_layers(reader, found.grid, plan.bands) * _scales(plan))[0]
    known = np.where(np.isfinite(layer), found.kept, np.float32(0))
    total = float(known.sum(dtype=np.float64))
    squares = float((np.nan_to_num(layer).astype(np.float64) ** 2 * known).sum())
    return _known(math.sqrt(squares / total) if total else math.nan)


def _scales(plan: PixelPlan) -> Errors:
    """What makes errors of stored numbers those of the plan's: (bands, 1, 1)."""
    scales = [band.scale if plan.physical else 1.0 for band in plan.sources]
    return np.array(scales, np.float32)[:, None, None]


def _known(error: float) -> float | None:
    return abs(error) if math.isfinite(error) else None


def _band_means(reader: ArchiveReader, plan: PixelPlan, found: _Seen) -> Mapping[str, NDArray[Any]]:
    """Mean of each band over the pixels that count, as a 1×1 layer: where derivatives are taken."""
    if plan.expression is None:
        return {}
    bands = PixelPlan(plan.sources, physical=plan.physical, resampling=plan.resampling)
    image = read_pixels(reader, found.grid, bands)
    weights = np.where(mask_of(image), 0, found.kept)
    summed = bands.reduction.before(np.where(weights > 0, image.data, 0).astype(np.float32))
    total = weights.sum(axis=(1, 2))
    means = np.divide(
        (summed * weights).sum(axis=(1, 2)), total, out=np.full(len(total), np.nan), where=total > 0
    )
    levels = bands.reduction.after(means.astype(np.float32))
    return {name: np.full((1, 1), level, np.float32) for name, level in zip(plan.bands, levels, strict=True)}
