"""The entropy model: what each symbol's distribution is, given the symbols decoded before it.

Symbols are decoded in ten passes: five groups of channels, coarse to fine, on interleaved sub-grids
(three for the first group, one for the last, two for the others), as in ELIC (He et al., CVPR 2022), but
without a hyper-prior: the first group takes its place. All that a pass knows goes through whole-number
networks, so encoder and decoder agree to the bit on the index of the table that each symbol is coded
with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from comeo.training.integers import PEAK, UNIT, WholeConv2d, activate, magnitude, round_through, to_grid

GROUPS = (16, 32, 80, 192, 192)
PASSES = (3, 2, 2, 2, 1)
SIGNED = 2  # groups whose signs are context, and whose means are predicted linearly
HIDDEN = (64, 96, 96, 64, 64)
COMPONENTS = 4

SCALES = 61  # tables: standard deviation 2^(index/4 − 4), 1/16 to 2048
SCALE_UNIT = 4
SCALE_LOWEST = -4.0
MEAN_UNIT = 4
FINE = 128  # partial sums are rounded to this before they are added, so that the sum stays exact
MEAN_PEAK = 2047

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


def positions(group: int, height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Which pass decodes each position of a group: (y, x)."""
    rows = torch.arange(height, device=device)[:, None] % 2
    columns = torch.arange(width, device=device)[None, :] % 2
    if PASSES[group] == 3:
        return torch.where(rows != columns, 2, rows)
    return (rows != columns).long() * (PASSES[group] - 1)


@dataclass(frozen=True, slots=True)
class Known:
    """Symbols as context: 0 where not yet known.

    Attributes:
        symbols: (batch, channels, y, x).
        size: Their magnitudes.
        signed: The same with the symbols' signs.
    """

    symbols: Tensor
    size: Tensor
    signed: Tensor

    @classmethod
    def of(cls, symbols: Tensor, measure: Callable[[Tensor], Tensor] = magnitude) -> Known:
        """Measure symbols."""
        size = measure(symbols)
        return cls(symbols, size, size * torch.sign(symbols))

    def where(self, known: Tensor) -> Known:
        """Hide all but some positions."""
        return Known(self.symbols * known, self.size * known, self.signed * known)

    def split(self) -> list[Known]:
        """Take the channels of all groups apart."""
        parts = (tensor.split(list(GROUPS), 1) for tensor in (self.symbols, self.size, self.signed))
        return [Known(*part) for part in zip(*parts, strict=True)]


class GroupContext(nn.Module):
    """Predicts one group of channels, pass after pass.

    Args:
        group: Its number.
        deviations: (channels,) standard deviation of each channel over that of its component.
        component: (channels,) the component that each channel mostly belongs to.
    """

    def __init__(self, group: int, deviations: Tensor, component: Tensor) -> None:
        super().__init__()
        self.group = group
        count, hidden = GROUPS[group], HIDDEN[group]
        before = sum(GROUPS[:group]) + sum(GROUPS[: min(group, SIGNED)])
        own = count * (2 if group < SIGNED else 1)
        size = 5 if group == 0 else 3
        self.first = nn.ModuleList()
        self.second = nn.ModuleList()
        self.last = nn.ModuleList()
        self.energy = nn.ModuleList()
        self.linear = nn.ModuleList()
        for number in range(PASSES[group]):
            inputs, sizes = [COMPONENTS], [1]
            if before:
                inputs, sizes = [*inputs, before], [*sizes, 3 if PASSES[group] > 1 else 1]
            if number:
                inputs, sizes = [*inputs, own], [*sizes, size]
            self.first.append(WholeConv2d(inputs, hidden, sizes))
            self.second.append(WholeConv2d([hidden], hidden, [1]))
            self.last.append(WholeConv2d([hidden], 2 * count, [1], zero=True))
            energy = WholeConv2d([COMPONENTS], count, [1], zero=True)
            with torch.no_grad():
                # An energy class of `c` sixteenths is twice a log2, plus an offset: see `energy_class`.
                energy.weights[0][torch.arange(count), component, 0, 0] = UNIT / ENERGY_UNIT
                energy.bias.copy_(torch.log2(deviations) - ENERGY_OFFSET)
            self.energy.append(energy)
            if group < SIGNED:
                known = ([sum(GROUPS[:group])] if group else []) + ([count] if number else [])
                sides = ([3] if group else []) + ([size] if number else [])
                self.linear.append(
                    WholeConv2d(known, count, sides, zero=True, peak=MEAN_PEAK, unit=1)
                    if known
                    else nn.Identity()
                )

    def forward(self, before: list[Known], own: Known, energy: Tensor) -> tuple[Tensor, Tensor]:
        """Predict every symbol of the group from what is known when its pass comes.

        Args:
            before: The groups before.
            own: The group itself.
            energy: (batch, components, y, x), the energy classes in sixteenths.

        Returns:
            Means in quarters, and scale indexes before clipping, each like the group's symbols.
        """
        where = positions(self.group, own.symbols.shape[2], own.symbols.shape[3], own.symbols.device)
        mean, index = torch.zeros_like(own.symbols), torch.zeros_like(own.symbols)
        for number in range(PASSES[self.group]):
            found = self.predict(number, before, own.where(where < number), energy)
            mean = torch.where(where == number, found[0], mean)
            index = torch.where(where == number, found[1], index)
        return mean, index

    def predict(self, number: int, before: list[Known], own: Known, energy: Tensor) -> tuple[Tensor, Tensor]:
        """Predict what one pass decodes.

        Args:
            number: The pass, within the group.
            before: The groups before.
            own: The group itself, 0 where not yet known.
            energy: (batch, components, y, x), the energy classes in sixteenths.

        Returns:
            As `forward`; meant for the positions of this pass.
        """
        inputs = [energy]
        if before:
            inputs.append(
                torch.cat([part.size for part in before] + [part.signed for part in before[:SIGNED]], 1)
            )
        if number:
            inputs.append(torch.cat([own.size, own.signed], 1) if self.group < SIGNED else own.size)
        hidden = activate(self.second[number]([activate(self.first[number](inputs))]))
        mean, scale = to_grid(self.last[number]([hidden]).float(), FINE).chunk(2, 1)
        scale = scale + to_grid(self.energy[number]([energy]).float(), FINE)
        if self.group < SIGNED and (number or before):
            mean = mean + self._linear(number, before, own)
        return to_grid(mean, MEAN_UNIT), round_through(SCALE_UNIT * (scale - SCALE_LOWEST))

    def _linear(self, number: int, before: list[Known], own: Known) -> Tensor:
        inputs = [torch.cat([part.symbols for part in before], 1)] if before else []
        inputs += [own.symbols] if number else []
        inputs = [tensor.clamp(-MEAN_PEAK, MEAN_PEAK) for tensor in inputs]
        with torch.autocast(own.symbols.device.type, enabled=False):
            predicted: Tensor = self.linear[number](inputs)
        return to_grid(predicted, FINE)

    def macs(self) -> int:
        """Multiply-accumulates a position, all passes."""
        return sum(module.macs() for module in self.modules() if isinstance(module, WholeConv2d))


class ContextModel(nn.Module):
    """The entropy model of all channels.

    Args:
        deviations: (channels,) standard deviation of each channel over that of its component, at the start.
        component: (channels,) the component that each channel mostly belongs to.
    """

    def __init__(self, deviations: Tensor, component: Tensor) -> None:
        super().__init__()
        self.groups = nn.ModuleList(
            GroupContext(number, part, owner)
            for number, (part, owner) in enumerate(
                zip(deviations.split(list(GROUPS)), component.split(list(GROUPS)), strict=True)
            )
        )

    def forward(self, symbols: Tensor, energy: Tensor) -> tuple[Tensor, Tensor]:
        """Predict all symbols.

        Args:
            symbols: (batch, channels, y, x), whole numbers.
            energy: (batch, components), classes.

        Returns:
            Means (multiples of 1/4) and scale indexes (0…60, whole), each like `symbols`.
        """
        parts = Known.of(symbols).split()
        constant = (energy[:, :, None, None] / UNIT).expand(-1, -1, symbols.shape[2], symbols.shape[3])
        found = [group(parts[:number], parts[number], constant) for number, group in enumerate(self.groups)]
        mean = torch.cat([mean for mean, _ in found], 1)
        index = torch.cat([index for _, index in found], 1)
        return mean, index.clamp(0, SCALES - 1)

    def macs(self) -> int:
        """Multiply-accumulates a position."""
        return sum(group.macs() for group in self.groups)


def bits(symbols: Tensor, mean: Tensor, index: Tensor) -> Tensor:
    """The cost of symbols, each under a logistic distribution integrated over one unit.

    Args:
        symbols: Values, whole numbers or (with noise) not.
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
