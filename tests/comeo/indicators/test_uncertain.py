"""Expected errors of formulas: against differences, and against errors that are drawn and filtered."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.indicators.expression import Expression, parse
from comeo.indicators.uncertain import LAGS, propagate

SHAPE = (40, 50)


def _scene(seed: int = 5) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    values = {name: rng.uniform(0.05, 0.5, SHAPE).astype(np.float32) for name in "abc"}
    errors = rng.uniform(0.001, 0.004, (3, *SHAPE)).astype(np.float32)
    correlated = np.array([[1, 0.6, -0.3], [0.6, 1, 0.1], [-0.3, 0.1, 1]], np.float32)
    return values, errors, correlated


def _by_differences(
    expression: Expression, values: dict[str, NDArray[np.float32]], errors: NDArray[np.float32],
    correlated: NDArray[np.float32],
) -> NDArray[np.float32]:  # fmt: skip
    """The same by central differences over a quarter of the error to either side, in double precision."""
    exact = {name: each.astype(np.float64) for name, each in values.items()}
    shares = []
    for name in expression.bands:
        step = 0.25 * errors["abc".index(name)].astype(np.float64)
        above = expression.evaluate({**exact, name: exact[name] + step})  # type: ignore[dict-item]
        below = expression.evaluate({**exact, name: exact[name] - step})  # type: ignore[dict-item]
        shares.append((above.astype(np.float64) - below)[0] / 0.5)
    places = ["abc".index(name) for name in expression.bands]
    rho = correlated[np.ix_(places, places)]
    variance = np.einsum("iyx,ij,jyx->yx", shares, rho, shares)
    return np.asarray(np.sqrt(np.maximum(variance, 0)), np.float32)


@pytest.mark.parametrize(
    "text",
    [
        "nd(a, b)", "(max(a,0)-max(b,0))/max(max(a,0)+max(b,0),0.0001)", "2.5*(a-b)/(a+6*b-7.5*c+9)",
        "a**2 - b*c", "sqrt(a) + exp(b) + log(c)", "atan2(a, b) + tanh(c)", "if_(a > 0.2, b, c * 3)",
        "min(a, b, c) + max(a, c)",
        "clip(a, 0.1, 0.3) * b", "db(a) - db(b)", "lin(a * 10)", "a ** b", "-a + abs(b - c)", "a % 0.2 + b",
        "10*log10(a) + sin(b) - cos(c) + tan(a) + arctan(b)",
    ],
)  # fmt: skip
def test_derivatives_are_as_differences(text: str) -> None:
    values, errors, correlated = _scene()
    expression = parse(text, 200, 100, 4)
    places = ["abc".index(name) for name in expression.bands]
    found = propagate(expression, values, errors[places], correlated[np.ix_(places, places)])[0]
    expected = _by_differences(expression, values, errors, correlated)
    assert np.isfinite(found).all()
    close = np.isclose(found, expected, rtol=0.02, atol=2e-5)
    assert close.mean() > 0.96, "but at kinks, which differences see from some way off, they agree"


def _drawn(rng: np.random.Generator) -> NDArray[np.float64]:
    """Errors of variance 1 that are correlated as `LAGS` says along rows and columns."""
    size = 64
    lags = np.zeros(size)
    for lag, value in enumerate(LAGS):
        lags[lag] = lags[-lag] = value
    spectrum = np.sqrt(np.maximum(np.fft.fft(lags).real, 0))
    white = np.fft.fft2(rng.standard_normal((size, size)))
    return np.asarray(np.fft.ifft2(white * np.outer(spectrum, spectrum)).real)


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [
        ("focal_mean(a, 1)", 0.05), ("focal_mean(a, 3)", 0.08), ("a - focal_mean(a, 2)", 0.05),
        ("focal_mean(focal_mean(a, 1), 2)", 0.08), ("focal_mean(a, 1) - focal_mean(b, 1)", 0.05),
        ("focal_mean(a, 2) / focal_mean(b, 1)", 0.06), ("focal_median(a, 2)", 0.35), ("lee(a, 2)", 0.35),
    ],
)  # fmt: skip
def test_filters_leave_of_errors_what_they_leave_of_drawn_ones(text: str, tolerance: float) -> None:
    rng = np.random.default_rng(8)
    expression = parse(text, 100, 50, 1)
    names, sigma, rho = expression.bands, 0.01, 0.5
    flat = {name: np.full((64, 64), 1.0 + index, np.float32) for index, name in enumerate(names)}
    results = []
    for _ in range(60):
        common, own = _drawn(rng), {name: _drawn(rng) for name in names}
        noisy = {
            name: (flat[name] + sigma * (np.sqrt(rho) * common + np.sqrt(1 - rho) * own[name])).astype(
                np.float32
            )
            for name in names
        }
        results.append(expression.evaluate(noisy)[0, 16:48, 16:48])
    spread = float(np.std(np.stack(results), axis=0).mean())
    correlated = np.full((len(names), len(names)), rho, np.float32)
    np.fill_diagonal(correlated, 1)
    errors = np.full((len(names), 64, 64), sigma, np.float32)
    found = float(propagate(expression, flat, errors, correlated)[0, 32, 32])
    assert found == pytest.approx(spread, rel=tolerance)


def test_of_decisions_alone_no_error_is_known() -> None:
    values, errors, correlated = _scene()
    for text in ("a > 0.2", "if_(a > b, 1, 0)", "not a", "floor(a * 10)"):
        expression = parse(text, 100, 50, 1)
        count = len(expression.bands)
        found = propagate(expression, values, errors[:count], correlated[:count, :count])
        assert np.isnan(found).all(), text


def test_the_floor_is_added_in_quadrature_and_what_is_not_valid_has_none() -> None:
    one = parse("a", 10, 10, 1)
    floored = Expression(one.text, one.parts, one.bands, 1, floor=0.03, range=(0.0, 0.2))
    values = {"a": np.array([[0.1, 0.3]], np.float32)}
    found = propagate(floored, values, np.full((1, 1, 2), 0.04, np.float32), np.eye(1, dtype=np.float32))[
        0, 0
    ]
    assert found[0] == pytest.approx(0.05)
    assert np.isnan(found[1])


def test_means_of_areas_are_not_made_more_certain_by_windows() -> None:
    smooth = parse("focal_mean(a, 3)", 30, 10, 1)
    values, sigma = {"a": np.ones((1, 1), np.float32)}, np.full((1, 1, 1), 0.04, np.float32)
    eye = np.eye(1, dtype=np.float32)
    assert propagate(smooth, values, sigma, eye, of_means=True)[0, 0, 0] == pytest.approx(0.04)
    assert propagate(smooth, values, sigma, eye)[0, 0, 0] < 0.02
