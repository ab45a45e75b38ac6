"""Which symbols an encoder chooses: by rate and distortion, looking ahead over what follows (compiled).

What a symbol stands for may depend on those before it (see `quantiser`), so that a choice binds the next. The
best sequence is found by Viterbi's algorithm over the quantiser's states, a few candidates for each symbol.

Of the mean of each tile, rank 0 of each component, what is lost is passed on to the tiles around that are not
coded yet, as in error diffusion for halftones (Floyd and Steinberg, 1976): means over many tiles are then far
nearer the truth than any one. So a pass is chosen row of tiles by row of tiles where it has such channels.

A decoder need not know any of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.learned.features import UNIT
from comeo.codecs.learned.layout import Layout, Plan
from comeo.codecs.learned.quantiser import Quantiser, decoded
from comeo.codecs.learned.tables import SKIPPED, Tables, bits_of, locate
from comeo.compiled import Array, compiled

_ZERO_REACH = 3  # magnitudes up to this may be given up for zero
_MOST_PASSED = 2.0  # steps of an error that are passed on, at most
_STRENGTH = 0.7  # share of it; 1 gives better means over 64 pixels, and costs twice as much


class Rules(NamedTuple):
    """What symbols stand for and what they cost, as compiled code takes it.

    Attributes:
        grid: Of the quantiser, sixteenths of a step.
        transitions: (states, 2) of the quantiser.
        cost: (sets, ROWS, SYMBOLS) float32 bits.
        points: (sets, ROWS, POINTS), how much nearer zero symbols decode, in sixteenths.
    """

    grid: int
    transitions: NDArray[np.int64]
    cost: NDArray[np.float32]
    points: NDArray[np.int64]

    @classmethod
    def of(cls, quantiser: Quantiser, tables: Tables) -> Rules:
        """Those of a model's quantiser and tables."""
        return cls(quantiser.grid, quantiser.transitions, tables.cost, tables.points)


class Spreading(NamedTuple):
    """Where errors of means are passed on to.

    Attributes:
        kinds: (channels,) the component of each channel of rank 0, which is a mean; −1 of all others.
        near: (tiles, 8) the tiles beside each, then those at its corners; the number of tiles for none.
        done: (tiles + 1, components) where means have been coded, or cannot be.
        strength: Share of an error that is passed on, (tiles,); 0: none is.
    """

    kinds: NDArray[np.int64]
    near: NDArray[np.int64]
    done: NDArray[np.bool_]
    strength: NDArray[np.float64]

    @classmethod
    def over(
        cls,
        layout: Layout,
        plan: Plan,
        strength: float = _STRENGTH,
        coarse: NDArray[np.bool_] | None = None,
    ) -> Spreading:
        """Over the tiles of a plan, none of them coded yet.

        Args:
            layout: The model's.
            plan: The plan.
            strength: Share of an error that is passed on.
            coarse: (tiles,) those that neither pass on errors nor take any: theirs are larger, and would end
                in the means of what is coded with care.
        """
        component, rank = layout.places
        near = np.concatenate([plan.beside, plan.corners], axis=1)
        done = np.zeros((len(near) + 1, layout.components), np.bool_)
        done[-1] = True
        shares = np.full(len(near), strength)
        if coarse is not None:
            done[:-1][coarse] = True
            shares[coarse] = 0.0
        return cls(np.where(rank == 0, component, -1), near, done, shares)


class Payload(NamedTuple):
    """Tiles of all items of a payload that is being coded.

    Attributes:
        worth: (tiles,) bits that a squared step is worth in each.
        wanted: (tiles, channels) float32, in steps; changed as errors are passed on.
        values: (tiles + 1, channels) int32, sixteenths of a step; filled in.
    """

    worth: NDArray[np.float64]
    wanted: NDArray[np.float32]
    values: NDArray[np.int32]


class _Pass(NamedTuple):
    """A pass.

    Attributes:
        start: The first of the channels of its group.
        tiles: (n,) rising.
        mean: Predicted means, (n, channels of the group), in sixteenths.
        scales: Predicted scale indexes; of the same shape.
    """

    start: int
    tiles: NDArray[np.int64]
    mean: NDArray[np.int32]
    scales: NDArray[np.uint8]


class Chooser:
    """Chooses the symbols of a payload, pass by pass.

    Args:
        layout: The model's.
        rules: The model's.
        payload: What is coded.
        spreading: Where errors of means go.
        columns: Tiles in a row.
    """

    def __init__(
        self, layout: Layout, rules: Rules, payload: Payload, spreading: Spreading, columns: int
    ) -> None:
        self._layout = layout
        self._rules = rules
        self._payload = payload
        self._spreading = spreading
        self._columns = columns
        self._turn = 0

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
        bounds = np.array([0, len(tiles)])
        has_means = (self._spreading.kinds[start : start + index.shape[1]] >= 0).any()
        if has_means and self._spreading.strength.any():
            rows = tiles // self._columns
            bounds = np.concatenate([[0], np.flatnonzero(np.diff(rows)) + 1, [len(tiles)]])
        symbols, sets = np.zeros(index.shape, np.int32), np.zeros(index.shape, np.uint8)
        self._turn = _choose(
            bounds, _Pass(start, tiles, mean, index), self._rules, self._payload, self._spreading, self._turn,
            symbols, sets,
        )  # fmt: skip
        return symbols, sets


@compiled
def _choose(
    bounds: Array,
    own: _Pass,
    rules: Rules,
    payload: Payload,
    spreading: Spreading,
    turn: int,
    symbols: Array,
    sets: Array,
) -> int:
    """Fill in symbols, sets and values; returns the quantiser's state behind them.

    `bounds` are where the parts of the pass begin, each of which is chosen at once, and the end of the last.
    """
    start, tiles, mean, index = own
    worth, targets, values = payload
    kinds, near, done, strength = spreading
    channels = index.shape[1]
    for part in range(len(bounds) - 1):
        first, last = bounds[part], bounds[part + 1]
        wanted = np.empty((last - first, channels))
        for i in range(first, last):
            for c in range(channels):
                wanted[i - first, c] = targets[tiles[i], start + c] - mean[i, c] / UNIT
        turn = search(
            wanted, index[first:last], rules, worth[tiles[first:last]], turn, symbols[first:last],
            sets[first:last],
        )  # fmt: skip
        for i in range(first, last):
            for c in range(channels):
                value = 0
                if symbols[i, c] != 0:
                    row, shift = locate(index[i, c])
                    value = decoded(symbols[i, c], sets[i, c], row, shift, rules.grid, rules.points)
                values[tiles[i], start + c] = mean[i, c] + value
        for c in range(channels):
            kind = kinds[start + c]
            if kind < 0:
                continue
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
    wanted: Array, index: Array, rules: Rules, worth: Array, turn: int, symbols: Array, sets: Array
) -> int:
    """Find the cheapest symbols of a run of tiles.

    Args:
        wanted: (n, channels), distances from the means, in steps.
        index: (n, channels) scale indexes.
        rules: The model's.
        worth: (n,) bits that a squared step is worth in each tile.
        turn: The quantiser's state before them.
        symbols: (n, channels), filled in where any is coded.
        sets: (n, channels) the set of points that each counts in, likewise.

    Returns:
        The quantiser's state behind them.
    """
    grid, transitions, cost, points = rules
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
