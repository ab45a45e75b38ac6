"""The entropy model: what each symbol's distribution is, given the values decoded before it.

Symbols are decoded in passes (see `comeo.codecs.learned.layout`). Each pass has a network of its own over
what is known of a tile and its neighbours: magnitudes in logarithms. Its last layer sees some of the features
again beside what the two hidden layers make of them, so that each coefficient sees its own neighbours. Means
are predicted from the component before and, of the coarse groups, linearly from the tiles around. All is
integer arithmetic: encoder and decoder agree to the bit on the table that each symbol is coded with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from comeo.codecs.learned import features as exact
from comeo.codecs.learned.layout import Layout, Pass, Plan
from comeo.codecs.learned.tables import SCALES
from training.design import FIRST_DESIGN, Design
from training.integers import PEAK, UNIT, WholeLinear, activate, round_through, whole_weights
from training.logistic import SCALE_LOWEST, SCALE_UNIT
from training.quantising import Quantising, Scalar

CROSS_UNIT = 64
CROSS_START = 0.85

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
class Coded:
    """Results of the entropy model for a batch, each (tiles, channels) unless said otherwise.

    Attributes:
        values: Decoded values, sixteenths of a step, whole.
        symbols: Whole numbers.
        index: Scale indexes, 0…60, whole; −1 where nothing is coded.
        bits: (tiles,) cost, by the entropy model.
        error: (tiles,) squared error, in squared steps.
    """

    values: Tensor
    symbols: Tensor
    index: Tensor
    bits: Tensor
    error: Tensor


class Inputs(NamedTuple):
    """Inputs of a pass's network; features are multiples of 1/16, 0…127/16.

    Attributes:
        direct: (tiles, n) what the last layer sees again.
        others: (tiles, n) what only the first layer sees.
        own: (tiles, kinds · channels) features of each channel: neighbours' sums and differences, crossed
            prediction.
        neighbours: (tiles, n) whole values that means are predicted from, or None.
        bends: (tiles, n) magnitudes with signs that these predictions are bent by, or None.
        crossed: (tiles, channels) prediction from the component before, in sixteenths, or None.
    """

    direct: Tensor
    others: Tensor
    own: Tensor
    neighbours: Tensor | None
    bends: Tensor | None
    crossed: Tensor | None


class PassContext(nn.Module):
    """Predicts what one pass decodes.

    Args:
        design: Of the model.
        number: The group of channels.
        step: The pass within it.
        deviations: (channels,) standard deviation of each channel over that of its component.
    """

    def __init__(self, design: Design, number: int, step: int, deviations: Tensor) -> None:
        super().__init__()
        layout, second = design.layout, design.second[number]
        groups, group = layout.groups, layout.groups[number]
        count = group.count
        sizes = [groups[i].count for i in group.sizes]
        self.direct = exact.fixed_count(layout) + sum(sizes[: group.again])
        others = sum(sizes[group.again :]) + 2 * sum(groups[i].count for i in group.pairs)
        self.kinds = exact.own_kinds(layout, number, step)
        self.first = WholeLinear(self.direct + others + self.kinds * count, design.first[number])
        self.second = WholeLinear(design.first[number], second)
        self.last = nn.Parameter(torch.zeros(count, second + self.direct))
        self.diagonal = nn.Parameter(torch.zeros(count, self.kinds))
        self.bias = nn.Parameter(torch.log2(deviations) - ENERGY_OFFSET)
        with torch.no_grad():
            # An energy class of `c` sixteenths is twice a log2, plus an offset: see `energy_class`.
            component = torch.from_numpy(layout.places[0][channels_of(layout, number)])
            for copy in range(exact.COPIES):
                place = second + copy * layout.components + component
                self.last[torch.arange(count), place] = UNIT / ENERGY_UNIT / exact.COPIES
        neighbours = exact.neighbour_count(layout, number, step)
        self.linear, self.bend, self.bent = None, None, None
        if neighbours:
            self.linear = WholeLinear(neighbours, count, zero=True, peak=exact.NEIGHBOUR_PEAK, unit=1)
            self.bend = WholeLinear(exact.bend_count(layout, number, step), design.bent[number])
            self.bent = WholeLinear(design.bent[number], count, zero=True)
        self.cross = nn.Parameter(torch.full((count,), CROSS_START)) if group.crossed else None

    def frozen(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The last layer as it is used: dense and diagonal weights, bias, and the power of two of each."""
        weight, unit = whole_weights(torch.cat([self.last, self.diagonal], 1))
        width = self.last.shape[1]
        bias = round_through(self.bias / unit * UNIT) * unit / UNIT
        return weight[:, :width], weight[:, width:], bias, unit

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Predict means in steps (multiples of 1/16), and scale indexes before clipping (whole)."""
        seen = torch.cat([inputs.direct, inputs.others, inputs.own], 1)
        hidden = activate(self.second(activate(self.first(seen))))
        with torch.autocast(seen.device.type, enabled=False):  # what is predicted has to be exact
            return self._means(inputs, hidden), self._indexes(inputs, hidden.float())

    def _indexes(self, inputs: Inputs, hidden: Tensor) -> Tensor:
        dense, diagonal, bias, _ = self.frozen()
        scale = torch.cat([hidden, inputs.direct], 1) @ dense.T + bias
        own = inputs.own.reshape(len(hidden), self.kinds, len(bias))
        return round_through(SCALE_UNIT * (scale + (own * diagonal.T).sum(1) - SCALE_LOWEST))

    def _means(self, inputs: Inputs, hidden: Tensor) -> Tensor:
        mean = hidden.new_zeros(len(hidden), len(self.bias), dtype=torch.float32)
        if self.linear is not None and inputs.neighbours is not None:
            mean = round_through(self.linear(inputs.neighbours) * UNIT)
        if self.cross is not None and inputs.crossed is not None:
            mean = mean + round_through(inputs.crossed * cross_weights(self.cross))
        if self.bend is not None and self.bent is not None and inputs.bends is not None:
            mean = mean + round_through(self.bent(activate(self.bend(inputs.bends))) * UNIT)
        return mean.clamp(-exact.MEAN_PEAK, exact.MEAN_PEAK) / UNIT

    def macs(self) -> int:
        """Multiply-accumulates a tile."""
        last = int(self.last.numel() + self.diagonal.numel())
        layers = (self.first, self.second, self.linear, self.bend, self.bent)
        return last + sum(layer.macs() for layer in layers if layer is not None)


class Known:
    """Values decoded so far, and what features are made of them.

    Args:
        layout: Of the model.
        energy: (tiles, components), the classes of each tile's block.
        plan: Where tiles lie.
    """

    def __init__(self, layout: Layout, energy: Tensor, plan: Plan) -> None:
        tiles = len(energy)
        self.layout = layout
        self.values = energy.new_zeros(tiles + 1, layout.channels)
        self.energy = energy.repeat(1, exact.COPIES) / UNIT
        self.sums = torch.zeros(tiles + 1, 3 * len(layout.pairs), dtype=torch.float64, device=energy.device)
        self.around, self.beside, self.corners = (
            self._index(places) for places in (plan.around, plan.beside, plan.corners)
        )
        self._sizes: dict[int, Tensor] = {}
        self._partners = self._index(layout.partners)

    def paired(self, number: int, around: Tensor) -> Tensor:
        """Magnitudes of the sums over two pairs of tiles: (tiles, 2 · channels of the group)."""
        size = self.values[:, channels_of(self.layout, number)].abs()
        sides = [size[around[:, side]] for side in range(4)]
        return magnitude(torch.cat([sides[0] + sides[1], sides[2] + sides[3]], 1))

    def apart(self, number: int, around: Tensor) -> Tensor:
        """Magnitudes of the differences within two pairs of tiles: (tiles, 2 · channels of the group).

        A pair that is one tile, mirrored, says nothing: the other stands for it.
        """
        found = []
        for pair in (slice(0, 2), slice(2, 4)):
            other = around[:, 2:] if pair.start == 0 else around[:, :2]
            mirrored = (around[:, pair.start] == around[:, pair.start + 1])[:, None]
            ends = torch.where(mirrored, other, around[:, pair])
            own = self.values[:, channels_of(self.layout, number)]
            found.append(own[ends[:, 0]] - own[ends[:, 1]])
        return magnitude(torch.cat(found, 1))

    def active(self, number: int) -> Tensor:
        """(tiles,) where a group is coded."""
        group = self.layout.groups[number]
        found = torch.zeros(len(self.values), dtype=torch.int64, device=self.values.device)
        for parent in group.parents:
            found += (self.values[:, channels_of(self.layout, parent)].abs() >= UNIT / 2).sum(1)
        return (2 * found[:-1] + found[self.beside].sum(1) >= group.evidence).cpu()

    def inputs(self, number: int, step: Pass) -> Inputs:
        """Inputs of the network of a pass."""
        group = self.layout.groups[number]
        tiles = self._index(step.tiles)
        known = None if step.known is None else self._index(step.known)
        total = (
            4 * self.sums[tiles]
            + self.sums[self.beside[tiles]].sum(1)
            + self.sums[self.corners[tiles]].sum(1)
        )
        sizes = [self._size(i)[tiles] for i in group.sizes]
        direct = [self.energy[tiles], _quarter_octaves(total) / UNIT, *sizes[: group.again]]
        around = self.around[tiles]
        others = [*sizes[group.again :], *(self.paired(i, around) for i in group.pairs)]
        own = [] if known is None else [self.paired(number, known)]
        if known is not None and group.before is not None:
            own.append(self.apart(number, known))
        crossed = self._crossed(number, tiles, total) if group.crossed else None
        if crossed is not None:
            own.append(magnitude(crossed))
        empty = self.energy.new_zeros(len(tiles), 0)
        whole, bends = self._neighbours(number, step)
        return Inputs(
            torch.cat(direct, 1), torch.cat([empty, *others], 1), torch.cat([empty, *own], 1),
            whole, bends, crossed,
        )  # fmt: skip

    def add(self, number: int, tiles: Tensor, values: Tensor) -> None:
        """Take note of what a pass decoded: (tiles, channels of the group), sixteenths."""
        channels = channels_of(self.layout, number)
        self.values[tiles, channels] = values
        if not self.layout.groups[number].crossed:
            return
        components, ranks = (place[channels] for place in self.layout.places)
        before = self.values[tiles][:, self._partners[channels]]
        for pair, (_, component) in enumerate(self.layout.pairs):
            chosen = torch.from_numpy((components == component) & (ranks > 0))
            one = before[:, chosen].clamp(-exact.VALUE_PEAK, exact.VALUE_PEAK).double()
            other = values[:, chosen].clamp(-exact.VALUE_PEAK, exact.VALUE_PEAK).double()
            for place, product in enumerate((one * other, one * one, other * other)):
                self.sums[tiles, 3 * pair + place] += product.sum(1)

    def _index(self, places: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(places).to(self.values.device)

    def _size(self, number: int) -> Tensor:
        if number not in self._sizes:
            self._sizes[number] = magnitude(self.values[:-1, channels_of(self.layout, number)])
        return self._sizes[number]

    def _crossed(self, number: int, tiles: Tensor, total: Tensor) -> Tensor:
        """Prediction from the component before, by what the two had to do with each other nearby."""
        channels = channels_of(self.layout, number)
        before = self.values[tiles][:, self._partners[channels]]
        before = before.clamp(-exact.VALUE_PEAK, exact.VALUE_PEAK).long()
        pair = self._index(self.layout.places[0][channels] - 1)
        top, bottom = total[:, ::3].long() << exact.RATIO_BITS, total[:, 1::3].long() + exact.RIDGE
        ratio = torch.div(top, bottom, rounding_mode="floor").clamp(-exact.RATIO_PEAK, exact.RATIO_PEAK)
        found = (ratio[:, pair] * before + (1 << (exact.RATIO_BITS - 1))) >> exact.RATIO_BITS
        return found.clamp(-exact.CROSS_PEAK, exact.CROSS_PEAK).float()

    def _neighbours(self, number: int, step: Pass) -> tuple[Tensor, Tensor] | tuple[None, None]:
        before = self.layout.groups[number].before
        if before is None or not exact.neighbour_count(self.layout, number, step.known is not None):
            return None, None
        peak = UNIT * exact.NEIGHBOUR_PEAK
        values, bends = [], []
        if step.known is not None:
            own = self.values[:, channels_of(self.layout, number)].clamp(-peak, peak)
            sides = torch.stack([own[self._index(step.known[:, side])] for side in range(4)], 1)
            mean = torch.floor((sides.sum(1, keepdim=True) + 2) / 4)
            values.append(sides)
            bends += [mean, sides - mean]
        leading = self.values[:, :before].clamp(-peak, peak)
        tiles = self._index(step.tiles)
        tile = leading[tiles][:, None]
        around = torch.stack([leading[self.around[tiles, side]] for side in range(4)], 1)
        values += [tile, around]
        bends += [tile, around - tile]
        whole = torch.cat([torch.floor((each + UNIT / 2) / UNIT).flatten(1) for each in values], 1)
        return whole, magnitude(torch.cat([each.flatten(1) for each in bends], 1), signed=True)


class ContextModel(nn.Module):
    """The entropy model of all channels.

    Args:
        deviations: (channels,) standard deviation of each channel over that of its component, at the start.
        design: Groups of channels, and the networks' widths.
    """

    def __init__(self, deviations: Tensor, design: Design = FIRST_DESIGN) -> None:
        super().__init__()
        self.layout = design.layout
        self.quantising: Callable[[list[int]], Quantising] | None = None  # None: by whole steps
        parts = deviations.split([group.count for group in self.layout.groups])
        self.groups = nn.ModuleList(
            nn.ModuleList(PassContext(design, number, step, part) for step in range(group.passes))
            for number, (group, part) in enumerate(zip(self.layout.groups, parts, strict=True))
        )

    def forward(self, latents: Tensor, energy: Tensor, shapes: tuple[tuple[int, int], ...]) -> Coded:
        """Decide all symbols.

        Args:
            latents: (tiles, channels), in steps.
            energy: (tiles, components), the classes of each tile's block.
            shapes: Rows and columns of tiles of each block.
        """
        plan = self.layout.plan(shapes)
        known = Known(self.layout, energy, plan)
        tiles_each = [rows * columns for rows, columns in shapes]
        quantising = self.quantising(tiles_each) if self.quantising else Scalar()
        error = latents.square().sum(1)
        cost = torch.zeros_like(error)
        symbols, indexes = torch.zeros_like(latents), torch.full_like(latents, -1)
        for number, networks in enumerate(self.groups):
            channels = channels_of(self.layout, number)
            active = known.active(number).numpy()
            for network, whole in zip(networks, plan.steps[number], strict=True):
                step = whole.where(active)
                if not len(step.tiles):
                    continue
                tiles = torch.from_numpy(step.tiles).to(latents.device)
                wanted = latents[tiles, channels]
                mean, index = network(known.inputs(number, step))
                index = clamp_through(index, 0, SCALES - 1)
                with torch.no_grad():
                    choice = quantising.choose(step.tiles, wanted - mean, index)
                    if not self.training:
                        choice = choice.coded(index)
                cost = cost.index_add(0, tiles, quantising.bits(choice, index).sum(1))
                left = (wanted - mean - choice.values).square() - wanted.square()
                error = error.index_add(0, tiles, left.sum(1))
                with torch.no_grad():
                    known.add(number, tiles, UNIT * (choice.values + mean))
                    symbols[tiles, channels], indexes[tiles, channels] = choice.symbols, index
        return Coded(known.values[:-1], symbols, indexes, cost, error)

    def macs(self) -> float:
        """Multiply-accumulates a tile in which all groups are coded."""
        shares = {
            5: (1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2),
            3: (1 / 4, 1 / 4, 1 / 2),
            2: (1 / 2, 1 / 2),
            1: (1.0,),
        }
        return sum(
            float(share * network.macs())
            for networks in self.groups
            for share, network in zip(shares[len(networks)], networks, strict=True)
        )


def channels_of(layout: Layout, number: int) -> slice:
    """The channels of a group."""
    return slice(layout.starts[number], layout.starts[number] + layout.groups[number].count)


def _quarter_octaves(sums: Tensor) -> Tensor:
    """See `comeo.codecs.learned.features.quarter_octaves`: the same of float64 that hold whole numbers."""
    mantissa, exponent = torch.frexp(torch.floor(sums.abs() / (1 << exact.SUM_SHIFT)))
    found = 4 * (exponent - 1) + torch.floor(8 * mantissa) - 4 + 1
    return torch.where(mantissa == 0, 0, found).clamp(max=PEAK).float()


def magnitude(sixteenths: Tensor, *, signed: bool = False) -> Tensor:
    """log2(1 + |value|), in whole sixteenths; with the value's sign if asked."""
    table = _magnitudes(sixteenths.device)
    found = table[sixteenths.abs().clamp(max=exact.LARGEST).long()]
    return found * torch.sign(sixteenths) if signed else found


@lru_cache(maxsize=4)
def _magnitudes(device: torch.device) -> Tensor:
    return torch.from_numpy(exact.MAGNITUDE.astype(np.float32)).to(device) / UNIT


def cross_weights(learned: Tensor) -> Tensor:
    """Weights of a crossed prediction as they are used: multiples of 1/64."""
    return round_through(learned.clamp(0, 1.5) * CROSS_UNIT) / CROSS_UNIT


def clamp_through(values: Tensor, low: float, high: float) -> Tensor:
    """Clamp, with the gradient of the identity: an index that is far too low can still rise."""
    return values + (values.clamp(low, high) - values).detach()
