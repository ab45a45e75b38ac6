"""The entrance to pixels: a plan and a grid in, values with a mask out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.grid import Grid
from comeo.view.clear import check_mask, class_image, mask_image
from comeo.view.plan import PixelPlan
from comeo.view.propagation import error_image
from comeo.view.reader import ArchiveReader
from comeo.view.spatial import Surroundings, surroundings


def read_pixels(reader: ArchiveReader, grid: Grid, plan: PixelPlan) -> ImageData:
    """Read a grid: values, results of an expression, expected errors, or classes.

    Args:
        reader: Of the scene that the plan was made for.
        grid: Where the pixels go.
        plan: Bands to read, and the computation.

    Returns:
        (results, y, x), masked where invalid: stored numbers in the bands' own type, otherwise float32.

    Raises:
        BoundError: If the reader's budget does not suffice.
        NotFoundError: If expected errors are wanted of an archive without a certificate, or classes or a mask
            of one that does not say which pixels are clear.
        ArchiveError: If a block is damaged.
    """
    if plan.mask is not None:
        check_mask(reader.archive, plan.mask)  # before any block is decoded
    return mask_image(_unmasked(reader, grid, plan), reader, grid, plan.mask)


def _unmasked(reader: ArchiveReader, grid: Grid, plan: PixelPlan) -> ImageData:
    if plan.classes:
        return class_image(reader, grid)
    if plan.error:
        return error_image(reader, grid, plan.sources)
    if plan.expression is None:
        return observe(reader.read(grid, plan.bands, plan.resampling), plan)
    place = surroundings(reader.archive, grid, plan.expression, plan.bands)
    reader.budget.compute(place.grid.height * place.grid.width * plan.expression.terms)
    found = observe(reader.read(place.grid, plan.bands, plan.resampling), plan, place.pixel)
    return found if place.grid is grid else _cut(found, place, grid)


def _cut(image: ImageData, place: Surroundings, grid: Grid) -> ImageData:
    """The part of an image that is wanted."""
    values = place.cut(image.data, grid)
    return ImageData(
        np.ma.MaskedArray(values, mask=np.isnan(values)), bounds=grid.bounds, crs=grid.crs,
        band_names=image.band_names, band_descriptions=image.band_descriptions, nodata=np.nan,
    )  # fmt: skip


def observe(image: ImageData, plan: PixelPlan, pixel: float = 1.0) -> ImageData:
    """Turn stored numbers into what a plan wants: physical values, or results of an expression.

    Args:
        image: The plan's bands as stored.
        plan: The computation.
        pixel: Native pixels that one of the image's is wide.

    Returns:
        The image itself if nothing is to be computed, otherwise float32.
    """
    if not plan.physical and not plan.expression:
        return image
    values = image.data.astype(np.float32)
    if plan.physical:
        for row, (scale, offset) in enumerate(zip(image.scales, image.offsets, strict=True)):
            if (scale, offset) != (1.0, 0.0):
                values[row] *= np.float32(scale)
                values[row] += np.float32(offset)
    values[mask_of(image)] = np.nan
    names, descriptions = image.band_names, image.band_descriptions
    if plan.expression:
        values = plan.expression.evaluate(dict(zip(names, values, strict=True)), pixel)
        names = descriptions = list(plan.names)
    return ImageData(
        np.ma.MaskedArray(values, mask=np.isnan(values)), bounds=image.bounds, crs=image.crs,
        band_names=names, band_descriptions=descriptions, nodata=np.nan,
    )  # fmt: skip


def mask_of(image: ImageData) -> NDArray[np.bool_]:
    """(bands, y, x), true where invalid."""
    return np.ma.getmaskarray(image.array)
