"""Reading of the `dct` codec's bit stream (compiled).

Whatever a payload holds, each token moves forward in a tile and in the stream, and both ends are checked
after each: the loops end, and nothing beyond a buffer and its spare bytes is touched.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from comeo.codecs.dct.layout import (
    AC_CLASSES,
    CLASS_TABLES,
    CODE_BITS,
    CROSS_CONTEXTS,
    DC_CLASS_TABLES,
    DC_CLASSES,
    DC_TABLES,
    END_OF_COMPONENT,
    RANKS,
    RUN_BASE,
    RUN_BITS,
    RUN_TABLES,
    SIZES,
    ZONES,
    Array,
    class_context,
    compiled,
)

OK: Final = 0
DAMAGED: Final = -1
SPARE_BYTES: Final = 32  # more than the longest token and a look ahead

_MAX_GAMMA: Final = 28


@compiled
def read(
    buffer: Array,
    end: int,
    zone: Array,
    dc_zone: Array,
    scan: Array,
    dc_scan: Array,
    offsets: Array,
    lookup: Array,
    step: float,
    coefficients: Array,
    dc: Array,
) -> int:
    """Decode one payload's coefficients.

    Args:
        buffer: uint8, its bits followed by SPARE_BYTES.
        end: Number of bits.
        zone: See `plan`.
        dc_zone: See `plan`.
        scan: (n, 2) int64: row and column frequency of each position in a tile.
        dc_scan: (m,) int64: place of each position in a flat DC plane (columns, rows).
        offsets: See `plan`.
        lookup: (TABLES, 2^CODE_BITS) uint16: length × 256 + symbol for the next CODE_BITS bits.
        step: float32.
        coefficients: (components, columns × N, rows × N) float32 zeros, receives what is not DC. Transposed.
        dc: (components, m) float32 zeros, receives the transform of the DC plane.

    Returns:
        OK or DAMAGED.
    """
    components = len(dc)
    side = scan[:, 0].max() + 1
    columns, rows = coefficients.shape[1] // side, coefficients.shape[2] // side
    classes = np.zeros((components, rows, columns), np.int64)
    tokens = np.zeros((2, max(len(scan), dc.shape[1])), np.int64)
    bits = _windows(buffer)
    position = 0
    for c in range(components):
        rank = min(c, RANKS - 1)
        position = _read_dc(
            bits, position, end, rank, dc_zone, dc_scan, offsets[AC_CLASSES:], lookup, step, tokens, dc[c]
        )
        run = -1
        for y in range(rows):
            for x in range(columns):
                if position < 0:
                    return DAMAGED
                k, position, run = _get_class(bits, position, end, classes, c, y, x, run, lookup)
                if k <= 0:
                    continue
                classes[c, y, x] = k
                count, position = _get_levels(
                    bits, position, end, len(scan), (k - 1) * ZONES, zone, lookup, tokens
                )
                for i in range(count):
                    row, column = y * side + scan[tokens[0, i], 0], x * side + scan[tokens[0, i], 1]
                    coefficients[c, column, row] = _dequantise(tokens[1, i], offsets[k - 1], step)
    return OK if 0 <= end - position < 8 and position >= 0 else DAMAGED


@compiled
def _read_dc(
    bits: Array,
    position: int,
    end: int,
    rank: int,
    zone: Array,
    scan: Array,
    offsets: Array,
    lookup: Array,
    step: float,
    tokens: Array,
    dc: Array,
) -> int:
    """Read a component's DC plane into dc (columns × rows, flat); returns the position, or DAMAGED."""
    k, position = _get_symbol(bits, position, DC_CLASS_TABLES + rank, lookup)
    if k < 0 or k > DC_CLASSES or position > end:
        return DAMAGED
    if k > 0:
        table = DC_TABLES + (k - 1) * ZONES
        count, position = _get_levels(bits, position, end, len(dc), table, zone, lookup, tokens)
        for i in range(count):
            dc[scan[tokens[0, i]]] = _dequantise(tokens[1, i], offsets[k - 1], step)
    return position


@compiled
def _get_class(
    bits: Array, position: int, end: int, classes: Array, c: int, y: int, x: int, run: int, lookup: Array
) -> tuple[int, int, int]:
    """Read a tile's class.

    Returns:
        Class, position (DAMAGED if it is), and the empty tiles that the current run still has, -1 after its
        end.
    """
    neighbours, cross = class_context(classes, c, y, x)
    if neighbours == 0:
        if run < 0:
            symbol, position = _get_symbol(bits, position, RUN_TABLES + cross, lookup)
            if symbol < 0 or symbol > END_OF_COMPONENT:
                return 0, DAMAGED, run
            if symbol == END_OF_COMPONENT:
                run = classes.size
            else:
                run = RUN_BASE[symbol] + _peek(bits, position, RUN_BITS[symbol])
                position += RUN_BITS[symbol]
        run -= 1
        if run >= 0:
            return 0, position if position <= end else DAMAGED, run
    table = CLASS_TABLES + neighbours * CROSS_CONTEXTS + cross
    k, position = _get_symbol(bits, position, table, lookup)
    if k < 0 or k > AC_CLASSES or position > end:
        return 0, DAMAGED, run
    return k, position, run


@compiled
def _get_levels(
    bits: Array,
    position: int,
    end: int,
    n: int,
    first_table: int,
    zone: Array,
    lookup: Array,
    tokens: Array,
) -> tuple[int, int]:
    """Read a tile's levels into `tokens` (places, levels); returns their number, and position or DAMAGED."""
    count = 0
    p = 0
    while p < n:
        symbol, position = _get_symbol(bits, position, first_table + zone[p], lookup)
        if symbol < 0 or position > end:
            return 0, DAMAGED
        if symbol == 0:
            break
        category = (symbol - 1) // SIZES
        p += RUN_BASE[category] + _peek(bits, position, RUN_BITS[category])
        position += RUN_BITS[category]
        magnitude, position = _get_magnitude(bits, position, (symbol - 1) % SIZES)
        negative = _peek(bits, position, 1)
        position += 1
        if p >= n or magnitude < 0 or position > end:
            return 0, DAMAGED
        tokens[0, count] = p
        tokens[1, count] = -magnitude if negative else magnitude
        count += 1
        p += 1
    return count, position


@compiled
def _get_magnitude(bits: Array, position: int, size: int) -> tuple[int, int]:
    if size < 2:
        return size + 1, position
    if size < 4:
        value = _peek(bits, position, size - 1)
        return value + (1 << (size - 1)) + 1, position + size - 1
    zeros = 0
    while zeros <= _MAX_GAMMA and _peek(bits, position + zeros, 1) == 0:
        zeros += 1
    if zeros > _MAX_GAMMA:
        return DAMAGED, position
    value = _peek(bits, position + zeros, zeros + 1)
    return value + 8, position + 2 * zeros + 1


@compiled
def _get_symbol(bits: Array, position: int, table: int, lookup: Array) -> tuple[int, int]:
    """Return the symbol (DAMAGED if no code fits) and the next position."""
    entry = lookup[table, _peek(bits, position, CODE_BITS)]
    if entry == 0:
        return DAMAGED, position
    return np.int64(entry & 0xFF), position + np.int64(entry >> 8)  # type: ignore[return-value]


@compiled
def _windows(buffer: Array) -> Array:
    """The 40 bits from each byte on, as numbers: one look-up then shows any 32 bits."""
    windows = np.zeros(len(buffer), np.int64)
    for byte in range(len(buffer) - 4):
        for i in range(5):
            windows[byte] = (windows[byte] << 8) | np.int64(buffer[byte + i])
    return windows


@compiled
def _peek(bits: Array, position: int, count: int) -> int:
    """The next bits (at most 32) as a number."""
    window = bits[position >> 3]
    return (window >> (40 - (position & 7) - count)) & ((np.int64(1) << count) - 1)  # type: ignore[no-any-return]


@compiled
def _dequantise(level: int, offsets: Array, step: float) -> float:
    magnitude = abs(level)
    value = (np.float32(magnitude) - offsets[min(magnitude, 3) - 1]) * step
    return value if level > 0 else -value  # type: ignore[no-any-return]
