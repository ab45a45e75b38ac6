"""Expressions: what they compute, and what they never do."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.errors import RequestError
from comeo.indicators.expression import Expression, parse

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
