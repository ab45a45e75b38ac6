"""The entropy model: what each symbol's distribution is, given the symbols decoded before it.

Symbols are decoded in passes (see `comeo.codecs.learned.layout`). Each pass has a network of its own over
what is known of a tile and its neighbours: magnitudes of symbols in logarithms. Its last layer sees the
features again beside what the two hidden layers make of them, so that each coefficient sees its own
neighbours. Means of the coarse groups are predicted linearly from their neighbours' symbols. All is integer
arithmetic: encoder and decoder agree to the bit on the table that each symbol is coded with.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from comeo.codecs.learned.features import COPIES
from comeo.codecs.learned.features import NEIGHBOUR_PEAK as MEAN_PEAK
from comeo.codecs.learned.layout import CHANNELS, COMPONENTS, GROUPS, LINEAR, NEAR, PASSES, Pass, passes
from comeo.codecs.learned.tables import SCALES, SKIPPED
from comeo.training.integers import PEAK, UNIT, WholeLinear, activate, magnitude, round_through, to_grid

__all__ = ["CHANNELS", "COMPONENTS", "ContextModel", "bits", "decide", "energy_class"]

FIRST = (96, 128, 192, 192, 96)  # hidden features of each group's networks
SECOND = (64, 96, 128, 128, 96)
THINNED = 5  # of the last group, most symbols of all and least bits, training looks at every fifth tile

SCALE_UNIT = 4
SCALE_LOWEST = -4.0

LAMBDA = 9.0  # bits that a squared step is worth: near the slope of uniform quantisation, 6 / ln 2
MEAN_UNIT = 4
ENERGY_UNIT = 8
ENERGY_OFFSET = 4.0


def energy_class(components: Tensor) -> Tensor:
    """The class of each component that a payload transmits: log2 of its RMS, in eighths, as 0…127.

    Args:
        components: (batch, components, y, x), in steps.

    Returns:
        (batch, components) of whole numbers.
    """
    power = components.float().square().mean((2, 3)).clamp(min=1e-9)
    return torch.round(ENERGY_UNIT * (0.5 * torch.log2(power) + ENERGY_OFFSET)).clamp(0, PEAK)


@dataclass(frozen=True, slots=True)
class Decided:
    """Symbols and what was predicted of them, each (tiles, channels).

    Attributes:
        symbols: Whole numbers.
        cost: Bits, by the entropy model.
        mean: Multiples of 1/4.
        index: Scale indexes, 0…60, whole.
    """

    symbols: Tensor
    cost: Tensor
    mean: Tensor
    index: Tensor


@dataclass(frozen=True, slots=True)
class Known:
    """A group's symbols as context; arrays have one more row, of zeros, than there are tiles.

    Attributes:
        symbols: (tiles + 1, channels).
        sizes: Their magnitudes in logarithms.
        pairs: The same of the sums over the two pairs of neighbours: (tiles, 2 · channels).
    """

    symbols: Tensor
    sizes: Tensor
    pairs: Tensor


def paired(symbols: Tensor, around: Tensor) -> Tensor:
    """Magnitudes of the sums over two pairs of neighbours: (tiles, 2 · channels)."""
    size = symbols.abs()
    sides = [size[around[:, side]] for side in range(4)]
    return magnitude(torch.cat([sides[0] + sides[1], sides[2] + sides[3]], 1))


class PassContext(nn.Module):
    """Predicts what one pass decodes.

    Args:
        group: The group of channels.
        number: The pass within it.
        deviations: (channels,) standard deviation of each channel over that of its component.
        component: (channels,) the component that each channel belongs to.
    """

    def __init__(self, group: int, number: int, deviations: Tensor, component: Tensor) -> None:
        super().__init__()
        self.near = group < NEAR
        count, before = GROUPS[group], sum(GROUPS[:group])
        own = 2 * count if number else 0
        features = COPIES * COMPONENTS + (3 if self.near else 1) * before + own
        self.first = WholeLinear(features, FIRST[group])
        self.second = WholeLinear(FIRST[group], SECOND[group])
        self.skipping = features if self.near else COPIES * COMPONENTS
        self.last = WholeLinear(SECOND[group] + self.skipping, count, zero=True)
        with torch.no_grad():
            # An energy class of `c` sixteenths is twice a log2, plus an offset: see `energy_class`.
            for copy in range(COPIES):
                place = SECOND[group] + copy * COMPONENTS + component
                self.last.weight[torch.arange(count), place] = UNIT / ENERGY_UNIT / COPIES
            self.last.bias.copy_(torch.log2(deviations) - ENERGY_OFFSET)
        neighbours = 5 * before + (4 * count if number else 0)
        self.linear = (
            WholeLinear(neighbours, count, zero=True, peak=MEAN_PEAK, unit=1)
            if group < LINEAR and neighbours
            else None
        )

    def forward(self, features: Tensor, neighbours: Tensor | None) -> tuple[Tensor, Tensor]:
        """Predict.

        Args:
            features: (tiles, features), multiples of 1/16.
            neighbours: (tiles, symbols) for the linear prediction, if there is one.

        Returns:
            Means (multiples of 1/4) and scale indexes before clipping (whole), (tiles, channels).
        """
        hidden = activate(self.second(activate(self.first(features))))
        scale = self.last(torch.cat([hidden, features[:, : self.skipping]], 1)).float()
        index = round_through(SCALE_UNIT * (scale - SCALE_LOWEST))
        if self.linear is None or neighbours is None:
            return torch.zeros_like(index), index
        with torch.autocast(features.device.type, enabled=False):
            mean = self.linear(neighbours.clamp(-MEAN_PEAK, MEAN_PEAK))
        return to_grid(mean, MEAN_UNIT), index

    def macs(self) -> int:
        """Multiply-accumulates a tile."""
        return sum(module.macs() for module in self.modules() if isinstance(module, WholeLinear))


class ContextModel(nn.Module):
    """The entropy model of all channels.

    Args:
        deviations: (channels,) standard deviation of each channel over that of its component, at the start.
        component: (channels,) the component that each channel belongs to.
    """

    def __init__(self, deviations: Tensor, component: Tensor) -> None:
        super().__init__()
        parts = zip(deviations.split(list(GROUPS)), component.split(list(GROUPS)), strict=True)
        self.groups = nn.ModuleList(
            nn.ModuleList(PassContext(group, number, part, owner) for number in range(PASSES[group]))
            for group, (part, owner) in enumerate(parts)
        )

    def forward(self, latents: Tensor, energy: Tensor, shapes: tuple[tuple[int, int], ...]) -> Decided:
        """Decide all symbols.

        Args:
            latents: (tiles, channels), in steps.
            energy: (tiles, components), the classes of each tile's block.
            shapes: Rows and columns of tiles of each block.
        """
        known: list[Known] = []
        found = []
        parts = latents.split(list(GROUPS), 1)
        for networks, plan, part in zip(self.groups, passes(shapes), parts, strict=True):
            symbols = latents.new_zeros(len(part) + 1, part.shape[1])
            cost, means, indexes = torch.zeros_like(part), torch.zeros_like(part), torch.zeros_like(part)
            thinned = THINNED if self.training and len(plan) == 1 else 1
            if thinned > 1:
                symbols[:-1] = torch.floor(part + 0.5)
            for network, whole in zip(networks, plan, strict=True):
                step = dataclasses.replace(
                    whole, tiles=whole.tiles[::thinned], around=whole.around[::thinned]
                )
                tiles = torch.from_numpy(step.tiles).to(latents.device)
                mean, index = network(*_inputs(network, known, symbols, energy, step))
                index = clamp_through(index, 0, SCALES - 1)
                with torch.no_grad():
                    decided = decide(part[tiles], mean, index)
                    if not self.training:
                        decided = decided * (index > SKIPPED)
                symbols = symbols.index_copy(0, tiles, decided)
                cost = cost.index_copy(0, tiles, thinned * bits(decided, mean, index))
                means = means.index_copy(0, tiles, mean.detach())
                indexes = indexes.index_copy(0, tiles, index.detach())
            found.append((symbols[:-1], cost, means, indexes))
            around = torch.from_numpy(passes(shapes)[-1][0].around).to(latents.device)
            known.append(Known(symbols, magnitude(symbols), paired(symbols, around)))
        return Decided(*(torch.cat(list(arrays), 1) for arrays in zip(*found, strict=True)))

    def macs(self) -> float:
        """Multiply-accumulates a tile: passes over a part of the tiles count for that part."""
        shares = {5: (1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2), 2: (1 / 2, 1 / 2), 1: (1.0,)}
        return sum(
            float(share * network.macs())
            for networks in self.groups
            for share, network in zip(shares[len(networks)], networks, strict=True)
        )


def _inputs(
    network: PassContext, known: list[Known], own: Tensor, energy: Tensor, step: Pass
) -> tuple[Tensor, Tensor | None]:
    """Features and neighbours of a pass's tiles."""
    tiles = torch.from_numpy(step.tiles).to(own.device)
    features = [energy[tiles] / UNIT] * COPIES
    neighbours = []
    if step.known is not None:
        around = torch.from_numpy(step.known).to(own.device)
        features.append(paired(own, around))
        neighbours += [own[around[:, side]] for side in range(4)]
    for part in known:
        features.append(part.sizes[tiles])
        if network.near:
            features.append(part.pairs[tiles])
    if network.linear is None:
        return torch.cat(features, 1), None
    around = torch.from_numpy(step.around).to(own.device)
    for part in known:
        neighbours += [part.symbols[tiles]] + [part.symbols[around[:, side]] for side in range(4)]
    return torch.cat(features, 1), torch.cat(neighbours, 1)


def clamp_through(values: Tensor, low: float, high: float) -> Tensor:
    """Clamp, with the gradient of the identity: an index that is far too low can still rise."""
    return values + (values.clamp(low, high) - values).detach()


def decide(latents: Tensor, mean: Tensor, index: Tensor) -> Tensor:
    """Round by rate and distortion: to the nearest whole number, one nearer the mean, or the mean itself.

    What a choice does to the symbols after it is not weighed.
    """
    centre = torch.floor(mean + 0.5)
    nearest = torch.floor(latents + 0.5)
    open_to_doubt = nearest != centre
    values, means, indexes, start, middle = (
        tensor[open_to_doubt] for tensor in (latents, mean, index, nearest, centre)
    )
    best, least = start, LAMBDA * (values - start).square() + bits(start, means, indexes)
    for choice in (start - torch.sign(start - middle), middle):
        value = LAMBDA * (values - choice).square() + bits(choice, means, indexes)
        best, least = torch.where(value < least, choice, best), torch.minimum(value, least)
    return nearest.masked_scatter(open_to_doubt, best)


def bits(symbols: Tensor, mean: Tensor, index: Tensor) -> Tensor:
    """The cost of symbols, each under a logistic distribution integrated over one unit.

    Args:
        symbols: Whole numbers.
        mean: Means.
        index: Scale indexes.

    Returns:
        Bits, of the common shape.
    """
    deviation = torch.exp2(index / SCALE_UNIT + SCALE_LOWEST)
    scale = deviation * (math.sqrt(3) / math.pi)
    distance = (symbols - mean).abs()
    above, below = (0.5 - distance) / scale, (-0.5 - distance) / scale
    # σ(a) − σ(b) = σ(a)·σ(−b)·(1 − e^(b−a)): no cancellation, far into the tails.
    log = functional.logsigmoid(above) + functional.logsigmoid(-below) + torch.log1p(-torch.exp(-1 / scale))
    return log * (-1 / math.log(2))
