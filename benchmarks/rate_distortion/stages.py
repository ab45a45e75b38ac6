"""Where the learned decoder's time goes, and how near its networks come to what a core can do."""

from __future__ import annotations

import importlib
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
from threadpoolctl import threadpool_limits

from comeo.codecs.base import Block
from comeo.codecs.learned import LearnedCodec, Model
from comeo.codecs.learned.features import Known
from comeo.codecs.spectral import SpectralTransform

_CODEC: Any = importlib.import_module("comeo.codecs.learned.codec")
_STAGES = (
    ("networks, by onnxruntime", Model, "predict"),
    ("what networks look at", Known, "inputs"),
    ("what networks look at", Known, "note"),
    ("entropy decoder", _CODEC, "decode_pass"),
    ("inverse of the lapped DCT", _CODEC, "_synthesise"),
    ("inverse spectral transform", SpectralTransform, "inverse"),
)
_STEP = 1200.0
_ROUNDS = 15
_SIDE = 1024


def stages_table(blocks: Sequence[Block]) -> str:
    """CPU time of the stages of decoding a batch of blocks, as a Markdown section."""
    codec = LearnedCodec()
    payloads = [codec.encode(block, step=_STEP) for block in blocks]
    codec.decode_many(payloads)
    rounds = [_one_round(codec, payloads) for _ in range(_ROUNDS)]
    whole = statistics.median(each["whole"] for each in rounds) / len(blocks)
    names = dict.fromkeys(name for name, _, _ in _STAGES)
    stages = {name: statistics.median(each[name] for each in rounds) / len(blocks) for name in names}
    stages["all else"] = whole - sum(stages.values())
    macs = rounds[0]["macs"] / len(blocks)
    reached, limit = macs / stages["networks, by onnxruntime"] / 1e9, _limit() / 1e9
    lines = [
        "### Stages of decoding with `learned`",
        "",
        f"Medians of CPU time, {len(blocks)} blocks of T32TMT in one batch, four bands, step {_STEP:g}.",
        "",
        "| stage | ms a block | share |",
        "|---|---|---|",
        *(f"| {name} | {1e3 * seconds:.2f} | {seconds / whole:.0%} |" for name, seconds in stages.items()),
        f"| whole | {1e3 * whole:.2f} | |",
        "",
        f"The networks do {macs / blocks[0][0].size:.0f} multiply-accumulates a pixel here, {reached:.0f} "
        f"thousand million a second: {reached / limit:.0%} of the {limit:.0f} of a product of two {_SIDE}² "
        "float32 matrices on this core.",
    ]
    return "\n".join(lines)


def _one_round(codec: LearnedCodec, payloads: Sequence[bytes]) -> dict[str, float]:
    spent: dict[str, float] = defaultdict(float)
    with _timed(spent), threadpool_limits(1):
        start = time.process_time()
        codec.decode_many(payloads)
        spent["whole"] = time.process_time() - start
    return spent


@contextmanager
def _timed(spent: dict[str, float]) -> Iterator[None]:
    macs = {key: _macs(graph) for key, graph in LearnedCodec().model.graphs().items()}

    def watch(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **keywords: Any) -> Any:
            start = time.process_time()
            result = work(*arguments, **keywords)
            spent[name] += time.process_time() - start
            if name.startswith("networks"):
                _, group, number, inputs = arguments
                spent["macs"] += macs[group, number] * len(inputs.features)
            return result

        return watched

    with ExitStack() as stack:
        for name, owner, attribute in _STAGES:
            stack.enter_context(patch.object(owner, attribute, watch(name, getattr(owner, attribute))))
        yield


def _macs(graph: bytes) -> int:
    """Multiply-accumulates a tile: the elements of the matrices."""
    constants = onnx.load_from_string(graph).graph.initializer
    return sum(int(np.prod(each.dims)) for each in constants if len(each.dims) == 2)


def _limit() -> float:
    """Multiply-accumulates a second of one thread."""
    one = np.ones((_SIDE, _SIDE), np.float32)
    times = []
    with threadpool_limits(1):
        for _ in range(_ROUNDS):
            start = time.process_time()
            one @ one
            times.append(time.process_time() - start)
    return float(_SIDE**3 / min(times))
