"""Expected errors by an archive's certificate: of bands, and of what is computed from them.

An expected error is a root mean squared one: about two of three pixels of noise-like errors lie within it.

Where an archive's clouds were coded more coarsely, its certificate tells of the ground; the error of a pixel
of cloud is that of all clouds of the scene (`Archive.clouds`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.archive import Archive
from comeo.archive.certificate import Certificate
from comeo.archive.means import NEAR_PIXELS, mean_error
from comeo.decibel import to_power
from comeo.errors import NotFoundError
from comeo.grid import Grid
from comeo.indicators.uncertain import propagate
from comeo.missions.clear import CLOUD
from comeo.scene import Band, pixel_size
from comeo.view.clear import class_at, classes_on
from comeo.view.plan import PixelPlan
from comeo.view.reader import ArchiveReader, pixel_at
from comeo.view.spatial import surroundings
from comeo.view.warp import find_source, warp

Errors = NDArray[np.float32]
_CLOUD_PIXELS = 32**2  # means of larger areas of cloud have been found to err as much


def error_image(reader: ArchiveReader, grid: Grid, bands: Sequence[Band]) -> ImageData:
    """Root mean square over bands of their expected errors, in physical values.

    Args:
        reader: Of the scene.
        grid: Where the pixels go.
        bands: Of the scene, of one unit.

    Returns:
        One float32 band, masked where the error is not known.

    Raises:
        NotFoundError: If the archive carries no certificate.
        BoundError: If the reader's budget does not suffice.
    """
    names = [band.name for band in bands]
    scales = np.array([abs(band.scale) for band in bands], np.float32)
    squares = (error_layers(reader, grid, names) * scales[:, None, None]) ** 2
    known = ~np.isnan(squares)
    count = known.sum(axis=0)
    mean = np.where(known, squares, 0).sum(axis=0) / np.maximum(count, 1)
    values = np.where(count > 0, np.sqrt(mean), np.nan).astype(np.float32)[None]
    name = f"expected error of {', '.join(names)}"
    return ImageData(
        np.ma.MaskedArray(values, mask=np.isnan(values)), bounds=grid.bounds, crs=grid.crs,
        band_names=[name], band_descriptions=[name], nodata=np.nan,
    )  # fmt: skip


def error_layers(reader: ArchiveReader, grid: Grid, bands: Sequence[str]) -> Errors:
    """Expected error of each band, in stored numbers, of the block or the clouds that a pixel lies in.

    Returns:
        (bands, y, x), NaN outside the scene and where a block has no valid pixel.

    Raises:
        NotFoundError: If the archive carries no certificate.
        BoundError: If the reader's budget does not suffice.
    """
    archive = reader.archive
    certificate = certificate_of(archive)
    out = np.full((len(bands), grid.height, grid.width), np.nan, np.float32)
    for group in archive.groups.values():
        indexes = {band.name: index for index, band in enumerate(group.bands)}
        rows = [row for row, name in enumerate(bands) if name in indexes]
        source = find_source(group, grid) if rows else None
        if source is None:
            continue
        reader.budget.warp(
            (source.window.height * source.window.width + grid.height * grid.width) * len(rows)
        )
        native = group.levels[0]
        shift = source.level.number + source.reduce
        y = (source.window.row + np.arange(source.window.height) << shift) // native.block
        x = (source.window.col + np.arange(source.window.width) << shift) // native.block
        errors = certificate.groups[group.name].expected(*native.grid)
        chosen = errors[[indexes[bands[row]] for row in rows]]
        out[rows] = warp(chosen[:, y][:, :, x], source, group.crs, grid, "nearest")
    if archive.clouds is not None:
        cloud = classes_on(reader, grid) == CLOUD
        out[:, cloud] = _cloud_errors(archive, bands)[:, None]
    return out


def _cloud_errors(archive: Archive, bands: Sequence[str]) -> Errors:
    """RMSE of each band in clouds that were coded apart, (bands,), NaN where it has no pixel there."""
    known = archive.clouds.rmse if archive.clouds else {}
    return np.array([math.nan if (rmse := known.get(band)) is None else rmse for band in bands], np.float32)


def point_errors(reader: ArchiveReader, lon: float, lat: float, bands: Sequence[str]) -> Errors | None:
    """Expected error of each band at a position, (bands,) in stored numbers, or None where it is unknown."""
    archive = reader.archive
    if archive.certificate is None:
        return None
    if archive.clouds is not None and class_at(reader, lon, lat) == CLOUD:
        return _cloud_errors(archive, bands)
    out = np.full(len(bands), np.nan, np.float32)
    for group in archive.groups.values():
        window = pixel_at(group, lon, lat)
        if window is None:
            continue
        native = group.levels[0]
        errors = archive.certificate.groups[group.name].expected(*native.grid)
        for index, band in enumerate(group.bands):
            if band.name in bands:
                out[bands.index(band.name)] = errors[
                    index, window.row // native.block, window.col // native.block
                ]
    return out


def mean_errors(
    reader: ArchiveReader, bands: Sequence[str], valid: NDArray[np.bool_], grid: Grid, share: float = 1.0
) -> Errors:
    """Standard uncertainty that coding adds to the mean of each band over an area: see `mean_error`.

    Where clouds were coded more coarsely, the mean is one of ground and one of clouds together. That of
    clouds is at least as uncertain as one of 32×32 pixels, in a step longer by the root of what their squared
    errors counted less: nothing keeps errors of their tiles apart.

    Args:
        reader: Of the scene.
        bands: Its bands. Errors of different ones are to be taken as uncorrelated.
        valid: (y, x) pixels of the grid that the mean is of; the others count as masked.
        grid: That the bands have been read on. Where its pixels are larger than native ones, what lies within
            3 native pixels of a masked one is rounded up to whole pixels.
        share: Of the pixels, that count as the mean is one of power: see `weighing_shares`.

    Returns:
        (bands,) in stored numbers, NaN without a valid pixel and outside the scene.
    """
    archive = reader.archive
    cloudy = _cloudiness(reader, valid, grid)
    out = np.full(len(bands), np.nan, np.float32)
    for name, group in archive.groups.items():
        rows = [
            (row, band) for band in range(len(group.bands)) for row in _rows(bands, group.bands[band].name)
        ]
        source = find_source(group, grid) if rows else None
        if source is None:
            continue
        native = group.levels[0]
        # of a coarse grid only what was read counts, of one finer than the scene's each pixel once
        side = min(
            2.0 ** (source.level.number + source.reduce),
            grid.pixel_size / pixel_size(native.transform, group.crs),
        )
        near = near_masked(valid, max(1, math.ceil(NEAR_PIXELS / side)))
        pixels = np.count_nonzero(valid) * side**2 * share
        grain = 0.0 if native.dtype.kind == "f" else 1.0
        for row, band in rows:
            rmse = archive.certificate.groups[name].rmse[band] if archive.certificate else math.inf
            factors = archive.means[name][band]
            ground = mean_error(pixels * (1 - cloudy), native.step, factors, near, float(rmse), grain)
            out[row] = ground
            if archive.clouds is not None and cloudy:
                rmse = np.nan_to_num(_cloud_errors(archive, [bands[row]])[0], nan=math.inf)
                step = native.step / math.sqrt(archive.clouds.weight)
                most = min(pixels * cloudy, _CLOUD_PIXELS)
                clouds = mean_error(most, step, factors, near, float(rmse), grain)
                out[row] = math.hypot(cloudy * clouds, (1 - cloudy) * ground if cloudy < 1 else 0.0)
    return out


def weighing_shares(image: ImageData, plan: PixelPlan) -> list[float]:
    """Share of the valid pixels of each result that its mean effectively is of.

    In a mean of power each pixel counts by its power: where towns stand in a plain, a few make up the mean,
    and their errors do not cancel. So many pixels of one power have the same variance of their mean, for
    errors in decibels that are alike and independent: (Σ p)² / (N Σ p²).

    Args:
        image: As `read_pixels` returns it.
        plan: By which it was read.
    """
    out = []
    for values, scale in zip(image.array, plan.reduction.scales, strict=True):
        power = np.empty(0) if scale is None else to_power(values.compressed() * scale[0] + scale[1])
        squares = float(np.square(power, dtype=np.float64).sum()) * power.size
        out.append(float(power.sum(dtype=np.float64)) ** 2 / squares if squares > 0 else 1.0)
    return out


def _cloudiness(reader: ArchiveReader, valid: NDArray[np.bool_], grid: Grid) -> float:
    """Share of valid pixels that lie in clouds, if these were coded more coarsely."""
    if reader.archive.clouds is None or not valid.any():
        return 0.0
    return float((classes_on(reader, grid)[valid] == CLOUD).mean())


def _rows(bands: Sequence[str], name: str) -> list[int]:
    return [row for row, band in enumerate(bands) if band == name]


def near_masked(valid: NDArray[np.bool_], distance: int) -> float:
    """Share of valid pixels within a distance, in rows and columns, of one that is not."""
    count = int(np.count_nonzero(valid))
    if count in (0, valid.size):
        return 0.0
    near = ~valid
    for axis in range(2):
        sides = [(0, 0), (0, 0)]
        sides[axis] = (distance, distance)
        shifted = sliding_window_view(np.pad(near, sides), 2 * distance + 1, axis)
        near = np.asarray(shifted.any(axis=-1))
    return float(np.count_nonzero(near & valid)) / count


def correlation(archive: Archive, bands: Sequence[str]) -> NDArray[np.float32]:
    """Correlation of bands' errors: as certified within a group, otherwise taken as 0."""
    out = np.eye(len(bands), dtype=np.float32)
    for name, group in archive.groups.items():
        certified = archive.certificate.groups[name].correlation if archive.certificate else None
        if certified is None:
            continue
        indexes = {band.name: index for index, band in enumerate(group.bands)}
        rows = [row for row, band in enumerate(bands) if band in indexes]
        inside = [indexes[bands[row]] for row in rows]
        out[np.ix_(rows, rows)] = certified[np.ix_(inside, inside)]
    return out


def result_errors(reader: ArchiveReader, grid: Grid, plan: PixelPlan) -> Errors:
    """Expected errors of the results of a plan's expression: (results, y, x), NaN where they are not known.

    Args:
        reader: Of the scene.
        grid: Where the pixels go.
        plan: With an expression.

    Raises:
        NotFoundError: If the archive carries no certificate.
        BoundError: If the reader's budget does not suffice.
    """
    certificate_of(reader.archive)
    if plan.expression is None:
        raise ValueError("the errors of bands are in error_layers")
    place = surroundings(reader.archive, grid, plan.expression, plan.bands)
    reader.budget.compute(place.grid.height * place.grid.width * plan.expression.terms * 3)
    scales = np.array([band.scale if plan.physical else 1.0 for band in plan.sources], np.float32)
    offsets = np.array([band.offset if plan.physical else 0.0 for band in plan.sources], np.float32)
    read = np.ma.filled(reader.read(place.grid, plan.bands, plan.resampling).array.astype(np.float32), np.nan)
    values = read * scales[:, None, None] + offsets[:, None, None]
    errors = error_layers(reader, place.grid, plan.bands) * scales[:, None, None]
    found = propagate(
        plan.expression, dict(zip(plan.bands, values, strict=True)), errors,
        correlation(reader.archive, plan.bands), place.pixel,
    )  # fmt: skip
    return place.cut(found, grid)


def certificate_of(archive: Archive) -> Certificate:
    """An archive's certificate.

    Raises:
        NotFoundError: If it has none.
    """
    if archive.certificate is None:
        raise NotFoundError(
            archive.damaged.get("certificate")
            or archive.damaged.get("clouds")
            or f"{archive.id} carries no quality certificate, so its errors are unknown; "
            "archives compressed by this version carry one unless they are very small"
        )
    return archive.certificate
