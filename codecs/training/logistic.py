"""The distribution that symbols are modelled with in training, and the choice of symbols by it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from comeo.codecs.learned.encoder import WORTH

SCALE_UNIT = 4
SCALE_LOWEST = -4.0


def bits(symbols: Tensor, index: Tensor) -> Tensor:
    """The cost of symbols, each under a logistic distribution around zero, integrated over one unit.

    Args:
        symbols: Whole numbers.
        index: Scale indexes.

    Returns:
        Bits, of the common shape.
    """
    inverse = torch.exp2(-index / SCALE_UNIT - SCALE_LOWEST) * (math.pi / math.sqrt(3))
    distance = symbols.abs()
    # σ(a) − σ(b) = σ(a)·σ(−b)·(1 − e^(b−a)): no cancellation, far into the tails.
    log = (
        functional.logsigmoid((0.5 - distance) * inverse)
        + functional.logsigmoid((0.5 + distance) * inverse)
        + torch.log1p(-torch.exp(-inverse))
    )
    return log * (-1 / math.log(2))


def decide(latents: Tensor, index: Tensor) -> Tensor:
    """Round by rate and distortion: to the nearest whole number, one nearer zero, or zero.

    What a choice does to the symbols after it is not weighed.

    Args:
        latents: Distances from the means, in steps.
        index: Scale indexes.
    """
    nearest = torch.floor(latents + 0.5)
    open_to_doubt = nearest != 0
    values, indexes, start = latents[open_to_doubt], index[open_to_doubt], nearest[open_to_doubt]
    best, least = start, WORTH * (values - start).square() + bits(start, indexes)
    for choice in (start - torch.sign(start), torch.zeros_like(start)):
        value = WORTH * (values - choice).square() + bits(choice, indexes)
        best, least = torch.where(value < least, choice, best), torch.minimum(value, least)
    return nearest.masked_scatter(open_to_doubt, best)
