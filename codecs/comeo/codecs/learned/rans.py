"""The entropy coder: range asymmetric numeral systems (Duda, arXiv:1311.2540), byte by byte, compiled.

`constriction` decodes fast where many symbols share a table; here a pass has some dozens of tables and a few
thousand symbols, and its calls cost more than the symbols do. The state starts at a fixed value and comes
back to it, which reveals most damage.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from comeo.compiled import Array, compiled

PRECISION: Final = 16
LOWEST: Final = 1 << 26  # the state is at least this, and below 256 times as much
STATE_BYTES: Final = 5
MASK: Final = (1 << PRECISION) - 1


@compiled
def write(starts: Array, frequencies: Array, count: int) -> Array:
    """Code symbols, in the order in which they will be read.

    Args:
        starts: Where each symbol's interval starts, of 2^16.
        frequencies: How long it is, at least 1.
        count: Number of symbols.

    Returns:
        Bytes, uint8.
    """
    out = np.empty(STATE_BYTES + 2 * count + 8, np.uint8)
    place = len(out)
    state = np.uint64(LOWEST)
    for i in range(count - 1, -1, -1):
        frequency, start = np.uint64(frequencies[i]), np.uint64(starts[i])
        limit = np.uint64(LOWEST >> PRECISION << 8) * frequency
        while state >= limit:
            place -= 1
            out[place] = state & np.uint64(255)
            state >>= np.uint64(8)
        state = state // frequency * np.uint64(1 << PRECISION) + state % frequency + start
    for _ in range(STATE_BYTES):
        place -= 1
        out[place] = state & np.uint64(255)
        state >>= np.uint64(8)
    return out[place:]


@compiled
def begin(data: Array, place: int, end: int) -> tuple[int, int]:
    """Read the state; returns it and the place after it. A state of 0 means that the data are too short."""
    if end - place < STATE_BYTES:
        return 0, place
    state = 0
    for i in range(STATE_BYTES):
        state = state << 8 | int(data[place + i])
    return state, place + STATE_BYTES


@compiled
def advance(state: int, start: int, frequency: int, data: Array, place: int, end: int) -> tuple[int, int]:
    """Take a symbol's interval off the state; at the end of the data zeros follow."""
    state = frequency * (state >> PRECISION) + (state & MASK) - start
    while state < LOWEST:
        state = state << 8 | (int(data[place]) if place < end else 0)
        place += 1
    return state, place
