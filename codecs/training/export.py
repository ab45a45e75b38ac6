"""Export a trained state to a model file: see `comeo.codecs.learned.model`.

One command does all of it: graphs, tables and filter fitted to training crops, the file and its check, and
the blob that compiled code reads.

The graph of a pass is built by hand: whole weights as int8, products summed in int32, powers of two in
between. Nothing in it can differ between machines.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from comeo.codecs.learned import Model as ModelFile
from comeo.codecs.learned.features import MEAN_PEAK
from comeo.codecs.learned.model import FORMAT
from comeo.codecs.learned.quantiser import SCALAR, Quantiser, dependent
from comeo.codecs.learned.tables import SCALES
from training import filters
from training.context import PassContext, cross_weights
from training.design import REDUCED
from training.filters import with_filter
from training.flat import flatten
from training.integers import PEAK, UNIT, WholeLinear, whole_weights
from training.logistic import SCALE_LOWEST, SCALE_UNIT
from training.model import Model
from training.pack import Image, load
from training.tables import Fitted, fit
from training.verify import verify

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

    def product(self, inputs: str, whole: NDArray[Any]) -> str:
        """Features (uint8) times whole weights (outputs, inputs), as float32 that hold whole numbers."""
        total = self.add("MatMulInteger", inputs, self.constant(whole.T.astype(np.int8)))
        return self.add("Cast", total, to=TensorProto.FLOAT)

    def scaled(self, total: str, bias: NDArray[Any], step: NDArray[np.float64], shift: float) -> str:
        """Step · (total + bias) + shift, exactly."""
        total = self.add("Add", total, self.constant((bias + shift / step).astype(np.float32)))
        return self.add("Mul", total, self.constant(step.astype(np.float32)))

    def hidden(self, layer: WholeLinear, inputs: str) -> str:
        """A hidden layer, rectified: uint8."""
        whole, bias, unit = whole_layer(layer)
        total = self.scaled(self.product(inputs, whole), bias, unit, 0.5)
        return self.limit(total, PEAK)

    def dense(self, layer: WholeLinear, inputs: str) -> str:
        """A linear layer over float32 that hold whole numbers: sixteenths, and half of one."""
        whole, bias, unit = whole_layer(layer)
        total = self.add("MatMul", inputs, self.constant(whole.T.astype(np.float32)))
        return self.scaled(total, bias, unit * (UNIT / layer.unit), 0.5)

    def limit(self, values: str, largest: float, output: str = "") -> str:
        """Floor and clip to 0…largest, uint8."""
        low, high = self.constant(np.float32(0)), self.constant(np.float32(largest + 0.5))
        return self.add("Cast", self.add("Clip", values, low, high), output=output, to=TensorProto.UINT8)

    def columns(self, values: str, first: int, last: int) -> str:
        """Some columns of a matrix."""
        return self.add("Slice", values, *(self.constant(np.array([n], np.int64)) for n in (first, last, 1)))


def whole_layer(layer: WholeLinear) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Weights (outputs, inputs) and bias (outputs,) as whole numbers, and the power of two of each output."""
    weight, unit = whole_weights(layer.weight.detach(), layer.peak)
    bias = torch.floor(layer.bias.detach() / unit * layer.unit + 0.5)
    return (weight / unit[:, None]).numpy(), bias.numpy(), unit.numpy().astype(np.float64)


def graph(network: PassContext) -> bytes:
    """The ONNX graph of one pass.

    Inputs are those of `comeo.codecs.learned.features.Inputs`; outputs are `index` (tiles, channels) uint8
    and, where means are predicted, `mean` int32 in sixteenths.
    """
    build = GraphBuilder()
    width, count = network.first.weight.shape[1], len(network.bias)
    inputs = [helper.make_tensor_value_info("features", TensorProto.UINT8, ["tiles", width])]
    outputs = [helper.make_tensor_value_info("index", TensorProto.UINT8, ["tiles", count])]
    _scale(build, network)
    if network.linear is not None:
        size = network.linear.weight.shape[1]
        inputs.append(helper.make_tensor_value_info("neighbours", TensorProto.FLOAT, ["tiles", size]))
    if network.bend is not None:
        size = network.bend.weight.shape[1]
        inputs.append(helper.make_tensor_value_info("bends", TensorProto.INT8, ["tiles", size]))
    if network.cross is not None:
        inputs.append(helper.make_tensor_value_info("crossed", TensorProto.FLOAT, ["tiles", count]))
    if len(inputs) > 1:
        _mean(build, network)
        outputs.append(helper.make_tensor_value_info("mean", TensorProto.INT32, ["tiles", count]))
    made = helper.make_graph(build.nodes, "pass", inputs, outputs, build.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _scale(build: GraphBuilder, network: PassContext) -> None:
    """The nodes from `features` to `index`."""
    hidden = build.hidden(network.second, build.hidden(network.first, "features"))
    dense, diagonal, bias, unit = (tensor.detach() for tensor in network.frozen())
    width, count = network.first.weight.shape[1], len(bias)
    seen = build.add("Concat", hidden, build.columns("features", 0, network.direct), axis=1)
    total = build.product(seen, (dense / unit[:, None]).numpy())
    start = width - network.kinds * count
    for kind in range(network.kinds):
        own = build.columns("features", start + kind * count, start + (kind + 1) * count)
        weight = build.constant((diagonal[:, kind] / unit).numpy())
        weighted = build.add("Mul", build.add("Cast", own, to=TensorProto.FLOAT), weight)
        total = build.add("Add", total, weighted)
    steps = unit.numpy().astype(np.float64) * SCALE_UNIT / UNIT
    whole_bias = (bias / unit * UNIT).numpy().astype(np.float64)
    build.limit(build.scaled(total, whole_bias, steps, 0.5 - SCALE_UNIT * SCALE_LOWEST), SCALES - 1, "index")


def _mean(build: GraphBuilder, network: PassContext) -> None:
    """The nodes from `neighbours`, `bends` and `crossed` to `mean`."""
    parts = []
    if network.linear is not None:
        parts.append(build.dense(network.linear, "neighbours"))
    if network.cross is not None:
        weight = build.constant(cross_weights(network.cross).detach().numpy())
        parts.append(build.add("Add", build.add("Mul", "crossed", weight), build.constant(np.float32(0.5))))
    if network.bend is not None and network.bent is not None:
        bends = build.add("Cast", "bends", to=TensorProto.FLOAT)
        hidden = build.limit(build.dense(network.bend, bends), PEAK)
        whole, bias, unit = whole_layer(network.bent)
        parts.append(build.scaled(build.product(hidden, whole), bias, unit, 0.5))
    floors = [build.add("Floor", part) for part in parts]
    mean = floors[0] if len(floors) == 1 else build.add("Sum", *floors)
    low, high = (build.constant(np.float32(sign * MEAN_PEAK)) for sign in (-1, 1))
    build.add("Cast", build.add("Clip", mean, low, high), output="mean", to=TensorProto.INT32)


def pack(model: Model, quantiser: Quantiser, facts: dict[str, Any]) -> Callable[[Fitted], bytes]:
    """Return what makes the bytes of a model file of tables.

    Args:
        model: The trained model.
        quantiser: What its symbols shall stand for.
        facts: Further members of `model.json`: name, data, licence, training.
    """
    described = {"format": FORMAT, "layout": model.layout.facts(), "quantiser": quantiser.facts()}
    entries = {
        f"pass_{group}_{number}.onnx": graph(network)
        for group, networks in enumerate(model.context.groups)
        for number, network in enumerate(networks)
    }
    entries["model.json"] = json.dumps(described | facts, indent=1, sort_keys=True).encode()
    entries["order.npy"] = _npy(model.order.numpy().astype(np.uint8))

    def packed(fitted: Fitted) -> bytes:
        tables = {"tables.npy": _npy(fitted.frequencies), "points.npy": _npy(fitted.points)}
        return _zipped(entries | tables)

    return packed


def export(
    model: Model,
    quantiser: Quantiser,
    images: list[Image],
    output: Path,
    facts: dict[str, Any],
    *,
    filtered: bool = True,
) -> str:
    """Fit tables and filter, write a model file and its blob, and check it against the trained model.

    Args:
        model: The trained model.
        quantiser: What its symbols shall stand for.
        images: The training pack, which tables and filter are fitted to.
        output: The file; its blob is put beside it.
        facts: As of `pack`.
        filtered: Whether decoded components shall be filtered.

    Returns:
        The file's SHA-256, in hex.
    """
    packed = pack(model, quantiser, facts)
    content = packed(fit(lambda fitted: _readable(packed(fitted)), model.layout, quantiser, images))
    if filtered:
        content = with_filter(content, filters.fit(_readable(content), images))
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_suffix(".partial")
    for path, data in ((output, content), (output.with_suffix(".bin"), flatten(ModelFile("draft", content)))):
        unfinished.write_bytes(data)
        unfinished.replace(path)
    verify(model, output)
    return hashlib.sha256(content).hexdigest()


def _readable(content: bytes) -> ModelFile:
    """A model file that compiled code runs, too."""
    return ModelFile("draft", content, flatten(ModelFile("draft", content)))


def _npy(array: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def _zipped(entries: dict[str, bytes]) -> bytes:
    """A ZIP whose bytes depend on its contents alone."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(entries):
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), entries[name])
    return content.getvalue()


def read_state(path: Path) -> tuple[Model, dict[str, Any]]:
    """A trained model, and what else its file holds (`step`, `seconds`)."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    model = Model.of_state(state)
    del state["model"]
    return model.eval().requires_grad_(False), state


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Export a trained state to a model file.")
    parser.add_argument("state", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--grid", type=int, default=10, help="of the quantiser, sixteenths; 0: scalar")
    parser.add_argument("--pack", type=Path, default=Path(".cache/training/sentinel2.npz"))
    parser.add_argument("--no-filter", action="store_true", help="leave the filter behind the decoder out")
    arguments = parser.parse_args()
    model, state = read_state(arguments.state)
    images = load(arguments.pack)
    mission = "Sentinel-1" if all(image.entry.decibels for image in images) else "Sentinel-2"
    facts = {
        "name": arguments.output.stem,
        "data": f"{mission}, see docs/learned-codec.md; contains modified Copernicus Sentinel data",
        "licence": "as the project's",
        "steps": state["step"],
        "reduced": REDUCED.get(model.layout, ()),
    }
    quantiser = dependent(arguments.grid) if arguments.grid else SCALAR
    filtered = not arguments.no_filter
    digest = export(model, quantiser, images, arguments.output, facts, filtered=filtered)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB, SHA-256 {digest}")


if __name__ == "__main__":
    main()
