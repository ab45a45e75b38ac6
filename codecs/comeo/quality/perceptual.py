"""LPIPS of a scene's true-colour rendering, from tiles spread over it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from comeo.quality.lpips import SMALLEST, lpips
from comeo.quality.lpips_weights import Weights
from comeo.quality.render import TRUE_COLOUR, physical, rendering_of
from comeo.quality.results import Perceptual
from comeo.quality.strips import Strip
from comeo.scene import BandGroup

TILE: Final = 256
MAX_TILES: Final = 256


class PerceptualDistance:
    """Gathers LPIPS over the strips of the finest group.

    Args:
        group: The finest one.
        weights: Of the network, or None.
        missing: Why there are no weights.
    """

    def __init__(self, group: BandGroup, weights: Weights | None, missing: str) -> None:
        self._group = group
        self._picture = rendering_of(TRUE_COLOUR, group.bands)
        self._missing = "" if weights else missing
        if self._picture is None:
            self._missing = (
                f"{group.name} lacks one of the bands of "
                f"{TRUE_COLOUR.title_in('en')} in {TRUE_COLOUR.value.unit}"
            )
        elif min(group.height, group.width) < SMALLEST:
            self._missing = f"the scene is smaller than {SMALLEST} pixels"
        self._weights = None if self._missing else weights
        tiles = [
            (row, col)
            for row in range(0, group.height, TILE)
            for col in range(0, group.width, TILE)
            if min(group.height - row, group.width - col) >= SMALLEST
        ]
        self._tiles = set(tiles[:: max(1, math.ceil(len(tiles) / MAX_TILES))])
        self._total = self._weight = 0.0
        self._count = 0

    def add(self, strip: Strip) -> None:
        """Measure the chosen tiles that begin in the core of a strip."""
        if self._weights is None or self._picture is None:
            return
        places = list(self._picture.places)
        bands = [self._group.bands[index] for index in places]
        for row, col in sorted(self._tiles):
            if not strip.row <= row < strip.row + strip.height:
                continue
            top = row - strip.row + strip.margin
            window = (slice(top, min(top + TILE, strip.core.stop)), slice(col, col + TILE))
            place = (places, *window)
            pictures = [
                self._picture.brightness(physical(values[place], bands))
                for values in (strip.reference, strip.decoded)
            ]
            valid: NDArray[np.bool_] = np.all(strip.valid[place], axis=0)
            with threadpool_limits(1, user_api="blas"):  # threads cost more than these products
                distance = lpips(pictures[0], pictures[1], self._weights, valid)
            if math.isfinite(distance):
                weight = float(np.count_nonzero(valid))
                self._total, self._weight = self._total + weight * distance, self._weight + weight
                self._count += 1

    def result(self) -> Perceptual:
        """The mean over tiles, each by its valid pixels."""
        if self._weights is None:
            return Perceptual(None, 0, self._missing)
        if not self._count:
            return Perceptual(None, 0, "no tile of the scene has enough valid pixels")
        return Perceptual(self._total / self._weight, self._count, "")
