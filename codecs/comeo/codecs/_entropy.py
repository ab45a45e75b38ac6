"""The `dct` codec's compiled loops: choice of levels, Huffman writing and reading, separable synthesis.

Everything here works on plain arrays, releases the GIL, and reads no byte beyond a buffer whatever it holds.
See `dct` for the format, `huffman` for the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit

AC_CLASSES: Final = 8
DC_CLASSES: Final = 6
ZONES: Final = 6
NEIGHBOUR_CONTEXTS: Final = 7
CROSS_CONTEXTS: Final = 5
RANKS: Final = 4

DC_TABLES: Final = AC_CLASSES * ZONES
CLASS_TABLES: Final = DC_TABLES + DC_CLASSES * ZONES
RUN_TABLES: Final = CLASS_TABLES + NEIGHBOUR_CONTEXTS * CROSS_CONTEXTS
DC_CLASS_TABLES: Final = RUN_TABLES + CROSS_CONTEXTS
TABLES: Final = DC_CLASS_TABLES + RANKS

# A run of zeros is its category, then how far it is above the category's base.
RUN_BASE: Final = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512, 1024, 2048], np.int64)
RUN_BITS: Final = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 6, 7, 8, 9, 10, 11], np.int64)
RUNS: Final = 18
RUN_CATEGORY: Final = (np.searchsorted(RUN_BASE, np.arange(4096), side="right") - 1).astype(np.int64)
SIZES: Final = 5  # magnitudes 1, 2, 3 to 4, 5 to 8, above
SYMBOLS: Final = 1 + RUNS * SIZES  # symbol 0 ends a block
END_OF_COMPONENT: Final = RUNS  # among the symbols of a run table
CODE_BITS: Final = 12

OK: Final = 0
DAMAGED: Final = -1
MAX_LEVEL: Final = 1 << 28
_MAX_GAMMA: Final = 28
_CERTAIN: Final = 2.0  # coefficients this large never pay off as zeros


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use, and keep the result on disk where any place for it can be written."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


# Choice of levels ------------------------------------------------------------------------------------------


@_compiled
def _size_category(magnitude):
    if magnitude <= 2:
        return magnitude - 1
    if magnitude <= 4:
        return 2
    return 3 if magnitude <= 8 else 4


@_compiled
def _bit_length(value):
    bits = 0
    while value > 0:
        value >>= 1
        bits += 1
    return bits


@_compiled
def _size_bits(magnitude):
    """Bits after the symbol: position inside the category, and sign."""
    if magnitude <= 2:
        return 1
    if magnitude <= 4:
        return 2
    return 3 if magnitude <= 8 else 2 * _bit_length(magnitude - 8)


@_compiled
def _best_predecessor(k, bits_after, x, at, score, cost, zone, lam, size):
    """Find where the run of zeros before candidate k should start: (score, index; -1 is the block's start)."""
    best, link = np.inf, -1
    j = k - 1
    while True:
        start = at[j] + 1 if j >= 0 else 0
        category = RUN_CATEGORY[at[k] - start]
        bits = cost[zone[start], 1 + category * SIZES + size] + RUN_BITS[category] + bits_after
        total = lam * bits + (score[j] if j >= 0 else 0.0)
        if total < best:
            best, link = total, j
        if j < 0 or abs(x[at[j]]) >= _CERTAIN:
            return best, link
        j -= 1


@_compiled
def _choose_levels(x, cost, zone, offsets, lam, levels, at, score, link, magnitude):
    """Pick the levels of least distortion + lam × bits among rounding down and zeroing.

    Dynamic programming over the coefficients that could be non-zero (after Ramchandran and Vetterli,
    Rate-distortion optimal fast thresholding, 1994).

    Args:
        x: (n,) coefficients in steps.
        cost: (zones, symbols) bits.
        zone: (n + 1,) zone of each position.
        offsets: (3,) how far the magnitudes 1, 2 and more are decoded below their integers.
        lam: Worth of a bit in squared steps.
        levels: (n,) receives the result.
        at, score, link, magnitude: Scratch, (n,) each.

    Returns:
        Distortion + lam × bits, less the distortion of all zeros.
    """
    n = len(x)
    count = 0
    for p in range(n):
        levels[p] = 0
        if abs(x[p]) > 0.5:
            at[count] = p
            count += 1
    best, last = lam * cost[zone[0], 0], -1
    for k in range(count):
        a = abs(x[at[k]])
        score[k] = np.inf
        upper = np.int64(a + 0.5)
        for q in range(upper, max(upper - 2, 0), -1):
            value = q - offsets[min(q, 3) - 1]
            total, j = _best_predecessor(k, _size_bits(q), x, at, score, cost, zone, lam, _size_category(q))
            total += (a - value) ** 2 - a * a
            if total < score[k]:
                score[k], link[k], magnitude[k] = total, j, q
        end = score[k]
        if at[k] + 1 < n:
            end += lam * cost[zone[at[k] + 1], 0]
        if end < best or a >= _CERTAIN:
            best, last = end, k
    while last >= 0:
        p = at[last]
        levels[p] = magnitude[last] if x[p] > 0 else -magnitude[last]
        last = link[last]
    return best


@_compiled
def _class_context(classes, c, y, x):
    """Context of a tile's class: neighbours' classes, and that of the same tile one component before."""
    above = classes[c, y - 1, x] if y > 0 else -1
    left = classes[c, y, x - 1] if x > 0 else -1
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
    if c > 0:
        before = classes[c - 1, y, x]
        cross = 1 if before == 0 else 2 + (before > 2) + (before > 5)
    return neighbours, cross


@_compiled
def _class_cost(neighbours, cross, k, cost, skip_cost):
    bits = cost[CLASS_TABLES + neighbours * CROSS_CONTEXTS + cross, k]
    if neighbours > 0:
        return bits
    return skip_cost[cross, 0] if k == 0 else skip_cost[cross, 1] + bits


@_compiled
def plan(tiles, dc, cost, skip_cost, offsets, zone, dc_zone, lam):
    """Choose classes and levels.

    Args:
        tiles: (components, rows, columns, n) float32 coefficients in steps, without the DC.
        dc: (components, m) float32, likewise.
        cost: (TABLES, SYMBOLS) float32 bits.
        skip_cost: (CROSS_CONTEXTS, 2) float32 bits of an empty and a non-empty tile amid empty ones.
        offsets: (AC_CLASSES + DC_CLASSES, 3) float32: see `_choose_levels`.
        zone: (n + 1,) int64.
        dc_zone: (m + 1,) int64.
        lam: Worth of a bit in squared steps.

    Returns:
        Classes of tiles (components, rows, columns), their levels (as `tiles`), classes of the DC
        (components,) and their levels (as `dc`). Class 0 has no levels.
    """
    components, rows, columns, n = tiles.shape
    m = dc.shape[1]
    classes = np.zeros((components, rows, columns), np.int64)
    levels = np.zeros((components, rows, columns, n), np.int32)
    dc_classes = np.zeros(components, np.int64)
    dc_levels = np.zeros((components, m), np.int32)
    size = max(n, m)
    trial = np.zeros(size, np.int32)
    at, link = np.zeros(size, np.int64), np.zeros(size, np.int64)
    score, magnitude = np.zeros(size), np.zeros(size, np.int64)
    for c in range(components):
        rank = DC_CLASS_TABLES + min(c, RANKS - 1)
        best = lam * cost[rank, 0]
        for k in range(1, DC_CLASSES + 1):
            table = DC_TABLES + (k - 1) * ZONES
            total = lam * cost[rank, k] + _choose_levels(
                dc[c], cost[table : table + ZONES], dc_zone, offsets[AC_CLASSES + k - 1], lam,
                trial[:m], at, score, link, magnitude,
            )  # fmt: skip
            if total < best:
                best, dc_classes[c] = total, k
                dc_levels[c] = trial[:m]
        for y in range(rows):
            for x in range(columns):
                neighbours, cross = _class_context(classes, c, y, x)
                best = lam * _class_cost(neighbours, cross, 0, cost, skip_cost)
                if np.abs(tiles[c, y, x]).max() <= 0.5:
                    continue
                for k in range(1, AC_CLASSES + 1):
                    table = (k - 1) * ZONES
                    total = lam * _class_cost(neighbours, cross, k, cost, skip_cost) + _choose_levels(
                        tiles[c, y, x], cost[table : table + ZONES], zone, offsets[k - 1], lam,
                        trial[:n], at, score, link, magnitude,
                    )  # fmt: skip
                    if total < best:
                        best, classes[c, y, x] = total, k
                        levels[c, y, x] = trial[:n]
    return classes, levels, dc_classes, dc_levels


# Writing ---------------------------------------------------------------------------------------------------


@_compiled
def _put(buffer, position, value, bits):
    """Write the low `bits` of a value, most significant first, and return the next bit's position."""
    for shift in range(bits - 1, -1, -1):
        if (value >> shift) & 1:
            buffer[position >> 3] |= np.uint8(128 >> (position & 7))
        position += 1
    return position


@_compiled
def _put_symbol(buffer, position, table, symbol, codes, lengths, histogram):
    histogram[table, symbol] += 1
    return _put(buffer, position, np.int64(codes[table, symbol]), lengths[table, symbol])


@_compiled
def _put_levels(buffer, position, levels, first_table, zone, codes, lengths, histogram):
    start = 0
    for p in range(len(levels)):
        if levels[p] == 0:
            continue
        q = abs(levels[p])
        category = RUN_CATEGORY[p - start]
        size = _size_category(q)
        table = first_table + zone[start]
        symbol = 1 + category * SIZES + size
        position = _put_symbol(buffer, position, table, symbol, codes, lengths, histogram)
        position = _put(buffer, position, p - start - RUN_BASE[category], RUN_BITS[category])
        if size == 4:
            bits = _bit_length(q - 8)
            position = _put(buffer, position, q - 8, 2 * bits - 1)
        elif size >= 2:
            position = _put(buffer, position, q - (1 << (size - 1)) - 1, size - 1)
        position = _put(buffer, position, 1 if levels[p] < 0 else 0, 1)
        start = p + 1
    if start < len(levels):
        position = _put_symbol(buffer, position, first_table + zone[start], 0, codes, lengths, histogram)
    return position


@_compiled
def _empty_run(classes, c, y, x):
    """Count the empty tiles amid empty ones from (y, x) on, up to a non-empty one; -1: there is none."""
    rows, columns = classes.shape[1:]
    count = 0
    for tile in range(y * columns + x, rows * columns):
        ty, tx = tile // columns, tile % columns
        if _class_context(classes, c, ty, tx)[0] == 0:
            if classes[c, ty, tx] > 0:
                return count
            count += 1
    return -1


@_compiled
def write(classes, levels, dc_classes, dc_levels, zone, dc_zone, codes, lengths, histogram):
    """Code what `plan` returned.

    Args:
        classes, levels, dc_classes, dc_levels: See `plan`.
        zone, dc_zone: See `plan`.
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
        rank = DC_CLASS_TABLES + min(c, RANKS - 1)
        k = dc_classes[c]
        position = _put_symbol(buffer, position, rank, k, codes, lengths, histogram)
        if k > 0:
            table = DC_TABLES + (k - 1) * ZONES
            position = _put_levels(buffer, position, dc_levels[c], table, dc_zone, codes, lengths, histogram)
        in_run = False
        for y in range(rows):
            for x in range(columns):
                k = classes[c, y, x]
                neighbours, cross = _class_context(classes, c, y, x)
                table = CLASS_TABLES + neighbours * CROSS_CONTEXTS + cross
                if neighbours == 0:
                    if not in_run:
                        position = _put_run(
                            buffer, position, _empty_run(classes, c, y, x), RUN_TABLES + cross,
                            codes, lengths, histogram,
                        )  # fmt: skip
                    in_run = k == 0
                if neighbours > 0 or k > 0:
                    position = _put_symbol(buffer, position, table, k, codes, lengths, histogram)
                else:
                    histogram[table, 0] += 1
                if k > 0:
                    position = _put_levels(
                        buffer, position, levels[c, y, x], (k - 1) * ZONES, zone, codes, lengths, histogram
                    )
    return buffer[: (position + 7) >> 3].copy()


@_compiled
def _put_run(buffer, position, run, table, codes, lengths, histogram):
    if run < 0:
        return _put_symbol(buffer, position, table, END_OF_COMPONENT, codes, lengths, histogram)
    category = RUN_CATEGORY[run]
    position = _put_symbol(buffer, position, table, category, codes, lengths, histogram)
    return _put(buffer, position, run - RUN_BASE[category], RUN_BITS[category])


# Reading ---------------------------------------------------------------------------------------------------


@_compiled
def _peek(buffer, position, bits):
    """The next bits (at most 32) as a number; the buffer has spare bytes after its end."""
    byte = position >> 3
    value = np.int64(0)
    for i in range(5):
        value = (value << 8) | np.int64(buffer[byte + i])
    return (value >> (40 - (position & 7) - bits)) & ((np.int64(1) << bits) - 1)


@_compiled
def _get_symbol(buffer, position, table, lookup):
    """Return the symbol (DAMAGED if no code fits) and the next position."""
    entry = lookup[table, _peek(buffer, position, CODE_BITS)]
    if entry == 0:
        return DAMAGED, position
    return np.int64(entry & 0xFF), position + np.int64(entry >> 8)


@_compiled
def _get_magnitude(buffer, position, size):
    if size < 2:
        return size + 1, position
    if size < 4:
        value = _peek(buffer, position, size - 1)
        return value + (1 << (size - 1)) + 1, position + size - 1
    zeros = 0
    while zeros <= _MAX_GAMMA and _peek(buffer, position + zeros, 1) == 0:
        zeros += 1
    if zeros > _MAX_GAMMA:
        return DAMAGED, position
    value = _peek(buffer, position + zeros, zeros + 1)
    return value + 8, position + 2 * zeros + 1


@_compiled
def _get_levels(buffer, position, end, n, first_table, zone, lookup, at, levels):
    """Read one block's levels; returns how many there are (or DAMAGED) and the next position."""
    count = 0
    p = 0
    while p < n:
        symbol, position = _get_symbol(buffer, position, first_table + zone[p], lookup)
        if symbol < 0 or position > end:
            return DAMAGED, position
        if symbol == 0:
            break
        category = (symbol - 1) // SIZES
        p += RUN_BASE[category] + _peek(buffer, position, RUN_BITS[category])
        position += RUN_BITS[category]
        magnitude, position = _get_magnitude(buffer, position, (symbol - 1) % SIZES)
        negative = _peek(buffer, position, 1)
        position += 1
        if p >= n or magnitude < 0 or position > end:
            return DAMAGED, position
        at[count] = p
        levels[count] = -magnitude if negative else magnitude
        count += 1
        p += 1
    return count, position


@_compiled
def _dequantise(level, offsets, step):
    magnitude = abs(level)
    value = np.float32(magnitude) - offsets[min(magnitude, 3) - 1]
    return value * step if level > 0 else -value * step


@_compiled
def _get_class(buffer, position, classes, c, y, x, run, lookup):
    """Read a tile's class; returns class (or DAMAGED), position, and the empty tiles left in the run."""
    neighbours, cross = _class_context(classes, c, y, x)
    table = CLASS_TABLES + neighbours * CROSS_CONTEXTS + cross
    if neighbours == 0:
        if run < 0:
            symbol, position = _get_symbol(buffer, position, RUN_TABLES + cross, lookup)
            if symbol < 0 or symbol > END_OF_COMPONENT:
                return DAMAGED, position, run
            if symbol == END_OF_COMPONENT:
                run = classes.size
            else:
                run = RUN_BASE[symbol] + _peek(buffer, position, RUN_BITS[symbol])
                position += RUN_BITS[symbol]
        run -= 1
        if run >= 0:
            return 0, position, run
    k, position = _get_symbol(buffer, position, table, lookup)
    if k > AC_CLASSES:
        return DAMAGED, position, run
    return k, position, run


@_compiled
def _read_dc(buffer, position, end, rank, dc_zone, dc_scan, offsets, lookup, step, at, levels, dc):
    """Read a component's DC plane into dc (columns × rows, flat); returns OK or DAMAGED, and the position."""
    k, position = _get_symbol(buffer, position, DC_CLASS_TABLES + rank, lookup)
    if k < 0 or k > DC_CLASSES or position > end:
        return DAMAGED, position
    if k == 0:
        return OK, position
    count, position = _get_levels(
        buffer, position, end, len(dc), DC_TABLES + (k - 1) * ZONES, dc_zone, lookup, at, levels
    )
    for i in range(count):
        dc[dc_scan[at[i]]] = _dequantise(levels[i], offsets[AC_CLASSES + k - 1], step)
    return min(count, OK), position


@_compiled
def read(buffer, end, zone, dc_zone, scan, dc_scan, offsets, lookup, step, coefficients, dc):
    """Decode one payload's coefficients.

    Args:
        buffer: uint8, its bits followed by at least 16 spare bytes.
        end: Number of bits.
        zone, dc_zone: See `plan`.
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
    n = len(scan)
    side = scan[:, 0].max() + 1
    columns, rows = coefficients.shape[1] // side, coefficients.shape[2] // side
    classes = np.zeros((components, rows, columns), np.int64)
    at, levels = np.zeros(max(n, dc.shape[1]), np.int64), np.zeros(max(n, dc.shape[1]), np.int64)
    position = 0
    for c in range(components):
        status, position = _read_dc(
            buffer,
            position,
            end,
            min(c, RANKS - 1),
            dc_zone,
            dc_scan,
            offsets,
            lookup,
            step,
            at,
            levels,
            dc[c],
        )
        if status < 0:
            return DAMAGED
        run = np.int64(-1)
        for y in range(rows):
            for x in range(columns):
                k, position, run = _get_class(buffer, position, classes, c, y, x, run, lookup)
                if k < 0 or position > end:
                    return DAMAGED
                if k == 0:
                    continue
                classes[c, y, x] = k
                count, position = _get_levels(
                    buffer, position, end, n, (k - 1) * ZONES, zone, lookup, at, levels
                )
                for i in range(count):
                    row, column = y * side + scan[at[i], 0], x * side + scan[at[i], 1]
                    coefficients[c, column, row] = _dequantise(levels[i], offsets[k - 1], step)
                if count < 0:
                    return DAMAGED
    return OK if 0 <= end - position < 8 else DAMAGED


# Synthesis -------------------------------------------------------------------------------------------------


@_compiled
def synthesise(coefficients, matrix, support):
    """Apply a banded matrix to the middle axis and transpose the last two.

    Sums run in one fixed order, so that every machine decodes the same pixels.

    Args:
        coefficients: (items, n, m) float32.
        matrix: (out, n) float32.
        support: (n, 2) int64: first and last + 1 non-zero row of each column of `matrix`.

    Returns:
        (items, m, out) float32.
    """
    items, n, m = coefficients.shape
    size = len(matrix)
    result = np.empty((items, m, size), np.float32)
    plane = np.empty((size, m), np.float32)
    for item in range(items):
        plane[:] = 0
        for k in range(n):
            source = coefficients[item, k]
            if not source.any():
                continue
            for row in range(support[k, 0], support[k, 1]):
                weight = matrix[row, k]
                target = plane[row]
                for i in range(m):
                    target[i] += weight * source[i]
        result[item] = plane.T
    return result
