"""Payloads of many kinds, and decoding in C or without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from comeo.codecs import get_codec
from tests.comeo.codecs.blocks import textured


@contextmanager
def running(where: str) -> Iterator[None]:
    """Run the codec at an instruction set, or with onnxruntime and Numba: `none`."""
    before = {name: os.environ.get(name) for name in ("COMEO_NATIVE", "COMEO_NATIVE_LEVEL")}
    os.environ["COMEO_NATIVE"] = "0" if where == "none" else "1"
    os.environ["COMEO_NATIVE_LEVEL"] = "" if where == "none" else where
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@cache
def blocks() -> list[tuple[np.ndarray[Any, Any], float, np.ndarray[Any, Any] | None]]:
    """Blocks, steps and masks: rates, shapes, bands, floats, one that is coded thoroughly."""
    rng = np.random.default_rng(2)
    checks = np.full((4, 64, 64), 3000, np.uint16)
    checks[:, ::2, ::2] = 5000
    spotted = textured(3, 40, 56, seed=7)
    spotted[0, :3, :3] = 65535
    return [
        (textured(4, 150, 130, seed=1, contrast=1500), 90.0, None),
        (textured(4, 64, 64, seed=2), 1.0, None),
        (textured(13, 40, 50, seed=3), 700.0, None),
        (textured(1, 1, 1, seed=4), 20.0, None),
        (textured(5, 17, 255, seed=5), 2000.0, None),
        (textured(2, 100, 100, seed=6, dtype="float32"), 0.05, None),
        (spotted, 150.0, rng.random((40, 56)) < 0.9),
        (rng.integers(0, 65535, (4, 48, 48)).astype(np.uint16), 30.0, None),
        (checks, 900.0, None),
    ]


@cache
def payloads() -> list[bytes]:
    """The blocks' payloads."""
    with running("none"):
        codec = get_codec("learned")
        return [codec.encode(block, step=step, mask=mask) for block, step, mask in blocks()]


@cache
def expected(reduce: int) -> list[np.ndarray[Any, Any]]:
    """What the payloads decode to without compiled code."""
    with running("none"):
        return get_codec("learned").decode_many(payloads(), reduce=reduce)
