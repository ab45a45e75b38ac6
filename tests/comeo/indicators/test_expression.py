"""Expressions: what they compute, and what they never do."""

from __future__ import annotations

import string
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.errors import RequestError
from comeo.indicators import expression as expressions
from comeo.indicators.expression import Expression, parse, strips
from comeo.indicators.uncertain import propagate

BANDS = {
    "B04": np.array([[0.1, 0.2, np.nan]], np.float32),
    "B08": np.array([[0.3, 0.2, 0.5]], np.float32),
    "B8A": np.array([[0.0, 1.0, 2.0]], np.float32),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(B08-B04)/(B08+B04)", [0.5, 0.0, np.nan]),
        ("B04*2 + -B08", [-0.1, 0.2, np.nan]),
        ("B8A**2", [0, 1, 4]),
        ("B08 / B8A", [np.nan, 0.2, 0.25]),
        ("where(B8A > 0.5, B08, 7)", [7, 0.2, 0.5]),
        ("(B8A > 0) & (B08 < 0.4)", [0, 1, 0]),
        ("~(B8A == 1) | (B08 >= 0.5)", [1, 0, 1]),
        ("max(B08, B8A) - min(B08, B8A)", [0.3, 0.8, 1.5]),
        ("sqrt(abs(B8A - 1))", [1, 0, 1]),
        ("log(B8A)", [np.nan, 0, np.log(2)]),
        ("B8A % 2", [0, 1, 0]),
    ],
)
def test_values(text: str, expected: list[float]) -> None:
    found = _parse(text).evaluate(BANDS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0, 0], np.array(expected), atol=1e-6)


def test_several_results() -> None:
    expression = _parse(" B04 ; B08-B04;")
    assert expression.names == ["B04", "B08-B04"]
    assert expression.bands == ("B04", "B08")
    assert expression.evaluate(BANDS).shape == (2, 1, 3)


NO_EXPRESSIONS = [
    "", ";", "1+1", "B04.real", "B04[0]", "[B04]", "(B04, B08)", "{B04}", "'B04'", "b'B04'",
    "B04 if B08 else 1", "lambda: B04", "B04 > 1 & B08 < 2", "(B04 := 1)", "1j*B04",
    "__import__('os')", "open(B04)", "abs(B04, B08)", "abs()", "abs(x=B04)", "abs(*B04)", "B04.__class__()",
    "(lambda: 1)()", "B04 @ B08", "B04 << 2", "B04 // 2", "B04 is B08", "B04 in B08", "f'{B04}'", "...",
    "1e400*B04", "9999999999999999999999999999999999*B04", "await B04", "B04\x00", "B04 +", "a b",
    "B04*\u0663",
    "(" * 150 + "B04" + ")" * 150 + "(", "-" * 500 + "B04", "abs(" * 99 + "B04" + ")" * 99 + ".x",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_EXPRESSIONS)
def test_what_is_no_expression_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        _parse(text)
    assert 10 < len(str(caught.value)) < 400


@settings(deadline=None)
@given(st.text(string.ascii_letters + string.digits + "+-*/%&|~<>=!().,;[]{}'\"\\ \n_:@", max_size=60))
def test_any_text_is_computed_or_refused(text: str) -> None:
    try:
        expression = _parse(text)
    except RequestError:
        return
    values = expression.evaluate({name: np.ones((2, 2), np.float32) for name in expression.bands})
    assert values.shape == (len(expression.parts), 2, 2)


def test_large_powers_do_not_grow() -> None:
    found: Any = _parse("B8A ** 999999 ** 99999 * B08").evaluate(BANDS)
    assert found.shape == (1, 1, 3)
    assert np.isnan(found[0, 0, 2])


def test_the_longest_chain_that_is_allowed_is_computed() -> None:
    found = parse("+".join(["B08"] * 100), 1000, 200, 16).evaluate(BANDS)
    np.testing.assert_allclose(found[0, 0], BANDS["B08"][0] * 100, rtol=1e-5)


def _parse(text: str) -> Expression:
    return parse(text, 1000, 200, 16)


@given(st.integers(0, 700), st.integers(1, 900), st.integers(0, 90))
def test_strips_are_all_rows_with_their_neighbours(rows: int, columns: int, reach: int) -> None:
    found = list(strips((rows, columns), reach))
    assert [row for each in found for row in range(rows)[each.out]] == list(range(rows))
    for each in found:
        read = range(rows)[each.read]
        assert read[each.inner] == range(rows)[each.out]
        assert read.start == max(0, each.out.start - reach)
        assert read.stop == min(rows, each.out.stop + reach)


@pytest.mark.parametrize("text", ["nd(a, b) + exp(a) * b ** 0.5", "focal_median(a, 1) - lee(b, 2)"])
def test_strips_make_no_difference(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = {name: rng.uniform(0.01, 0.6, (50, 40)).astype(np.float32) for name in "ab"}
    values["a"][rng.random((50, 40)) < 0.05] = np.nan
    errors, alone = np.full((2, 50, 40), 0.01, np.float32), np.eye(2, dtype=np.float32)
    whole = _parse(text).evaluate(values), propagate(_parse(text), values, errors, alone)
    monkeypatch.setattr(expressions, "STRIP", 200)
    np.testing.assert_array_equal(_parse(text).evaluate(values), whole[0])
    np.testing.assert_array_equal(propagate(_parse(text), values, errors, alone), whole[1])


def test_a_long_formula_needs_no_more_memory_than_a_short_one() -> None:
    """Each pair of brackets held an image: a tile of 1024 pixels took 800 MB."""
    text = "a"
    for number in range(45):
        text = f"nd(a * 1.{number:02d}1, {text})"
    values = {"a": np.full((1024, 1024), 0.2, np.float32)}
    errors, alone = np.full((1, 1024, 1024), 0.01, np.float32), np.eye(1, dtype=np.float32)
    tracemalloc.start()
    _parse(text).evaluate(values)
    propagate(_parse(text), values, errors, alone)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 16 * values["a"].nbytes
