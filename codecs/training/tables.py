"""Frequency tables and reconstruction points, fitted to the symbols of training crops.

The networks learn with logistic distributions. What symbols really do at a predicted scale differs: the
encoder's choice by rate and distortion makes zeros likelier, tails are longer, and a dependent quantiser has
two sets of points. The encoder chooses by what the tables say, so they are fitted in rounds: each codes the
crops with the tables of the round before, by the codec's own encoder.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.lapped import tile_grid
from comeo.codecs.learned import Model as ModelFile
from comeo.codecs.learned.coding import Chosen
from comeo.codecs.learned.encoder import choose_passes, energy_classes, latents_of
from comeo.codecs.learned.features import UNIT
from comeo.codecs.learned.layout import Layout
from comeo.codecs.learned.quantiser import POINTS, Quantiser
from comeo.codecs.learned.rans import PRECISION
from comeo.codecs.learned.tables import REACH, ROWS, SKIPPED, SYMBOLS
from comeo.settings import CodecSettings
from training.context import channels_of
from training.crops import CropSampler, options_of
from training.pack import Image

PRIOR = 400.0  # symbols that the logistic distribution counts for in each table
BATCHES = 60
ROUNDS = 5
FEWEST = 200  # symbols that a reconstruction point is fitted to
_SIDES = ((128, 12), (256, 3))


class Fitted(NamedTuple):
    """Data of `comeo.codecs.learned.tables`.

    Attributes:
        frequencies: (sets, ROWS, SYMBOLS).
        points: (sets, ROWS, POINTS).
    """

    frequencies: NDArray[np.uint32]
    points: NDArray[np.int8]


def unfitted(quantiser: Quantiser) -> Fitted:
    """Tables of logistic distributions, and points that are the grid's: where fitting starts."""
    counts = np.zeros((quantiser.sets, ROWS, SYMBOLS))
    return Fitted(frequencies(counts, quantiser), np.zeros((quantiser.sets, ROWS, POINTS), np.int8))


def fit(
    packed: Callable[[Fitted], ModelFile],
    layout: Layout,
    quantiser: Quantiser,
    images: list[Image],
    *,
    seed: int = 7,
    batches: int = BATCHES,
    rounds: int = ROUNDS,
) -> Fitted:
    """Code training crops, round after round.

    Args:
        packed: Makes a model file with the given tables.
        layout: Of the model.
        quantiser: Of the model.
        images: The pack.
        seed: Of the crops, the same ones in each round.
        batches: Batches of crops in a round.
        rounds: How many rounds.
    """
    fitted = unfitted(quantiser)
    for _ in range(rounds):
        fitted = _one_round(packed(fitted), fitted, _crops(images, layout, seed, batches))
    return fitted


def _crops(images: list[Image], layout: Layout, seed: int, batches: int) -> Iterable[NDArray[np.float32]]:
    options = [options_of(images, side, number, layout) for side, number in _SIDES]
    samplers = [CropSampler(images, each, seed) for each in options]
    for number in range(batches):
        yield from samplers[number % len(samplers)].batch()


def _one_round(file: ModelFile, before: Fitted, crops: Iterable[NDArray[np.float32]]) -> Fitted:
    quantiser, settings = file.quantiser, CodecSettings()
    counts = np.zeros((quantiser.sets, ROWS, SYMBOLS))
    excess = np.zeros((quantiser.sets, ROWS, POINTS, 2))
    for crop in crops:
        shape = tile_grid(*crop.shape[1:])
        latents = latents_of(crop, shape, file.layout)[:, file.places]
        passes = choose_passes(file, settings, latents, energy_classes(crop), shape, thorough=False)
        off = passes.off.reshape(latents.shape)
        for chosen in passes.chosen:
            group = bisect_right(file.layout.first_passes, chosen.number) - 1
            own = off[chosen.tiles, channels_of(file.layout, group)]
            counts += count(chosen, quantiser)
            excess += measure_excess(chosen, own, before.points)
    points = UNIT * excess[..., 0] / np.maximum(excess[..., 1], 1) * (excess[..., 1] > FEWEST)
    limit = quantiser.grid - 1
    return Fitted(frequencies(counts, quantiser), np.rint(points).clip(-limit, limit).astype(np.int8))


def count(chosen: Chosen, quantiser: Quantiser) -> NDArray[np.float64]:
    """How often each table codes each symbol; see `comeo.codecs.learned.tables.locate`."""
    coded = chosen.index > SKIPPED
    symbols, index, sets = (
        values[coded].astype(np.int64) for values in (chosen.symbols, chosen.index, chosen.sets)
    )
    shift = np.maximum(-((ROWS - 1 - index) // 4), 0)
    distance = symbols >> shift
    column = np.where(np.abs(distance) > REACH, SYMBOLS - 1, distance + REACH)
    found = np.zeros((quantiser.sets, ROWS, SYMBOLS))
    np.add.at(found, (sets, index - 4 * shift, column), 1)
    return found


def measure_excess(chosen: Chosen, off: NDArray[np.float64], points: NDArray[np.int8]) -> NDArray[np.float64]:
    """How much farther from zero the grid's points are than what symbols stand for.

    Args:
        chosen: Symbols of a pass.
        off: How far off they decode, of their shape, in steps.
        points: By which they decode.

    Returns:
        Sums in steps, and counts: (sets, ROWS, POINTS, 2).
    """
    coded = (chosen.symbols != 0) & (chosen.index > SKIPPED) & (chosen.index < ROWS)
    symbols, sets, index = (values[coded] for values in (chosen.symbols, chosen.sets, chosen.index))
    place = sets, index, np.minimum(np.abs(symbols), POINTS) - 1
    found = np.zeros((*points.shape, 2))
    np.add.at(found[..., 0], place, points[place] / UNIT - off[coded] * np.sign(symbols))
    np.add.at(found[..., 1], place, 1)
    return found


def frequencies(counts: NDArray[np.float64], quantiser: Quantiser) -> NDArray[np.uint32]:
    """Turn counts into frequencies (as the counts), each row summing to 2^16, none zero."""
    found = np.empty(counts.shape, np.uint32)
    for own, row in np.ndindex(counts.shape[:2]):
        shares = counts[own, row] + PRIOR * _logistic(row, own, quantiser.grid)
        shares[:-1] = (shares[:-1] + shares[-2::-1]) / 2
        found[own, row] = _whole(shares / shares.sum())
    return found


def _whole(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    found = 1 + np.floor(shares * ((1 << PRECISION) - len(shares))).astype(np.int64)
    found[np.argmax(found)] += (1 << PRECISION) - found.sum()
    return found


def _logistic(scale: int, own: int, grid: int) -> NDArray[np.float64]:
    """A logistic distribution around zero, a share for each point of a set; what is beyond comes last."""
    width = 2 ** (scale / 4 - 4) * math.sqrt(3) / math.pi * UNIT / grid
    size = np.arange(REACH + 2)
    points = np.maximum(2 * size - own, 0)
    edges = (points[:-1] + points[1:]) / 2
    above = 1 / (1 + np.exp(np.clip(edges / width, 0, 500)))
    one_side = -np.diff(above)
    return np.concatenate([one_side[::-1], [1 - 2 * above[0]], one_side, [2 * above[-1]]])
