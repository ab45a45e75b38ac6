"""Weights of a trained model for a model of another design, as far as both have the same features.

Each input and output of a network is known by name: what it tells, of which component and rank. A network of
the new design takes the weights between names that the old one of the same channels has, too; what is new
starts at zero, so that training goes on from nearly what the old model knew.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from comeo.codecs.learned import features as exact
from comeo.codecs.learned.layout import Layout
from training.context import PassContext, channels_of
from training.design import DESIGNS, Design
from training.integers import WholeLinear
from training.model import Model

Name = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the inputs and outputs of a pass's network.

    Attributes:
        outputs: Component and rank of each channel.
        direct: Inputs that the last layer sees, too.
        others: Inputs of the first layer alone.
        own: Inputs by kind and channel.
        neighbours: Of `Inputs.neighbours`.
        bends: Of `Inputs.bends`.
    """

    outputs: list[Name]
    direct: list[Name]
    others: list[Name]
    own: list[Name]
    neighbours: list[Name]
    bends: list[Name]

    @classmethod
    def of(cls, layout: Layout, number: int, later: bool) -> Names:
        """Names of a pass.

        Args:
            layout: Of the model.
            number: The group.
            later: Whether a pass has decoded some of the group's tiles before.
        """
        group = layout.groups[number]
        channels = _channel_names(layout, number)
        energy: list[Name] = [
            ("energy", copy, c) for copy in range(exact.COPIES) for c in range(layout.components)
        ]
        sums: list[Name] = [("sum", pair, n) for pair in layout.pairs for n in range(3)]
        sizes = [[("size", *c) for c in _channel_names(layout, i)] for i in group.sizes]
        pairs = [
            ("pair", side, *c) for i in group.pairs for side in range(2) for c in _channel_names(layout, i)
        ]
        kinds = ["pair 0", "pair 1"] if later else []
        kinds += ["apart 0", "apart 1"] if later and group.before is not None else []
        kinds += ["crossed"] if group.crossed else []
        neighbours: list[Name] = []
        bends: list[Name] = []
        if group.before is not None and exact.neighbour_count(layout, number, later):
            places = list(zip(*(part.tolist() for part in layout.places), strict=True))[: group.before]
            if later:
                neighbours += [("side", side, *c) for side in range(4) for c in channels]
                bends += [("mean", *c) for c in channels] + neighbours
            beside: list[Name] = [("tile", *c) for c in places]
            beside += [("around", side, *c) for side in range(4) for c in places]
            neighbours, bends = neighbours + beside, bends + beside
        return cls(
            channels,
            [*energy, *sums, *chain(*sizes[: group.again])],
            [*chain(*sizes[group.again :]), *pairs],
            [(kind, *c) for kind in kinds for c in channels],
            neighbours,
            bends,
        )


def transplant(old: Model, design: Design) -> Model:
    """Make a model of another design that starts from a trained one."""
    new = Model.blank(design)
    new.order.copy_(old.order)
    for number, networks in enumerate(new.context.groups):
        component, ranks = design.layout.places
        channels = channels_of(design.layout, number)
        source = _source(old.layout, int(component[channels][0]), int(ranks[channels][-1]))
        donors = old.context.groups[source]
        for step, network in enumerate(networks):
            donor = _same_pass(step, len(networks), len(donors))
            _fill(
                network, Names.of(design.layout, number, step > 0),
                donors[donor], Names.of(old.layout, source, donor > 0),
            )  # fmt: skip
    return new


def _channel_names(layout: Layout, number: int) -> list[Name]:
    components, ranks = (part[channels_of(layout, number)].tolist() for part in layout.places)
    return list(zip(components, ranks, strict=True))


def _source(layout: Layout, component: int, rank: int) -> int:
    """The group that has a channel."""
    for number in range(len(layout.groups)):
        if (component, rank) in _channel_names(layout, number):
            return number
    raise ValueError(f"the old design has no component {component}, rank {rank}")


def _same_pass(step: int, passes: int, old: int) -> int:
    """The old pass over about the same tiles: passes are counted from the last, which half of them take."""
    return 0 if step == 0 else max(1, old - passes + step) if old > 1 else 0


@torch.no_grad()
def _fill(new: PassContext, names: Names, old: PassContext, donor: Names) -> None:
    """Copy weights between the names that both have."""
    seen, given = (n.direct + n.others + n.own for n in (names, donor))
    own, given_own = set(names.outputs), {name: place for place, name in enumerate(donor.outputs)}
    rows = [given_own.get(name) for name in names.outputs]
    width, old_width = (each.second.weight.shape[0] for each in (new, old))
    use = torch.stack([old.last[r, :old_width].abs() for r in rows if r is not None]).mean(0)
    second = torch.topk(use, min(width, old_width)).indices
    first_width = min(new.first.weight.shape[0], old.first.weight.shape[0])
    first = torch.topk(old.second.weight[second].abs().mean(0), first_width).indices
    _copy(new.first, seen, old.first, given, list(range(first_width)), first.tolist())
    new.second.weight.zero_()
    new.second.weight[: len(second), : len(first)] = old.second.weight[second][:, first]
    new.second.bias[: len(second)] = old.second.bias[second]
    _last(new, names, old, donor, rows, second, (width, old_width))
    if new.linear is not None and old.linear is not None and own:
        kept = [(place, r) for place, r in enumerate(rows) if r is not None]
        targets, sources = [place for place, _ in kept], [r for _, r in kept]
        _copy(new.linear, names.neighbours, old.linear, donor.neighbours, targets, sources)
    if new.bend and new.bent and old.bend and old.bent:
        _copy_bends((new.bend, new.bent), names.bends, (old.bend, old.bent), donor.bends, rows)


def _last(
    new: PassContext, names: Names, old: PassContext, donor: Names, rows: Sequence[int | None],
    second: Tensor, widths: tuple[int, int],
) -> None:  # fmt: skip
    """The last layer: hidden features, direct ones, those of each channel, and the bias."""
    direct = {name: place for place, name in enumerate(donor.direct)}
    own = {name: place for place, name in enumerate(donor.own)}
    count, old_count = len(names.outputs), len(donor.outputs)
    for place, row in enumerate(rows):
        if row is None:
            continue
        new.last[place].zero_()
        new.last[place, : len(second)] = old.last[row, second]
        for column, name in enumerate(names.direct):
            if name in direct:
                new.last[place, widths[0] + column] = old.last[row, widths[1] + direct[name]]
        for kind in range(new.kinds):
            source = own.get(names.own[kind * count + place])
            if source is not None:
                new.diagonal[place, kind] = old.diagonal[row, source // old_count]
        new.bias[place] = old.bias[row]
        if new.cross is not None and old.cross is not None:
            new.cross[place] = old.cross[row]


def _copy_bends(
    new: tuple[WholeLinear, WholeLinear],
    names: list[Name],
    old: tuple[WholeLinear, WholeLinear],
    given: list[Name],
    rows: Sequence[int | None],
) -> None:
    """Copy the two layers that bend means, those hidden features that matter most."""
    width = min(new[0].weight.shape[0], old[0].weight.shape[0])
    kept = [(place, row) for place, row in enumerate(rows) if row is not None]
    use = torch.stack([old[1].weight[row].abs() for _, row in kept]).mean(0)
    chosen = torch.topk(use, width).indices
    _copy(new[0], names, old[0], given, list(range(width)), chosen.tolist())
    for place, row in kept:
        new[1].weight[place, :width] = old[1].weight[row, chosen]
        new[1].bias[place] = old[1].bias[row]


def _copy(
    new: WholeLinear, names: list[Name], old: WholeLinear, given: list[Name], targets: list[int],
    sources: list[int],
) -> None:  # fmt: skip
    """Copy rows `sources` to rows `targets`, by the names of the columns; what is new is zero."""
    places = {name: place for place, name in enumerate(given)}
    common = [(column, places[name]) for column, name in enumerate(names) if name in places]
    into, out = [a for a, _ in common], [b for _, b in common]
    for target, source in zip(targets, sources, strict=True):
        new.weight[target].zero_()
        new.weight[target, into] = old.weight[source, out]
        new.bias[target] = old.bias[source]


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Start a model of another design from a trained state.")
    parser.add_argument("state", type=Path)
    parser.add_argument("design", choices=sorted(DESIGNS))
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    state = torch.load(arguments.state, map_location="cpu", weights_only=True)
    design = DESIGNS[arguments.design]
    model = transplant(Model.of_state(state), design)
    weights = {name: value.half() for name, value in model.state_dict().items()}
    torch.save({"model": weights, "design": design.facts(), "step": 0, "seconds": 0.0}, arguments.output)


if __name__ == "__main__":
    main()
