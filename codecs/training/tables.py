"""Frequency tables and reconstruction points, fitted to the symbols of training crops.

The networks learn with logistic distributions. What symbols really do at a predicted scale differs: the
encoder's choice by rate and distortion makes zeros likelier, and tails are longer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from comeo.codecs.learned.features import UNIT
from comeo.codecs.learned.rans import PRECISION
from comeo.codecs.learned.tables import POINTS, REACH, ROWS, SKIPPED, SYMBOLS
from training.context import Coded
from training.crops import CropOptions, CropSampler
from training.model import Model
from training.pack import Image

PRIOR = 400.0  # symbols that the logistic distribution counts for in each table
BATCHES = 60
FEWEST = 200  # symbols that a reconstruction point is fitted to
_SIDES = ((128, 12), (256, 3))


class Fitted(NamedTuple):
    """Data of `comeo.codecs.learned.tables`.

    Attributes:
        frequencies: (ROWS, SYMBOLS).
        points: (ROWS, POINTS).
    """

    frequencies: NDArray[np.uint32]
    points: NDArray[np.int8]


@torch.no_grad()
def fit(model: Model, images: list[Image], seed: int = 7, batches: int = BATCHES) -> Fitted:
    """Count symbols on training crops."""
    model.eval()
    counts, excess = np.zeros((ROWS, SYMBOLS)), np.zeros((ROWS, POINTS, 2))
    options = [CropOptions(side, number, layout=model.layout) for side, number in _SIDES]
    samplers = [CropSampler(images, each, seed) for each in options]
    for number in range(batches):
        crops = torch.from_numpy(samplers[number % len(samplers)].batch())
        coded = model(crops).coded
        counts += count(coded)
        excess += measure_excess(coded, model.latents(crops))
    points = UNIT * excess[..., 0] / np.maximum(excess[..., 1], 1) * (excess[..., 1] > FEWEST)
    return Fitted(frequencies(counts), np.rint(points).clip(1 - UNIT // 2, UNIT // 2 - 1).astype(np.int8))


def count(coded: Coded) -> NDArray[np.float64]:
    """How often each table codes each symbol; see `comeo.codecs.learned.tables.locate`."""
    symbols, index = (values.cpu().numpy().astype(np.int64) for values in (coded.symbols, coded.index))
    chosen = index > SKIPPED
    symbols, index = symbols[chosen], index[chosen]
    shift = np.maximum(-((ROWS - 1 - index) // 4), 0)
    distance = symbols >> shift
    column = np.where(np.abs(distance) > REACH, SYMBOLS - 1, distance + REACH)
    found = np.zeros((ROWS, SYMBOLS))
    np.add.at(found, (index - 4 * shift, column), 1)
    return found


def measure_excess(coded: Coded, latents: Tensor) -> NDArray[np.float64]:
    """How much larger symbols are than what they stand for: sums in steps, and counts, (ROWS, POINTS, 2)."""
    symbols, index = (values.cpu().numpy().astype(np.int64) for values in (coded.symbols, coded.index))
    over = ((coded.values / UNIT - latents) * torch.sign(coded.symbols)).cpu().numpy()
    chosen = (symbols != 0) & (index > SKIPPED) & (index < ROWS)
    place = index[chosen], np.minimum(np.abs(symbols[chosen]), POINTS) - 1
    found = np.zeros((ROWS, POINTS, 2))
    np.add.at(found[..., 0], place, over[chosen])
    np.add.at(found[..., 1], place, 1)
    return found


def frequencies(counts: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Turn counts into frequencies (as the counts), each row summing to 2^16, none zero."""
    rows = []
    for number, row in enumerate(counts):
        shares = row + PRIOR * _logistic(number)
        shares[:-1] = (shares[:-1] + shares[-2::-1]) / 2
        rows.append(_whole(shares / shares.sum()))
    return np.array(rows, np.uint32)


def _whole(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    found = 1 + np.floor(shares * ((1 << PRECISION) - len(shares))).astype(np.int64)
    found[np.argmax(found)] += (1 << PRECISION) - found.sum()
    return found


def _logistic(scale: int) -> NDArray[np.float64]:
    """A logistic distribution around zero, integrated over one unit; what is beyond comes last."""
    width = 2 ** (scale / 4 - 4) * math.sqrt(3) / math.pi
    edges = (np.arange(-REACH, REACH + 2) - 0.5) / width
    below = 1 / (1 + np.exp(np.clip(-edges, -500, 500)))
    mass = np.diff(below)
    return np.append(mass, 1 - mass.sum()).clip(0)
