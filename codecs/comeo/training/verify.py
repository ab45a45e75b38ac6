"""Check an exported model file against the PyTorch model that it came from."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from comeo.errors import ComeoError
from comeo.training import tables
from comeo.training.context import GROUPS, PASSES, bits, energy_class, positions
from comeo.training.model import Model, pad

TOLERANCE = 5e-3  # of the float graphs, relative to the largest value

_SETTINGS = (
    (1, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL),
    (2, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL),
    (1, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Attributes:
        analysis: Largest difference of the latents, relative to the largest latent.
        synthesis: Largest difference of the components, relative to the largest component.
        estimated_bits: What the entropy model says the blocks cost.
        table_bits: What they cost an ideal coder with the frozen tables.
    """

    analysis: float
    synthesis: float
    estimated_bits: float
    table_bits: float


@torch.no_grad()
def verify(model: Model, path: Path, components: NDArray[np.float32]) -> Report:
    """Run a model file with onnxruntime, beside PyTorch.

    Args:
        model: What was exported.
        path: The model file.
        components: (batch, 4, y, x), in steps.

    Raises:
        ComeoError: If a float graph differs by more than rounding, or an exact one at all.
    """
    model.eval()
    padded = pad(torch.from_numpy(components))
    energy = energy_class(torch.from_numpy(components))
    latents = model.analysis(padded)
    symbols = torch.floor(latents + 0.5)
    mean, index = model.context(symbols, energy)
    with zipfile.ZipFile(path) as file:
        graphs = {name: file.read(name) for name in file.namelist() if name.endswith(".onnx")}
    analysis = _difference(_run(graphs["analysis.onnx"], [padded])[0], latents, "analysis")
    synthesis = _difference(
        _run(graphs["synthesis.onnx"], [symbols])[0], model.synthesis(symbols), "synthesis"
    )
    _check_context(graphs, symbols, energy, torch.cat([mean * 4, index], 1))
    rows = tables.locate(*(values.numpy().astype(np.int64) for values in (symbols, mean * 4, index)))
    estimated = float(bits(symbols.double(), mean.double(), index.double()).sum())
    return Report(analysis, synthesis, estimated, tables.cost(*rows))


def _check_context(graphs: dict[str, bytes], symbols: Tensor, energy: Tensor, expected: Tensor) -> None:
    means, indexes = expected.chunk(2, 1)
    parts = symbols.split(list(GROUPS), 1)
    for number, own in enumerate(parts):
        where = positions(number, own.shape[2], own.shape[3])
        start = sum(GROUPS[:number])
        before = symbols[:, :start]
        for position in range(PASSES[number]):
            name = f"context_{number}_{position}.onnx"
            chosen = where == position
            wanted = [values[:, start : start + GROUPS[number]][:, :, chosen] for values in (means, indexes)]
            for got in run_everywhere(graphs[name], [before, own * (where < position), energy]):
                found = [torch.from_numpy(values)[:, :, chosen] for values in got]
                if not all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True)):
                    raise ComeoError(f"{name} differs from the trained model")


def run_everywhere(graph: bytes, inputs: Sequence[Tensor]) -> Iterator[list[NDArray[np.float32]]]:
    """Run a graph with one thread, with two, and as it is written, without optimisation."""
    for threads, level in _SETTINGS:
        yield _run(graph, inputs, threads, level)


def _run(
    graph: bytes,
    inputs: Sequence[Tensor],
    threads: int = 1,
    level: onnxruntime.GraphOptimizationLevel = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
) -> list[NDArray[np.float32]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    feeds = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
    results: list[NDArray[np.float32]] = session.run(None, feeds)
    return results


def _difference(found: NDArray[np.float32], expected: Tensor, name: str) -> float:
    difference = float(np.abs(found - expected.numpy()).max() / expected.abs().max())
    if not difference <= TOLERANCE:
        raise ComeoError(f"{name}.onnx differs from the trained model by {difference:.2g} of its range")
    return difference
