"""The entropy model a second time, in plain NumPy: what a second implementer would write from the format.

Nothing here calls the codec's own loops or onnxruntime. Networks run in int64, with shifts for the powers of
two; features come from slow loops over tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from comeo.codecs.learned import Model

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """A linear map, then a floor: (weight · inputs + bias) · 2^exponent, all whole numbers but the last."""

    weight: Whole
    doubled_bias: Whole
    exponent: Whole

    def __call__(self, inputs: Whole) -> Whole:
        total = 2 * (inputs @ self.weight) + self.doubled_bias
        exponent = self.exponent - 1
        return np.where(exponent < 0, total >> np.maximum(-exponent, 0), total << np.maximum(exponent, 0))


@dataclass(frozen=True)
class Network:
    """Layers of one pass's graph; the last one sees the first features again."""

    first: Layer
    second: Layer
    last: Layer
    linear: Layer | None

    def __call__(
        self, features: NDArray[np.uint8], neighbours: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.int32] | None, NDArray[np.uint8]]:
        whole = features.astype(np.int64)
        hidden = np.clip(self.second(np.clip(self.first(whole), 0, 127)), 0, 127)
        again = whole[:, : len(self.last.weight) - hidden.shape[1]]
        index = np.clip(self.last(np.concatenate([hidden, again], 1)), 0, 60).astype(np.uint8)
        if self.linear is None or neighbours is None:
            return None, index
        return self.linear(neighbours.astype(np.int64)).astype(np.int32), index


def read(graph: bytes) -> Network:
    """The layers of a graph, from its constants; refuses what isn't whole."""
    parsed = onnx.load_from_string(graph).graph
    constants = {one.name: numpy_helper.to_array(one) for one in parsed.initializer}
    users = {name: node for node in parsed.node for name in node.input}
    layers = []
    for node in parsed.node:
        if node.op_type in ("MatMulInteger", "MatMul"):
            after = users[node.output[0]]
            after = users[after.output[0]] if after.op_type == "Cast" else after
            layers.append(
                _layer(
                    constants[node.input[1]],
                    constants[after.input[1]],
                    constants[users[after.output[0]].input[1]],
                )
            )
    return Network(*layers[:3], layers[3] if len(layers) > 3 else None)


def _layer(weight: NDArray[Any], bias: NDArray[Any], step: NDArray[Any]) -> Layer:
    fraction, exponent = np.frexp(step.astype(np.float64))
    assert (fraction == 0.5).all(), "steps are powers of two"
    doubled = 2 * bias.astype(np.float64)
    assert np.array_equal(doubled, np.rint(doubled))
    assert np.array_equal(weight, np.rint(weight))
    # Bound of every partial sum, so that float32 holds it exactly wherever a graph uses floats.
    peak = 127 if weight.dtype == np.int8 else 2047
    assert (np.abs(weight.astype(np.float64)).sum(0) * peak + np.abs(bias)).max() < 2**24
    return Layer(weight.astype(np.int64), doubled.astype(np.int64), exponent.astype(np.int64) - 1)


class ReferenceModel(Model):
    """A model whose networks run in NumPy."""

    @cached_property
    def networks(self) -> dict[tuple[int, int], Network]:
        return {key: read(graph) for key, graph in self.graphs().items()}

    def predict(
        self, group: int, number: int, features: NDArray[np.uint8], neighbours: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.int32] | None, NDArray[np.uint8]]:
        return self.networks[group, number](features, neighbours)
