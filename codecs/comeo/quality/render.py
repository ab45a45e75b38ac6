"""Pictures of reflectances, defined once: what the viewer shows is what LPIPS measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.scene import Band


@dataclass(frozen=True, slots=True)
class Rendering:
    """Three bands, each from one physical value (black) to another (full), linearly.

    Attributes:
        name: For reports.
        bands: Red, green, blue.
        ranges: (black, full) of each.
    """

    name: str
    bands: tuple[str, str, str]
    ranges: tuple[tuple[float, float], ...]

    def apply(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """(3, y, x) physical values as brightness, 0 to 1."""
        low, high = np.array(self.ranges, np.float32).T[:, :, None, None]
        return np.asarray(np.clip((values - low) / (high - low), 0, 1), np.float32)


TRUE_COLOUR: Final = Rendering("true colour", ("B04", "B03", "B02"), ((0.0, 0.3),) * 3)
FALSE_COLOUR: Final = Rendering("false colour", ("B08", "B04", "B03"), ((0.0, 0.45), (0.0, 0.3), (0.0, 0.3)))
RADAR: Final = Rendering(
    "radar (VV, VH, VV)", ("VV", "VH", "VV"), ((-22.0, 0.0), (-28.0, -6.0), (-22.0, 0.0))
)


def places(rendering: Rendering, bands: Sequence[Band]) -> list[int] | None:
    """Places of a rendering's bands in a group, or None if it lacks one, or they are not physical."""
    names = [band.name if band.unit else "" for band in bands]
    return [names.index(name) for name in rendering.bands] if set(rendering.bands) <= set(names) else None


def physical(values: NDArray[Any], bands: Sequence[Band]) -> NDArray[np.float32]:
    """Stored numbers (bands, y, x) as physical values."""
    scale = np.array([band.scale for band in bands], np.float32)[:, None, None]
    offset = np.array([band.offset for band in bands], np.float32)[:, None, None]
    return np.asarray(values * scale + offset, np.float32)
