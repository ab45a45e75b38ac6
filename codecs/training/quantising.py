"""The choice of symbols in training by the codec's own quantiser, and what they cost.

The choice is the encoder's trellis over logistic distributions, block by block, so that the networks learn
from the values that a decoder will have. Costs are the logistic distribution's over the cell of each point.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from comeo.codecs.learned.encoder import WORTH
from comeo.codecs.learned.features import UNIT
from comeo.codecs.learned.quantiser import Quantiser
from comeo.codecs.learned.tables import SKIPPED, Tables
from comeo.codecs.learned.trellis import Rules, search
from training.logistic import SCALE_LOWEST, SCALE_UNIT, bits, decide


class Choice(NamedTuple):
    """Symbols of a pass, (tiles, channels) each.

    Attributes:
        symbols: Whole numbers.
        sets: Set of points that each counts in.
        values: What they stand for, in steps from the mean.
    """

    symbols: Tensor
    sets: Tensor
    values: Tensor

    def coded(self, index: Tensor) -> Choice:
        """The same without what a decoder leaves out."""
        kept = index > SKIPPED
        return Choice(self.symbols * kept, self.sets * kept, self.values * kept)


class Scalar:
    """Quantises to whole steps from the mean."""

    def choose(self, tiles: NDArray[np.int64], wanted: Tensor, index: Tensor) -> Choice:  # noqa: ARG002
        """Choose the symbols of a pass: see `Quantising.choose`."""
        symbols = decide(wanted, index)
        return Choice(symbols, torch.zeros_like(symbols), symbols)

    def bits(self, choice: Choice, index: Tensor) -> Tensor:
        """Bits of the symbols of a pass."""
        return bits(choice.symbols, index)


class Quantising:
    """Quantises the blocks of a batch, pass by pass.

    Args:
        quantiser: Of the model.
        tables: What symbols cost, for the choice.
        tiles: Tiles of each block.
    """

    def __init__(self, quantiser: Quantiser, tables: Tables, tiles: list[int]) -> None:
        self._quantiser = quantiser
        self._rules = Rules.of(quantiser, tables)
        self._ends = np.cumsum(tiles)
        self._turns = [0] * len(tiles)

    def choose(self, tiles: NDArray[np.int64], wanted: Tensor, index: Tensor) -> Choice:
        """Choose the symbols of a pass.

        Where the scale is so small that nothing is coded, the nearest whole step stands in, so that the
        networks learn what it would have cost.

        Args:
            tiles: (n,) those of the pass, rising.
            wanted: (n, channels) distances from the means, in steps.
            index: (n, channels) scale indexes.
        """
        steps, scales = wanted.double().cpu().numpy(), index.cpu().numpy().astype(np.uint8)
        symbols, sets = np.zeros(scales.shape, np.int32), np.zeros(scales.shape, np.uint8)
        bounds = np.concatenate([[0], np.searchsorted(tiles, self._ends)])
        for block, (first, last) in enumerate(pairwise(bounds.tolist())):
            if first < last:
                self._turns[block] = search(
                    steps[first:last], scales[first:last], self._rules, np.full(last - first, WORTH),
                    self._turns[block], symbols[first:last], sets[first:last],
                )  # fmt: skip
        found = torch.from_numpy(symbols).to(wanted)
        own = torch.from_numpy(sets).to(wanted)
        values = torch.sign(found) * (2 * found.abs() - own) * (self._quantiser.grid / UNIT)
        left_out = index <= SKIPPED
        plain = decide(wanted, index)
        return Choice(
            torch.where(left_out, plain, found),
            torch.where(left_out, -torch.ones_like(own), own),
            torch.where(left_out, plain, values),
        )

    def bits(self, choice: Choice, index: Tensor) -> Tensor:
        """Bits of the symbols of a pass: the logistic distribution's mass in their cells."""
        step = self._quantiser.grid / UNIT
        plain = choice.sets < 0
        size, own = choice.symbols.abs(), choice.sets
        # Cells reach half-way to the points beside: of the set with odd ones the two next to zero are nearer.
        high = torch.where(size == 0, 1 - own / 2, 2 * size + 1 - own) * step
        low = torch.where(
            size == 0, -high, torch.where((size == 1) & (own == 1), 0.5, 2 * size - 1 - own) * step
        )
        high = torch.where(plain, size + 0.5, high)
        low = torch.where(plain, size - 0.5, low)
        return cell_bits(low, high, index)


def cell_bits(low: Tensor, high: Tensor, index: Tensor) -> Tensor:
    """Bits of cells from `low` to `high` steps under logistic distributions around zero."""
    inverse = torch.exp2(-index / SCALE_UNIT - SCALE_LOWEST) * (math.pi / math.sqrt(3))
    # σ(b) − σ(a) = σ(b)·σ(−a)·(1 − e^(a−b)): no cancellation, far into the tails.
    log = (
        functional.logsigmoid(high * inverse)
        + functional.logsigmoid(-low * inverse)
        + torch.log1p(-torch.exp((low - high) * inverse))
    )
    return log * (-1 / math.log(2))
