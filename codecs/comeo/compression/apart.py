"""Bands in decibels, apart from others and as decibels: what a codec needs to keep their power.

Means of decibels are taken in power, and one payload has one way to take them. So bands in decibels make
groups of their own, of float32 numbers that are decibels as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from comeo.decibel import uses_power
from comeo.scene import Band, BandGroup, Pixels, Scene, Window

SUFFIX: Final = "_db"
"""Of the name of a group in decibels, where there are other bands on its grid."""


def with_decibels_apart(scene: Scene) -> Scene:
    """The scene with groups that are in decibels in all their bands, or in none."""
    return replace(scene, groups=tuple(part for group in scene.groups for part in _parts(group)))


def _parts(group: BandGroup) -> list[BandGroup]:
    radar = [uses_power([band]) for band in group.bands]
    if not any(radar):
        return [group]
    if all(radar):
        return [_as_decibels(group)]
    others, own = ([index for index, found in enumerate(radar) if found is kind] for kind in (False, True))
    return [_part(group, group.name, others), _as_decibels(_part(group, group.name + SUFFIX, own))]


def _part(group: BandGroup, name: str, indexes: Sequence[int]) -> BandGroup:
    """Some bands of a group."""

    def read(window: Window) -> Pixels:
        pixels = group.read(window)
        return Pixels(pixels.values[indexes], pixels.valid[indexes])

    return replace(group, name=name, bands=tuple(group.bands[index] for index in indexes), read=read)


def _as_decibels(group: BandGroup) -> BandGroup:
    """A group whose stored numbers are decibels, and float32."""
    scale, offset = (
        np.array([getattr(band, name) for band in group.bands], np.float32)[:, None, None]
        for name in ("scale", "offset")
    )
    if group.dtype == np.float32 and (scale == 1).all() and not offset.any():
        return group

    def read(window: Window) -> Pixels:
        pixels = group.read(window)
        return Pixels(pixels.values.astype(np.float32) * scale + offset, pixels.valid)

    bands: tuple[Band, ...] = tuple(replace(band, scale=1.0, offset=0.0) for band in group.bands)
    return replace(group, bands=bands, dtype=np.dtype(np.float32), read=read)
