"""A model file as one flat blob of integers, which the compiled decoder reads: `python -m training.flat`.

The blob is made from the ONNX graphs of a model file and holds the same numbers. In order, little-endian,
each array filled up to whole words of four bytes:

    8 bytes   "COMEOBIN"
    words     1 (version), bytes of the blob
    32 bytes  SHA-256 of the model file
    words     components, leading, 1 if the quantiser is dependent, its grid, predecessors (components)
    words     number of groups; of each: first, last, passes, evidence, before (−1: None), then components,
              sizes, pairs and parents, each as its length and its members
    words     number of rules of reduced reads; of each: limit, groups at each reduction (4)
    words     number of the filter's thresholds; where there is a filter, its limits (2) and thresholds
    int8      its taps, where there is a filter
    uint8     order of frequencies (256)
    int32     of each set of points: cumulative frequencies (25, 43), points (25, 3)
    float64   cosine and sine of each angle of the spectral transform (256, 2)
    float32   bases of the lapped transform, see `bases`: of each reduction, (4, 16, 32 >> reduction)
    networks  of each group and pass

A network is the words features, first, second, direct, kinds, neighbours, bends, bent, crossed; then, weights
being (inputs, outputs) and each layer's biases and scales float32:

    first, second, last   int8 weights, biases, scales; inputs of the last: second's outputs, features again
    own                   int16 (kinds, channels)
    linear, bend          int16 weights, biases, scales    where there are neighbours
    bent                  int8 weights, biases, scales     where there are neighbours
    cross                 int32 (channels), sixty-fourths  where there is a crossed prediction
"""

from __future__ import annotations

import argparse
import hashlib
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from comeo.codecs.base import MAX_REDUCE
from comeo.codecs.lapped import SIZE, synthesis
from comeo.codecs.learned import model
from comeo.codecs.learned.filter import Filter
from comeo.codecs.learned.layout import Group, Layout
from comeo.codecs.learned.model import SUMS, Model

MAGIC: Final = b"COMEOBIN"
VERSION: Final = 1
PACKAGE: Final = Path(model.__file__).parent / "models"
_ANGLES: Final = 256
_EXACT: Final = 2.0**24  # whole numbers below are exact in float32
_PEAK: Final = 127
_NEIGHBOUR_PEAK: Final = 2047


@dataclass(frozen=True)
class Layer:
    """A linear map, then a floor: ⌊(weights · inputs + biases) · scales⌋.

    Attributes:
        weights: (inputs, outputs), whole.
        biases: (outputs,) float32.
        scales: (outputs,) float32, powers of two.
        own: (kinds, outputs), whole: of each output's own features.
    """

    weights: NDArray[Any]
    biases: NDArray[np.float32]
    scales: NDArray[np.float32]
    own: NDArray[Any]


@dataclass
class Network:
    """The layers of a pass's graph.

    Attributes:
        layers: first, second, last and, where there are neighbours, linear, bend and bent.
        cross: (channels,) whole sixty-fourths, or None.
    """

    layers: dict[str, Layer] = field(default_factory=dict)
    cross: NDArray[np.int64] | None = None


def read_graph(content: bytes) -> Network:
    """The layers of a graph.

    Raises:
        ValueError: If it isn't as `training.export` builds it, or its sums are not exact.
    """
    graph = onnx.load_from_string(content).graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    users = {name: node for node in graph.node for name in node.input}
    names = iter(("first", "second", "last", "linear", "bend", "bent"))
    network = Network()
    for node in graph.node:
        if node.op_type in ("MatMulInteger", "MatMul"):
            name = node.output[0]
            name = users[name].output[0] if users[name].op_type == "Cast" else name
            own = []
            while (other := next(each for each in users[name].input if each != name)) not in constants:
                own.append(constants[makers[other].input[1]])
                name = users[name].output[0]
            scales = constants[users[users[name].output[0]].input[1]]
            network.layers[next(names)] = _layer(constants[node.input[1]], constants[other], scales, own)
        elif node.op_type == "Mul" and node.input[0] == "crossed":
            network.cross = _whole(64 * constants[node.input[1]].ravel())
    for name, layer in network.layers.items():
        check_exact(layer, _NEIGHBOUR_PEAK if name == "linear" else _PEAK)
    return network


def _layer(
    weights: NDArray[Any], biases: NDArray[Any], scales: NDArray[Any], own: list[NDArray[Any]]
) -> Layer:
    count = weights.shape[1]
    return Layer(
        _whole(weights),
        biases.astype(np.float32).ravel(),
        np.broadcast_to(scales.astype(np.float32).ravel(), count).copy(),
        _whole(np.array(own)) if own else np.zeros((0, count), np.int64),
    )


def _whole(values: NDArray[Any]) -> NDArray[np.int64]:
    if not np.array_equal(values, np.rint(values)):
        raise ValueError("the graph has a weight that is not a whole number")
    return values.astype(np.int64)


def check_exact(layer: Layer, peak: int) -> None:
    """Refuse a layer whose sums are not exact in the decoder's 16 and 32 bit numbers and float32.

    Raises:
        ValueError: If it is one.
    """
    sums = np.abs(layer.weights).sum(0) + np.abs(layer.own).sum(0)
    parts = 1.0
    while (np.rint(layer.biases * parts) != layer.biases * parts).any() and parts < _ANGLES:
        parts *= 2
    if ((sums * peak + np.abs(layer.biases)) * parts >= _EXACT).any():
        raise ValueError("a layer's sums are beyond what float32 holds exactly")
    if (np.abs(layer.weights) > (127 if peak == _PEAK else 32_767)).any() or (np.abs(layer.own) > 255).any():
        raise ValueError("a layer has a weight that the decoder has no room for")
    if (np.frexp(layer.scales)[0] != 0.5).any() or (layer.scales > 1).any():
        raise ValueError("a layer has a scale that is not a power of two, or is above one")


def bases(reduce: int) -> NDArray[np.float32]:
    """Basis functions of the lapped transform's inverse along one axis, for four kinds of tiles.

    Returns:
        (4, 16, 32 >> reduce): of a tile alone, the last, the first, and one between others; each
        frequency's samples from half a tile before the tile to half a tile behind it.
    """
    side, half = SIZE >> reduce, SIZE >> reduce >> 1
    found = []
    for tiles, tile in ((1, 0), (2, 1), (2, 0), (3, 1)):
        matrix = np.pad(synthesis(tiles, reduce)[0], ((half, half), (0, 0)))
        found.append(matrix[tile * side :][: 2 * side, tile * SIZE :][:, :SIZE].T)
    return np.stack(found)


def flatten(model: Model) -> bytes:
    """The blob of a model file.

    Raises:
        ValueError: See `read_graph`.
    """
    out = io.BytesIO()
    layout = model.layout
    quantiser = model.quantiser
    _words(
        out, layout.components, layout.leading, int(quantiser.dependent), quantiser.grid, *layout.predecessors
    )
    _write_groups(out, layout)
    _words(out, len(model.reduced), *(word for limit, groups in model.reduced for word in (limit, *groups)))
    _write_filter(out, model.filter)
    out.write(model.order.astype(np.uint8).tobytes())
    for cumulative, points in zip(model.tables.cumulative, model.tables.points, strict=True):
        _array(out, cumulative, np.int32)
        _array(out, points, np.int32)
    turns = [angle * math.pi / _ANGLES for angle in map(float, range(_ANGLES))]
    _array(out, np.array([(math.cos(turn), math.sin(turn)) for turn in turns]), np.float64)
    for reduce in range(MAX_REDUCE + 1):
        _array(out, bases(reduce), np.float32)
    for content in model.graphs().values():
        _write_network(out, read_graph(content))
    body = out.getvalue()
    size = len(MAGIC) + 8 + 32 + len(body)
    head = MAGIC + np.array([VERSION, size], "<i4").tobytes() + bytes.fromhex(model.digest)
    return head + body


def _write_groups(out: io.BytesIO, layout: Layout) -> None:
    _words(out, len(layout.groups))
    for group in layout.groups:
        _write_group(out, group)


def _write_group(out: io.BytesIO, group: Group) -> None:
    before = -1 if group.before is None else group.before
    _words(out, group.first, group.last, group.passes, group.evidence, before)
    for members in (group.components, group.sizes, group.pairs, group.parents):
        _words(out, len(members), *members)


def _write_filter(out: io.BytesIO, chosen: Filter | None) -> None:
    if chosen is None:
        _words(out, 0)
        return
    _words(out, len(chosen.thresholds), *chosen.limits, *chosen.thresholds)
    _array(out, chosen.taps, np.int8)


def _write_network(out: io.BytesIO, network: Network) -> None:
    layers = network.layers
    features, first = layers["first"].weights.shape
    second = layers["second"].weights.shape[1]
    linear, bend, bent = (layers.get(name) for name in ("linear", "bend", "bent"))
    _words(
        out, features, first, second, len(layers["last"].weights) - second, len(layers["last"].own),
        0 if linear is None else len(linear.weights), *((0, 0) if bend is None else bend.weights.shape),
        int(network.cross is not None),
    )  # fmt: skip
    for name in ("first", "second", "last"):
        _write_layer(out, layers[name], np.int8)
    _array(out, layers["last"].own, np.int16)
    if linear is not None and bend is not None and bent is not None:
        _write_layer(out, linear, np.int16)
        _write_layer(out, bend, np.int16)
        _write_layer(out, bent, np.int8)
    if network.cross is not None:
        _array(out, network.cross, np.int32)


def _write_layer(out: io.BytesIO, layer: Layer, kind: type[Any]) -> None:
    _array(out, layer.weights, kind)
    _array(out, layer.biases, np.float32)
    _array(out, layer.scales, np.float32)


def _words(out: io.BytesIO, *values: int) -> None:
    out.write(np.array(values, "<i4").tobytes())


def _array(out: io.BytesIO, values: NDArray[Any], kind: type[Any]) -> None:
    stored = np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<"))
    if not np.array_equal(stored, values):
        raise ValueError(f"a number does not fit into {np.dtype(kind)}")
    raw = stored.tobytes()
    out.write(raw + bytes(-len(raw) % 4))


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Write the blobs of model files beside them.")
    parser.add_argument(
        "files", type=Path, nargs="*", help="by default those of the package, and their digests"
    )
    arguments = parser.parse_args()
    files = arguments.files or sorted(PACKAGE.glob("*.zip"))
    for path in files:
        content = flatten(Model(path.stem, path.read_bytes()))
        path.with_suffix(".bin").write_bytes(content)
        print(f"{path.with_suffix('.bin')}: {len(content) / 1e6:.2f} MB")
    if not arguments.files:
        write_sums(PACKAGE)


def write_sums(folder: Path) -> None:
    """State the SHA-256 of each model file and each blob in a folder, as `sha256sum` does."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".zip", ".bin"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths]
    (folder / SUMS).write_text("".join(lines))


if __name__ == "__main__":
    main()
