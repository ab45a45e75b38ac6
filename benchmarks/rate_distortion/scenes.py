"""Whole scenes at given ratios: every codec and peer, judged by `comeo.quality`.

Blocks of all groups are coded at one quality, found so that the payloads of the whole scene have the ratio.
Payload bytes only, for peers as for ours.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from benchmarks.rate_distortion.peers import Method
from comeo.quality.lpips_weights import Weights, WeightsError, fetch_weights, load_weights
from comeo.quality.qualify import qualify
from comeo.scene import BandGroup, Pixels, Scene, Window
from comeo.sources import open_source

RATIOS: Final = (25, 50, 100, 200, 300)
BLOCK: Final = 256
_ROUNDS: Final = 9
_CLOSE: Final = 0.01


class SceneWindow(NamedTuple):
    """A part of a scene that is coded: whole blocks of its finest group, away from pixels without data."""

    name: str
    file: str
    row: int
    col: int
    blocks: int


SCENES: Final = (
    SceneWindow("T32TMT", "scenes/S2A_20190530_T32TMT_L2A_10bands.tif", 256, 256, 2),
    SceneWindow("Spain", "scenes/S2_spain_flood_L1C_13bands.tif", 0, 0, 2),
    SceneWindow("T33UUU", "scenes/S2A_T33UUU_20170216_L1C_jp2", 0, 0, 3),
    SceneWindow("Lake", "scenes/S2_UTM37N_12bands_30m.tif", 0, 0, 1),
)


def windows_text() -> str:
    """How much of each scene is coded, in a sentence."""
    sizes = [f"{part.name} {part.blocks * BLOCK}² pixels" for part in SCENES]
    return f"Windows of whole blocks without invalid pixels: {', '.join(sizes)}."


class Point(NamedTuple):
    """One figure of a curve; ratio is what was reached, and the rest is NaN where it was not."""

    scene: str
    codec: str
    asked: int
    ratio: float
    psnr_db: float
    ssim: float
    lpips: float
    kmeans8: float
    ndvi_mae: float


@dataclass(frozen=True)
class _Coded:
    size: int
    groups: list[NDArray[Any]]


class SceneCoder:
    """Codes a scene's blocks at one quality, and remembers what it has tried."""

    def __init__(self, method: Method, groups: Sequence[NDArray[Any]]) -> None:
        self._method = method
        self._groups = groups
        self._tried: dict[float, _Coded] = {}

    def at_ratio(self, ratio: float) -> _Coded | None:
        """The scene at the quality whose bytes come closest to a ratio; None if it can't be that small."""
        target = sum(group.size for group in self._groups) * 2 / ratio
        low, high = self._method.low, self._method.high
        for quality, coded in self._tried.items():
            low, high = (max(low, quality), high) if coded.size <= target else (low, min(high, quality))
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            middle = round(middle) if self._method.integer else middle
            size = self._code(middle).size
            if abs(size / target - 1) < _CLOSE or middle in (low, high):
                break
            low, high = (middle, high) if size <= target else (low, middle)
        best = min(self._tried.values(), key=lambda coded: abs(math.log(coded.size / target)))
        return best if abs(math.log(best.size / target)) < 0.1 else None

    def _code(self, quality: float) -> _Coded:
        if quality not in self._tried:
            size, decoded = 0, []
            for group in self._groups:
                out = np.empty_like(group)
                for row in range(0, group.shape[1], BLOCK):
                    for col in range(0, group.shape[2], BLOCK):
                        place = (slice(None), slice(row, row + BLOCK), slice(col, col + BLOCK))
                        coded, pixels = self._method.run(np.ascontiguousarray(group[place]), quality)
                        size += coded
                        out[place] = np.clip(np.rint(pixels), 1, 65_535).astype(group.dtype)
                decoded.append(out)
            self._tried[quality] = _Coded(size, decoded)
        return self._tried[quality]


def read_scene(folder: Path, part: SceneWindow) -> Scene:
    """A part of a scene in memory; coarser groups have the same ground."""
    scene = open_source(folder / part.file)
    finest = scene.groups[0]
    groups = []
    for group in scene.groups:
        factor = round(group.transform.a / finest.transform.a)
        side = BLOCK * part.blocks // factor
        window = Window(part.row // factor, part.col // factor, side, side)
        pixels = group.read(window)
        if pixels.values.shape[1:] != (side, side) or not pixels.valid.all():
            raise ValueError(f"the window of {part.name} is not wholly valid in {group.name}")
        groups.append(in_memory(group, pixels.values, window))
    scene.close()
    return replace(scene, groups=tuple(groups), close=lambda: None)


def in_memory(group: BandGroup, values: NDArray[Any], window: Window | None = None) -> BandGroup:
    """A group over an array (bands, y, x) in which every pixel is valid."""
    everywhere = np.ones(values.shape, bool)

    def read(inside: Window) -> Pixels:
        place = (slice(None), *inside.slices)
        return Pixels(values[place], everywhere[place])

    corner = group.transform @ Affine.translation(window.col, window.row) if window else group.transform
    return replace(
        group, height=values.shape[1], width=values.shape[2], transform=corner, has_nodata=False, read=read
    )


def available_weights() -> Weights | None:
    """The weights of LPIPS, fetched if need be; None, said once, where they are not available."""
    try:
        try:
            return load_weights()
        except WeightsError:
            fetch_weights()
            return load_weights()
    except WeightsError as error:
        sys.stdout.write(f"LPIPS is left out: {error}\n")
        return None


def measure_scene(
    folder: Path, part: SceneWindow, methods: Sequence[Method], ratios: Sequence[int], weights: Weights | None
) -> list[Point]:
    """All curves of one scene."""
    scene = read_scene(folder, part)
    arrays = [group.read(Window(0, 0, group.height, group.width)).values for group in scene.groups]
    raw = sum(array.size for array in arrays) * 2
    points = []
    for method in methods:
        coder = SceneCoder(method, arrays)
        for ratio in ratios:
            coded = coder.at_ratio(ratio)
            if coded is None:
                points.append(Point(part.name, method.name, ratio, *[math.nan] * 6))
                continue
            decoded = [
                in_memory(group, pixels) for group, pixels in zip(scene.groups, coded.groups, strict=True)
            ]
            found = qualify(scene, decoded, weights=weights, classifiers=False)
            clustering, ndvi = found.clustering(8), found.index("NDVI")
            lpips = found.perceptual.lpips
            points.append(
                Point(
                    part.name, method.name, ratio, raw / coded.size, found.scene.psnr, found.scene.ssim,
                    math.nan if lpips is None else lpips, clustering.agreement if clustering else math.nan,
                    ndvi.mae if ndvi else math.nan,
                )
            )  # fmt: skip
            sys.stdout.write(f"{part.name} | {method.name} | ×{ratio} | {found.scene.psnr:.2f} dB\n")
            sys.stdout.flush()
    return points


def bd_rate(anchor: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float:
    """Bjøntegaard's mean difference in rate at equal PSNR, in percent; negative when `other` needs less.

    Bjøntegaard, VCEG-M33, 2001, with piecewise cubic interpolation of log rate over PSNR, as in VCEG-AL22.

    Args:
        anchor: (bytes, PSNR in dB) of each point.
        other: The same of the other codec.

    Returns:
        NaN where the ranges of PSNR don't overlap or a curve has fewer than two points.
    """
    curves = []
    for points in (anchor, other):
        known = sorted((psnr, math.log(rate)) for rate, psnr in points if math.isfinite(psnr))
        if len(known) < 2 or any(a[0] == b[0] for a, b in pairwise(known)):
            return math.nan
        curves.append((known, PchipInterpolator(*zip(*known, strict=True))))
    low = max(known[0][0] for known, _ in curves)
    high = min(known[-1][0] for known, _ in curves)
    if low >= high:
        return math.nan
    means = [float(curve.integrate(low, high)) / (high - low) for _, curve in curves]
    return 100 * (math.exp(means[1] - means[0]) - 1)


def bd_table(points: Sequence[Point], anchor: str) -> str:
    """BD-rate of each codec against one of them, by scene, as a Markdown section."""
    scenes = list(dict.fromkeys(point.scene for point in points))
    codecs = list(dict.fromkeys(point.codec for point in points))

    def curve(scene: str, codec: str) -> list[tuple[float, float]]:
        here = [point for point in points if (point.scene, point.codec) == (scene, codec)]
        return [(1 / point.ratio, point.psnr_db) for point in here if math.isfinite(point.psnr_db)]

    lines = [f"### BD-rate against {anchor}", "", "Bytes at equal PSNR, all bands; negative is better.", ""]
    lines += ["| codec | " + " | ".join(scenes) + " |", "|---" * (len(scenes) + 1) + "|"]
    for codec in codecs:
        figures = [bd_rate(curve(scene, anchor), curve(scene, codec)) for scene in scenes]
        cells = ["–" if math.isnan(figure) else f"{figure:+.1f} %" for figure in figures]
        lines.append(f"| {codec} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def points_table(points: Sequence[Point]) -> str:
    """All figures as a Markdown section for each scene."""
    sections = []
    for scene in dict.fromkeys(point.scene for point in points):
        lines = [f"### {scene}, all bands at native resolution", ""]
        lines += ["| codec | ratio | PSNR | SSIM | LPIPS | same class of 8 | NDVI error |", "|---" * 7 + "|"]
        for point in points:
            if point.scene != scene:
                continue
            if math.isnan(point.ratio):
                lines.append(f"| {point.codec} | ×{point.asked} | not that small | | | | |")
                continue
            cells = (
                f"×{point.ratio:.0f}", f"{point.psnr_db:.2f}", f"{point.ssim:.3f}", f"{point.lpips:.3f}",
                f"{100 * point.kmeans8:.1f} %", f"{point.ndvi_mae:.4f}",
            )  # fmt: skip
            lines.append(f"| {point.codec} | " + " | ".join(cells) + " |")
        sections.append("\n".join(lines).replace("nan %", "–").replace("nan", "–"))
    return "\n\n".join(sections)


def read_points(path: Path) -> list[Point]:
    """Figures of an earlier run; none if there was none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Point(
                row["scene"],
                row["codec"],
                int(row["asked"]),
                *(float(row[name]) for name in Point._fields[3:]),
            )
            for row in csv.DictReader(file)
        ]


def write_points(path: Path, points: Sequence[Point]) -> None:
    """All figures as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Point._fields)
        writer.writerows([(*point[:3], *(f"{value:.6g}" for value in point[3:])) for point in points])
