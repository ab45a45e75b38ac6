"""Payloads are the same bytes, and decode to the same pixels, whatever runs the networks.

The entropy decoder reads tables that networks choose: one index that differs makes noise of all that follows.
So onnxruntime with one and two threads, without graph optimisation, on a GPU where there is one, and a
reference in NumPy integers each write, and each reads what the others wrote.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the learned codec needs the extra `cpu` or `gpu`")
pytest.importorskip("onnx", reason="the reference reads graphs with onnx")

import onnxruntime

from comeo.codecs.learned import LearnedCodec, Model, model, models
from comeo.codecs.learned.features import (
    CROSS_PEAK,
    NEIGHBOUR_PEAK,
    PEAK,
    Inputs,
    bend_count,
    neighbour_count,
    own_kinds,
)
from comeo.settings import CodecSettings
from tests.comeo.codecs.blocks import textured
from tests.comeo.codecs.learned.reference import ReferenceModel

codec_module: Any = importlib.import_module("comeo.codecs.learned.codec")

WAYS = ["one thread", "two threads", "not optimised", "CUDA", "NumPy integers"]


class Unoptimised(Model):
    """Runs graphs node by node, as they are written."""

    def _session(self, group: int, number: int, settings: CodecSettings) -> Any:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        graph = self.graphs()[group, number]
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def codec_of(way: str, name: str = model.DEFAULT) -> LearnedCodec:
    """A codec that runs a model's networks in one of `WAYS`."""
    content = models()[name].content
    if way == "NumPy integers":
        return LearnedCodec(ReferenceModel(way, content))
    if way == "not optimised":
        return LearnedCodec(Unoptimised(way, content))
    if way == "CUDA" and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has no CUDA")
    threads, provider = (2 if way == "two threads" else 1), ("CUDA" if way == "CUDA" else "CPU")
    return LearnedCodec(Model(way, content), CodecSettings(threads, provider))


@cache
def written() -> list[tuple[bytes, np.ndarray]]:
    """Payloads and pixels of the codec as it is shipped: many rates, shapes, kinds of content."""
    codec = LearnedCodec()
    rng = np.random.default_rng(2)
    blocks = [
        (textured(4, 150, 130, seed=1, contrast=1500), 90.0),
        (textured(4, 64, 64, seed=2), 1.0),
        (textured(13, 40, 50, seed=3), 700.0),
        (textured(1, 1, 1, seed=4), 20.0),
        (textured(5, 17, 255, seed=5), 2000.0),
        (textured(2, 100, 100, seed=6, dtype="float32"), 0.05),
        (rng.integers(0, 65535, (4, 48, 48)).astype(np.uint16), 30.0),
    ]
    payloads = [codec.encode(block, step=step) for block, step in blocks]
    return [(payload, codec.decode(payload)) for payload in payloads]


@pytest.mark.parametrize("way", WAYS)
def test_everyone_writes_and_reads_the_same(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = written()
    codec = codec_of(way)
    monkeypatch.setattr(codec_module, "by_tag", lambda _: codec.model)
    for payload, pixels in expected:
        np.testing.assert_array_equal(codec.decode(payload), pixels)
    # Coded pixels are coded again: equal bytes mean that all tables were the same on the way.
    for number in (0, 2, 4):
        block, step = textured(4, 90, 70, seed=number), 10.0 * 4**number
        assert codec.encode(block, step=step) == LearnedCodec().encode(block, step=step)


def test_networks_agree_at_the_bounds_of_their_inputs() -> None:
    """All features at their peak, all neighbours at theirs of either sign: where sums are largest."""
    shipped, reference = models()[model.DEFAULT], codec_of("NumPy integers").model
    rng = np.random.default_rng(1)
    assert isinstance(reference, ReferenceModel)
    for (group, number), network in reference.networks.items():
        width, count = len(network.first.weight), network.last.weight.shape[1]
        features = np.stack(
            [np.full(width, PEAK), np.zeros(width), *(PEAK * (network.first.weight.T[:6] > 0))]
            + [rng.integers(0, PEAK + 1, width) for _ in range(60)]
        ).astype(np.uint8)
        neighbours = bends = crossed = None
        if network.bend is not None:
            signs = np.sign(network.bend.weight.T[:8])
            drawn = rng.integers(-PEAK, PEAK + 1, (len(features) - len(signs), signs.shape[1]))
            bends = np.concatenate([PEAK * signs, drawn]).astype(np.int8)
        if network.linear is not None:
            signs = np.sign(network.linear.weight.T[:8])
            drawn = rng.integers(
                -NEIGHBOUR_PEAK, NEIGHBOUR_PEAK + 1, (len(features) - len(signs), signs.shape[1])
            )
            neighbours = np.concatenate([NEIGHBOUR_PEAK * signs, drawn]).astype(np.float32)
        if network.cross is not None:
            drawn = rng.integers(-CROSS_PEAK, CROSS_PEAK + 1, (len(features), count))
            crossed = np.where(rng.random(drawn.shape) < 0.2, CROSS_PEAK * np.sign(drawn), drawn)
            crossed = crossed.astype(np.float32)
        inputs = Inputs(features, neighbours, bends, crossed)
        found, wanted = (one.predict(group, number, inputs) for one in (shipped, reference))
        np.testing.assert_array_equal(found[1], wanted[1])
        np.testing.assert_array_equal(found[0], wanted[0])


@pytest.mark.parametrize("name", sorted(models()))
def test_groups_see_what_they_are_said_to_see(name: str) -> None:
    """Graphs and layout agree: who is predicted from neighbouring tiles, who from the component before."""
    reference = ReferenceModel("reference", models()[name].content)
    layout = reference.layout
    assert list(reference.networks) == [
        (number, step) for number, group in enumerate(layout.groups) for step in range(group.passes)
    ]
    for (number, step), network in reference.networks.items():
        assert (network.cross is not None) == layout.groups[number].crossed
        assert len(network.last.diagonal) == own_kinds(layout, number, step)
        seen = [0 if layer is None else len(layer.weight) for layer in (network.linear, network.bend)]
        assert seen == [neighbour_count(layout, number, step), bend_count(layout, number, step)]
