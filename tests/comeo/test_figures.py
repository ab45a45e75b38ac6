"""Figures as JSON: few digits, null for what is not finite, nothing lost of the rest."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.figures import as_json, significant


@dataclass(frozen=True)
class Pair:
    name: str
    values: tuple[float, ...]


@given(st.floats(), st.integers(1, 9))
def test_a_figure_keeps_its_digits_and_nothing_else(value: float, digits: int) -> None:
    short = significant(value, digits)
    if not math.isfinite(value):
        assert short is None
    elif short is not None:  # rounding can lead beyond the largest number
        assert short == pytest.approx(value, rel=10.0 ** (1 - digits), abs=1e-320)
        assert significant(short, digits) == short


def test_arrays_and_dataclasses_become_plain_data() -> None:
    figures = {
        "a": Pair("x", (1.23456, math.nan)),
        "b": np.array([[1, 2]]),
        "c": [np.float32(0.1), None, True],
    }
    assert as_json(figures, 3) == {
        "a": {"name": "x", "values": [1.23, None]}, "b": [[1, 2]], "c": [0.1, None, True]
    }  # fmt: skip


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_every_tree_of_figures_can_be_written(tree: Any) -> None:
    written = json.dumps(as_json(tree, 6), allow_nan=False)
    assert json.loads(written) == as_json(tree, 6)
