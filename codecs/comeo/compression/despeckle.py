"""Speckle of radar filtered before it is coded, where that is asked for: `lee`.

Lee's filter (IEEE PAMI 2(2), 1980): a pixel is drawn to the mean of the 7 × 7 around it, all the way where
they vary no more than speckle does, not at all where far more. How much speckle varies is measured on the
scene. Means of power stay what they are, and point targets, 8 dB above what surrounds them, are left as they
are and count for nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.archive.model import BLOCK
from comeo.compression.points import window_sums
from comeo.decibel import to_decibels, to_power, uses_power
from comeo.errors import SourceError
from comeo.scene import BandGroup, Pixels, Scene, Window

LEE: Final = "lee"
METHODS: Final = (LEE,)
PROPERTY: Final = "comeo:despeckle"

_RADIUS: Final = 3  # of the window of 7 × 7
_SURROUND: Final = 7  # of the window of 15 × 15 that points stand out of …
_CORE: Final = 1  # … without the 3 × 3 that are the point's own
_POINT: Final = 10.0**0.8  # 8 dB
_HALO: Final = _RADIUS + _SURROUND
_CELL: Final = 16
_LEAST_VALID: Final = 0.75
_SAMPLE_BLOCKS: Final = 48
_LOOKS: Final = (1.0, 100.0)
_BINS_AN_OCTAVE: Final = 4

Power = NDArray[np.float64]


def check_despeckle(method: str | None) -> None:
    """Refuse a filter that there is not.

    Raises:
        SourceError: Saying which there are.
    """
    if method not in (None, *METHODS):
        raise SourceError(f"despeckle is {' or '.join(METHODS)}, or left out, not {str(method)[:40]!r}")


def despeckled(scene: Scene, method: str | None) -> Scene:
    """The scene with its speckle filtered where it is read, and the STAC Item property that says so.

    Args:
        scene: The scene, its bands in decibels in groups of their own; others stay as they are.
        method: One of `METHODS`, or None: the scene itself is returned.

    Raises:
        SourceError: If no band is in decibels, or too few pixels are valid to measure speckle on.
    """
    check_despeckle(method)
    if method is None:
        return scene
    if not any(uses_power(group.bands) for group in scene.groups):
        raise SourceError(
            f"{scene.id} has no band of radar backscatter in decibels, whose speckle {method} filters; leave "
            "despeckle (--despeckle) out"
        )
    groups: list[BandGroup] = []
    looks: dict[str, float] = {}
    for group in scene.groups:
        if uses_power(group.bands):
            own = Lee(group, tuple(_looks(scene, group, band) for band in range(len(group.bands))))
            looks |= {band.name: each for band, each in zip(group.bands, own.looks, strict=True)}
            groups.append(replace(group, read=own.read))
        else:
            groups.append(group)
    stated = {"filter": method, "window": 2 * _RADIUS + 1, "looks": looks}
    return replace(scene, groups=tuple(groups), properties={**scene.properties, PROPERTY: stated})


@dataclass(frozen=True)
class Lee:
    """The filter of one group.

    Whatever window is read, its pixels are the same: they are made of whole blocks and what lies around them.

    Attributes:
        group: Its pixels are decibels.
        looks: Of each band, the equivalent number of looks of its speckle.
    """

    group: BandGroup
    looks: tuple[float, ...]

    def read(self, window: Window) -> Pixels:
        """The filtered pixels of a window that lies inside the grid."""
        whole = _grown(_blocks_around(window, self.group), _HALO, self.group)
        source = self.group.read(whole)
        values = source.values.copy()
        for block in _blocks(window, self.group):
            near = _within(_grown(block, _HALO, self.group), whole)
            inner = _within(block, _grown(block, _HALO, self.group))
            for band, looks in enumerate(self.looks):
                valid = source.valid[band, *near.slices]
                power = np.where(valid, to_power(source.values[band, *near.slices]), 0)
                found = to_decibels(
                    lee(power.astype(np.float64), valid, looks, inner.slices).astype(np.float32)
                )
                target = (band, *_within(block, whole).slices)
                values[target] = np.where(source.valid[target], found, values[target])
        asked = (slice(None), *_within(window, whole).slices)
        return Pixels(values[asked], source.valid[asked])


def lee(
    power: Power, valid: NDArray[np.bool_], looks: float, inner: tuple[slice, slice] = (slice(None),) * 2
) -> Power:
    """Filter a plane of power.

    Args:
        power: (y, x), 0 where invalid.
        valid: (y, x).
        looks: Equivalent number of looks of its speckle.
        inner: The part that is wanted; the mean power of its valid pixels stays what it is.

    Returns:
        That part.
    """
    surround = window_sums(power, _SURROUND) - window_sums(power, _CORE)
    around = window_sums(valid, _SURROUND) - window_sums(valid, _CORE)
    points = valid & (power * around > _POINT * surround) & (around > 0)
    even = valid & ~points
    count = np.maximum(window_sums(even, _RADIUS), 1)
    mean = window_sums(power * even, _RADIUS) / count
    variance = np.maximum(window_sums(power**2 * even, _RADIUS) / count - mean**2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.clip(1 - mean**2 / (looks * variance), 0, 1)
    filtered = mean + np.where(variance > 0, weight, 0) * (power - mean)
    power, filtered, even = power[inner], filtered[inner], even[inner]
    total = float((filtered * even).sum())
    factor = float((power * even).sum()) / total if total > 0 else 1.0
    return np.where(even, filtered * factor, power)


def looks_of(cells: Iterable[Power]) -> float:
    """Equivalent number of looks of even ground: the most frequent mean² / variance of cells.

    Args:
        cells: (n, _CELL, _CELL) power, or several of these; NaN where invalid; at least one cell.
    """
    every = [(np.nanmean(each, (1, 2)), np.nanvar(each, (1, 2))) for each in cells]
    mean, variance = (np.concatenate(part) for part in zip(*every, strict=True))
    ratio = mean**2 / np.maximum(variance, mean**2 / _LOOKS[1])
    bins = round(_BINS_AN_OCTAVE * math.log2(_LOOKS[1] / _LOOKS[0]))
    edges = np.geomspace(*_LOOKS, bins + 1)
    counts = np.histogram(np.clip(ratio, *_LOOKS), edges)[0]
    most = int(np.convolve(counts, (1, 2, 1), "same").argmax())
    near = ratio[(ratio >= edges[max(0, most - 1)]) & (ratio <= edges[min(bins, most + 2)])]
    return float(round(np.median(near), 2))


def _looks(scene: Scene, group: BandGroup, band: int) -> float:
    """Looks of a band of a group, on blocks that lie evenly over it."""
    rows, cols = -(-group.height // BLOCK), -(-group.width // BLOCK)
    chosen = np.unique(np.linspace(0, rows * cols - 1, min(rows * cols, _SAMPLE_BLOCKS)).round().astype(int))
    cells = []
    for row, col in (divmod(int(number), cols) for number in chosen):
        pixels = group.read(_block(row, col, group))
        values = np.where(pixels.valid[band], pixels.values[band], np.nan)
        power = to_power(values).astype(np.float64)
        height, width = (side - side % _CELL for side in power.shape)
        cut = power[:height, :width].reshape(height // _CELL, _CELL, width // _CELL, _CELL)
        each = cut.swapaxes(1, 2).reshape(-1, _CELL, _CELL)
        cells.append(each[np.isfinite(each).mean((1, 2)) >= _LEAST_VALID])
    if not any(len(each) for each in cells):
        name = group.bands[band].name
        raise SourceError(
            f"{scene.id} has nowhere {_CELL} × {_CELL} pixels of {name} that are valid for the most, "
            "which its speckle is measured on; leave despeckle (--despeckle) out"
        )
    return looks_of(cells)


def _blocks(window: Window, group: BandGroup) -> Iterator[Window]:
    """The blocks of a group's grid that a window touches."""
    for row in range(window.row // BLOCK, -(-(window.row + window.height) // BLOCK)):
        for col in range(window.col // BLOCK, -(-(window.col + window.width) // BLOCK)):
            yield _block(row, col, group)


def _block(row: int, col: int, group: BandGroup) -> Window:
    top, left = row * BLOCK, col * BLOCK
    return Window(top, left, min(BLOCK, group.height - top), min(BLOCK, group.width - left))


def _blocks_around(window: Window, group: BandGroup) -> Window:
    """The least window of whole blocks around another."""
    blocks = list(_blocks(window, group))
    first, last = blocks[0], blocks[-1]
    return Window(first.row, first.col, last.row + last.height - first.row, last.col + last.width - first.col)


def _grown(window: Window, halo: int, group: BandGroup) -> Window:
    """A window and what lies around it, as far as the grid goes."""
    top, left = max(0, window.row - halo), max(0, window.col - halo)
    bottom = min(group.height, window.row + window.height + halo)
    right = min(group.width, window.col + window.width + halo)
    return Window(top, left, bottom - top, right - left)


def _within(window: Window, other: Window) -> Window:
    """A window, counted from the corner of another one."""
    return Window(window.row - other.row, window.col - other.col, window.height, window.width)
