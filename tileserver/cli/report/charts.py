"""Charts as data for the template's inline SVG: places are computed here, looks are CSS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 320
HEIGHT: Final = 150
_LEFT: Final = 40
_BOTTOM: Final = 26


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    place: float
    text: str


@dataclass(frozen=True)
class Histogram:
    """Bars of one band's errors: (x, y, width, height) of each, and the marks below."""

    title: str
    summary: str
    bars: list[tuple[float, float, float, float]]
    ticks: list[Tick]
    base: float = HEIGHT - _BOTTOM


@dataclass(frozen=True)
class Spectrum:
    """Two lines, original and decoded: points as SVG writes them."""

    title: str
    summary: str
    original: str
    decoded: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    base: float = HEIGHT - _BOTTOM


def histogram(title: str, summary: str, edges: NDArray[np.float64], counts: NDArray[np.int64]) -> Histogram:
    """Bars of counts between edges in the band's physical unit."""
    top = max(1, int(counts.max()))
    low, high = float(edges[0]), float(edges[-1])
    scale = (WIDTH - 10) / (high - low)
    base = HEIGHT - _BOTTOM
    bars = []
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        height = round(float(count) / top * (base - 6), 1)
        width = round((float(right) - float(left)) * scale - 0.6, 2)
        bars.append((round((float(left) - low) * scale + 5, 1), base - height, width, height))
    step = nice_step(high, 2)
    marks = [step * number for number in range(-2, 3) if low <= step * number <= high]
    return Histogram(
        title, summary, bars, [Tick((mark - low) * scale + 5, _signed(mark, step)) for mark in marks]
    )


def spectrum(
    title: str,
    summary: str,
    positions: Sequence[float],
    names: Sequence[str],
    lines: tuple[NDArray[Any], NDArray[Any]],
) -> Spectrum:
    """Lines over positions (wavelengths, or places of bands), which must be in order."""
    top = max(0.05, float(max(line.max() for line in lines)) * 1.05)
    bottom = min(0.0, float(min(line.min() for line in lines)) * 1.05)
    span = (positions[-1] - positions[0]) or 1.0
    xs = [_LEFT + (position - positions[0]) / span * (WIDTH - _LEFT - 12) for position in positions]
    base = HEIGHT - _BOTTOM

    def y_of(value: float) -> float:
        return base - (value - bottom) / (top - bottom) * (base - 8)

    points = [
        " ".join(f"{x:.1f},{y_of(float(y)):.1f}" for x, y in zip(xs, line, strict=True)) for line in lines
    ]
    step = nice_step(top - bottom, 4)
    first = math.ceil(bottom / step)
    values = [step * (first + number) for number in range(8) if step * (first + number) <= top]
    y_ticks = [Tick(y_of(value), _plain(value, step)) for value in values]
    return Spectrum(title, summary, points[0], points[1], _spread(xs, names), y_ticks)


def nice_step(reach: float, count: int) -> float:
    """1, 2, 5 or 10 times a power of ten, so that about `count` steps make up the reach."""
    if not reach > 0:
        return 1.0
    raw = reach / count
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= 0.75 * raw)


def _spread(xs: Sequence[float], names: Sequence[str], apart: float = 26) -> list[Tick]:
    """Names that don't run into one another."""
    out: list[Tick] = []
    for x, name in zip(xs, names, strict=True):
        if not out or x - out[-1].place >= apart:
            out.append(Tick(x, name))
    return out


def _plain(value: float, step: float) -> str:
    return f"{value:.{max(0, -math.floor(math.log10(step)))}f}"


def _signed(value: float, step: float) -> str:
    text = _plain(abs(value), step)
    return text if not value else f"{'−' if value < 0 else '+'}{text}"
