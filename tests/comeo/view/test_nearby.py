"""Masks that look around, against the same told pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from comeo.missions.clear import CLOUD, CLOUDY, NODATA, SHADOW, THIN, Classes, ClearMask
from comeo.view.nearby import kept, margin_of

SIZE = 60.0


@pytest.mark.parametrize(
    ("buffer", "share"), [(0.0, 0.3), (60.0, None), (80.0, None), (200.0, None), (130.0, 0.2)]
)
def test_pixel_by_pixel(buffer: float, share: float | None) -> None:
    rng = np.random.default_rng(3)
    classes = rng.choice([0, 1, 2, 4, 5, 6], (40, 44), p=[0.1, 0.6, 0.15, 0.05, 0.05, 0.05]).astype(np.uint8)
    classes[:, 30:] = 6
    mask = ClearMask((1, 2), buffer, share)
    margin = margin_of(mask, SIZE)
    wide = np.pad(classes, margin)
    found = kept(wide, mask, SIZE)
    assert found.shape == classes.shape
    assert 0 < found.sum() < found.size
    for row, col in np.ndindex(*classes.shape):
        assert found[row, col] == _by_hand(classes, row, col, mask), (row, col)


def _by_hand(classes: Classes, row: int, col: int, mask: ClearMask) -> bool:
    if classes[row, col] not in mask.numbers:
        return False
    rows, cols = np.indices(classes.shape)
    away = np.hypot(rows - row, cols - col) * SIZE
    if np.isin(classes[away < mask.buffer], (SHADOW, THIN, CLOUD)).any():
        return False
    if mask.cloud_nearby is None:
        return True
    half = round(500 / SIZE)
    near = classes[max(0, row - half) : row + half + 1, max(0, col - half) : col + half + 1]
    clouds, known = np.isin(near, CLOUDY).sum(), (near != NODATA).sum()
    return bool(clouds <= mask.cloud_nearby * known)


def test_what_is_kept_itself_is_not_kept_away_from() -> None:
    classes = np.full((9, 9), 1, np.uint8)
    classes[4, 4] = SHADOW
    shadow_too = ClearMask((1, SHADOW), 100.0)
    margin = margin_of(shadow_too, SIZE)
    assert margin == math.ceil(100 / SIZE)
    assert kept(classes, shadow_too, SIZE).all()
    assert not kept(classes, ClearMask((1,), 100.0), SIZE).all()
