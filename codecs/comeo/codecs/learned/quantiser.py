"""What symbols stand for: distances from the predicted mean, on grids that depend on the symbols before.

A quantiser has two sets of points, in sixteenths of the step: even multiples of its grid, and odd ones with
zero. A state, carried over all symbols of a payload in their order, says which of the two the next symbol
counts in; the parity of a symbol chooses the next state. An encoder that looks ahead can so reach every
multiple of the grid while it pays for every other one alone (trellis coded quantisation, as in ITU-T H.266
§7.3.11.11 and Schwarz et al., "Hybrid video coding with trellis-coded quantization", DCC 2019).

The scalar quantiser is the same with one state: all even multiples of half a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.learned.features import UNIT
from comeo.compiled import Array, compiled

SETS: Final = 2  # of points: the lowest bit of a state says which
POINTS: Final = 3  # magnitudes of symbols that have a reconstruction point: 1, 2, and more

_EIGHT_STATES: Final = ((0, 2), (5, 7), (1, 3), (6, 4), (2, 0), (4, 6), (3, 1), (7, 5))


@dataclass(frozen=True, eq=False)
class Quantiser:
    """A quantiser.

    Attributes:
        grid: Sixteenths of the step between two neighbouring points of both sets together.
        transitions: (states, 2) int64, the state after an even and after an odd symbol.
    """

    grid: int
    transitions: NDArray[np.int64]

    @property
    def dependent(self) -> bool:
        """Whether what a symbol stands for depends on the symbols before."""
        return len(self.transitions) > 1

    @property
    def sets(self) -> int:
        """How many sets of points it has."""
        return SETS if self.dependent else 1

    def facts(self) -> dict[str, Any]:
        """It in what JSON knows: of `model.json`."""
        return {"kind": "dependent", "grid": self.grid} if self.dependent else {"kind": "scalar"}


SCALAR: Final = Quantiser(UNIT // 2, np.zeros((1, 2), np.int64))


def dependent(grid: int) -> Quantiser:
    """The quantiser of eight states.

    Raises:
        ValueError: If the grid isn't 1…16.
    """
    if not 1 <= grid <= UNIT:
        raise ValueError(f"the quantiser's grid is 1 to {UNIT} sixteenths of a step, not {grid}")
    return Quantiser(grid, np.array(_EIGHT_STATES, np.int64))


def quantiser_of(facts: Mapping[str, Any]) -> Quantiser:
    """The quantiser that `Quantiser.facts` told of.

    Raises:
        ValueError: If it is none.
    """
    if facts == {"kind": "scalar"}:
        return SCALAR
    if facts.keys() == {"kind", "grid"} and facts["kind"] == "dependent" and isinstance(facts["grid"], int):
        return dependent(facts["grid"])
    raise ValueError(f"the quantiser {dict(facts)} is unknown")


@compiled
def decoded(symbol: int, own: int, row: int, shift: int, grid: int, points: Array) -> int:
    """Decoded value of a symbol, in sixteenths from the mean.

    Args:
        symbol: The symbol.
        own: The set of points that it counts in.
        row: Of the tables, as the predicted scale has it.
        shift: Number of low bits.
        grid: Of the quantiser.
        points: (sets, rows, POINTS), how much nearer zero symbols decode.
    """
    if symbol == 0:
        return 0
    size = abs(symbol)
    value = (2 * size - own) * grid
    if shift == 0:
        value -= int(points[own, row, min(size, POINTS) - 1])
    return value if symbol > 0 else -value
