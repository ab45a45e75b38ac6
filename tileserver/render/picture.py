"""From values to colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.missions.clear import CLASSES
from comeo.view.pixels import mask_of
from tileserver.render.plan import RenderPlan, formula, palette

# Index 0 of a palette image is its transparent pixels.
FIRST_COLOUR = 1
# Of a picture of differences the next two are the lines and the gaps of what may be chance.
_LINE, _GAP, _FIRST_DIFFERENCE = 1, 2, 3
_HATCHING = np.array([(0, 0, 0, 0), (110, 110, 110, 190), (255, 255, 255, 0)], np.uint8)
# Pixels from one line to the next and across one: tiles of 256 and 512 pixels fit together.
_PERIOD, _WIDTH = 8, 2
COVERAGE = np.float32(2)
"""Joint expected errors that a difference has to exceed not to be hatched."""
_CLASS_COLOURS = np.zeros((256, 4), np.uint8)
for _each in CLASSES:  # their numbers begin with 1, too
    _CLASS_COLOURS[_each.number] = (*_each.colour, 255)


def colour(image: ImageData, plan: RenderPlan) -> ImageData:
    """Show values as colours.

    Args:
        image: Values, as `read_pixels` returns them.
        plan: Without a `rescale` the image is returned unchanged.

    Returns:
        uint8, one band (grey, or an index from `FIRST_COLOUR` into `palette_of(plan)`) or three; a pixel is
        masked when any of its values is.
    """
    if plan.rescale is None:
        return image
    if plan.classes:
        classes = image.array.filled(0)
        return ImageData(np.ma.MaskedArray(classes, mask_of(image)), bounds=image.bounds, crs=image.crs)
    if plan.is_hatched:
        return _hatched(image, plan)
    lowest = FIRST_COLOUR if plan.colormap or plan.marks else 0
    values = np.empty(image.array.shape, np.uint8)
    for row, (low, high) in enumerate(plan.rescale):
        values[row] = _stretched(image.data[row], low, high, lowest)
    invalid = mask_of(image).any(axis=0)
    if plan.color_formula:
        values = _formulated(values, plan.color_formula)
    if invalid.any():
        values[:, invalid] = 0
    mask = np.broadcast_to(invalid, values.shape)
    return ImageData(np.ma.MaskedArray(values, mask=mask), bounds=image.bounds, crs=image.crs)


def palette_of(plan: RenderPlan) -> NDArray[np.uint8] | None:
    """(256, 4) colours by index, of which 0 is transparent, or None without a colour map or classes."""
    if plan.classes:
        return _CLASS_COLOURS
    if plan.marks:
        colours: NDArray[np.uint8] = np.zeros((256, 4), np.uint8)
        for mark in plan.marks:
            colours[FIRST_COLOUR + mark.number] = (*mark.colour, 255)
        return colours
    if not plan.colormap:
        return None
    if plan.is_hatched:
        steps = np.rint(np.linspace(0, 255, 256 - _FIRST_DIFFERENCE)).astype(int)
        return np.vstack([_HATCHING, palette(plan.colormap)[steps]])
    steps = np.rint(np.linspace(0, 255, 256 - FIRST_COLOUR)).astype(int)
    transparent = np.zeros((FIRST_COLOUR, 4), np.uint8)
    return np.vstack([transparent, palette(plan.colormap)[steps]])


def painted(image: ImageData, plan: RenderPlan) -> ImageData:
    """Show values as grey, or as red, green and blue where there is a colour map."""
    return painted_rgb(colour(image, plan), plan)


def painted_rgb(image: ImageData, plan: RenderPlan) -> ImageData:
    """Replace the palette indexes that `colour` returns, if any, by red, green and blue."""
    colours = palette_of(plan) if plan.is_picture else None
    if colours is None:
        return image
    index = image.data[0]
    rgb = np.moveaxis(colours[index, :3], -1, 0)
    mask = np.broadcast_to(mask_of(image)[0] | (colours[index, 3] == 0), rgb.shape)
    return ImageData(np.ma.MaskedArray(rgb, mask=mask), bounds=image.bounds, crs=image.crs)


def _hatched(image: ImageData, plan: RenderPlan) -> ImageData:
    """Colour indexes of a difference; what lies within twice its expected error is hatched."""
    low, high = _only_range(plan)
    difference, error = image.data[0], image.data[1]
    invalid = mask_of(image)[0]
    index = _stretched(np.nan_to_num(difference), low, high, _FIRST_DIFFERENCE).astype(np.uint8)
    diagonal = np.add.outer(np.arange(image.height), np.arange(image.width))
    chance = ~(np.abs(difference) > COVERAGE * error)  # what is not known, too
    index[chance] = np.where(diagonal % _PERIOD < _WIDTH, _LINE, _GAP)[chance]
    index[invalid] = 0
    return ImageData(np.ma.MaskedArray(index[None], mask=invalid[None]), bounds=image.bounds, crs=image.crs)


def _only_range(plan: RenderPlan) -> tuple[float, float]:
    if not plan.rescale:
        raise ValueError("a picture of a difference has a range")
    return plan.rescale[0]


def _stretched(values: NDArray[Any], low: float, high: float, lowest: int) -> NDArray[np.float32]:
    out = values.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # a range that is next to nothing
        out -= np.float32(low)
        out *= np.float32((255 - lowest) / (high - low))
        out += np.float32(lowest + 0.5)
    np.fmax(out, np.float32(lowest), out=out)
    np.minimum(out, np.float32(255), out=out)
    return out


def _formulated(values: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    scaled = values / 255.0
    for operation in formula(text):
        scaled = operation(scaled)
    return np.clip(np.rint(scaled * 255), 0, 255).astype(np.uint8)
