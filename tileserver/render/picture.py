"""From values to colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from tileserver.render.look import Look, formula, palette

# Index 0 of a palette image is its transparent pixels.
FIRST_COLOUR = 1


def mask_of(image: ImageData) -> NDArray[np.bool_]:
    """(bands, y, x), true where invalid."""
    return np.ma.getmaskarray(image.array)


def observe(image: ImageData, look: Look) -> ImageData:
    """Make stored numbers what a look wants: physical values, results of an expression.

    Args:
        image: `look.bands` as stored.
        look: What to make of them.

    Returns:
        As stored, or float32.
    """
    if not look.physical and not look.expression:
        return image
    values = image.data.astype(np.float32)
    if look.physical:
        for row, (scale, offset) in enumerate(zip(image.scales, image.offsets, strict=True)):
            if (scale, offset) != (1.0, 0.0):
                values[row] *= np.float32(scale)
                values[row] += np.float32(offset)
    values[mask_of(image)] = np.nan
    names, descriptions = image.band_names, image.band_descriptions
    if look.expression:
        values = look.expression.evaluate(dict(zip(names, values, strict=True)))
        names = descriptions = look.expression.names
    return ImageData(
        np.ma.MaskedArray(values, mask=np.isnan(values)), bounds=image.bounds, crs=image.crs,
        band_names=names, band_descriptions=descriptions, nodata=np.nan,
    )  # fmt: skip


def colour(image: ImageData, look: Look) -> ImageData:
    """Make values colours.

    Args:
        image: What `observe` returned.
        look: With a `rescale`, or the image is returned as it is.

    Returns:
        uint8, one band (grey, or an index from `FIRST_COLOUR` into `palette_of(look)`) or three; a pixel is
        masked when any of its values is.
    """
    if look.rescale is None:
        return image
    lowest = FIRST_COLOUR if look.colormap else 0
    values = np.empty(image.array.shape, np.uint8)
    for row, (low, high) in enumerate(look.rescale):
        values[row] = _stretched(image.data[row], low, high, lowest)
    invalid = mask_of(image).any(axis=0)
    if look.color_formula:
        values = _formulated(values, look.color_formula)
    if invalid.any():
        values[:, invalid] = 0
    mask = np.broadcast_to(invalid, values.shape)
    return ImageData(np.ma.MaskedArray(values, mask=mask), bounds=image.bounds, crs=image.crs)


def palette_of(look: Look) -> NDArray[np.uint8] | None:
    """(256, 4) colours by index, of which 0 is transparent, or None without a colour map."""
    if not look.colormap:
        return None
    steps = np.rint(np.linspace(0, 255, 256 - FIRST_COLOUR)).astype(int)
    transparent = np.zeros((FIRST_COLOUR, 4), np.uint8)
    colours: NDArray[np.uint8] = np.vstack([transparent, palette(look.colormap)[steps]])
    return colours


def _stretched(values: NDArray[Any], low: float, high: float, lowest: int) -> NDArray[np.float32]:
    scale = np.float32((255 - lowest) / (high - low))
    out = values.astype(np.float32)
    out -= np.float32(low)
    out *= scale
    out += np.float32(lowest + 0.5)
    np.fmax(out, np.float32(lowest), out=out)
    np.minimum(out, np.float32(255), out=out)
    return out


def _formulated(values: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    scaled = values / 255.0
    for operation in formula(text):
        scaled = operation(scaled)
    return np.clip(np.rint(scaled * 255), 0, 255).astype(np.uint8)
