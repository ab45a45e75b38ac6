"""How far off values may be, by the archive's own certificate: for pixels, expressions, pictures and answers.

An expected error is a root mean squared one: about two of three pixels of noise-like errors lie within it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.archive import Archive, ArchiveGroup
from comeo.archive.certificate import Certificate, GroupErrors
from comeo.errors import BoundError, NotFoundError
from comeo.export.extract import expected_rmse
from comeo.figures import significant
from comeo.grid import Grid
from comeo.metrics import PEAK
from comeo.missions import QUANTITIES
from comeo.scene import Band
from comeo.view.expression import Expression
from comeo.view.reader import ArchiveReader, pixel_at
from comeo.view.warp import find_source, warp
from tileserver.catalog import Record
from tileserver.render.look import Look
from tileserver.render.picture import observe
from tileserver.render.scenes import Scenes

Errors = NDArray[np.float32]
# A derivative is a difference over so much of the expected error to either side: small, but beyond rounding.
DIFFERENCE = np.float32(0.25)


def pixels(reader: ArchiveReader, grid: Grid, look: Look) -> ImageData:
    """What a look wants to see on a grid: values, results of an expression, or expected errors."""
    if look.error:
        return error_image(reader, grid, look.bands)
    return observe(reader.read(grid, look.bands, look.resampling), look)


def error_image(reader: ArchiveReader, grid: Grid, bands: Sequence[str]) -> ImageData:
    """Root mean square over bands of their expected errors, in physical values.

    Raises:
        NotFoundError: If the archive carries no certificate.
        BoundError: If too many pixels would have to be looked at.
    """
    scales = np.array([abs(band.scale) for band in _found(reader.archive, bands)], np.float32)
    squares = (error_layers(reader, grid, bands) * scales[:, None, None]) ** 2
    known = ~np.isnan(squares)
    count = known.sum(axis=0)
    mean = np.where(known, squares, 0).sum(axis=0) / np.maximum(count, 1)
    values = np.where(count > 0, np.sqrt(mean), np.nan).astype(np.float32)[None]
    name = f"expected error of {', '.join(bands)}"
    return ImageData(
        np.ma.MaskedArray(values, mask=np.isnan(values)), bounds=grid.bounds, crs=grid.crs,
        band_names=[name], band_descriptions=[name], nodata=np.nan,
    )  # fmt: skip


def error_layers(reader: ArchiveReader, grid: Grid, bands: Sequence[str]) -> Errors:
    """Expected error of each band, in stored numbers, of the block that a grid's pixel lies in.

    Returns:
        (bands, y, x), NaN outside the scene and where a block has no valid pixel.

    Raises:
        NotFoundError: If the archive carries no certificate.
        BoundError: If too many pixels would have to be looked at.
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
        if source.window.height * source.window.width * len(rows) > reader.max_decoded_samples:
            raise BoundError(
                f"this would look at more than {reader.max_decoded_samples} samples; ask for a smaller area",
                "max_decoded_samples",
            )
        native = group.levels[0]
        shift = source.level.number + source.reduce
        y = (source.window.row + np.arange(source.window.height) << shift) // native.block
        x = (source.window.col + np.arange(source.window.width) << shift) // native.block
        errors = certificate.groups[group.name].expected(*native.grid)
        chosen = errors[[indexes[bands[row]] for row in rows]]
        out[rows] = warp(chosen[:, y][:, :, x], source, group.crs, grid, "nearest")
    return out


def point_errors(archive: Archive, lon: float, lat: float, bands: Sequence[str]) -> Errors | None:
    """Expected error of each band at a position, (bands,) in stored numbers, or None where it isn't known."""
    if archive.certificate is None:
        return None
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


def correlation(archive: Archive, bands: Sequence[str]) -> NDArray[np.float32]:
    """Correlation of bands' errors: as certified within a group, taken as 0 between groups or if not told."""
    out = np.eye(len(bands), dtype=np.float32)
    for name, group in archive.groups.items():
        told = archive.certificate.groups[name].correlation if archive.certificate else None
        if told is None:
            continue
        indexes = {band.name: index for index, band in enumerate(group.bands)}
        rows = [row for row, band in enumerate(bands) if band in indexes]
        inside = [indexes[bands[row]] for row in rows]
        out[np.ix_(rows, rows)] = told[np.ix_(inside, inside)]
    return out


def propagate(
    expression: Expression,
    values: Mapping[str, NDArray[Any]],
    errors: Errors,
    correlated: NDArray[np.float32],
) -> Errors:
    """Expected errors of an expression's results, to first order (the delta method).

    The variance of f(b₁, b₂, …) is Σᵢⱼ (∂f/∂bᵢ) σᵢ ρᵢⱼ σⱼ (∂f/∂bⱼ): JCGM 100:2008 (GUM), equation 16.

    Args:
        expression: What is computed.
        values: (y, x) of each of its bands.
        errors: (bands, y, x) expected errors of `expression.bands`, in the same unit.
        correlated: (bands, bands) correlation of the errors.

    Returns:
        (results, y, x); NaN where a result or an error is not known.
    """
    shape = (len(expression.parts), *errors.shape)
    with np.errstate(all="ignore"):  # what overflows is not known
        shares = np.empty(shape, np.float32)
        for index, name in enumerate(expression.bands):
            step = DIFFERENCE * errors[index]
            above = expression.evaluate({**values, name: values[name] + step})
            below = expression.evaluate({**values, name: values[name] - step})
            shares[:, index] = (above - below) / (2 * DIFFERENCE)
        variance = np.einsum("rixy,ij,rjxy->rxy", shares, correlated, shares, optimize=True)
        errors_of_results: Errors = np.sqrt(np.maximum(variance, 0))
    return errors_of_results


def certificate_of(archive: Archive) -> Certificate:
    """An archive's certificate.

    Raises:
        NotFoundError: If it carries none.
    """
    if archive.certificate is None:
        raise NotFoundError(
            f"{archive.id} carries no quality certificate, so its errors are not known; "
            "archives compressed by this version carry one unless they are very small"
        )
    return archive.certificate


def summary(archive: Archive) -> dict[str, Any] | None:
    """Expected error and its grade, over the bands of the commonest known unit; None if uncertified."""
    if archive.certificate is None:
        return None
    known = [
        (band.unit, float(rmse) * abs(band.scale))
        for name, group in archive.groups.items()
        for band, rmse in zip(group.bands, archive.certificate.groups[name].rmse, strict=True)
        if math.isfinite(rmse)
    ]
    if not known:
        return None
    units = [unit for unit, _ in known]
    unit = max(dict.fromkeys(units), key=units.count)
    error = math.sqrt(sum(value**2 for each, value in known if each == unit) / units.count(unit))
    quantity = QUANTITIES.get(unit)
    grade = quantity.grade(error) if quantity else None
    return {
        "expected_error": significant(error, 3),
        "unit": unit or None,
        "grade": grade.word if grade else None,
        "meaning": grade.meaning if grade else None,
    }


def document(scenes: Scenes, record: Record, *, blocks: bool) -> dict[str, Any]:
    """A scene's certificate, for programs.

    Args:
        scenes: Where to find what.
        record: The scene.
        blocks: Whether to give the figures of every block, too.

    Raises:
        NotFoundError: If the archive carries none.
    """
    with scenes.lease(record) as archive:
        certificate = certificate_of(archive)
        facts = archive.info()
        return {
            "id": record.id, "collection": record.collection, "codec": archive.codec, "model": archive.model,
            "ratio": facts["ratio"], "step": archive.step, "peak": PEAK, "by_block": certificate.by_block,
            "summary": summary(archive),
            "groups": {
                name: _group(group, facts["certificate"]["groups"][name], certificate.groups[name], blocks)
                for name, group in archive.groups.items()
            },
        }  # fmt: skip


def tags(archive: Archive, bands: Sequence[str]) -> dict[str, str]:
    """What a GeoTIFF says of how its pixels were coded."""
    known = {
        "COMEO_CODEC": archive.codec,
        "COMEO_MODEL": archive.model or "",
        "COMEO_RATIO": f"{archive.ratio:.2f}",
        "COMEO_EXPECTED_RMSE": expected_rmse(archive, bands),
    }
    return {name: value for name, value in known.items() if value}


def headers(scenes: Scenes, record: Record, bands: Sequence[str]) -> dict[str, str]:
    """The same as HTTP headers."""
    with scenes.lease(record) as archive:
        return {
            name.title().replace("_", "-").replace("Rmse", "RMSE"): value
            for name, value in tags(archive, bands).items()
        }


def _found(archive: Archive, names: Sequence[str]) -> list[Band]:
    known = {band.name: band for group in archive.groups.values() for band in group.bands}
    return [known[name] for name in names]


def _group(group: ArchiveGroup, figures: dict[str, Any], errors: GroupErrors, blocks: bool) -> dict[str, Any]:
    native = group.levels[0]
    units = {band.name: band for band in group.bands}
    bands = [
        {
            "name": name,
            **known,
            "unit": units[name].unit or None,
            "physical_rmse": known["rmse"] and _short(known["rmse"] * abs(units[name].scale)),
        }
        for name, known in figures["bands"].items()
    ]  # fmt: skip
    told = {
        "rmse": errors.block_rmse, "maximum": errors.block_maximum, "bias": errors.block_bias,
    }  # fmt: skip
    return {
        "psnr": figures["psnr"],
        "bands": bands,
        "correlation": None if errors.correlation is None else np.round(errors.correlation, 2).tolist(),
        "block": native.block,
        "grid": list(native.grid),
        "blocks": {name: _listed(array) for name, array in told.items()} if blocks else None,
    }


def _listed(array: Errors | None) -> Any:
    """Nested lists (band, row, column) with null where a block has no valid pixel."""
    if array is None:
        return None
    return [[[_short(float(value)) for value in row] for row in band] for band in array]


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
