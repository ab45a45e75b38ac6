"""Frequency tables of the entropy coder, fitted to the symbols of training crops.

The networks learn with logistic distributions. What symbols really do at a predicted scale differs: the
encoder's choice by rate and distortion makes zeros likelier, and tails are longer.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from comeo.codecs.learned.rans import PRECISION
from comeo.codecs.learned.tables import FRACTIONS, REACH, ROWS, SKIPPED, SYMBOLS
from comeo.training.context import Decided
from comeo.training.crops import CropOptions, CropSampler
from comeo.training.model import Model
from comeo.training.pack import Image

PRIOR = 400.0  # symbols that the logistic distribution counts for in each table
BATCHES = 60
_SIDES = ((128, 12), (256, 3))


@torch.no_grad()
def fit(model: Model, images: list[Image], seed: int = 7, batches: int = BATCHES) -> NDArray[np.uint32]:
    """Count symbols on training crops: frequencies (ROWS · FRACTIONS, SYMBOLS)."""
    model.eval()
    counts = np.zeros((ROWS * FRACTIONS, SYMBOLS))
    samplers = [CropSampler(images, CropOptions(side, count), seed) for side, count in _SIDES]
    for number in range(batches):
        crops = samplers[number % len(samplers)].batch()
        counts += count(model(torch.from_numpy(crops)).decided)
    return frequencies(counts)


def count(decided: Decided) -> NDArray[np.float64]:
    """How often each table codes each symbol; see `comeo.codecs.learned.tables.locate`."""
    symbols, mean, index = (
        values.cpu().numpy().astype(np.int64) for values in (decided.symbols, decided.mean * 4, decided.index)
    )
    coded = index > SKIPPED
    symbols, mean, index = symbols[coded], mean[coded], index[coded]
    shift = np.maximum(-((ROWS - 1 - index) // 4), 0)
    centre = (mean + 2) >> 2
    fraction = np.where(shift > 0, -2, mean - 4 * centre)
    distance = np.where(fraction < 0, -1, 1) * ((symbols - centre) >> shift)
    column = np.where(np.abs(distance) > REACH, SYMBOLS - 1, distance + REACH)
    found = np.zeros((ROWS * FRACTIONS, SYMBOLS))
    np.add.at(found, ((index - 4 * shift) * FRACTIONS + np.abs(fraction), column), 1)
    return found


def frequencies(counts: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Turn counts into frequencies (as the counts), each row summing to 2^16, none zero."""
    rows = []
    for number, row in enumerate(counts):
        shares = row + PRIOR * _logistic(*divmod(number, FRACTIONS))
        if number % FRACTIONS == 0:
            shares[:-1] = (shares[:-1] + shares[-2::-1]) / 2
        rows.append(_whole(shares / shares.sum()))
    return np.array(rows, np.uint32)


def _whole(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    found = 1 + np.floor(shares * ((1 << PRECISION) - len(shares))).astype(np.int64)
    found[np.argmax(found)] += (1 << PRECISION) - found.sum()
    return found


def _logistic(scale: int, fraction: int) -> NDArray[np.float64]:
    """A logistic distribution with mean fraction/4, integrated over one unit; what is beyond comes last."""
    width = 2 ** (scale / 4 - 4) * math.sqrt(3) / math.pi
    edges = (np.arange(-REACH, REACH + 2) - 0.5 - fraction / 4) / width
    below = 1 / (1 + np.exp(np.clip(-edges, -500, 500)))
    mass = np.diff(below)
    return np.append(mass, 1 - mass.sum()).clip(0)
