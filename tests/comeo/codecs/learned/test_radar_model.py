"""The model of radar: items of two components, one band to five, the same bits whatever runs it."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnxruntime", reason="the learned codec needs the extra `cpu` or `gpu`")
pytest.importorskip("onnx", reason="the reference reads graphs with onnx")

from comeo.codecs.learned import LearnedCodec, models
from comeo.missions import SENTINEL1
from tests.comeo.codecs.blocks import backscatter
from tests.comeo.codecs.learned.test_exactness import WAYS, codec_of

codec_module: Any = importlib.import_module("comeo.codecs.learned.codec")
NAME = SENTINEL1.default_model


BLOCKS = [
    (backscatter(2, 150, 130, 1), 8.0), (backscatter(2, 64, 64, 2), 0.1), (backscatter(1, 70, 40, 3), 4.0),
    (backscatter(3, 50, 60, 4), 6.0), (backscatter(4, 40, 90, 5), 12.0), (backscatter(5, 17, 100, 6), 2.0),
    (backscatter(1, 1, 1, 7), 1.0),
]  # fmt: skip


@cache
def written() -> list[tuple[bytes, NDArray[Any]]]:
    codec = LearnedCodec(models()[NAME])
    payloads = [codec.encode(block, step=step) for block, step in BLOCKS]
    return [(payload, codec.decode(payload)) for payload in payloads]


@pytest.mark.parametrize("way", WAYS)
def test_everyone_writes_and_reads_the_same(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, codec = written(), codec_of(way, NAME)
    monkeypatch.setattr(codec_module, "by_tag", lambda _: codec.model)
    for payload, pixels in expected:
        np.testing.assert_array_equal(codec.decode(payload), pixels)
    for (block, step), (payload, _) in list(zip(BLOCKS, expected, strict=True))[1:]:
        assert codec.encode(block, step=step) == payload


def test_the_model_has_two_components_and_shares_the_first() -> None:
    layout = models()[NAME].layout
    assert (layout.components, layout.leading) == (2, 1)
    assert [len(layout.items(bands)) for bands in (1, 2, 3, 5)] == [1, 1, 2, 4]
