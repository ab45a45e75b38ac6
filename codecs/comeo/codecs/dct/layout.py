"""Shared parts of reading and writing the `dct` codec's bit stream: tables, symbols, contexts.

The functions here are compiled, as are those of `plan`, `write` and `read`: who changes a constant here
removes the `*.nbi` files beside them (`comeo.compiled`).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from comeo.compiled import Array, compiled

AC_CLASSES: Final = 8
DC_CLASSES: Final = 6
ZONES: Final = 6
NEIGHBOUR_CONTEXTS: Final = 7
CROSS_CONTEXTS: Final = 5
RANKS: Final = 4

# Tables are numbered: tile class × zone, DC class × zone, contexts of tile classes, of runs of empty tiles,
# of DC classes.
DC_TABLES: Final = AC_CLASSES * ZONES
CLASS_TABLES: Final = DC_TABLES + DC_CLASSES * ZONES
RUN_TABLES: Final = CLASS_TABLES + NEIGHBOUR_CONTEXTS * CROSS_CONTEXTS
DC_CLASS_TABLES: Final = RUN_TABLES + CROSS_CONTEXTS
TABLES: Final = DC_CLASS_TABLES + RANKS

# A run of zeros is its category, then how far it is above the category's base.
RUN_BASE: Final = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512, 1024, 2048], np.int64)
RUN_BITS: Final = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 6, 7, 8, 9, 10, 11], np.int64)
RUNS: Final = 18
LONGEST_RUN: Final = 4095
RUN_CATEGORY: Final = (np.searchsorted(RUN_BASE, np.arange(LONGEST_RUN + 1), side="right") - 1).astype(
    np.int64
)
SIZES: Final = 5  # magnitudes 1, 2, 3 to 4, 5 to 8, above
SYMBOLS: Final = 1 + RUNS * SIZES  # symbol 0 ends a tile
END_OF_COMPONENT: Final = RUNS  # among the symbols of a run table
CODE_BITS: Final = 12
MAX_LEVEL: Final = 1 << 28

_ZONE_ENDS: Final = (2, 5, 12, 30, 70)
_DC_ZONE_ENDS: Final = (1, 3, 8, 20, 60)


def zones(size: int) -> Array:
    """Zone of each position of a tile of `size` coefficients, and of its end."""
    return np.searchsorted(_ZONE_ENDS, np.arange(size + 1), side="right").astype(np.int64)


def dc_zones(size: int) -> Array:
    """Zone of each position of a DC plane of `size` coefficients, and of its end."""
    return np.searchsorted(_DC_ZONE_ENDS, np.arange(size + 1), side="right").astype(np.int64)


@compiled
def size_category(magnitude: int) -> int:
    """Category of a level's magnitude."""
    if magnitude <= 2:
        return magnitude - 1
    if magnitude <= 4:
        return 2
    return 3 if magnitude <= 8 else 4


@compiled
def bit_length(value: int) -> int:
    """As int.bit_length."""
    bits = 0
    while value > 0:
        value >>= 1
        bits += 1
    return bits


@compiled
def class_context(classes: Array, component: int, y: int, x: int) -> tuple[int, int]:
    """Context of a tile's class: its neighbours' classes, and that of the same tile one component before."""
    above = classes[component, y - 1, x] if y > 0 else -1
    left = classes[component, y, x - 1] if x > 0 else -1
    if above < 0 and left < 0:
        total = 0
    elif above < 0:
        total = 2 * left
    elif left < 0:
        total = 2 * above
    else:
        total = above + left
    if total <= 1:
        neighbours = total
    elif total <= 3:
        neighbours = 2
    elif total <= 5:
        neighbours = 3
    elif total <= 8:
        neighbours = 4
    else:
        neighbours = 5 if total <= 12 else 6
    cross = 0
    if component > 0:
        before = classes[component - 1, y, x]
        cross = 1 if before == 0 else 2 + (before > 2) + (before > 5)
    return neighbours, cross
