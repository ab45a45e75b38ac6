"""Windows of a scene worth looking at, and the pixels of both versions in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from comeo.missions import sees_ground
from comeo.quality.cells import CELL
from comeo.quality.cover import KINDS
from comeo.quality.lattice import grid_places
from comeo.quality.results import Evidence
from comeo.scene import Band, BandGroup, Window

SIDE: Final = 7 * CELL  # 224 pixels
_CLOUDS: Final = 2  # the first kinds of ground: cloud and its edge
_WHOLE: Final = 0.95
_MENTIONED: Final = 0.1


@dataclass(frozen=True)
class Crop:
    """A window of the finest grid in both versions.

    Attributes:
        title: Why it is shown.
        window: Where, in pixels of the finest grid.
        rmse: There, in stored numbers of the finest bands.
        ground: (kind, share) of what lies there, the largest first, leaving out what is below a tenth.
        bands: Of all groups.
        reference: (bands, y, x) physical values; coarser bands repeat their pixels.
        decoded: The same of the other version.
        valid: (y, x), where all bands have values.
    """

    title: str
    window: Window
    rmse: float
    ground: tuple[tuple[str, float], ...]
    bands: tuple[Band, ...]
    reference: NDArray[np.float32]
    decoded: NDArray[np.float32]
    valid: NDArray[np.bool_]


def choose_crops(
    evidence: Evidence, original: Sequence[BandGroup], decoded: Sequence[BandGroup]
) -> list[Crop]:
    """A typical window, the worst one of clear ground, and the worst of all, where they are different."""
    rows, cols = evidence.error_map.shape
    side = (min(SIDE // CELL, rows), min(SIDE // CELL, cols))
    squares = window_means(np.nan_to_num(evidence.error_map) ** 2 * evidence.filled, side)
    filled = window_means(evidence.filled, side)
    whole = filled >= _WHOLE * filled.max()
    errors = np.sqrt(squares / np.maximum(filled, 1e-9))
    ground = np.stack(
        [window_means(kind.astype(float), side) for kind in np.moveaxis(evidence.ground_map, 2, 0)]
    )
    total = ground.sum(axis=0)
    cloudy = np.divide(ground[:_CLOUDS].sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    clear = whole & (cloudy < 0.1)
    shown = clear if clear.any() else whole
    median = np.median(errors[shown])
    wanted = [
        ("A typical place", np.where(shown, -np.abs(errors - median), -np.inf)),
        (
            "The worst place with little cloud" if clear.any() and total.any() else "",
            np.where(clear, errors, -np.inf),
        ),
        ("The worst place", np.where(whole, errors, -np.inf)),
    ]
    out: list[Crop] = []
    for title, score in wanted:
        row, col = np.unravel_index(np.argmax(score), score.shape)
        window = _window(original[0], int(row), int(col))
        if title and all(_apart(window, crop.window) for crop in out):
            kinds, rmse = _shares(ground[:, row, col]), float(errors[row, col])
            out.append(Crop(title, window, rmse, kinds, *read_window(original, decoded, window)))
    return out


def crops_at(
    places: Sequence[Crop], evidence: Evidence, original: Sequence[BandGroup], decoded: Sequence[BandGroup]
) -> list[Crop]:
    """The same places in another version of the scene."""
    out = []
    for crop in places:
        row, col = crop.window.row // CELL, crop.window.col // CELL
        cells = (slice(row, row + SIDE // CELL), slice(col, col + SIDE // CELL))
        rmse = float(np.sqrt(np.nanmean(evidence.error_map[cells] ** 2)))
        pixels = read_window(original, decoded, crop.window)
        out.append(Crop(crop.title, crop.window, rmse, crop.ground, *pixels))
    return out


def read_window(
    original: Sequence[BandGroup], decoded: Sequence[BandGroup], window: Window
) -> tuple[tuple[Band, ...], NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """All bands of both versions in a window of the finest grid.

    Returns:
        Bands, original and decoded (bands, y, x), and where all are valid (y, x).
    """
    bands: list[Band] = []
    layers: list[list[NDArray[np.float32]]] = [[], []]
    valid = np.ones((window.height, window.width), np.bool_)
    rows = np.arange(window.row, window.row + window.height)
    cols = np.arange(window.col, window.col + window.width)
    for ours, theirs in zip(original, decoded, strict=True):
        if ours.crs != original[0].crs:
            continue
        y, x = grid_places(original[0], ours, rows, cols)
        y, x = y.clip(0, ours.height - 1), x.clip(0, ours.width - 1)
        there = Window(int(y[0]), int(x[0]), int(y[-1] - y[0]) + 1, int(x[-1] - x[0]) + 1)
        place = np.ix_(y - y[0], x - x[0])
        pair = ours.read(there), theirs.read(there)
        for index, band in enumerate(ours.bands):
            if not sees_ground(band):
                continue
            bands.append(band)
            for layer, pixels in zip(layers, pair, strict=True):
                layer.append((pixels.values[index][place] * band.scale + band.offset).astype(np.float32))
                valid &= pixels.valid[index][place]
    return tuple(bands), np.stack(layers[0]), np.stack(layers[1]), valid


def _shares(pixels: NDArray[np.float64]) -> tuple[tuple[str, float], ...]:
    shares = pixels / max(1.0, pixels.sum())
    return tuple(
        (KINDS[kind].name, float(shares[kind])) for kind in np.argsort(-shares) if shares[kind] >= _MENTIONED
    )


def window_means(plane: NDArray[np.float64], side: tuple[int, int]) -> NDArray[np.float64]:
    """Means over windows of squares.

    Args:
        plane: (rows, cols) of squares, not negative.
        side: Rows and columns of a window.

    Returns:
        (rows − side[0] + 1, cols − side[1] + 1), by the first square of each window; never negative.
    """
    centred = uniform_filter(plane, side, origin=[-(size // 2) for size in side], mode="constant")
    np.maximum(centred, 0, out=centred)  # running sums leave a trace below 0 where there was something before
    return np.asarray(centred[: plane.shape[0] - side[0] + 1, : plane.shape[1] - side[1] + 1], np.float64)


def _window(finest: BandGroup, row: int, col: int) -> Window:
    height, width = min(SIDE, finest.height), min(SIDE, finest.width)
    top, left = min(row * CELL, finest.height - height), min(col * CELL, finest.width - width)
    return Window(top, left, height, width)


def _apart(a: Window, b: Window) -> bool:
    return max(abs(a.row - b.row), abs(a.col - b.col)) >= SIDE // 2
