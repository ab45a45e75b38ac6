"""Curves over the ratio, one picture a metric, one panel a scene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

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
    mpl.rcParams["svg.hashsalt"] = "comeo"  # so that equal figures give equal files
    scenes = list(dict.fromkeys(point.scene for point in points))
    codecs = list(dict.fromkeys(point.codec for point in points))
    files = []
    for metric, title in _TITLES.items():
        figure = Figure(figsize=(4.2 * len(scenes), 3.6), layout="constrained")
        panels = figure.subplots(1, len(scenes), squeeze=False)[0]
        for panel, scene in zip(panels, scenes, strict=True):
            for number, codec in enumerate(codecs):
                curve = [p for p in points if (p.scene, p.codec) == (scene, codec)]
                known = [(p.ratio, getattr(p, metric)) for p in curve if math.isfinite(getattr(p, metric))]
                if known:
                    marker = _MARKERS[number % len(_MARKERS)]
                    panel.plot(*zip(*known, strict=True), marker=marker, markersize=4, label=codec)
            panel.set(title=scene, xlabel="ratio (payloads)", xscale="log")
            panel.set_xticks(RATIOS, [f"×{ratio}" for ratio in RATIOS])
            panel.minorticks_off()
            panel.grid(visible=True, alpha=0.3)
        panels[0].set_ylabel(title)
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize="small")
        for suffix in ("png", "svg"):
            path = folder / f"rate_distortion_{metric}.{suffix}"
            figure.savefig(path, dpi=120, metadata={"Date": None} if suffix == "svg" else None)
            files.append(path)
    return files
