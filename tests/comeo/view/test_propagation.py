"""Errors of what is computed from bands, against formulas by hand."""

from __future__ import annotations

import numpy as np
import pytest

from comeo.indicators.expression import parse
from comeo.indicators.uncertain import propagate
from comeo.view.propagation import near_masked


def test_errors_propagate_as_by_hand() -> None:
    """Sums, products and quotients against their textbook formulas, with and without correlation."""
    values = {"A": np.full((1, 1), 3.0, np.float32), "B": np.full((1, 1), 2.0, np.float32)}
    sigma = np.array([0.02, 0.01], np.float32)[:, None, None]
    expression = parse("A+B;A-B;A*B;A/B;sqrt(A);2", 1000, 200, 16)
    for rho in (0.0, 0.7, -1.0):
        found = propagate(expression, values, sigma, np.array([[1, rho], [rho, 1]], np.float32))[:, 0, 0]
        a, b = 0.02, 0.01
        expected = [
            (a**2 + b**2 + 2 * rho * a * b) ** 0.5,
            (a**2 + b**2 - 2 * rho * a * b) ** 0.5,
            ((2 * a) ** 2 + (3 * b) ** 2 + 12 * rho * a * b) ** 0.5,
            ((a / 2) ** 2 + (3 * b / 4) ** 2 - 2 * rho * (a / 2) * (3 * b / 4)) ** 0.5,
            a / (2 * 3**0.5),
            0.0,
        ]
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-6)


def test_an_error_that_is_not_known_makes_only_its_results_unknown() -> None:
    values = {"A": np.full((1, 1), 3.0, np.float32), "B": np.full((1, 1), 2.0, np.float32)}
    sigma = np.array([np.nan, 0.01], np.float32)[:, None, None]
    found = propagate(parse("A+B;B*2", 1000, 200, 16), values, sigma, np.eye(2, dtype=np.float32))[:, 0, 0]
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0.02, rel=1e-3)


def test_what_lies_near_a_masked_pixel() -> None:
    valid = np.ones((20, 30), bool)
    assert near_masked(valid, 3) == 0
    valid[:, 0] = False
    assert near_masked(valid, 3) == pytest.approx(3 / 29)
    assert near_masked(~valid, 3) == 1
    assert near_masked(np.zeros((4, 4), bool), 3) == 0
