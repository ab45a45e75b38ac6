"""The entropy model's networks a second time, in NumPy integers: what a second implementer would write.

Nothing here calls onnxruntime or uses a float: networks run in int64, with shifts for the powers of two.
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
from comeo.codecs.learned.features import Inputs
from comeo.settings import CodecSettings

Whole = NDArray[np.int64]

_FRACTION = 8  # bits behind the point of a bias; halves and a step's parts are added to it


@dataclass(frozen=True)
class Layer:
    """A linear map, then a floor: (weight · inputs + diagonal · own + bias) · 2^exponent."""

    weight: Whole
    diagonal: list[Whole]
    bias: Whole
    exponent: Whole

    def __call__(self, inputs: Whole, own: Whole | None = None) -> Whole:
        total = inputs @ self.weight
        if own is not None and self.diagonal:
            for part, weight in zip(np.split(own, len(self.diagonal), 1), self.diagonal, strict=True):
                total = total + part * weight
        total = (total << _FRACTION) + self.bias
        exponent = self.exponent - _FRACTION
        return np.where(exponent < 0, total >> np.maximum(-exponent, 0), total << np.maximum(exponent, 0))


@dataclass(frozen=True)
class Network:
    """Layers of one pass's graph; the last one sees the first features again."""

    first: Layer
    second: Layer
    last: Layer
    linear: Layer | None
    bend: Layer | None
    bent: Layer | None
    cross: Whole | None  # sixty-fourths

    def __call__(self, inputs: Inputs) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        whole = inputs.features.astype(np.int64)
        hidden = np.clip(self.second(np.clip(self.first(whole), 0, 127)), 0, 127)
        again = whole[:, : len(self.last.weight) - hidden.shape[1]]
        own = whole[:, whole.shape[1] - len(self.last.diagonal) * self.last.weight.shape[1] :]
        index = np.clip(self.last(np.concatenate([hidden, again], 1), own), 0, 60)
        mean = np.zeros_like(index)
        if self.linear is not None:
            assert inputs.neighbours is not None
            mean = mean + self.linear(inputs.neighbours.astype(np.int64))
        if self.bend is not None and self.bent is not None:
            assert inputs.bends is not None
            mean = mean + self.bent(np.clip(self.bend(inputs.bends.astype(np.int64)), 0, 127))
        if self.cross is not None:
            assert inputs.crossed is not None
            mean = mean + ((inputs.crossed.astype(np.int64) * self.cross + 32) >> 6)
        return np.clip(mean, -524_272, 524_272).astype(np.int32), index.astype(np.uint8)


def read(graph: bytes) -> Network:
    """The layers of a graph, from its constants; refuses what isn't whole, or too large to be exact."""
    parsed = onnx.load_from_string(graph).graph
    constants = {one.name: numpy_helper.to_array(one) for one in parsed.initializer}
    makers = {name: node for node in parsed.node for name in node.output}
    users = {name: node for node in parsed.node for name in node.input}
    layers = []
    cross = None
    for node in parsed.node:
        if node.op_type in ("MatMulInteger", "MatMul"):
            name = node.output[0]
            name = users[name].output[0] if users[name].op_type == "Cast" else name
            diagonal = []
            while (other := next(each for each in users[name].input if each != name)) not in constants:
                diagonal.append(constants[makers[other].input[1]])
                name = users[name].output[0]
            step = constants[users[users[name].output[0]].input[1]]
            peak = 2047 if node.input[0] == "neighbours" else 127
            layers.append(_layer(constants[node.input[1]], diagonal, constants[other], step, peak))
        elif node.op_type == "Mul" and node.input[0] == "crossed":
            cross = _whole(64 * constants[node.input[1]])
            assert (cross >= 0).all()
            assert (cross <= 96).all()
    first, second, last, *others = layers
    linear, bend, bent = others or (None, None, None)
    return Network(first, second, last, linear, bend, bent, cross)


def _layer(
    weight: NDArray[Any], diagonal: list[NDArray[Any]], bias: NDArray[Any], step: NDArray[Any], peak: int
) -> Layer:
    fraction, exponent = np.frexp(step.astype(np.float64))
    assert (fraction == 0.5).all(), "steps are powers of two"
    # Bound of every partial sum, so that float32 holds it exactly wherever a graph uses floats.
    size = np.abs(weight.astype(np.float64)).sum(0) + sum(np.abs(part) for part in diagonal)
    parts = 1 if np.array_equal(bias, np.rint(bias)) else 1 << _FRACTION
    assert (size * peak + np.abs(bias)).max() * parts < 2**24
    return Layer(
        _whole(weight),
        [_whole(part) for part in diagonal],
        _whole(bias.astype(np.float64) * (1 << _FRACTION)),
        exponent.astype(np.int64) - 1,
    )


def _whole(values: NDArray[Any]) -> Whole:
    assert np.array_equal(values, np.rint(values))
    return values.astype(np.int64)


class ReferenceModel(Model):
    """A model whose networks run in NumPy."""

    @cached_property
    def networks(self) -> dict[tuple[int, int], Network]:
        return {key: read(graph) for key, graph in self.graphs().items()}

    def predict(
        self, group: int, number: int, inputs: Inputs, settings: CodecSettings | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        return self.networks[group, number](inputs)
