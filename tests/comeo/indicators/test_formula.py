"""Formulas: what is read, what is refused and where, and what they compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.errors import ParameterError
from comeo.indicators.formula import (
    FUNCTIONS,
    OPERATORS,
    FormulaError,
    check_tree,
    cost,
    evaluate,
    halo,
    names,
    parse_formula,
)
from comeo.indicators.tree import Call, Name, Node, Number, from_json, to_json, to_text

NAMES = ("nir", "red", "B8A", "x_1", "minimum", "été")


def _calls(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    def of(name: str) -> st.SearchStrategy[Node]:
        function = FUNCTIONS[name]
        if function.spatial:
            radius = st.integers(1, 7).map(lambda each: Number(float(each)))
            return st.builds(lambda x, r: Call(name, (x, r)), children, radius)
        least, most = function.counts
        return st.lists(children, min_size=least, max_size=most).map(lambda each: Call(name, tuple(each)))

    return st.sampled_from(sorted(FUNCTIONS)).flatmap(of)


LEAVES = st.one_of(
    st.sampled_from(NAMES).map(Name),
    st.floats(-1e29, 1e29, allow_nan=False).map(Number),
    st.integers(-9, 99).map(lambda each: Number(float(each))),
)
TREES = st.recursive(LEAVES, _calls, max_leaves=12)


@settings(max_examples=300, deadline=None)
@given(TREES)
def test_text_and_json_read_again_are_the_same_tree(tree: Node) -> None:
    assert from_json(to_json(tree)) == tree
    check_tree(tree)
    assert parse_formula(to_text(tree)) == tree


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a - b - c", "(a - b) - c"),
        ("a ** b ** c", "a ** (b ** c)"),
        ("-a ** 2", "-(a ** 2)"),
        ("2 ** -a", "2 ** (-a)"),
        ("not a < b", "not (a < b)"),
        ("not a and b", "(not a) and b"),
        ("a < b <= c", "a < b and b <= c"),
        ("a or b and c", "a or (b and c)"),
        ("(a > 1) & (b < 2) | c", "((a > 1) and (b < 2)) or c"),
        ("~a + b", "(~a) + b"),
        ("+a", "a"),
        ("where(a, b, c)", "if_(a, b, c)"),
        ("pow(a)", "lin(a)"),
        ("1.50e1", "15"),
    ],
)
def test_operators_bind_as_in_python(text: str, same: str) -> None:
    assert parse_formula(text) == parse_formula(same)


@pytest.mark.parametrize(
    ("text", "part", "hint"),
    [
        ("a > 1 & b < 2", "1 & b", "parentheses"),
        ("a ^ 2", "^", "x ** y"),
        ("a && b", "&&", "and"),
        ("a ? b : c", "?", "if_"),
        ("a = b", "=", "=="),
        ("nvd(a, b)", "nvd(a, b)", "nd"),
        ("a + nd(b)", "nd(b)", ""),
        ("focal_mean(a, 8)", "8", "focal_mean(x, 2)"),
        ("focal_mean(a, b)", "b", "focal_mean(x, 2)"),
        ("a + (b", "(", "close"),
        ("a b", "b", ""),
        ("a.b", ".", "parts"),
        ("1a", "1a", "digit"),
        ("a * 1e31", "1e31", "below"),
    ],
)
def test_what_is_refused_says_where_and_what_to_write(text: str, part: str, hint: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(text)
    error = caught.value
    assert text[error.offset : error.offset + error.length] == part
    assert hint in error.hint


@pytest.mark.parametrize(
    "value", [True, None, [], [1], ["nd", float("nan")], {"a": 1}, ["+"], "", [["+"], 1]]
)
def test_json_that_is_no_tree_is_refused(value: object) -> None:
    with pytest.raises(ParameterError):
        check_tree(from_json(value))


def test_trees_that_no_text_gives_are_refused() -> None:
    for tree in (Call("nd", (Name("a"),)), Call("system", (Name("a"),)), Name("a b"), Name("and")):
        with pytest.raises(FormulaError):
            check_tree(tree)


A = np.array([[0.5, -1.0, 4.0, np.nan]], np.float32)
B = np.array([[0.25, 2.0, np.nan, 1.0]], np.float32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nd(a, b)", [1 / 3, -3, math.nan, math.nan]),
        ("clip(a, 0, 1)", [0.5, 0, 1, math.nan]),
        ("db(a)", [10 * math.log10(0.5), math.nan, 10 * math.log10(4), math.nan]),
        ("lin(a)", [10**0.05, 10**-0.1, 10**0.4, math.nan]),
        ("atan2(a, b)", [math.atan2(0.5, 0.25), math.atan2(-1, 2), math.nan, math.nan]),
        ("floor(a)", [0, -1, 4, math.nan]),
        ("round(a)", [0, -1, 4, math.nan]),
        ("isvalid(a) + isvalid(b)", [2, 2, 1, 1]),
        ("if_(isvalid(a), a, b)", [0.5, -1, 4, 1]),
        ("if_(a > 0, a, b)", [0.5, 2, 4, math.nan]),
        ("a > 0 and b > 0", [1, 0, math.nan, math.nan]),
        ("a != a", [0, 0, 0, math.nan]),
        ("not a", [0, 0, 0, math.nan]),
        ("a ** 0", [1, 1, 1, math.nan]),
        ("0 < a < 1", [1, 0, 0, math.nan]),
        ("min(a, b, 0.3)", [0.25, -1, math.nan, math.nan]),
        ("1", [1, 1, 1, 1]),
        ("a", A[0]),
    ],
)
def test_values(text: str, expected: list[float]) -> None:
    before = A.copy()
    found = evaluate(parse_formula(text), {"a": A, "b": B}, (1, 4))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], np.array(expected), rtol=2e-6)
    np.testing.assert_array_equal(A, before)


def test_halo_is_summed_along_the_way_down() -> None:
    assert halo(parse_formula("a + b")) == 0
    assert halo(parse_formula("focal_mean(focal_max(a, 2) + lee(b, 3), 4) - focal_min(a, 5)")) == 7
    assert cost(parse_formula("focal_mean(a, 2)")) > cost(parse_formula("a + b"))
    assert names(parse_formula("b + a * b")) == ("b", "a")


def test_operators_are_functions() -> None:
    assert FUNCTIONS.keys() >= OPERATORS
