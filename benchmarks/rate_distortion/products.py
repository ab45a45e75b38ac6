"""Whole products against KLT + x265: bytes at equal PSNR of each group.

Run with: python -m benchmarks.rate_distortion.products [--data FOLDER] [--output FOLDER] [--codec C …].

A product is a window of a scene that nothing was trained on: four bands, and six at half their resolution.
Ours are archives, made and read by the library as anybody's would be; their payload bytes of full size count.
x265 codes the same blocks of 256², each group at one quality, and is given just the PSNR that ours has.
"""

from __future__ import annotations

import csv
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import options
from benchmarks.rate_distortion.equal import RATIOS, AtRatio, Coded, Peer, percent
from benchmarks.rate_distortion.scenes import BLOCK, in_memory
from benchmarks.rate_distortion.singles import Single, measure_singles, singles_table
from comeo.archive import open_archive
from comeo.codecs import codec_names
from comeo.compression import compress
from comeo.metrics import mse, psnr_of
from comeo.scene import BandGroup, Scene, Window, group_name
from comeo.sources import open_source

FINE: Final = ("B02", "B03", "B04", "B08")
COARSE: Final = ("B05", "B06", "B07", "B8A", "B11", "B12")
T32TMT: Final = "scenes/S2A_20190530_T32TMT_L2A_10bands.tif"
R29RKH: Final = "scenes/S2A_29RKH_20200219_0_L2A"
Pixels = NDArray[Any]


class Product(NamedTuple):
    """A window to code.

    Attributes:
        name: As the tables call it.
        ground: What is seen.
        file: Under the data folder.
        row: Of its first pixel in the fine group.
        col: Likewise.
        side: Pixels of the fine group.
    """

    name: str
    ground: str
    file: str
    row: int
    col: int
    side: int = 512


PRODUCTS: Final = (
    Product("T32TMT south-west", "fields, town", T32TMT, 587, 0),
    Product("T32TMT north-east", "forest, clouds", T32TMT, 1, 560),
    Product("T32TMT south-east", "town, clouds", T32TMT, 587, 560),
    Product("29RKH south", "desert", R29RKH, 560, 100),
    Product("29RKH north-east", "desert, clouds", R29RKH, 0, 586),
    Product("Spain", "fields", "scenes/S2_spain_flood_L1C_13bands.tif", 0, 0),
    Product("Lake", "dry land, lake", "scenes/S2_UTM37N_12bands_30m.tif", 0, 0, 256),
)


class Row(NamedTuple):
    """One figure: bytes of a group at a product's ratio, and what x265 needs for its PSNR."""

    product: str
    ground: str
    codec: str
    asked: int
    ratio: float
    group: str
    bytes: int
    psnr: float
    x265_bytes: float


def read_product(folder: Path, product: Product) -> Scene:
    """The two groups of a product in memory.

    Where a source has all bands on the fine grid, every second pixel of the coarse ones is taken.

    Raises:
        ValueError: If a pixel is invalid, or the coarse grid doesn't fit the window.
    """
    with open_source(folder / product.file) as scene:
        fine = next(group for group in scene.groups if FINE[0] in _names(group))
        coarse = next(group for group in scene.groups if COARSE[0] in _names(group))
        window = Window(product.row, product.col, product.side, product.side)
        groups = [_part(fine, FINE, window, 1)]
        if coarse is fine:
            groups.append(_part(fine, COARSE, window, 2))
        else:
            corner = ~coarse.transform @ (fine.transform @ (product.col, product.row))
            col, row = (round(each) for each in corner)
            if max(abs(corner[0] - col), abs(corner[1] - row)) > 1e-6:
                raise ValueError(f"{product.name} does not begin with a pixel of {coarse.name}")
            half = product.side // 2
            groups.append(_part(coarse, COARSE, Window(row, col, half, half), 1))
    return Scene("product", "benchmark", datetime(2020, 1, 1, tzinfo=UTC), tuple(groups))


def _names(group: BandGroup) -> list[str]:
    return [band.name for band in group.bands]


def _part(group: BandGroup, bands: Sequence[str], window: Window, every: int) -> BandGroup:
    places = [_names(group).index(name) for name in bands]
    pixels = group.read(window)
    if not pixels.valid[places].all():
        raise ValueError(f"the window is not wholly valid in {group.name}")
    part = in_memory(group, np.ascontiguousarray(pixels.values[places][:, ::every, ::every]), window)
    transform = part.transform @ part.transform.scale(every)
    return replace(
        part, name=group_name(transform, group.crs), bands=tuple(group.bands[place] for place in places),
        transform=transform,
    )  # fmt: skip


def archives(scene: Scene, codec: str, folder: Path) -> AtRatio:
    """Archives of one product and codec."""
    path = folder / f"{codec}.zarr.zip"

    def code(step: float) -> Coded:
        compress(scene, path, codec=codec, step=step, force=True)
        sizes, errors = [], []
        with open_archive(path) as archive:
            for source in scene.groups:
                level = archive.groups[source.name].levels[0]
                places = [(row, col) for row in range(level.grid[0]) for col in range(level.grid[1])]
                whole = Window(0, 0, source.height, source.width)
                sizes.append(sum(len(each) for each in archive.payloads(level, places) if each))
                errors.append(mse(source.read(whole).values, archive.read(level, whole)))
        return Coded(sizes, errors)

    return AtRatio(scene.raw_bytes, code)


def blocks_of(values: Pixels) -> list[Pixels]:
    """Blocks of 256², or what there is of them, row by row."""
    return [
        np.ascontiguousarray(values[:, row : row + BLOCK, col : col + BLOCK])
        for row in range(0, values.shape[1], BLOCK)
        for col in range(0, values.shape[2], BLOCK)
    ]


def measure(scene: Scene, product: Product, codecs: Sequence[str], say: Callable[[str], object]) -> list[Row]:
    """All figures of one product."""
    values = [group.read(Window(0, 0, group.height, group.width)).values for group in scene.groups]
    peers = [Peer(blocks_of(each)) for each in values]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for codec in codecs:
            curve = archives(scene, codec, Path(folder))
            for asked in RATIOS:
                coded = curve.at_ratio(asked)
                ratio = scene.raw_bytes / sum(coded.bytes)
                for group, peer, size, error in zip(scene.groups, peers, *coded, strict=True):
                    psnr = psnr_of(error)
                    needed = peer.bytes_at(psnr)
                    rows.append(
                        Row(product.name, product.ground, codec, asked, ratio, group.name, size, psnr, needed)
                    )
                say(f"{product.name} | {codec} | ×{ratio:.0f} | {100 * saving(rows[-2:]):+.1f} %")
    return rows


def saving(rows: Sequence[Row]) -> float:
    """Bytes of ours over x265's, less 1: negative where ours needs less."""
    return sum(row.bytes for row in rows) / sum(row.x265_bytes for row in rows) - 1


def products_table(rows: Sequence[Row]) -> str:
    """Savings by product as Markdown, with their mean and the worst of them."""
    codecs = list(dict.fromkeys(row.codec for row in rows))
    columns = [(codec, asked) for codec in codecs for asked in RATIOS]
    lines = ["| product | ground | " + " | ".join(f"{codec} ×{asked}" for codec, asked in columns) + " |"]
    lines.append("|---" * (2 + len(columns)) + "|")
    table: list[list[float]] = []
    for product, ground in dict.fromkeys((row.product, row.ground) for row in rows):
        of_product = [row for row in rows if row.product == product]
        table.append([saving([r for r in of_product if (r.codec, r.asked) == each]) for each in columns])
        lines.append(f"| {product} | {ground} | " + " | ".join(map(percent, table[-1])) + " |")
    for name, of in (("**mean**", statistics.fmean), ("**worst**", max)):
        summed = [percent(of(column)) for column in zip(*table, strict=True)]
        lines.append(f"| {name} | | " + " | ".join(summed) + " |")
    return "\n".join(lines)


def groups_table(rows: Sequence[Row]) -> str:
    """Ratio, PSNR and bytes of each group as Markdown."""
    lines = ["| product | codec | ratio | group | PSNR | bytes | x265 |", "|---" * 7 + "|"]
    lines += [
        f"| {row.product} | {row.codec} | ×{row.ratio:.0f} | {row.group} | {row.psnr:.2f} dB | {row.bytes} | "
        f"{row.x265_bytes:.0f} ({percent(saving([row]))}) |"
        for row in rows
    ]
    return "\n".join(lines)


def page(rows: Sequence[Row], singles: Sequence[Single]) -> str:
    """All tables."""
    parts = [
        "# Whole products and single blocks against KLT + x265",
        "Payload bytes at equal PSNR of each group, over those of x265 (12-bit intra, preset slow, tuned for "
        "PSNR, exact KLT of each block at no cost, parameter sets not counted): negative is smaller. On both "
        "sides blocks of 256².",
        "## Products: four bands, and six at half their resolution",
        products_table(rows),
        "## Single four-band blocks",
        singles_table(singles),
        "## Groups of the products",
        groups_table(rows),
    ]
    return "\n\n".join(parts) + "\n"


def write_rows(path: Path, rows: Sequence[NamedTuple]) -> None:
    """Figures as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows[0]._fields)
        writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows)


def main() -> None:
    """Measure, print, and write benchmarks/results/products.*."""
    parser = options.parser(__doc__)
    parser.add_argument("--codec", nargs="+", default=codec_names())
    parser.add_argument("--product", nargs="+", help="these only")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        sys.stderr.write(line + "\n")

    rows: list[Row] = []
    blocks: list[tuple[str, Pixels]] = []
    for product in PRODUCTS:
        if arguments.product and product.name not in arguments.product:
            continue
        scene = read_product(arguments.data, product)
        rows += measure(scene, product, arguments.codec, say)
        fine = scene.groups[0]
        whole = fine.read(Window(0, 0, fine.height, fine.width)).values
        blocks += [(product.name, block) for block in blocks_of(whole)]
    singles = measure_singles(arguments.data, blocks, arguments.codec, say)
    text = page(rows, singles)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "products.md").write_text(text, encoding="utf-8")
    write_rows(arguments.output / "products.csv", rows)
    write_rows(arguments.output / "single_blocks.csv", singles)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
