"""Errors of what is computed from bands, against formulas by hand."""

from __future__ import annotations

import numpy as np
import pytest

from comeo.indicators.expression import parse
from comeo.indicators.uncertain import bending, propagate
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
    assert near_masked(valid, ~valid, 3) == 0
    valid[:, 0] = False
    assert near_masked(valid, ~valid, 3) == pytest.approx(3 / 29)
    assert near_masked(~valid, valid, 3) == 1
    assert near_masked(np.zeros((4, 4), bool), np.ones((4, 4), bool), 3) == 0


def test_the_outline_of_an_area_is_no_mask() -> None:
    inside = np.zeros((20, 30), bool)
    inside[5:15, 5:25] = True
    hidden = np.zeros_like(inside)
    assert near_masked(inside, hidden, 3) == 0
    hidden[:, 0] = True  # beyond the outline, and too far away
    assert near_masked(inside, hidden, 3) == 0
    hidden[:, 2] = True
    assert near_masked(inside, hidden, 3) == pytest.approx(1 / 20)


@pytest.mark.parametrize(("text", "rho"), [("(B-A)/(B+A)", 0.0), ("(B-A)/(B+A)", 0.7), ("A*A*B", -0.4)])
def test_what_bending_adds_to_a_mean_is_that_of_many_draws(text: str, rho: float) -> None:
    sigma, centre = np.array([0.012, 0.02]), np.array([0.08, 0.3])
    covariance = np.outer(sigma, sigma) * np.array([[1, rho], [rho, 1]])
    draws = np.random.default_rng(5).multivariate_normal(centre, covariance, 2_000_000).T
    a, b = draws
    x, y = centre
    values = {"(B-A)/(B+A)": ((b - a) / (b + a), (y - x) / (y + x)), "A*A*B": (a * a * b, x * x * y)}
    drawn, exact = values[text]
    layers = {name: np.full((1, 1), each, np.float32) for name, each in zip("AB", centre, strict=True)}
    expression = parse(text, 1000, 200, 16)
    errors = sigma[["AB".index(name) for name in expression.bands]].astype(np.float32)[:, None, None]
    found = bending(expression, layers, errors, np.array([[1, rho], [rho, 1]], np.float32))
    assert found[0, 0, 0] == pytest.approx(drawn.mean() - exact, rel=0.1)


def test_a_straight_line_does_not_bend() -> None:
    layers = {name: np.full((2, 2), each, np.float32) for name, each in {"A": 0.1, "B": 0.4}.items()}
    errors, alone = np.full((2, 2, 2), 0.02, np.float32), np.eye(2, dtype=np.float32)
    found = bending(parse("2*A-B", 1000, 200, 16), layers, errors, alone)
    np.testing.assert_allclose(found, 0, atol=1e-7)
