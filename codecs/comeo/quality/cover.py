"""Kinds of ground, by rules on the original's own reflectances: enough to locate errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

from comeo.indicators.catalogue import document
from comeo.indicators.compiled import bound
from comeo.indicators.tree import Name
from comeo.scene import Band

NEEDED: Final = ("B02", "B03", "B04", "B08")
EDGE: Final = 5  # pixels on either side of a cloud's border
UNKNOWN: Final = 255


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of ground.

    Attributes:
        name: For tables.
        rule: In words; the first rule that holds, from the top of the list, decides.
    """

    name: str
    rule: str


KINDS: Final = (
    Kind("cloud edge", f"within {EDGE} pixels of the border of cloud, snow or ice"),
    Kind("cloud, snow or ice", "blue reflectance above 0.2, and at least 0.75 of red"),
    Kind("water", "NDWI above 0 and near infrared below 0.15"),
    Kind("shadow or very dark", "near infrared below 0.1"),
    Kind("vegetation", "NDVI above 0.4"),
    Kind("town, road or rough ground", "red varies by more than a fifth of its mean within 5×5 pixels"),
    Kind("bare or sparse ground", "everything else"),
)
_EDGE_OF_CLOUD, _CLOUD, _WATER, _DARK, _VEGETATION, _TOWN, _BARE = range(len(KINDS))


def places(bands: Sequence[Band]) -> tuple[int, ...] | None:
    """Places of the bands that the rules need, or None if the group lacks one."""
    names = [band.name for band in bands if band.unit == "reflectance"]
    if len(names) < len(bands) or not set(NEEDED) <= set(names):
        return None
    return tuple(names.index(name) for name in NEEDED)


def ground(reflectance: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The kind of ground of each pixel.

    Args:
        reflectance: (4, y, x) of the bands NEEDED.
        valid: (y, x).

    Returns:
        (y, x) places in KINDS, UNKNOWN where not valid.
    """
    blue, _, red, infrared = reflectance
    cloud = valid & (blue > 0.2) & (blue > 0.75 * red)
    side = 2 * EDGE + 1
    border = maximum_filter(cloud, side) & ~minimum_filter(cloud, side)
    mean = uniform_filter(red, 5)
    variance = np.maximum(uniform_filter(red * red, 5) - mean**2, 0)
    rough = variance > (0.2 * mean) ** 2
    rules = (
        border,
        cloud,
        (_index("ndwi", reflectance) > 0) & (infrared < 0.15),
        infrared < 0.1,
        _index("ndvi", reflectance) > 0.4,
        rough,
    )
    out = np.select(rules, range(len(rules)), _BARE).astype(np.uint8)
    out[~valid] = UNKNOWN
    return out


def _index(name: str, reflectance: NDArray[np.float32]) -> NDArray[np.float32]:
    """An index of the bands NEEDED (4, y, x): (y, x)."""
    found = document(name)
    expression = bound(found, {alias: Name(bands[0]) for alias, (_, bands) in found.bands.items()})
    index: NDArray[np.float32] = expression.evaluate(dict(zip(NEEDED, reflectance, strict=True)))[0]
    return index


def kind_of_spectrum(reflectance: NDArray[np.floating]) -> str:
    """Name of the kind that one spectrum of the bands NEEDED falls in, no neighbours looked at."""
    spot = np.asarray(reflectance, np.float32).reshape(4, 1, 1)
    return KINDS[int(ground(spot, np.ones((1, 1), bool))[0, 0])].name


def is_clear_land(kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where indices of vegetation mean something: no cloud nor its edge, no water, no shadow."""
    land: NDArray[np.bool_] = (kinds >= _VEGETATION) & (kinds != UNKNOWN)
    return land
