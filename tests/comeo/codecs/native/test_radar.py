"""The model of radar in compiled code: items of two components, at every instruction set."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.codecs import get_codec
from comeo.codecs.learned import models
from comeo.missions import SENTINEL1
from tests.comeo.codecs.blocks import backscatter
from tests.comeo.codecs.native.cases import running

pytest.importorskip("onnxruntime", reason="compared with what runs on it")

BLOCKS = [
    (backscatter(2, 150, 130, 1), 8.0), (backscatter(2, 64, 64, 2), 0.1), (backscatter(1, 70, 40, 3), 4.0),
    (backscatter(3, 50, 60, 4), 6.0), (backscatter(4, 40, 90, 5), 12.0), (backscatter(5, 17, 100, 6), 2.0),
    (backscatter(1, 1, 1, 7), 1.0), (np.tile(np.array([[0, -30], [-30, 0]], np.float32), (2, 32, 32)), 3.0),
]  # fmt: skip


def _coded() -> list[bytes]:
    codec = get_codec("learned", model=models()[SENTINEL1.default_model])
    return [codec.encode(block, step=step) for block, step in BLOCKS]


@cache
def payloads() -> list[bytes]:
    with running("none"):
        return _coded()


@cache
def expected(reduce: int) -> list[NDArray[Any]]:
    with running("none"):
        return get_codec("learned").decode_many(payloads(), reduce=reduce)


@pytest.mark.parametrize("reduce", [0, 1, 3])
def test_pixels_are_the_same_at_every_level(compiled: list[str], reduce: int) -> None:
    for level in compiled:
        with running(level):
            found = get_codec("learned").decode_many(payloads(), reduce=reduce)
        for one, other in zip(found, expected(reduce), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=level)


def test_payloads_are_the_same(compiled: list[str]) -> None:
    for level in (compiled[0], compiled[-1]):
        with running(level):
            assert _coded() == payloads(), level
