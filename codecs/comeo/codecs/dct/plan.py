"""The `dct` encoder's choice of classes and levels by rate and distortion together (compiled)."""

from __future__ import annotations

from typing import Final

import numpy as np

from comeo.codecs.dct.layout import (
    AC_CLASSES,
    CLASS_TABLES,
    CROSS_CONTEXTS,
    DC_CLASS_TABLES,
    DC_CLASSES,
    DC_TABLES,
    RANKS,
    RUN_BITS,
    RUN_CATEGORY,
    SIZES,
    ZONES,
    Array,
    bit_length,
    class_context,
    compiled,
    size_category,
)

_CERTAIN: Final = 2.0  # coefficients this large never pay off as zeros
_REACH: Final = (
    24  # candidates that one run of zeros may pass over: bounds the time, costs nothing measurable
)


@compiled
def plan(
    tiles: Array,
    dc: Array,
    cost: Array,
    skip_cost: Array,
    offsets: Array,
    zone: Array,
    dc_zone: Array,
    lam: float,
    dc_lam: float,
    shares: Array,
) -> tuple[Array, Array, Array, Array]:
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
        dc_lam: That of a bit of the DC planes.
        shares: (rows, columns) float64 that the squared error of each tile counts, 1 or less; those of the DC
            planes, which are transformed as a whole, count in full.

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
    scratch = np.zeros((4, max(n, m)), np.int64)
    score = np.zeros(max(n, m))
    bits = np.zeros(1 + max(AC_CLASSES, DC_CLASSES))
    for c in range(components):
        for k in range(DC_CLASSES + 1):
            bits[k] = cost[DC_CLASS_TABLES + min(c, RANKS - 1), k]
        tables = cost[DC_TABLES:CLASS_TABLES].reshape(DC_CLASSES, ZONES, -1)
        dc_classes[c] = _choose_class(
            dc[c], bits, tables, offsets[AC_CLASSES:], dc_zone, dc_lam, 1.0, dc_levels[c], scratch, score
        )
        tables = cost[:DC_TABLES].reshape(AC_CLASSES, ZONES, -1)
        for y in range(rows):
            for x in range(columns):
                _class_bits(classes, c, y, x, cost, skip_cost, bits)
                classes[c, y, x] = _choose_class(
                    tiles[c, y, x], bits, tables, offsets, zone, lam, shares[y, x], levels[c, y, x], scratch,
                    score,
                )  # fmt: skip
    return classes, levels, dc_classes, dc_levels


@compiled
def _class_bits(classes: Array, c: int, y: int, x: int, cost: Array, skip_cost: Array, bits: Array) -> None:
    """Bits of each class of a tile."""
    neighbours, cross = class_context(classes, c, y, x)
    table = CLASS_TABLES + neighbours * CROSS_CONTEXTS + cross
    for k in range(AC_CLASSES + 1):
        bits[k] = cost[table, k]
        if neighbours == 0:
            bits[k] = skip_cost[cross, 0] if k == 0 else skip_cost[cross, 1] + bits[k]


@compiled
def _choose_class(
    values: Array,
    bits: Array,
    tables: Array,
    offsets: Array,
    zone: Array,
    lam: float,
    share: float,
    levels: Array,
    scratch: Array,
    score: Array,
) -> int:
    """Find the class that codes `values` best, and put its levels into `levels`."""
    n = len(values)
    lam = lam / share
    certain = _CERTAIN / np.sqrt(share)
    best, chosen = lam * bits[0], 0
    if np.abs(values).max() <= 0.5:
        return chosen
    trial = scratch[0, :n]
    for k in range(1, len(tables) + 1):
        total = lam * bits[k] + _choose_levels(
            values, tables[k - 1], zone, offsets[k - 1], lam, certain, trial, scratch[1:], score
        )
        if total < best:
            best, chosen = total, k
            for p in range(n):
                levels[p] = trial[p]
    return chosen


@compiled
def _choose_levels(
    x: Array,
    cost: Array,
    zone: Array,
    offsets: Array,
    lam: float,
    certain: float,
    levels: Array,
    scratch: Array,
    score: Array,
) -> float:
    """Pick the levels of least distortion + lam × bits among rounding, one less, and zero.

    Where bits are worth more, so that larger coefficients may become zero, also the largest levels of each
    size below, which take fewer bits.

    Dynamic programming over the coefficients that could be non-zero (after Ramchandran and Vetterli,
    Rate-distortion optimal fast thresholding, 1994).

    Args:
        x: (n,) coefficients in steps.
        cost: (zones, symbols) bits.
        zone: (n + 1,) zone of each position.
        offsets: (3,) how far the magnitudes 1, 2 and more are decoded below their integers.
        lam: Worth of a bit in squared steps.
        certain: Coefficients this large are never zero.
        levels: (n,) receives the result.
        scratch: (3, n or more) int64.
        score: (n or more,) float64, scratch too.

    Returns:
        Distortion + lam × bits, less the distortion of all zeros.
    """
    at, link, magnitude = scratch[0], scratch[1], scratch[2]
    count = 0
    for p in range(len(x)):
        levels[p] = 0
        if abs(x[p]) > 0.5:
            at[count] = p
            count += 1
    best, last = lam * cost[zone[0], 0], -1
    for k in range(count):
        a = np.float64(abs(x[at[k]]))
        score[k] = np.inf
        upper = int(a + 0.5)
        q = upper + 1
        while q > 0:
            q = _next_level(q, upper, certain > _CERTAIN)
            if q <= 0:
                break
            value = q - offsets[min(q, 3) - 1]
            total, j = _best_start(k, q, x, at, score, cost, zone, lam, certain)
            total += (a - value) ** 2 - a * a
            if total < score[k]:
                score[k], link[k], magnitude[k] = total, j, q
        end = score[k]
        if at[k] + 1 < len(x):
            end += lam * cost[zone[at[k] + 1], 0]
        if end < best or a >= certain:
            best, last = end, k
    while last >= 0:
        levels[at[last]] = magnitude[last] if x[at[last]] > 0 else -magnitude[last]
        last = link[last]
    return best  # type: ignore[no-any-return]


@compiled
def _next_level(q: int, upper: int, further: bool) -> int:
    """The candidate after q: `upper`, one less, then, if `further`, 8, 4, 2 and 1; 0 after the last."""
    if q > upper - 1:
        return q - 1
    if not further:
        return 0
    below = 8
    while below >= q:
        below //= 2
    return below


@compiled
def _best_start(
    k: int,
    q: int,
    x: Array,
    at: Array,
    score: Array,
    cost: Array,
    zone: Array,
    lam: float,
    certain: float,
) -> tuple[float, int]:
    """Find which candidate the run of zeros before candidate k should follow: (score, index), −1 if none."""
    size = size_category(q)
    suffix = _suffix_bits(q)
    best, link = np.inf, -1
    for j in range(k - 1, max(k - 2 - _REACH, -2), -1):
        start = at[j] + 1 if j >= 0 else 0
        category = RUN_CATEGORY[at[k] - start]
        bits = cost[zone[start], 1 + category * SIZES + size] + RUN_BITS[category] + suffix
        total = lam * bits + (score[j] if j >= 0 else 0.0)
        if total < best:
            best, link = total, j
        if j >= 0 and abs(x[at[j]]) >= certain:
            break
    return best, link


@compiled
def _suffix_bits(magnitude: int) -> int:
    """Bits that follow the symbol: position inside the size category, and sign."""
    if magnitude <= 2:
        return 1
    if magnitude <= 4:
        return 2
    return 3 if magnitude <= 8 else 2 * bit_length(magnitude - 8)
