"""Which symbols an encoder chooses: by rate and distortion, looking ahead over what follows (compiled).

What a symbol stands for may depend on those before it (see `quantiser`), so that a choice binds the next. The
best sequence is found by Viterbi's algorithm over the quantiser's states, a few candidates for each symbol.

Of the mean of each tile, rank 0 of each component, what is lost is passed on to the tiles around that are not
coded yet, as in error diffusion for halftones (Floyd and Steinberg, 1976): means over many tiles are then far
nearer the truth than any one. So a pass is chosen row of tiles by row of tiles where it has such channels.

A decoder need not know any of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.dct.layout import Array, compiled
from comeo.codecs.learned.features import UNIT
from comeo.codecs.learned.layout import Layout, Plan
from comeo.codecs.learned.quantiser import Quantiser, decoded
from comeo.codecs.learned.tables import SKIPPED, Tables, bits_of, locate

_ZERO_REACH = 3  # magnitudes up to this may be given up for zero
_MOST_PASSED = 2.0  # steps of an error that are passed on, at most
_STRENGTH = 0.7  # share of it; 1 gives better means over 64 pixels, and costs twice as much


@dataclass(frozen=True)
class Spreading:
    """Where errors of means are passed on to.

    Attributes:
        near: (tiles, 8) the tiles beside each, then those at its corners; the number of tiles for none.
        done: (tiles + 1, channels) where means have been coded, or cannot be; of channels of rank 0.
        strength: Share of an error that is passed on, (tiles,); 0: none is.
    """

    near: NDArray[np.int64]
    done: NDArray[np.bool_]
    strength: NDArray[np.float64]

    @classmethod
    def over(
        cls,
        plan: Plan,
        channels: int,
        strength: float = _STRENGTH,
        coarse: NDArray[np.bool_] | None = None,
    ) -> Spreading:
        """Over the tiles of a plan, none of them coded yet.

        Args:
            plan: The plan.
            channels: Of rank 0.
            strength: Share of an error that is passed on.
            coarse: (tiles,) those that neither pass on errors nor take any: theirs are larger, and would end
                in the means of what is coded with care.
        """
        near = np.concatenate([plan.beside, plan.corners], axis=1)
        done = np.zeros((len(near) + 1, channels), np.bool_)
        done[-1] = True
        shares = np.full(len(near), strength)
        if coarse is not None:
            done[:-1][coarse] = True
            shares[coarse] = 0.0
        return cls(near, done, shares)


class Chooser:
    """Chooses the symbols of a payload, pass by pass.

    Args:
        layout: The model's.
        quantiser: The model's.
        tables: The model's.
        worth: (tiles,) bits that a squared step is worth in each.
        wanted: (tiles, channels), in steps; changed as errors are passed on.
        values: (tiles + 1, channels), sixteenths of a step; filled in.
        spreading: Where errors of means go.
        columns: Tiles in a row.
    """

    def __init__(
        self,
        layout: Layout,
        quantiser: Quantiser,
        tables: Tables,
        worth: NDArray[np.float64],
        wanted: NDArray[np.float32],
        values: NDArray[np.int32],
        spreading: Spreading,
        columns: int,
    ) -> None:
        self._layout = layout
        self._quantiser = quantiser
        self._tables = tables
        self._worth = worth
        self._wanted = wanted
        self._values = values
        self._spreading = spreading
        self._columns = columns
        self._turn = 0
        component, rank = layout.places
        self._means = np.where(rank == 0, component, -1)

    def choose(
        self, group: int, tiles: NDArray[np.int64], mean: NDArray[np.int32], index: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Choose the symbols of a pass.

        Args:
            group: The group of channels.
            tiles: (n,) those of the pass, rising.
            mean: Predicted means, (n, channels of the group), in sixteenths.
            index: Predicted scale indexes; of the same shape.

        Returns:
            The symbols, and the set of points that each counts in; both of that shape.
        """
        start = self._layout.starts[group]
        means = np.flatnonzero(self._means[start : start + index.shape[1]] >= 0)
        bounds = np.array([0, len(tiles)])
        if len(means) and self._spreading.strength.any():
            rows = tiles // self._columns
            bounds = np.concatenate([[0], np.flatnonzero(np.diff(rows)) + 1, [len(tiles)]])
        symbols, sets = np.zeros(index.shape, np.int32), np.zeros(index.shape, np.uint8)
        self._turn = _choose(
            bounds, tiles, start, self._wanted, mean, index, self._quantiser.grid,
            self._quantiser.transitions, self._tables.cost, self._tables.points, self._worth, self._turn,
            symbols, sets, self._values, means, self._means, self._spreading.near, self._spreading.done,
            self._spreading.strength,
        )  # fmt: skip
        return symbols, sets


@compiled
def _choose(
    bounds: Array,
    tiles: Array,
    start: int,
    targets: Array,
    mean: Array,
    index: Array,
    grid: int,
    transitions: Array,
    cost: Array,
    points: Array,
    worth: Array,
    turn: int,
    symbols: Array,
    sets: Array,
    values: Array,
    means: Array,
    kinds: Array,
    near: Array,
    done: Array,
    strength: Array,
) -> int:
    """Fill in symbols, sets and values; returns the quantiser's state behind them."""
    channels = index.shape[1]
    for part in range(len(bounds) - 1):
        first, last = bounds[part], bounds[part + 1]
        wanted = np.empty((last - first, channels))
        own = np.empty(last - first)
        for i in range(first, last):
            own[i - first] = worth[tiles[i]]
            for c in range(channels):
                wanted[i - first, c] = targets[tiles[i], start + c] - mean[i, c] / UNIT
        turn = search(
            wanted, index[first:last], grid, transitions, cost, points, own, turn, symbols[first:last],
            sets[first:last],
        )  # fmt: skip
        for i in range(first, last):
            for c in range(channels):
                value = 0
                if symbols[i, c] != 0:
                    row, shift = locate(index[i, c])
                    value = decoded(symbols[i, c], sets[i, c], row, shift, grid, points)
                values[tiles[i], start + c] = mean[i, c] + value
        for c in means:
            kind = kinds[start + c]
            done[tiles[first:last], kind] = True
            for i in range(first, last):
                tile = tiles[i]
                error = targets[tile, start + c] - values[tile, start + c] / UNIT
                error = strength[tile] * min(max(error, -_MOST_PASSED), _MOST_PASSED)
                _pass_on(error, near[tile], kind, start + c, targets, done)
    return turn


@compiled
def _pass_on(error: float, near: Array, kind: int, channel: int, targets: Array, done: Array) -> None:
    """Share an error out between the tiles around that are not coded yet; corners take half as much."""
    whole = 0.0
    for side in range(len(near)):
        if not done[near[side], kind]:
            whole += 1.0 if side < 4 else 0.5
    for side in range(len(near)):
        if not done[near[side], kind]:
            targets[near[side], channel] += error * (1.0 if side < 4 else 0.5) / whole


@compiled
def search(
    wanted: Array,
    index: Array,
    grid: int,
    transitions: Array,
    cost: Array,
    points: Array,
    worth: Array,
    turn: int,
    symbols: Array,
    sets: Array,
) -> int:
    """Fill in symbols and sets of what is coded; returns the quantiser's state behind them.

    `worth` is of each row: the bits that a squared step is worth in it.
    """
    states, own_sets = len(transitions), len(cost)
    count = 0
    for i in range(index.shape[0]):
        for c in range(index.shape[1]):
            count += index[i, c] > SKIPPED
    steps = np.empty((count, states), np.int8)
    picked = np.empty((count, own_sets, 2), np.int32)
    least = np.empty((own_sets, 2))
    spent, fresh = np.full(states, np.inf), np.empty(states)
    spent[turn] = 0.0
    n = 0
    for i in range(index.shape[0]):
        for c in range(index.shape[1]):
            if index[i, c] > SKIPPED:
                _candidates(wanted[i, c], index[i, c], grid, cost, points, worth[i], picked[n], least)
                _advance(spent, fresh, least, transitions, steps[n])
                spent, fresh = fresh, spent
                n += 1
    end = 0
    for state in range(states):
        if spent[state] < spent[end]:
            end = state
    state = end
    for i in range(index.shape[0] - 1, -1, -1):
        for c in range(index.shape[1] - 1, -1, -1):
            if index[i, c] > SKIPPED:
                n -= 1
                step = steps[n, state]
                state = step >> 1
                symbols[i, c], sets[i, c] = picked[n, state & 1, step & 1], state & 1
    return end


@compiled
def _advance(spent: Array, fresh: Array, least: Array, transitions: Array, steps: Array) -> None:
    """One symbol on: what it costs to be in each state, and how each is best reached."""
    fresh[:] = np.inf
    for state in range(len(spent)):
        for parity in range(2):
            after = transitions[state, parity]
            value = spent[state] + least[state & 1, parity]
            if value < fresh[after]:
                fresh[after] = value
                steps[after] = 2 * state + parity


@compiled
def _candidates(
    wanted: float,
    index: int,
    grid: int,
    cost: Array,
    points: Array,
    worth: float,
    picked: Array,
    least: Array,
) -> None:
    """The best symbol of each set and parity, and what it costs.

    Of the two points beside what is wanted one is even, the other odd; zero may be cheaper than the even one.
    """
    row, shift = locate(index)
    size = abs(wanted)
    for own in range(len(cost)):
        low = int((size * UNIT / grid + own) / 2)
        for k in (low, low + 1):
            symbol = k if wanted >= 0 else -k
            error = size - decoded(k, own, row, shift, grid, points) / UNIT
            picked[own, k & 1] = symbol
            least[own, k & 1] = worth * error * error + bits_of(symbol, row, shift, cost[own])
        if 0 < low <= _ZERO_REACH:
            value = worth * size * size + bits_of(0, row, shift, cost[own])
            if value < least[own, 0]:
                least[own, 0], picked[own, 0] = value, 0
