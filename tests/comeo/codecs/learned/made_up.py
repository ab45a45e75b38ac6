"""Tables for tests: peaked as real ones are, no two rows alike."""

from __future__ import annotations

from functools import cache

import numpy as np

from comeo.codecs.learned import rans
from comeo.codecs.learned import tables as tb
from comeo.codecs.learned.quantiser import POINTS, Quantiser, dependent

WHOLE = 1 << rans.PRECISION


@cache
def made_up(quantiser: Quantiser = dependent(10), seed: int = 3) -> tb.Tables:  # noqa: B008
    rng = np.random.default_rng(seed)
    distance = np.abs(np.arange(tb.SYMBOLS) - tb.REACH)
    rows = np.empty((quantiser.sets, tb.ROWS, tb.SYMBOLS), np.uint32)
    for own, number in np.ndindex(rows.shape[:2]):
        width = 2 ** (number / 4 - 4) * 8 / quantiser.grid
        shares = np.exp(-distance / width) * rng.uniform(0.5, 1.5, tb.SYMBOLS) + 1e-6
        rows[own, number] = 1 + (shares / shares.sum() * (WHOLE - tb.SYMBOLS)).astype(np.int64)
        rows[own, number, tb.REACH] += WHOLE - rows[own, number].sum()
    limit = quantiser.grid - 1
    points = rng.integers(-limit, limit + 1, (*rows.shape[:2], POINTS)).astype(np.int8)
    return tb.check(rows, points, quantiser)
