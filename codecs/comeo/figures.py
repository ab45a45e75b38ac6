"""Figures as JSON holds them: few digits, and null for what is not finite."""

from __future__ import annotations

import math
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np


def significant(value: float, digits: int) -> float | None:
    """A figure rounded to significant digits; None where it is NaN or infinite."""
    short = float(f"{value:.{digits}g}")
    return short if math.isfinite(short) else None


def as_json(value: Any, digits: int) -> Any:
    """Data that JSON can hold.

    Args:
        value: Figures, texts, arrays and dataclasses, in lists, tuples and dictionaries.
        digits: Significant digits of every float.

    Returns:
        The same as lists, dictionaries and numbers; None for every float that is NaN or infinite.
    """
    match value:
        case list() | tuple():
            return [as_json(each, digits) for each in value]
        case dict():
            return {key: as_json(each, digits) for key, each in value.items()}
        case np.ndarray() | np.generic():
            return as_json(value.tolist(), digits)
        case float():
            return significant(value, digits)
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value), digits)
    return value
