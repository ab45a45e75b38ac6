"""Loops over plain arrays, compiled by Numba, which takes a second to load.

Compiled code is cached by its own file's date: who changes a constant that it takes from another module
removes the `*.nbi` files beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use, and keep the result on disk where there is any place for it."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)
