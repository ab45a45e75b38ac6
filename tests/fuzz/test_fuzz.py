"""A short run of every target, all kept inputs, and proof that the guards notice what they are for."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest

from tests.fuzz import corpus, limited
from tests.fuzz.limited import run
from tests.fuzz.targets import NAMES, target_of

CASES = {
    "dct": 2000, "jpeg2000": 2000, "learned": 400, "compiled": 400, "archives": 200, "indicators": 2000,
    "uploads": 400, "tokens": 300,
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What targets tell libraries by the environment, as which drivers GDAL has, ends with them."""
    with patch.dict(os.environ):
        yield


@pytest.mark.parametrize("name", NAMES)
def test_damaged_inputs(name: str) -> None:
    """Others than those of `make fuzz`, which begin at 0."""
    tally = run(partial(target_of, name), 10_000_000, CASES[name])
    assert tally.done == CASES[name]
    assert not tally.failures
    assert len(tally.kinds) > 5


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tokens"])
def test_kept_inputs(name: str) -> None:
    kept = corpus.load("learned" if name == "compiled" else name)
    target = target_of(name)
    assert len(kept) > 20
    assert len({corpus.kind_of(target.check(data)) for data in kept.values()}) > 15


def test_cases_are_always_the_same() -> None:
    assert [target_of("dct").case(number) for number in range(9)] == [
        target_of("dct").case(number) for number in range(9)
    ]


class Faulty:
    """A target that goes wrong in every way."""

    def case(self, number: int) -> bytes:
        return bytes([number])

    def check(self, data: bytes) -> str:
        if data[0] == 1:
            raise KeyError("not meant for users")
        if data[0] == 2:
            ctypes.string_at(0)
        if data[0] == 3:
            np.ones(limited.EXTRA_BYTES // 4)
        while data[0] == 4:
            pass
        return "fine"


def test_the_guards_notice_everything() -> None:
    tally = run(FaultyFast, 0, 7)
    assert tally.done == 7
    reasons = {failure.number: failure.reason for failure in tally.failures}
    assert list(reasons) == [1, 2, 3, 4]
    assert "KeyError" in reasons[1]
    assert "SIGSEGV" in reasons[2]
    assert "MemoryError" in reasons[3]
    assert "CPU time" in reasons[4]


class FaultyFast(Faulty):
    """The same, in a process that gives a case less time."""

    def __init__(self) -> None:
        limited.CPU_SECONDS = 0.5
