"""Curves over the ratio, one picture a metric, one panel a scene."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.rate_distortion.scenes import RATIOS, Point

_TITLES: Final = {
    "psnr_db": "PSNR of all bands, dB",
    "ssim": "SSIM",
    "lpips": "LPIPS of the true-colour picture (less is better)",
    "kmeans8": "pixels in the same of 8 k-means++ classes",
    "ndvi_mae": "mean absolute error of NDVI (less is better)",
}
_MARKERS: Final = "osD^vP*X"


def write_plots(folder: Path, points: Sequence[Point]) -> list[Path]:
    """One PNG and one SVG a metric.

    Args:
        folder: Where to.
        points: Of all curves.

    Returns:
        The files.
    """
    # Equal figures give equal files, and text stays text: an outline of every letter is four times as large.
    mpl.rcParams.update({"svg.hashsalt": "comeo", "svg.fonttype": "none"})
    files = []
    for metric, title in _TITLES.items():
        figure = draw(metric, title, points)
        svg, png = (folder / f"rate_distortion_{metric}.{suffix}" for suffix in ("svg", "png"))
        figure.savefig(svg, metadata={"Date": None})
        pixels = io.BytesIO()
        figure.savefig(pixels, dpi=120)
        Image.open(pixels).convert("RGB").quantize(64).save(png, optimize=True)
        files += [svg, png]
    return files


def draw(metric: str, title: str, points: Sequence[Point]) -> Figure:
    """Curves of one metric, a panel for each scene; a codec has the same look in all."""
    scenes = list(dict.fromkeys(point.scene for point in points))
    codecs = list(dict.fromkeys(point.codec for point in points))
    figure = Figure(figsize=(4.2 * len(scenes), 3.6), layout="constrained")
    panels = figure.subplots(1, len(scenes), squeeze=False)[0]
    shown = {}
    for panel, scene in zip(panels, scenes, strict=True):
        for number, codec in enumerate(codecs):
            curve = [p for p in points if (p.scene, p.codec) == (scene, codec)]
            known = [(p.ratio, getattr(p, metric)) for p in curve if math.isfinite(getattr(p, metric))]
            if known:
                marker, colour = _MARKERS[number % len(_MARKERS)], f"C{number}"
                (shown[codec],) = panel.plot(
                    *zip(*known, strict=True), marker=marker, markersize=4, color=colour
                )
        panel.set(title=scene, xlabel="ratio (payloads)", xscale="log")
        panel.set_xticks(RATIOS, [f"×{ratio}" for ratio in RATIOS])
        panel.minorticks_off()
        panel.grid(visible=True, alpha=0.3)
    figure.suptitle(title)  # not an axis's label: it would be cut where it is longer than the axis
    if shown:
        order = sorted(shown, key=codecs.index)
        handles = [shown[codec] for codec in order]
        figure.legend(handles, order, loc="outside lower center", ncols=4, fontsize="small")
    return figure
