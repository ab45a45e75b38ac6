"""Presets: which bands of a scene are coded more finely than the others.

Vegetation indices divide by the sum of red and near infrared, of which red is small over plants: an error
there counts several times over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from comeo.errors import SourceError
from comeo.scene import Band, Scene

VEGETATION: Final = "vegetation"
PRESETS: Final = (VEGETATION,)
Weights = tuple[int, ...]

_PLAIN: Final = 16
_RED: Final = 32
_INFRARED: Final = 21  # sixteenths


def check_preset(preset: str | None) -> None:
    """Refuse a preset that there is not.

    Raises:
        SourceError: Saying which there are.
    """
    if preset not in (None, *PRESETS):
        raise SourceError(f"a preset is one of {', '.join(PRESETS)}, not {str(preset)[:40]!r}")


def check_bands(scene: Scene, preset: str | None) -> None:
    """Refuse a preset for a scene whose bands it says nothing of.

    Raises:
        SourceError: If no group has red and near infrared.
    """
    if preset is not None and not any(weights_of(group.bands, preset) for group in scene.groups):
        raise SourceError(
            f"{scene.id} has no red and near infrared bands of one pixel size, which the preset {preset} "
            "codes more finely; leave the preset out"
        )


def weights_of(bands: Sequence[Band], preset: str | None) -> Weights | None:
    """How finely each band of a group is coded, in sixteenths: see `Codec.encode`; None: all alike."""
    names = [band.common_name for band in bands]
    infrared = next((name for name in ("nir", "nir08") if name in names), None)
    if preset is None or infrared is None or "red" not in names:
        return None
    chosen: Mapping[str, int] = {"red": _RED, infrared: _INFRARED}
    return tuple(chosen.get(name, _PLAIN) for name in names)
