"""Canonical Huffman codes, limited in length, and the frozen tables of the `dct` codec."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.dct.layout import CODE_BITS

TABLE_FILE: Final = "tables_1.npz"
OFFSET_UNIT: Final = 64
SKIP_UNIT: Final = 16


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables fixed in encoder and decoder of the `dct` codec.

    Attributes:
        lengths: (tables, symbols) uint8 bits of each code, 0 where a symbol does not occur.
        codes: (tables, symbols) uint16.
        lookup: (tables, 2^CODE_BITS) uint16: length × 256 + symbol, 0 where no code fits.
        cost: (tables, symbols) float32, `lengths` as the encoder's estimate of rate.
        skip_cost: (contexts, 2) float32 bits of an empty and a non-empty tile amid empty ones.
        offsets: (classes, 3) float32: how far levels of magnitude 1, 2 and more are decoded below their
        integers.
    """

    lengths: NDArray[np.uint8]
    codes: NDArray[np.uint16]
    lookup: NDArray[np.uint16]
    cost: NDArray[np.float32]
    skip_cost: NDArray[np.float32]
    offsets: NDArray[np.float32]


def build_tables(lengths: NDArray[np.uint8], skip: NDArray[np.uint8], offsets: NDArray[np.int8]) -> Tables:
    """Derive everything from what the table file holds.

    Args:
        lengths: See `Tables`.
        skip: (contexts, 2), `Tables.skip_cost` in 16ths of a bit.
        offsets: (classes, 3), `Tables.offsets` in 64ths of a step.
    """
    codes = np.zeros(lengths.shape, np.uint16)
    lookup = np.zeros((len(lengths), 1 << CODE_BITS), np.uint16)
    for table in range(len(lengths)):
        codes[table] = canonical_codes(lengths[table])
        for symbol in np.flatnonzero(lengths[table]):
            length = int(lengths[table, symbol])
            first = int(codes[table, symbol]) << (CODE_BITS - length)
            lookup[table, first : first + (1 << (CODE_BITS - length))] = length << 8 | symbol
    return Tables(
        lengths.copy(),
        codes,
        lookup,
        lengths.astype(np.float32),
        skip.astype(np.float32) / np.float32(SKIP_UNIT),
        offsets.astype(np.float32) / np.float32(OFFSET_UNIT),
    )


@cache
def frozen_tables() -> Tables:
    """The tables that come with the package."""
    with (
        files("comeo.codecs.dct").joinpath(TABLE_FILE).open("rb") as file,
        np.load(file, allow_pickle=False) as data,
    ):
        return build_tables(data["lengths"], data["skip"], data["offsets"])


def canonical_codes(lengths: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Assign codes in order of length, then symbol (as RFC 1951, 3.2.2).

    Args:
        lengths: (symbols,) bits of each code, 0 for symbols without one.
    """
    codes = np.zeros(len(lengths), np.uint16)
    code = previous = 0
    for symbol in sorted(np.flatnonzero(lengths), key=lambda symbol: (lengths[symbol], symbol)):
        length = int(lengths[symbol])
        code <<= length - previous
        codes[symbol] = code
        code, previous = code + 1, length
    return codes


def code_lengths(weights: NDArray[np.float64], longest: int) -> NDArray[np.uint8]:
    """Best prefix code of limited length, by package-merge (Larmore and Hirschberg, 1990).

    Args:
        weights: (symbols,) frequencies; symbols of zero frequency get no code.
        longest: Most bits that a code may have.
    """
    symbols = np.flatnonzero(weights)
    lengths = np.zeros(len(weights), np.uint8)
    if len(symbols) < 2:
        lengths[symbols] = 1
        return lengths
    single = sorted((float(weights[symbol]), (int(symbol),)) for symbol in symbols)
    packages: list[tuple[float, tuple[int, ...]]] = []
    for _ in range(longest):
        merged = sorted([*packages, *single])
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(merged[::2], merged[1::2], strict=False)]
    for _, members in packages[: len(symbols) - 1]:
        for symbol in members:
            lengths[symbol] += 1
    return lengths
