"""Numbers as the report writes them."""

from __future__ import annotations

import math


def number(value: float | None, digits: int = 3) -> str:
    """With that many decimals; a dash where it is undefined, ∞ where it is infinite."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:.{digits}f}".replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """A share as percent."""
    return "–" if value is None or math.isnan(value) else f"{number(100 * value, digits)} %"


def size(count: int) -> str:
    """Bytes as kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.0f} kB"
