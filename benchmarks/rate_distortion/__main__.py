"""Rate-distortion of blocks and of whole scenes.

Run with: python -m benchmarks.rate_distortion [--data FOLDER] [--output FOLDER] [--codec C] [--quick].
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks import options
from benchmarks.rate_distortion.curves import Curve
from benchmarks.rate_distortion.peers import METHODS, Method
from benchmarks.rate_distortion.plots import write_plots
from benchmarks.rate_distortion.scenes import (
    RATIOS as SCENE_RATIOS,
)
from benchmarks.rate_distortion.scenes import (
    SCENES,
    available_weights,
    bd_table,
    measure_scene,
    points_table,
    read_points,
    windows_text,
    write_points,
)
from benchmarks.rate_distortion.seams import seams_table
from comeo.codecs.base import Block

BLOCK = 256
RATIOS = (25, 50, 100, 250)
T32TMT = "scenes/S2A_20190530_T32TMT_L2A_10bands.tif"
FLOOD = "scenes/S2_spain_flood_L1C_13bands.tif"
LAKE = "scenes/S2_UTM37N_12bands_30m.tif"
BELGIUM = "train/belgium_S2L1C.tif"
FOUR = ("B02", "B03", "B04", "B08")
TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
TWELVE = ("B01", *TEN[:8], "B09", *TEN[8:])
COLUMNS = ("set", "blocks", "codec", "ratio", "psnr_db")


class BlockSet(NamedTuple):
    """Blocks to measure: every so many of a file's.

    Attributes:
        name: As the tables call it.
        file: Under the data folder.
        bands: By their descriptions.
        every: Of how many blocks one is taken.
    """

    name: str
    file: str
    bands: tuple[str, ...]
    every: int


SETS = (
    BlockSet("T32TMT, clouds and Alps, four 10 m bands", T32TMT, FOUR, 2),
    BlockSet("Spain, flooded plain, four bands", FLOOD, FOUR, 1),
    BlockSet("UTM 37N lake at 30 m, four bands", LAKE, FOUR, 1),
    BlockSet("Belgium, four bands (held out of training)", BELGIUM, FOUR, 3),
    BlockSet("T32TMT, ten bands on the 10 m grid", T32TMT, TEN, 6),
    BlockSet("Spain, twelve bands", FLOOD, TWELVE, 3),
    BlockSet("UTM 37N lake at 30 m, twelve bands", LAKE, TWELVE, 1),
)


class Row(NamedTuple):
    """One figure; the fields are COLUMNS."""

    set: str
    blocks: int
    codec: str
    ratio: int
    psnr: float


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


def measure(name: str, blocks: list[Block], method: Method) -> list[Row]:
    """Mean PSNR over blocks of one codec at every ratio."""
    rows = []
    for block in blocks:
        curve = Curve(method, block)
        rows.append([curve.psnr_at(block.nbytes // ratio) for ratio in RATIOS])
    means = [statistics.fmean(column) for column in zip(*rows, strict=True)]
    sys.stdout.write(f"{name} | {method.name} | " + " | ".join(map(_decibels, means)) + "\n")
    sys.stdout.flush()
    return [
        Row(name, len(blocks), method.name, ratio, mean) for ratio, mean in zip(RATIOS, means, strict=True)
    ]


def set_table(name: str, rows: list[Row]) -> str:
    """One set's figures as a Markdown section."""
    lines = [
        f"### {name}",
        "",
        f"{rows[0].blocks} blocks of {BLOCK}²: mean over blocks of PSNR in dB at equal bytes of each block.",
        "",
        "| codec | " + " | ".join(f"×{ratio}" for ratio in RATIOS) + " |",
        "|---" * (len(RATIOS) + 1) + "|",
    ]
    for method in METHODS:
        figures = {row.ratio: row.psnr for row in rows if row.codec == method.name}
        if figures:
            lines.append(f"| {method.name} | " + " | ".join(_decibels(figures[r]) for r in RATIOS) + " |")
    return "\n".join(lines)


def _decibels(value: float) -> str:
    return "not that small" if math.isnan(value) else f"{value:.2f}"


def read_rows(path: Path) -> list[Row]:
    """Figures of an earlier run."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(row["set"], int(row["blocks"]), row["codec"], int(row["ratio"]), float(row["psnr_db"]))
            for row in csv.DictReader(file)
        ]


def whole_scenes(arguments: argparse.Namespace) -> None:
    """Measure whole scenes; write benchmarks/results/rate_distortion_scenes.* and the plots."""
    figures = arguments.output / "rate_distortion_scenes.csv"
    wanted = [method for method in METHODS if arguments.codec in (None, method.name)]
    parts = [part for part in SCENES if arguments.scene in (None, part.name)]
    parts = parts[-1:] if arguments.quick else parts
    again = {(part.name, method.name) for part in parts for method in wanted}
    partial = arguments.codec or arguments.scene
    weights, points = available_weights(), []
    for part in parts:
        ratios = SCENE_RATIOS[:3] if arguments.quick else SCENE_RATIOS
        points += measure_scene(arguments.data, part, wanted, ratios, weights)
    if partial:  # read only now: another run may have added to them
        points += [point for point in read_points(figures) if (point.scene, point.codec) not in again]
    scenes = [part.name for part in SCENES]
    order = [method.name for method in METHODS]
    points.sort(key=lambda point: (scenes.index(point.scene), order.index(point.codec)))
    write_points(figures, points)
    page = (
        "# Rate-distortion of whole scenes\n\n"
        f"{windows_text()} All bands at their native resolution; payload bytes only, at one quality for the "
        "whole window (ours and x265: one step; JPEG 2000: one PSNR; JPEG XL: one distance); figures as "
        "defined in docs/quality.md.\n\n"
    ) + "\n\n".join([bd_table(points, "KLT + JPEG 2000"), points_table(points)])
    (arguments.output / "rate_distortion_scenes.md").write_text(page + "\n", encoding="utf-8")
    write_plots(arguments.output, points)
    sys.stdout.write(page + "\n")


def main() -> None:
    """Measure, print, and write benchmarks/results/rate_distortion.*."""
    parser = options.parser(__doc__)
    parser.add_argument("--codec", help="measure this one only, and take the others from the last run")
    parser.add_argument("--scene", help="of whole scenes this one only, and the others from the last run")
    parser.add_argument("--quick", action="store_true", help="one block a set, one small scene")
    parser.add_argument("--scenes-only", action="store_true", help="leave the blocks out")
    parser.add_argument("--blocks-only", action="store_true", help="leave whole scenes out")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    if arguments.scenes_only:
        whole_scenes(arguments)
        return
    figures = arguments.output / "rate_distortion.csv"
    rows = [row for row in read_rows(figures) if row.codec != arguments.codec] if arguments.codec else []
    for name, file, bands, every in SETS:
        blocks = read_blocks(arguments.data / file, bands)[:: 10**6 if arguments.quick else every]
        for method in METHODS:
            if arguments.codec in (None, method.name):
                rows += measure(name, blocks, method)
    with figures.open("w", encoding="utf-8", newline="") as file_:
        csv.writer(file_).writerows([COLUMNS, *((*row[:4], f"{row.psnr:.3f}") for row in rows)])
    tables = [set_table(each.name, [row for row in rows if row.set == each.name]) for each in SETS]
    blocks = read_blocks(arguments.data / T32TMT, FOUR)
    tables.append(seams_table(blocks))
    page = (
        "# Rate-distortion of single blocks\n\n"
        "Peak 10 000 digital numbers; ratio = bytes of the block as 16-bit integers / payload bytes.\n\n"
    ) + "\n\n".join(tables)
    (arguments.output / "rate_distortion.md").write_text(page + "\n", encoding="utf-8")
    sys.stdout.write(page + "\n")
    if not arguments.blocks_only:
        whole_scenes(arguments)


if __name__ == "__main__":
    main()
