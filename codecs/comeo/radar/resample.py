"""Power of an image at places between its samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comeo.compiled import compiled
from comeo.scene import Window


@dataclass(frozen=True, slots=True)
class Image:
    """Calibrated power over a window of an image.

    Attributes:
        window: Which part of the image.
        values: (y, x) float32 power; negative where noise was taken off.
        floor: (y, x) float32: the least power that is told from noise.
        valid: (y, x) bool.
    """

    window: Window
    values: NDArray[np.float32]
    floor: NDArray[np.float32]
    valid: NDArray[np.bool_]


def resample(
    image: Image, lines: NDArray[np.float64], pixels: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Power at places, bilinear.

    Args:
        image: The window, with all samples beside the places.
        lines: (y, x) float64 in the whole image; NaN where there is none.
        pixels: The same of samples.

    Returns:
        Power and floor, both (y, x) float32, NaN where one of the four samples around is not valid or lies
        outside the window. The floor is not yet applied: a floor before a mean would lift it.
    """
    power = np.full(lines.shape, np.nan, np.float32)
    floor = np.full(lines.shape, np.nan, np.float32)
    row, column = image.window.row, image.window.col
    _gather(image.values, image.floor, image.valid, lines, pixels, float(row), float(column), power, floor)
    return power, floor


@compiled
def _gather(
    values: NDArray[np.float32], floors: NDArray[np.float32], valid: NDArray[np.bool_],
    lines: NDArray[np.float64], pixels: NDArray[np.float64], row: float, column: float,
    power: NDArray[np.float32], floor: NDArray[np.float32],
) -> None:  # fmt: skip
    height, width = values.shape
    for y in range(lines.shape[0]):
        for x in range(lines.shape[1]):
            line, pixel = lines[y, x] - row, pixels[y, x] - column
            # Written so that NaN fails, too. The last line and sample are places, though nothing lies behind.
            if not (0 <= line <= height - 1 and 0 <= pixel <= width - 1):
                continue
            top, left = min(int(line), height - 2), min(int(pixel), width - 2)
            if not (
                valid[top, left]
                and valid[top, left + 1]
                and valid[top + 1, left]
                and valid[top + 1, left + 1]
            ):
                continue
            down, right = line - top, pixel - left
            power[y, x] = (1 - down) * (
                (1 - right) * values[top, left] + right * values[top, left + 1]
            ) + down * ((1 - right) * values[top + 1, left] + right * values[top + 1, left + 1])
            floor[y, x] = floors[int(line + 0.5), int(pixel + 0.5)]
