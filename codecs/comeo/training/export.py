"""Export a trained state to one model file: ONNX graphs and frozen integer tables.

The file is a ZIP of stored entries; archives name it by its SHA-256:

    model.json         format, passes and units: all that a decoder must know
    analysis.onnx      components (batch, 4, y, x) in steps to latents; float, encoder only
    context_G_P.onnx   pass P of channel group G: what is known, to means and scale indexes; exact integers
    synthesis.onnx     symbols to components in steps; float, may differ in the last bits between machines
    tables.npy         frequencies (29, 3, 126) uint32, see `comeo.training.tables`

The graph of a pass holds whole weights times powers of two, and a look-up table in place of a logarithm,
so that every machine computes the same indexes.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from comeo.training import context, integers, tables
from comeo.training.context import COMPONENTS, GROUPS, PASSES, SCALES, GroupContext, Known
from comeo.training.model import Model
from comeo.training.transforms import CHANNELS, PATCH
from comeo.training.verify import verify

FORMAT = 1
OPSET = 18
_SAMPLE = 5  # side of the latents that graphs are traced with


class FrozenConv2d(nn.Module):
    """A `WholeConv2d` whose weights are rounded for good."""

    def __init__(self, layer: integers.WholeConv2d) -> None:
        super().__init__()
        weights, unit = integers.whole_weights(list(layer.weights), layer.peak)
        bias = torch.floor(layer.bias / unit * layer.unit + 0.5) * unit / layer.unit
        self.weights = nn.ParameterList([nn.Parameter(weight.detach()) for weight in weights])
        self.bias = nn.Parameter(bias.detach()[:, None, None])

    def forward(self, tensors: list[Tensor]) -> Tensor:
        """Return the sum, (batch, outputs, y, x)."""
        total: Tensor = self.bias
        for tensor, weight in zip(tensors, self.weights, strict=True):
            total = total + functional.conv2d(tensor, weight, padding=weight.shape[-1] // 2)
        return total


class MagnitudeTable(nn.Module):
    """`integers.magnitude` as a look-up: no logarithm to differ between machines."""

    def __init__(self) -> None:
        super().__init__()
        table = torch.log2(1 + torch.arange(integers.LARGEST + 1).double()) * integers.UNIT
        self.register_buffer("table", (torch.floor(table + 0.5) / integers.UNIT).float())

    def forward(self, symbols: Tensor) -> Tensor:
        """Return magnitudes like `symbols`."""
        found: Tensor = self.table[symbols.abs().clamp(max=integers.LARGEST).long()]
        return found


class PassGraph(nn.Module):
    """One pass of the entropy model, frozen.

    Args:
        group: The group of channels it belongs to; not changed.
        number: The pass within it.
    """

    def __init__(self, group: GroupContext, number: int) -> None:
        super().__init__()
        self.group = copy.deepcopy(group)
        self.magnitude = MagnitudeTable()
        for name, layer in list(self.group.named_modules()):
            if isinstance(layer, integers.WholeConv2d):
                owner, _, position = name.rpartition(".")
                self.group.get_submodule(owner)[int(position)] = FrozenConv2d(layer)
        self.number = number
        self.requires_grad_(False)

    def forward(self, before: Tensor, known: Tensor, energy: Tensor) -> tuple[Tensor, Tensor]:
        """Predict.

        Args:
            before: (batch, channels, y, x) symbols of the groups before; no channels for the first group.
            known: (batch, channels, y, x) the group's own symbols, 0 where not yet known.
            energy: (batch, 4) energy classes.

        Returns:
            Means in quarters and scale indexes, (batch, channels, y, x), whole numbers in float32.
        """
        parts = before.split(list(GROUPS[: self.group.group]), 1) if self.group.group else ()
        earlier = [Known.of(part, self.magnitude) for part in parts]
        constant = (energy / integers.UNIT)[:, :, None, None].expand(-1, -1, known.shape[2], known.shape[3])
        own = Known.of(known, self.magnitude)
        mean, index = self.group.predict(self.number, earlier, own, constant)
        return mean * context.MEAN_UNIT, index.clamp(0, SCALES - 1)


def export(model: Model, output: Path, facts: dict[str, Any]) -> str:
    """Write a model file.

    Args:
        model: What to export; in evaluation mode, float32.
        output: The file.
        facts: What else `model.json` shall tell: name, training, licence.

    Returns:
        The file's SHA-256, in hex.
    """
    entries = {name: trace() for name, trace in graphs(model).items()}
    entries["model.json"] = json.dumps(_description() | facts, indent=1, sort_keys=True).encode()
    frequencies = io.BytesIO()
    np.save(frequencies, tables.build())
    entries["tables.npy"] = frequencies.getvalue()
    _write(output, entries)
    return hashlib.sha256(output.read_bytes()).hexdigest()


def graphs(model: Model) -> dict[str, Callable[[], bytes]]:
    """What makes each ONNX graph of a model file, by its name there."""
    latents = torch.zeros(2, CHANNELS, _SAMPLE, _SAMPLE)
    components = torch.zeros(2, COMPONENTS, PATCH * _SAMPLE, PATCH * _SAMPLE)
    found: dict[str, Callable[[], bytes]] = {
        "analysis.onnx": partial(_graph, model.analysis, (components,), {"components": PATCH}, ["latents"]),
        "synthesis.onnx": partial(_graph, model.synthesis, (latents,), {"symbols": 1}, ["components"]),
    }
    for number, group in enumerate(model.context.groups):
        before, known = latents[:, : sum(GROUPS[:number])], latents[:, : GROUPS[number]]
        for position in range(PASSES[number]):
            found[f"context_{number}_{position}.onnx"] = partial(
                _graph,
                PassGraph(group, position),
                (before, known, torch.zeros(2, COMPONENTS)),
                {"before": 1, "known": 1, "energy": 0},
                ["mean", "index"],
            )
    return found


def _description() -> dict[str, Any]:
    return {
        "format": FORMAT,
        "patch": PATCH,
        "components": COMPONENTS,
        "groups": list(GROUPS),
        "passes": list(PASSES),
        "energy": {"unit": context.ENERGY_UNIT, "offset": context.ENERGY_OFFSET, "largest": integers.PEAK},
        "mean_unit": context.MEAN_UNIT,
        "table": {"reach": tables.REACH, "precision": tables.PRECISION},
    }


def _graph(module: nn.Module, inputs: tuple[Tensor, ...], sides: dict[str, int], outputs: list[str]) -> bytes:
    """Trace a module; batch, height and width stay free, as multiples of what `sides` gives each input."""
    batch, rows, columns = (
        torch.export.Dim(name, min=1, max=1 << 16) for name in ("batch", "rows", "columns")
    )
    shapes = [{0: batch} | ({2: side * rows, 3: side * columns} if side else {}) for side in sides.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            module.eval(),
            inputs,
            input_names=list(sides),
            output_names=outputs,
            dynamic_shapes=tuple(shapes),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    graph = program.model_proto
    for node in graph.graph.node:
        del node.metadata_props[:]
    onnx.checker.check_model(graph)
    content: bytes = graph.SerializeToString(deterministic=True)
    return content


def _write(output: Path, entries: dict[str, bytes]) -> None:
    """Write a ZIP whose bytes depend on its contents alone."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_suffix(".partial")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(entries):
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), entries[name])
    unfinished.replace(output)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Export a trained state to a model file.")
    parser.add_argument("state", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    state = torch.load(arguments.state, map_location="cpu", weights_only=True)
    model = Model.blank()
    model.load_state_dict({name: value.float() for name, value in state["model"].items()})
    facts = {"steps": state["step"], "seconds": round(state["seconds"])}
    digest = export(model.eval().requires_grad_(False), arguments.output, facts)
    noise = np.random.default_rng(1).normal(0, 8, (2, COMPONENTS, 250, 190)).astype(np.float32)
    print(verify(model, arguments.output, noise))
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")


if __name__ == "__main__":
    main()
