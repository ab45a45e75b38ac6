"""Writing of the `dct` codec's bit stream (compiled)."""

from __future__ import annotations

import numpy as np

from comeo.codecs.dct.layout import (
    CLASS_TABLES,
    CROSS_CONTEXTS,
    DC_CLASS_TABLES,
    DC_TABLES,
    END_OF_COMPONENT,
    RANKS,
    RUN_BASE,
    RUN_BITS,
    RUN_CATEGORY,
    RUN_TABLES,
    SIZES,
    ZONES,
    bit_length,
    class_context,
    size_category,
)
from comeo.compiled import Array, compiled


@compiled
def write(
    classes: Array,
    levels: Array,
    dc_classes: Array,
    dc_levels: Array,
    zone: Array,
    dc_zone: Array,
    codes: Array,
    lengths: Array,
    histogram: Array,
) -> Array:
    """Code what `plan` returned.

    Args:
        classes: See `plan`.
        levels: See `plan`.
        dc_classes: See `plan`.
        dc_levels: See `plan`.
        zone: See `plan`.
        dc_zone: See `plan`.
        codes: (TABLES, SYMBOLS) uint16.
        lengths: (TABLES, SYMBOLS) uint8 bits of each code.
        histogram: (TABLES, SYMBOLS) int64, is added to. Symbol 0 of the class tables amid empty tiles counts
            tiles, although runs code them.

    Returns:
        Bytes, uint8, the last one padded with zeros.
    """
    components, rows, columns, _ = levels.shape
    nonzero = np.count_nonzero(levels) + np.count_nonzero(dc_levels)
    buffer = np.zeros(16 * nonzero + 8 * (components + classes.size) + 8, np.uint8)
    position = 0
    for c in range(components):
        k = dc_classes[c]
        table = DC_CLASS_TABLES + min(c, RANKS - 1)
        position = _put_symbol(buffer, position, table, k, codes, lengths, histogram)
        if k > 0:
            table = DC_TABLES + (k - 1) * ZONES
            position = _put_levels(buffer, position, dc_levels[c], table, dc_zone, codes, lengths, histogram)
        in_run = False
        for y in range(rows):
            for x in range(columns):
                position, in_run = _put_class(
                    buffer, position, classes, c, y, x, in_run, codes, lengths, histogram
                )
                k = classes[c, y, x]
                if k > 0:
                    table = (k - 1) * ZONES
                    position = _put_levels(
                        buffer, position, levels[c, y, x], table, zone, codes, lengths, histogram
                    )
    return buffer[: (position + 7) >> 3].copy()


@compiled
def _put_class(
    buffer: Array,
    position: int,
    classes: Array,
    c: int,
    y: int,
    x: int,
    in_run: bool,
    codes: Array,
    lengths: Array,
    histogram: Array,
) -> tuple[int, bool]:
    """Write a tile's class. `in_run`: a run of empty tiles has been announced that is not over."""
    k = classes[c, y, x]
    neighbours, cross = class_context(classes, c, y, x)
    table = CLASS_TABLES + neighbours * CROSS_CONTEXTS + cross
    if neighbours == 0:
        if not in_run:
            run = _empty_run(classes, c, y, x)
            position = _put_run(buffer, position, run, RUN_TABLES + cross, codes, lengths, histogram)
        if k == 0:
            histogram[table, 0] += 1
            return position, True
        in_run = False
    return _put_symbol(buffer, position, table, k, codes, lengths, histogram), in_run


@compiled
def _empty_run(classes: Array, c: int, y: int, x: int) -> int:
    """Count the empty tiles amid empty ones from (y, x) on, up to a non-empty one; -1 if all are empty."""
    rows, columns = classes.shape[1:]
    count = 0
    for tile in range(y * columns + x, rows * columns):
        ty, tx = tile // columns, tile % columns
        if class_context(classes, c, ty, tx)[0] == 0:
            if classes[c, ty, tx] > 0:
                return count
            count += 1
    return -1


@compiled
def _put_run(
    buffer: Array, position: int, run: int, table: int, codes: Array, lengths: Array, histogram: Array
) -> int:
    if run < 0:
        return _put_symbol(buffer, position, table, END_OF_COMPONENT, codes, lengths, histogram)  # type: ignore[no-any-return]
    category = RUN_CATEGORY[run]
    position = _put_symbol(buffer, position, table, category, codes, lengths, histogram)
    return _put(buffer, position, run - RUN_BASE[category], RUN_BITS[category])  # type: ignore[no-any-return]


@compiled
def _put_levels(
    buffer: Array,
    position: int,
    levels: Array,
    first_table: int,
    zone: Array,
    codes: Array,
    lengths: Array,
    histogram: Array,
) -> int:
    start = 0
    for p in range(len(levels)):
        if levels[p] == 0:
            continue
        q = abs(levels[p])
        category = RUN_CATEGORY[p - start]
        size = size_category(q)
        table = first_table + zone[start]
        symbol = 1 + category * SIZES + size
        position = _put_symbol(buffer, position, table, symbol, codes, lengths, histogram)
        position = _put(buffer, position, p - start - RUN_BASE[category], RUN_BITS[category])
        if size == 4:
            position = _put(buffer, position, q - 8, 2 * bit_length(q - 8) - 1)
        elif size >= 2:
            position = _put(buffer, position, q - (1 << (size - 1)) - 1, size - 1)
        position = _put(buffer, position, 1 if levels[p] < 0 else 0, 1)
        start = p + 1
    if start < len(levels):
        position = _put_symbol(buffer, position, first_table + zone[start], 0, codes, lengths, histogram)
    return position


@compiled
def _put_symbol(
    buffer: Array, position: int, table: int, symbol: int, codes: Array, lengths: Array, histogram: Array
) -> int:
    histogram[table, symbol] += 1
    return _put(buffer, position, np.int64(codes[table, symbol]), lengths[table, symbol])  # type: ignore[no-any-return]


@compiled
def _put(buffer: Array, position: int, value: int, bits: int) -> int:
    """Write the low `bits` of a value, most significant first, and return the next bit's position."""
    for shift in range(bits - 1, -1, -1):
        if (value >> shift) & 1:
            buffer[position >> 3] |= np.uint8(128 >> (position & 7))
        position += 1
    return position
