"""Export a trained state to a model file: see `comeo.codecs.learned.model`.

The graph of a pass is built by hand: whole weights as int8, products summed in int32, powers of two in
between. Nothing in it can differ between machines.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from comeo.codecs.learned.model import FORMAT
from comeo.codecs.learned.tables import SCALES
from comeo.training.context import SCALE_LOWEST, SCALE_UNIT, PassContext
from comeo.training.integers import PEAK, UNIT, WholeLinear, whole_weights
from comeo.training.model import Model
from comeo.training.pack import load
from comeo.training.tables import fit
from comeo.training.verify import verify

OPSET = 18
IR_VERSION = 9


class GraphBuilder:
    """Collects the nodes and constants of a graph."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        name = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[Any] | np.float32) -> str:
        """Add a constant; returns its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def linear(self, layer: WholeLinear, inputs: str, factor: float, shift: float) -> str:
        """Factor · (layer's output) + shift, as float32 that holds the exact value."""
        weight, unit = whole_weights(layer.weight.detach(), layer.peak)
        whole = (weight / unit[:, None]).numpy().T
        bias = torch.floor(layer.bias.detach() / unit * layer.unit + 0.5).numpy().astype(np.float64)
        step = unit.numpy().astype(np.float64) * factor / layer.unit
        if layer.unit == UNIT:
            total = self.add("MatMulInteger", inputs, self.constant(whole.astype(np.int8)))
            total = self.add("Cast", total, to=TensorProto.FLOAT)
        else:
            total = self.add("MatMul", inputs, self.constant(whole.astype(np.float32)))
        total = self.add("Add", total, self.constant((bias + shift / step).astype(np.float32)))
        return self.add("Mul", total, self.constant(step.astype(np.float32)))

    def limit(self, values: str, largest: float, kind: int, output: str = "") -> str:
        """Floor and clip to 0…largest."""
        low, high = self.constant(np.float32(0)), self.constant(np.float32(largest + 0.5))
        return self.add("Cast", self.add("Clip", values, low, high), output=output, to=kind)


def graph(network: PassContext) -> bytes:
    """The ONNX graph of one pass.

    Inputs are `features` (tiles, features) uint8 and, where means are predicted, `neighbours` (tiles,
    symbols) float32; outputs are `index` (tiles, channels) uint8 and `mean` int32 in quarters.
    """
    build = GraphBuilder()
    hidden = build.limit(build.linear(network.first, "features", UNIT, 0.5), PEAK, TensorProto.UINT8)
    hidden = build.limit(build.linear(network.second, hidden, UNIT, 0.5), PEAK, TensorProto.UINT8)
    again = "features"
    width = network.first.weight.shape[1]
    if network.skipping < width:
        bounds = [build.constant(np.array([value], np.int64)) for value in (0, network.skipping, 1)]
        again = build.add("Slice", "features", *bounds)
    scale = build.linear(
        network.last,
        build.add("Concat", hidden, again, axis=1),
        SCALE_UNIT,
        0.5 - SCALE_UNIT * SCALE_LOWEST,
    )
    build.limit(scale, SCALES - 1, TensorProto.UINT8, "index")
    inputs = [helper.make_tensor_value_info("features", TensorProto.UINT8, ["tiles", width])]
    count = network.last.weight.shape[0]
    outputs = [helper.make_tensor_value_info("index", TensorProto.UINT8, ["tiles", count])]
    if network.linear is not None:
        mean = build.add("Floor", build.linear(network.linear, "neighbours", 4, 0.5))
        build.add("Cast", mean, output="mean", to=TensorProto.INT32)
        symbols = network.linear.weight.shape[1]
        inputs.append(helper.make_tensor_value_info("neighbours", TensorProto.FLOAT, ["tiles", symbols]))
        outputs.append(helper.make_tensor_value_info("mean", TensorProto.INT32, ["tiles", count]))
    made = helper.make_graph(build.nodes, "pass", inputs, outputs, build.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def export(model: Model, frequencies: NDArray[np.uint32], output: Path, facts: dict[str, Any]) -> str:
    """Write a model file.

    Args:
        model: What to export.
        frequencies: The entropy coder's tables.
        output: The file.
        facts: What else `model.json` shall tell: name, data, licence, training.

    Returns:
        The file's SHA-256, in hex.
    """
    entries = {
        f"pass_{group}_{number}.onnx": graph(network)
        for group, networks in enumerate(model.context.groups)
        for number, network in enumerate(networks)
    }
    entries["model.json"] = json.dumps({"format": FORMAT} | facts, indent=1, sort_keys=True).encode()
    entries["order.npy"] = _npy(model.order.numpy().astype(np.uint16))
    entries["tables.npy"] = _npy(frequencies)
    _write(output, entries)
    return hashlib.sha256(output.read_bytes()).hexdigest()


def _npy(array: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def _write(output: Path, entries: dict[str, bytes]) -> None:
    """Write a ZIP whose bytes depend on its contents alone."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_suffix(".partial")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(entries):
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), entries[name])
    unfinished.replace(output)


def read_state(path: Path) -> tuple[Model, dict[str, Any]]:
    """A trained model, and what else its file holds (`step`, `seconds`)."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    model = Model.blank()
    weights = state.pop("model")
    model.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    )
    return model.eval().requires_grad_(False), state


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Export a trained state to a model file.")
    parser.add_argument("state", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pack", type=Path, default=Path(".cache/training/sentinel2.npz"))
    arguments = parser.parse_args()
    model, state = read_state(arguments.state)
    facts = {
        "name": arguments.output.stem,
        "data": "Sentinel-2, see docs/learned-codec.md; contains modified Copernicus Sentinel data",
        "licence": "as the project's",
        "steps": state["step"],
    }
    digest = export(model, fit(model, load(arguments.pack)), arguments.output, facts)
    verify(model, arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB, SHA-256 {digest}")


if __name__ == "__main__":
    main()
