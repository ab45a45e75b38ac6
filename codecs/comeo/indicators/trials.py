"""The tests that a document carries, run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from comeo.indicators.compiled import expression_of_document
from comeo.indicators.document import Document
from comeo.indicators.expression import Expression
from comeo.indicators.model import Test
from comeo.indicators.problems import DocumentError, Problem

LEAST_TESTS = 2
"""Of a document that is published."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """How a test of a document went.

    Attributes:
        number: Of the test, from 1.
        passed: Whether all results are as expected.
        expected: Each result, NaN for one that is not valid.
        found: Likewise.
        message: One sentence.
    """

    __test__ = False  # no test of pytest's

    number: int
    passed: bool
    expected: tuple[float, ...]
    found: tuple[float, ...]
    message: str


def run_tests(document: Document) -> list[TestResult]:
    """Run a document's own tests, in their order."""
    expression = expression_of_document(document)
    return [_result(expression, number, test) for number, test in enumerate(document.tests, 1)]


def check_published(document: Document) -> None:
    """Refuse what may be a draft but not published: without two tests, or with one that fails.

    Raises:
        DocumentError: Saying which test.
    """
    if len(document.tests) < LEAST_TESTS:
        raise DocumentError(
            [Problem("tests", f"{len(document.tests)} tests are too few; give at least {LEAST_TESTS}, one of "
                     "them of what is not valid if anything is not")]
        )  # fmt: skip
    failed = [each for each in run_tests(document) if not each.passed]
    if failed:
        raise DocumentError([Problem(f"tests[{each.number - 1}]", each.message) for each in failed])


def _result(expression: Expression, number: int, test: Test) -> TestResult:
    images = {name: np.array(given, np.float32, ndmin=2) for name, given in test.given.items()}
    shape = np.broadcast_shapes(*(each.shape for each in images.values()))
    values = {name: np.broadcast_to(each, shape) for name, each in images.items()}
    out = expression.evaluate(values)
    found = tuple(float(each[shape[0] // 2, shape[1] // 2]) for each in out)
    if test.expect == "invalid":
        expected: tuple[float, ...] = (math.nan,) * len(found)
        passed = any(map(math.isnan, found))
    else:
        expected = tuple(test.expect) if isinstance(test.expect, list) else (test.expect,)
        near = zip(found, expected, strict=True)
        passed = all(abs(one - other) <= test.tolerance for one, other in near)
    words = f"test {number} gives {_words(found)}"
    return TestResult(
        number, passed, expected, found, words if passed else f"{words}, and {_words(expected)} is expected"
    )


def _words(values: tuple[float, ...]) -> str:
    return ", ".join("no value" if math.isnan(each) else f"{each:.6g}" for each in values)
