"""Fit the Huffman tables of the `dct` codec: python -m training.huffman_tables DATA_FOLDER.

DATA_FOLDER is the folder with the training scenes named below. Tables and the encoder's choices are fitted in
turns, as in entropy-constrained quantisation (Chou, Lookabaugh and Gray, 1989): code all blocks with the
present tables, count the symbols, make new tables of the counts. Classes find themselves on the way.

The result replaces nothing: archives exist that were written with the tables in the package. New tables need
a new file name and a new payload version.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray

from comeo.codecs.dct import layout
from comeo.codecs.dct.codec import DC_LAMBDA, LAMBDA, transform
from comeo.codecs.dct.huffman import OFFSET_UNIT, SKIP_UNIT, TABLE_FILE, code_lengths
from comeo.codecs.dct.plan import plan
from comeo.codecs.dct.write import write
from comeo.codecs.spectral import fit

BLOCK: Final = 256
ROUNDS: Final = 14
HUFFMAN_ROUNDS: Final = 4
# Steps as multiples of the first component's standard deviation without its DC plane.
RELATIVE_STEPS: Final = (0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
# What is coded together in an archive: all bands, the 10 m bands, the 20 m bands, one band.
SOURCES: Final[tuple[tuple[str, tuple[tuple[int, ...], ...]], ...]] = (
    ("syam_aquileia_S2L2A.tif", (tuple(range(1, 13)), (2, 3, 4, 8), (5, 6, 7, 9, 11, 12))),
    ("syam_sundarbans_S2L2A.tif", (tuple(range(1, 13)), (2, 3, 4, 8), (5, 6, 7, 9, 11, 12))),
    ("italy_north_S2L2A.tif", ((1, 2, 3, 4),)),
    ("austria_fields_S2.tif", ((1, 2, 3, 7), tuple(range(1, 9)))),
    ("india_T44_S2L2A.tif", ((1, 2, 3),)),
    ("demmin_S2.tif", ((1, 2, 3, 4),)),
    ("arosics_ref_S2A_20160608T153121_T33UUU_sub.tif", ((1,),)),
)
BLOCKS_PER_SOURCE: Final = 6

Sample = tuple[NDArray[np.float32], NDArray[np.float32]]


class Fit:
    """Tables in the making.

    Attributes:
        cost: Bits of each symbol: see `Tables.cost`.
        skip_cost: See `Tables`.
        offsets: See `Tables`.
        lengths: Code lengths, once `to_huffman` has made them.
    """

    def __init__(self) -> None:
        self.cost = np.full((layout.TABLES, layout.SYMBOLS), 5, np.float32)
        for first, classes in ((0, layout.AC_CLASSES), (layout.DC_TABLES, layout.DC_CLASSES)):
            for index in range(classes):
                tables = slice(first + index * layout.ZONES, first + (index + 1) * layout.ZONES)
                self.cost[tables] = _first_guess(index / (classes - 1))
        self.skip_cost = np.tile(np.array([0.2, 2.5], np.float32), (layout.CROSS_CONTEXTS, 1))
        self.offsets = np.zeros((layout.AC_CLASSES + layout.DC_CLASSES, 3), np.float32)
        self.lengths = np.zeros(self.cost.shape, np.uint8)
        self._reset()

    def _reset(self) -> None:
        self.histogram = np.zeros(self.cost.shape, np.int64)
        self._shortfall = np.zeros(self.offsets.shape)
        self._levels = np.zeros(self.offsets.shape)

    def code(self, sample: Sample) -> float:
        """Code one block with the present tables, count its symbols, and return its bits."""
        tiles, dc = sample
        zone, dc_zone = layout.zones(tiles.shape[-1]), layout.dc_zones(dc.shape[1])
        planned = plan(
            tiles, dc, self.cost, self.skip_cost, self.offsets, zone, dc_zone, LAMBDA, DC_LAMBDA,
            np.ones(tiles.shape[1:3]),
        )  # fmt: skip
        before = self.histogram.copy()
        write(*planned, zone, dc_zone, np.zeros(self.cost.shape, np.uint16), self.lengths, self.histogram)
        classes, levels, dc_classes, dc_levels = planned
        self._measure(tiles, levels, classes - 1)
        self._measure(dc, dc_levels, np.where(dc_classes > 0, layout.AC_CLASSES + dc_classes - 1, -1))
        return float(((self.histogram - before) * self.cost).sum())

    def _measure(
        self, values: NDArray[np.float32], levels: NDArray[np.int32], rows: NDArray[np.int64]
    ) -> None:
        where = np.nonzero(levels)
        size = np.abs(levels[where])
        index = rows[where[:-1]], np.minimum(size, 3) - 1
        np.add.at(self._shortfall, index, size - np.abs(values[where]))
        np.add.at(self._levels, index, 1)

    def update(self, *, huffman: bool) -> None:
        """Make new tables of the counts, whole bits if `huffman`."""
        self._update_skipping()
        self._sort_classes()
        for first, count, symbols in _families():
            counts = self.histogram[first : first + count, symbols].astype(np.float64)
            prior = counts.sum(axis=0) / max(counts.sum(), 1)
            weights = counts + 2 * prior + 0.02
            if huffman:
                lengths = np.stack([code_lengths(row, layout.CODE_BITS) for row in weights])
                self.lengths[first : first + count, symbols] = lengths
                self.cost[first : first + count, symbols] = lengths
            else:
                self.cost[first : first + count, symbols] = -np.log2(
                    weights / weights.sum(axis=1, keepdims=True)
                )
        known = self._levels > 30
        measured = np.where(known, self._shortfall / np.maximum(self._levels, 1), 0)
        self.offsets = (np.rint(measured * OFFSET_UNIT) / OFFSET_UNIT).astype(np.float32)
        self._reset()

    def _update_skipping(self) -> None:
        amid_empty = self.histogram[layout.CLASS_TABLES : layout.CLASS_TABLES + layout.CROSS_CONTEXTS]
        empty, other = amid_empty[:, 0] + 1.0, amid_empty[:, 1:].sum(axis=1) + 1.0
        bits = -np.log2(np.stack([empty, other], axis=1) / (empty + other)[:, None])
        self.skip_cost = (np.rint(bits * SKIP_UNIT) / SKIP_UNIT).astype(np.float32)
        amid_empty[:, 0] = 0

    def _sort_classes(self) -> None:
        """Number the tiles' classes by how much they hold, as contexts need it."""
        shape = (layout.AC_CLASSES, layout.ZONES, layout.SYMBOLS)
        tiles = self.histogram[: layout.DC_TABLES].reshape(shape)
        order = np.argsort(tiles[..., 1:].sum(axis=(1, 2)) / np.maximum(tiles[..., 0].sum(axis=1), 1))
        self.histogram[: layout.DC_TABLES] = tiles[order].reshape(-1, layout.SYMBOLS)
        contexts = self.histogram[layout.CLASS_TABLES : layout.RUN_TABLES]
        contexts[:, 1 : layout.AC_CLASSES + 1] = contexts[:, 1 + order]
        for values in (self._shortfall, self._levels):
            values[: layout.AC_CLASSES] = values[order]

    def save(self, path: Path) -> None:
        """Write the table file."""
        np.savez_compressed(
            path,
            lengths=self.lengths,
            skip=np.minimum(self.skip_cost * SKIP_UNIT, 255).astype(np.uint8),
            offsets=(self.offsets * OFFSET_UNIT).astype(np.int8),
        )


def _families() -> list[tuple[int, int, slice]]:
    """First table, number of tables and symbols of each kind."""
    contexts = layout.CROSS_CONTEXTS
    classes = slice(0, layout.AC_CLASSES + 1)
    return [
        (0, layout.DC_TABLES, slice(0, layout.SYMBOLS)),
        (layout.DC_TABLES, layout.CLASS_TABLES - layout.DC_TABLES, slice(0, layout.SYMBOLS)),
        (layout.CLASS_TABLES, contexts, slice(1, layout.AC_CLASSES + 1)),
        (layout.CLASS_TABLES + contexts, layout.RUN_TABLES - layout.CLASS_TABLES - contexts, classes),
        (layout.RUN_TABLES, contexts, slice(0, layout.RUNS + 1)),
        (layout.DC_CLASS_TABLES, layout.RANKS, slice(0, layout.DC_CLASSES + 1)),
    ]


def _first_guess(richness: float) -> NDArray[np.float32]:
    """Bits of the symbols of a class: non-zero coefficients are independent and 1 % to 60 % frequlayout."""
    density = 0.01 * 60**richness
    runs = (1 - density) ** layout.RUN_BASE * (1 - (1 - density) ** (1 << layout.RUN_BITS))
    bits = np.empty(layout.SYMBOLS, np.float32)
    bits[0] = -np.log2(min(0.5, 0.02 / density))
    sizes = 0.5 + 2 * (1 - richness) * np.arange(layout.SIZES)
    bits[1:] = (-np.log2(np.maximum(runs, 1e-6))[:, None] + sizes).ravel()
    return bits


def load_samples(folder: Path) -> list[Sample]:
    """Transform blocks of the training scenes at all steps."""
    samples = []
    for name, groups in SOURCES:
        with rasterio.open(folder / name) as source:
            pixels = source.read()
        for bands in groups:
            blocks = _blocks(pixels[np.array(bands) - 1].astype(np.float32))
            for block in blocks[:: max(1, len(blocks) // BLOCKS_PER_SOURCE)]:
                spectral = fit(block)
                tiles, dc = transform(spectral.forward(block), 1.0)
                deviation = float(np.sqrt(np.mean(tiles[0] ** 2)))
                steps = [np.float32(relative * deviation) for relative in RELATIVE_STEPS]
                samples += [(tiles / step, dc / step) for step in steps]
    return samples


def _blocks(pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Whole blocks without nodata; a scene narrower than a block gives what it has."""
    _, height, width = pixels.shape
    corners = [
        (y, x)
        for y in range(0, max(height - BLOCK, 0) + 1, BLOCK)
        for x in range(0, max(width - BLOCK, 0) + 1, BLOCK)
    ]
    blocks = [pixels[:, y : y + BLOCK, x : x + BLOCK] for y, x in corners]
    return [block for block in blocks if (block > 0).all()]


def main() -> None:
    """Fit and save."""
    samples = load_samples(Path(sys.argv[1]))
    fitted = Fit()
    for turn in range(ROUNDS):
        bits = sum(fitted.code(sample) for sample in samples)
        fitted.update(huffman=turn >= ROUNDS - HUFFMAN_ROUNDS)
        sys.stdout.write(f"{turn}: {bits / 8 / len(samples):.1f} bytes a block\n")
    fitted.save(Path(TABLE_FILE))


if __name__ == "__main__":
    main()
