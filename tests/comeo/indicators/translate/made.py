"""Documents and pixels made at random, for translations there and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.indicators.compiled import expression_of_document
from comeo.indicators.document import Document
from comeo.indicators.formula import Evaluation
from comeo.indicators.tree import Call, Name, Node, Number, to_text, walk

BANDS = ("B02", "B04", "B08")
NUMBERS = st.sampled_from([0.0, 0.0001, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 6.0, 7.5, -1.0, 100.0]).map(Number)
NAMES = st.sampled_from(BANDS).map(Name)
UNARY = ("-", "abs", "sqrt", "exp", "log", "log10", "sin", "cos", "tan", "arctan", "tanh", "db")
BINARY = ("+", "-", "*", "/", "**", "atan2", "min", "max", "nd")
WIDE = 1e6
"""Numbers beyond it are nearly infinite."""
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def trees(unary: Sequence[str] = UNARY, binary: Sequence[str] = BINARY) -> st.SearchStrategy[Node]:
    """Formulas. What is compared are bands and numbers alone, so that no rounding decides a comparison."""
    leaves = st.one_of(NAMES, NUMBERS)
    compared = st.builds(lambda f, a, b: Call(f, (a, b)), st.sampled_from(COMPARISONS), NAMES, leaves)
    conditions = st.recursive(
        compared,
        lambda inner: st.one_of(
            st.builds(lambda a: Call("not", (a,)), inner),
            st.builds(lambda f, a, b: Call(f, (a, b)), st.sampled_from(("and", "or")), inner, inner),
        ),
        max_leaves=3,
    )

    def calls(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        return st.one_of(
            st.builds(lambda f, a: Call(f, (a,)), st.sampled_from(unary), inner),
            st.builds(lambda f, a, b: Call(f, (a, b)), st.sampled_from(binary), inner, inner),
            st.builds(lambda c, a, b: Call("if_", (c, a, b)), conditions, inner, inner),
        )

    return st.recursive(leaves, calls, max_leaves=8)


def document(formula: Node | str, **fields: Any) -> Document:
    """A document of a formula of `BANDS`; `value` is added to its value, and `mask` to its input."""
    text = formula if isinstance(formula, str) else to_text(formula)
    inputs = {
        "constellation": "sentinel-2", "bands": {band: band for band in BANDS},
        **({"mask": fields.pop("mask")} if "mask" in fields else {}),
    }  # fmt: skip
    value = {"formula": text, **fields.pop("value", {})}
    return Document.model_validate(
        {
            "pof": 1, "id": "made", "version": "1.0.0", "title": {"en": "made"}, "inputs": {"s2": inputs},
            "value": value, **fields,
        }
    )  # fmt: skip


def pixels(seed: int = 1, size: int = 64) -> dict[str, NDArray[np.float32]]:
    """Reflectances (1, size), some 0, some negative, one missing in all bands."""
    random = np.random.default_rng(seed)
    made = {band: random.uniform(-0.02, 0.9, (1, size)).astype(np.float32) for band in BANDS}
    for index, values in enumerate(made.values()):
        values[0, index] = 0
        values[0, 5] = np.nan
        values[0, 6:9] = [0.125, 0.25, 0.5]
    return made


def finite(tree: Node, values: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """The pixels, missing where something on the way to the result is infinite or nearly so.

    Languages differ in that: in some min(a, b / 0) is a, in others it is missing.
    """
    shape = next(iter(values.values())).shape
    with np.errstate(all="ignore"):
        found = [np.broadcast_to(Evaluation(node, values, shape).of(node), shape) for node in walk(tree)]
        infinite = np.any([np.abs(each) > WIDE for each in found], axis=0)
    return {band: np.where(infinite, np.float32(np.nan), pixels) for band, pixels in values.items()}


def evaluated(of: Document, values: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The document's results, (results, 1, size)."""
    names = {name: values[choices[0]] for name, (_, choices) in of.bands.items()}
    return expression_of_document(of).evaluate(names)


def same(found: NDArray[Any], expected: NDArray[Any], tolerance: float = 2e-4) -> None:
    """Assert that numbers are equal but for rounding; what overflows or is nearly infinite may be missing."""
    wide = np.nan_to_num(np.abs(expected), nan=0) > WIDE
    np.testing.assert_allclose(
        np.where(wide, 0, found), np.where(wide, 0, expected), rtol=tolerance, atol=tolerance, equal_nan=True
    )
