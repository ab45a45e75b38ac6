"""Run with: python -m benchmarks.rate_distortion [--data FOLDER] [--output FOLDER] [--quick]."""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.rate_distortion.curves import Curve
from benchmarks.rate_distortion.peers import METHODS
from benchmarks.rate_distortion.seams import seams_table
from benchmarks.rate_distortion.speed import speed_table
from comeo.codecs.base import Block

BLOCK = 256
T32TMT = "scenes/S2A_20190530_T32TMT_L2A_10bands.tif"
FLOOD = "scenes/S2_spain_flood_L1C_13bands.tif"
LAKE = "scenes/S2_UTM37N_12bands_30m.tif"
BELGIUM = "train/belgium_S2L1C.tif"
FOUR = ("B02", "B03", "B04", "B08")
TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
TWELVE = ("B01", *TEN[:8], "B09", *TEN[8:])
# Name, file, bands, ratios, and of how many blocks one is measured.
SETS: tuple[tuple[str, str, tuple[str, ...], tuple[int, ...], int], ...] = (
    ("T32TMT, clouds and Alps, four 10 m bands", T32TMT, FOUR, (25, 50, 100, 250), 2),
    ("Spain, flooded plain, four bands", FLOOD, FOUR, (25, 50, 100, 250), 1),
    ("UTM 37N lake at 30 m, four bands", LAKE, FOUR, (25, 50, 100, 250), 1),
    ("Belgium, four bands (held out of training)", BELGIUM, FOUR, (25, 50, 100, 250), 3),
    ("T32TMT, ten bands on the 10 m grid", T32TMT, TEN, (25, 50, 100, 250), 6),
    ("Spain, twelve bands", FLOOD, TWELVE, (25, 50, 100, 250), 3),
    ("UTM 37N lake at 30 m, twelve bands", LAKE, TWELVE, (25, 50, 100, 250), 1),
)


def read_blocks(path: Path, bands: tuple[str, ...]) -> list[Block]:
    """Whole blocks of some bands, row by row."""
    with rasterio.open(path) as source:
        names = list(source.descriptions)
        pixels: NDArray[np.uint16] = source.read([names.index(band) + 1 for band in bands])
    _, height, width = pixels.shape
    return [
        np.ascontiguousarray(pixels[:, y : y + BLOCK, x : x + BLOCK])
        for y in range(0, height - BLOCK + 1, BLOCK)
        for x in range(0, width - BLOCK + 1, BLOCK)
    ]


def measure_set(blocks: list[Block], ratios: tuple[int, ...]) -> Iterator[tuple[str, list[float]]]:
    """Mean PSNR over blocks of every codec at every ratio."""
    for method in METHODS:
        rows = []
        for block in blocks:
            curve = Curve(method, block)
            rows.append([curve.psnr_at(block.nbytes // ratio) for ratio in ratios])
        yield method.name, [statistics.fmean(column) for column in zip(*rows, strict=True)]


def set_table(
    name: str, path: Path, bands: tuple[str, ...], ratios: tuple[int, ...], every: int
) -> tuple[str, list[list[str]]]:
    """Measure one set: a Markdown table, and the same as rows for CSV."""
    blocks = read_blocks(path, bands)[::every]
    lines = [
        f"### {name}",
        "",
        f"{len(blocks)} blocks of {BLOCK}²; mean over blocks of PSNR in dB at equal bytes of each block.",
        "",
        "| codec | " + " | ".join(f"×{ratio}" for ratio in ratios) + " |",
        "|---" * (len(ratios) + 1) + "|",
    ]
    rows = []
    for method, values in measure_set(blocks, ratios):
        lines.append(f"| {method} | " + " | ".join(_decibels(value) for value in values) + " |")
        rows += [
            [name, method, str(ratio), f"{value:.3f}"] for ratio, value in zip(ratios, values, strict=True)
        ]
        sys.stdout.write(f"{name}: {lines[-1]}\n")
        sys.stdout.flush()
    return "\n".join(lines), rows


def _decibels(value: float) -> str:
    return "not that small" if math.isnan(value) else f"{value:.2f}"


def main() -> None:
    """Measure, print, and write benchmarks/results/rate_distortion.*."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    parser.add_argument("--output", type=Path, default=root / "benchmarks" / "results")
    parser.add_argument("--quick", action="store_true", help="one block a set")
    arguments = parser.parse_args()
    tables, rows = [], [["set", "codec", "ratio", "psnr_db"]]
    for name, file, bands, ratios, every in SETS:
        table, measured = set_table(
            name, arguments.data / file, bands, ratios, 10**6 if arguments.quick else every
        )
        tables.append(table)
        rows += measured
    blocks = read_blocks(arguments.data / T32TMT, FOUR)
    tables += [speed_table(blocks[:4]), seams_table(blocks)]
    page = (
        "# Rate-distortion of single blocks\n\n"
        "Peak 10 000 digital numbers; ratio = bytes of the block as 16-bit integers / payload bytes.\n\n"
    )
    page += "\n\n".join(tables) + "\n"
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "rate_distortion.md").write_text(page, encoding="utf-8")
    with (arguments.output / "rate_distortion.csv").open("w", encoding="utf-8", newline="") as file_:
        csv.writer(file_).writerows(rows)
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
