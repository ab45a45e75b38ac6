"""Numbers of a scene: at a point, and over all of it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rio_tiler.models import ImageData, PointData

from comeo.decibel import mean_decibels, uses_power
from comeo.errors import NotFoundError, ParameterError
from comeo.export.request import ExtractRequest, grid_of
from comeo.figures import significant
from comeo.grid import Grid
from comeo.indicators.uncertain import propagate
from comeo.missions import band_title
from comeo.missions.clear import CLASSES, NODATA
from comeo.scene import Band
from comeo.view.area import Area
from comeo.view.budget import Budget
from comeo.view.clear import check_mask, class_at, kept_at, kept_on
from comeo.view.pixels import mask_of, observe, read_pixels
from comeo.view.polygon import Geometry
from comeo.view.propagation import (
    Errors,
    correlation,
    error_layers,
    mean_errors,
    point_errors,
    result_errors,
    weighing_shares,
)
from comeo.view.reader import ArchiveReader, pixel_at
from comeo.view.spatial import native_per_pixel
from tileserver.catalog import Record, Search
from tileserver.render.fitting import check_fits
from tileserver.render.mosaic import candidates
from tileserver.render.offers import answers
from tileserver.render.orbits import by_track
from tileserver.render.plan import RenderPlan, RenderRequest, resolve
from tileserver.render.scenes import Scenes
from tileserver.render.temporal import rfc3339
from tileserver.render.told import check_placed

NANOMETRES = 1000.0
# Side in pixels of the sample from which the error of an expression is estimated.
SAMPLE_SIDE = 256
Known = TypeVar("Known")


def point(
    scenes: Scenes, record: Record, lon: float, lat: float, request: RenderRequest, budget: Budget, *,
    beside: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Values of the native pixel that a position falls into.

    Args:
        scenes: Catalogue, open archives and caches.
        record: The scene.
        lon: In degrees.
        lat: In degrees.
        request: Bands or expression.
        budget: Of the request.
        beside: Whether the answer stands for the collection's other scenes, too.

    Raises:
        NotFoundError: If the position lies outside the scene, or beside others the scene lies only roughly.
    """
    check_fits(scenes, record, request.style)
    plan = resolve(request, record.bands, scenes.settings, picture=False)
    with scenes.reader(record, budget) as reader:
        if beside:
            check_placed(reader.archive)
        pixel, shown = _seen(reader, lon, lat, plan)
        errors = _if_known(lambda: point_errors(reader, lon, lat, plan.bands))
        correlated = correlation(reader.archive, plan.bands)
        power = reader.archive.power or {}
        spatial = _around(reader, lon, lat, plan)
    bands = plan.sources
    answer: dict[str, Any] = {
        "coordinates": [lon, lat],
        "collection": record.collection,
        "item": record.id,
        "datetime": None if record.datetime is None else rfc3339(record.datetime),
        "class": shown,
        "bands": [
            {
                **_band_value(pixel, row, band, None if errors is None else float(errors[row])),
                "field_expected_error": power[band.name].rmse_8 if band.name in power else None,
            }
            for row, band in enumerate(bands)
        ],
    }
    if plan.expression:
        scalars = _scalars(pixel, bands, physical=plan.physical)
        results = plan.expression.evaluate(scalars)[:, 0, 0]
        uncertain: Any = [None] * len(results)
        if spatial is not None:
            results, uncertain = spatial
        elif errors is not None:
            scaled = _scaled(errors[:, None, None], bands, physical=plan.physical)
            uncertain = propagate(plan.expression, scalars, scaled, correlated)[:, 0, 0]
        names = [request.style] if request.style and len(results) == 1 else plan.expression.names
        answer["results"] = [
            {"expression": name, "value": _number(float(value)), "expected_error": _error(error)}
            for name, value, error in zip(names, results, uncertain, strict=True)
        ]
    return answer


def _around(
    reader: ArchiveReader, lon: float, lat: float, plan: RenderPlan
) -> tuple[NDArray[np.float32], Sequence[float | None]] | None:
    """Results of an expression with windows at a position, and their expected errors; None for any other."""
    if plan.expression is None or not plan.expression.halo:
        return None
    group, window = next(
        (group, window)
        for group in reader.archive.groups.values()
        if {band.name for band in group.bands} & set(plan.bands) and (window := pixel_at(group, lon, lat))
    )
    grid, plain = group.native_grid.part(window), replace(plan, mask=None)
    values = np.asarray(read_pixels(reader, grid, plain).array.filled(np.nan)[:, 0, 0], np.float32)
    errors = _if_known(lambda: result_errors(reader, grid, plain)[:, 0, 0])
    return values, [None] * len(values) if errors is None else [float(error) for error in errors]


def _if_known(read: Callable[[], Known]) -> Known | None:
    """Errors; None where it is not known which pixels are clouds that were coded apart: `info` says why."""
    try:
        return read()
    except NotFoundError:
        return None


def _seen(reader: ArchiveReader, lon: float, lat: float, plan: RenderPlan) -> tuple[PointData, str | None]:
    """Values of a pixel, invalid where a mask does not keep it, and its class's name, if that is known."""
    if plan.mask is not None:
        check_mask(reader.archive, plan.mask)
    pixel = reader.point(lon, lat, bands=plan.bands)
    number = NODATA
    if reader.archive.clear is not None:
        # a value is none the worse for a damaged class; `info` tells of it
        with contextlib.suppress(*(() if plan.mask else (NotFoundError,))):
            number = class_at(reader, lon, lat)
    if plan.mask is not None and not kept_at(reader, lon, lat, plan.mask):
        pixel.array = np.ma.MaskedArray(pixel.data, np.ones(pixel.data.shape, bool))
    return pixel, next((each.name for each in CLASSES if each.number == number), None)


def collection_point(
    scenes: Scenes, search: Search, lon: float, lat: float, request: RenderRequest, budget: Budget
) -> dict[str, Any]:
    """Values of the newest scene that can answer and has a valid pixel at a position: see `point`.

    Raises:
        NotFoundError: If none has.
        BoundError: If too many scenes lie there, or would have to be opened, without one that has.
    """
    named = request.bands or request.expression or request.style
    chosen = answers(scenes, search, request, picture=False) if named else None
    reason: NotFoundError | None = None
    answered = False
    for record in by_track(scenes, candidates(scenes, search, (lon, lat, lon, lat))):
        if chosen is not None and chosen.plan_for(record) is None:
            continue
        try:
            answer = point(scenes, record, lon, lat, request, budget, beside=True)
        except NotFoundError as error:
            reason = reason or error
            continue
        answered = True
        if any(band["value"] is not None for band in answer["bands"]):
            return answer
    if reason is not None and not answered:
        raise NotFoundError(f"no scene can answer at {lon}, {lat}: {reason}") from reason
    kept = " that the mask keeps" if request.mask is not None else ""
    raise NotFoundError(f"no scene has a valid pixel{kept} at {lon}, {lat}")


def statistics(
    scenes: Scenes, record: Record, request: RenderRequest, budget: Budget, *, max_size: int,
    percentiles: list[int], bins: int, shape: Geometry | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Statistics by band or expression, over a scene or a GeoJSON polygon (WGS 84) in it.

    It is read with no side longer than `max_size`.

    `expected_error` is that of a single pixel: the root mean square over pixels, or, of an expression, the
    median. `mean_uncertainty` is that of the mean: the true one lies within twice as much in 95 of 100 cases.
    Of bands in decibels `mean` and `sum` are those of power, in decibels. `native_pixels` counts the scene's
    own pixels under the valid ones.

    Raises:
        NotFoundError: If the polygon lies outside the scene.
    """
    check_fits(scenes, record, request.style)
    plan = resolve(request, record.bands, scenes.settings, picture=False)
    if plan.classes:
        raise ParameterError("numbers of classes have no statistics; request …/clear for their shares")
    with scenes.reader(record, budget) as reader:
        native = grid_of(reader, ExtractRequest(request, geometry=shape), plan.bands)
        area = Area(shape) if shape else None
        grid = native.fitted(max_size)
        scenes.check_grid(grid, max(len(plan.bands), plan.results), budget)
        image = read_pixels(reader, grid, plan)
        if area is not None:
            image.array.mask |= area.outside(grid)
        sample = _sample(scenes, reader, plan, native.fitted(SAMPLE_SIDE), area)
        uncertain = _uncertain(reader, plan, sample)
        means = _of_means(reader, plan, grid, image, sample)
    found = image.statistics(percentiles=percentiles, hist_options={"bins": bins})
    sums = _sums(image, plan)
    return {
        name: {
            **_finite(values.model_dump() | summed),
            "native_pixels": round(values.valid_pixels * (grid.pixel_size / native.pixel_size) ** 2),
            "expected_error": _error(error),
            "mean_uncertainty": _error(mean),
        }
        for (name, values), summed, error, mean in zip(found.items(), sums, uncertain, means, strict=True)
    }


def _sums(image: ImageData, plan: RenderPlan) -> list[dict[str, float]]:
    """Mean and sum of each result that is in decibels: those of power."""
    out: list[dict[str, float]] = []
    for row, scale in enumerate(plan.reduction.scales):
        if scale is None:
            out.append({})
            continue
        decibels = image.array[row].compressed() * scale[0] + scale[1]
        mean = mean_decibels(decibels)
        total = mean + 10 * math.log10(decibels.size) if decibels.size else math.nan
        out.append({"mean": (mean - scale[1]) / scale[0], "sum": (total - scale[1]) / scale[0]})
    return out


@dataclass(frozen=True, slots=True)
class _Sample:
    """A coarse sample of a scene's pixels.

    Attributes:
        grid: Where they lie.
        kept: (y, x) those inside a polygon that the mask keeps, or all.
        layers: For an expression (y, x) of each of its bands, NaN where there is no pixel that is kept.
    """

    grid: Grid
    kept: NDArray[np.bool_]
    layers: dict[str, NDArray[Any]]


def _sample(
    scenes: Scenes, reader: ArchiveReader, plan: RenderPlan, grid: Grid, area: Area | None
) -> _Sample:
    scenes.check_grid(grid, len(plan.bands), reader.budget)
    kept = np.ones((grid.height, grid.width), bool) if area is None else ~area.outside(grid)
    if plan.mask is not None:
        kept &= kept_on(reader, grid, plan.mask)
    if plan.expression is None:
        return _Sample(grid, kept, {})
    reader.budget.compute(grid.height * grid.width * plan.expression.terms * 2 * len(plan.bands))
    plain = replace(plan, expression=None)
    values = observe(reader.read(grid, plan.bands, "nearest"), plain).array
    filled = np.where(kept, np.ma.filled(values.astype(np.float32), np.nan), np.nan)
    return _Sample(grid, kept, dict(zip(plan.bands, filled, strict=True)))


def _uncertain(reader: ArchiveReader, plan: RenderPlan, sample: _Sample) -> Sequence[float | None]:
    """Expected error of a single pixel of each result."""
    if reader.archive.certificate is None or plan.error:
        return [None] * plan.results
    layers = _if_known(lambda: error_layers(reader, sample.grid, plan.bands))
    if layers is None:
        return [None] * plan.results
    errors = _scaled(layers, plan.sources, physical=plan.physical)
    if plan.expression:
        pixel = native_per_pixel(reader.archive, sample.grid, plan.bands)
        correlated = correlation(reader.archive, plan.bands)
        errors = propagate(plan.expression, sample.layers, errors, correlated, pixel)
    known_errors = [layer[np.isfinite(layer) & sample.kept].astype(np.float64) for layer in errors]
    # Where a denominator nears 0, the error of an index has no bound: a mean would show nothing else.
    typical = np.median if plan.expression else _root_mean_square
    return [float(typical(layer)) if layer.size else None for layer in known_errors]


def _of_means(
    reader: ArchiveReader, plan: RenderPlan, grid: Grid, image: ImageData, sample: _Sample
) -> Sequence[float | None]:
    """Standard uncertainty of the mean of each result, an image of which has been read on a grid."""
    known = None if plan.error else _if_known(lambda: _known_means(reader, plan, grid, image, sample))
    return [None] * plan.results if known is None else known


def _known_means(
    reader: ArchiveReader, plan: RenderPlan, grid: Grid, image: ImageData, sample: _Sample
) -> list[float | None]:
    valid, shares = ~mask_of(image), weighing_shares(image, plan)
    out: list[float | None] = []
    for result in range(plan.results):
        bands = plan.bands if plan.expression else plan.bands[result : result + 1]
        sources = plan.sources if plan.expression else plan.sources[result : result + 1]
        errors = mean_errors(reader, bands, valid[result], grid, shares[result])[:, None, None]
        errors = _scaled(errors, sources, physical=plan.physical)
        if plan.expression:
            centre = {band.name: _mean(sample.layers[band.name], band) for band in sources}
            independent = np.eye(len(bands), dtype=np.float32)
            errors = propagate(plan.expression, centre, errors, independent, of_means=True)
            errors = errors[result : result + 1]
        error = float(errors[0, 0, 0])
        out.append(error if math.isfinite(error) else None)
    return out


def _mean(layer: NDArray[Any], band: Band) -> NDArray[np.float32]:
    """The mean of a band's known pixels as a 1×1 layer."""
    known = layer[np.isfinite(layer)]
    if not known.size:
        return np.full((1, 1), np.nan, np.float32)
    mean = mean_decibels(known) if uses_power([band]) else known.mean(dtype=np.float64)
    return np.full((1, 1), mean, np.float32)


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return math.sqrt(np.mean(values**2))


def _scaled(errors: Errors, bands: Sequence[Band], *, physical: bool) -> Errors:
    """Errors (bands, y, x) of stored numbers as those of physical values, signs kept for correlations."""
    if not physical:
        return errors
    return errors * np.array([band.scale for band in bands], np.float32)[:, None, None]


def _error(error: float | None) -> float | int | None:
    return None if error is None else _number(abs(float(f"{error:.3g}")))


def _band_value(pixel: PointData, row: int, band: Band, error: float | None) -> dict[str, Any]:
    """Value of a band; `error` is expected of its stored number."""
    valid = not bool(np.ma.getmaskarray(pixel.array)[row])
    value = pixel.data[row].item()
    physical = _number(value * band.scale + band.offset) if valid else None
    wavelength = band.center_wavelength and round(band.center_wavelength * NANOMETRES, 1)
    return {
        "name": band.name,
        "title": band_title(band),
        "wavelength": wavelength,
        "value": _number(value) if valid else None,
        "unit": band.unit or None,
        "physical": physical,
        "reflectance": physical if band.unit == "reflectance" else None,
        "expected_error": _error(error) if valid else None,
        "physical_expected_error": _error(error * band.scale) if valid and error is not None else None,
    }


def _scalars(pixel: PointData, bands: Sequence[Band], *, physical: bool) -> dict[str, Any]:
    """Values as 1×1 arrays for an expression."""
    out = {}
    for row, band in enumerate(bands):
        value = float(pixel.data[row])
        value = value * band.scale + band.offset if physical else value
        out[band.name] = np.full(
            (1, 1), np.nan if np.ma.getmaskarray(pixel.array)[row] else value, np.float32
        )
    return out


def _number(value: float) -> float | int | None:
    """As JSON can say it, without float32's noise."""
    return value if isinstance(value, int) else significant(value, 6)


def _finite(value: Any) -> Any:
    """NaN, which JSON doesn't have, as null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
