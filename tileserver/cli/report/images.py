"""Arrays as pictures that a page carries in itself."""

from __future__ import annotations

import base64
import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rio_tiler.colormap import cmap

GAIN: Final = 4
# Okabe and Ito's colours, which people who see few colours tell apart, and two more for sixteen at most.
CLASS_COLOURS: Final = (
    "#009e73", "#e69f00", "#56b4e9", "#d55e00", "#f0e442", "#0072b2", "#cc79a7", "#555555",
)  # fmt: skip
_NO_DATA: Final = 255


def data_uri(rgb: NDArray[np.uint8]) -> str:
    """A picture (y, x, 3 or 4) as lossless WebP in a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "WEBP", lossless=True, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture(brightness: NDArray[np.float32], valid: NDArray[np.bool_]) -> str:
    """(3, y, x) of 0 to 1 as colours; white where not valid."""
    return data_uri(_bytes(brightness, valid))


def difference(reference: NDArray[np.float32], decoded: NDArray[np.float32], valid: NDArray[np.bool_]) -> str:
    """Show decoded − reference of pictures (3, y, x) of 0 to 1, GAIN times, around a middle grey."""
    return data_uri(_bytes(np.clip(0.5 + GAIN * (decoded - reference), 0, 1), valid))


def heat(values: NDArray[np.float64], top: float) -> str:
    """(y, x) from 0 (dark) to `top` (bright yellow), in viridis; transparent where NaN."""
    table = np.array([cmap.get("viridis")[index] for index in range(256)], np.uint8)
    known = np.isfinite(values)
    index = np.clip(np.where(known, values, 0) / (top or 1) * 255, 0, 255).astype(np.uint8)
    rgba = table[index]
    rgba[~known, 3] = 0
    return data_uri(rgba)


def heat_colours(count: int) -> list[str]:
    """Colours of `heat` from bottom to top, for a legend."""
    table = cmap.get("viridis")
    return ["#{:02x}{:02x}{:02x}".format(*table[round(i * 255 / (count - 1))][:3]) for i in range(count)]


def classes(labels: NDArray[Any]) -> str:
    """(y, x) class numbers as colours; white where negative."""
    table = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in CLASS_COLOURS], np.uint8)
    rgb = table[np.where(labels < 0, 0, labels) % len(table)]
    rgb[labels < 0] = _NO_DATA
    return data_uri(rgb)


def changed(before: NDArray[Any], after: NDArray[Any]) -> str:
    """Where classes differ: black; light grey where they do not."""
    grey = np.where(before < 0, _NO_DATA, np.where(before == after, 225, 20)).astype(np.uint8)
    return data_uri(np.repeat(grey[:, :, None], 3, axis=2))


def _bytes(brightness: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    rgb = np.rint(255 * brightness).astype(np.uint8).transpose(1, 2, 0).copy()
    rgb[~valid] = _NO_DATA
    return rgb
