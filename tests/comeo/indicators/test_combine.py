"""Statistics over time, references and class shares, against NumPy, scipy and simulation."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from comeo.errors import ParameterError
from comeo.indicators.combine import class_share, combine, compare, parse_statistic, same_season

STACKS = arrays(
    np.float64,
    st.tuples(st.integers(1, 9), st.integers(1, 3)),
    elements=st.floats(-1000, 1000, width=32) | st.just(math.nan),
)
NAMES = ("mean", "median", "min", "max", "latest", "percentile(10)", "percentile(97.5)")
RANDOM = np.random.default_rng(0)


def reference(name: str, values: NDArray[np.float64]) -> float:
    """NumPy's own, of the values of one pixel without NaN."""
    known = values[~np.isnan(values)]
    if not known.size:
        return math.nan
    picked: dict[str, Any] = {
        "mean": np.mean, "median": np.median, "min": np.min, "max": np.max,
        "latest": lambda v: v[-1],
        "percentile(10)": lambda v: np.percentile(v, 10),
        "percentile(97.5)": lambda v: np.percentile(v, 97.5),
    }  # fmt: skip
    return float(picked[name](known))


@settings(max_examples=60)
@given(STACKS, st.sampled_from(NAMES))
def test_statistics_are_those_of_numpy(values: NDArray[np.float64], name: str) -> None:
    found = combine(name, values, np.ones_like(values))
    expected = [reference(name, column) for column in values.T]
    np.testing.assert_allclose(found.values, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found.dates, (~np.isnan(values)).sum(axis=0))
    np.testing.assert_array_equal(np.isnan(found.errors), np.isnan(expected))


@pytest.mark.parametrize("name", ["mean", "median"])
def test_errors_are_those_of_repeated_measurements(name: str) -> None:
    """A constant, measured on 15 dates with errors of 0.1, ten thousand times; and a bias that all share."""
    values = 0.1 * RANDOM.standard_normal((15, 10_000))
    found = combine(name, values, np.full(values.shape, 0.1))
    assert found.values.std() == pytest.approx(found.errors[0], rel=0.04)
    biased = combine(name, values, np.full(values.shape, 0.1), bias=0.05)
    assert biased.errors[0] == pytest.approx(math.hypot(found.errors[0], 0.05))


def test_certain_values_weigh_more() -> None:
    errors = np.array([0.1, 0.1, 1.0])[:, None]
    values = errors * RANDOM.standard_normal((3, 20_000))
    found = combine("mean", values, np.broadcast_to(errors, values.shape), weights="inverse-variance")
    assert found.values.std() == pytest.approx(found.errors[0], rel=0.03)
    assert found.errors[0] < 0.08
    known = np.average(values[:, 0], weights=1 / errors[:, 0] ** 2)
    assert found.values[0] == pytest.approx(known)


def test_a_slope_is_that_of_least_squares() -> None:
    days = np.sort(RANDOM.uniform(0, 2000, 20))
    values = 0.3 * days / 365.25 + 0.05 * RANDOM.standard_normal((4000, 20))
    found = combine("slope", values.T, np.full((20, 4000), 0.05), days, bias=1.0)
    known = stats.linregress(days / 365.25, values[0])
    assert found.values[0] == pytest.approx(known.slope)
    assert found.values.std() == pytest.approx(found.errors[0], rel=0.05)
    assert np.isnan(combine("slope", values[:1, :1].T, None, days[:1]).values).all()


def test_days_above_go_straight_from_date_to_date() -> None:
    days, nan = np.array([0.0, 10.0, 20.0, 30.0]), math.nan
    values = np.array([[0, 1, 1, 0], [0, nan, 1, nan], [1, 1, 1, 1], [0, 0, 0, 0], [nan, nan, 1, nan]]).T
    found = combine("days-above(0.5)", values, np.full(values.shape, 0.1), days)
    np.testing.assert_allclose(found.values, [20, 10, 30, 0, nan])
    np.testing.assert_allclose(found.errors[:4], [math.sqrt(2), 2.0, 0, 0])
    assert combine("days-above(-0.5)", values, None, days).values[3] == 30


def test_too_few_dates_give_nothing() -> None:
    values = np.array([[1.0, math.nan], [2.0, 3.0]])
    found = combine("mean", values, min_dates=2)
    np.testing.assert_array_equal(found.values, [1.5, math.nan])
    assert np.isnan(found.errors).all()
    np.testing.assert_array_equal(combine("count", values).values, [2, 1])


@pytest.mark.parametrize(
    "name", ["mode", "percentile(101)", "percentile(-1)", "percentile", "mean(2)", "days-above(x)"]
)
def test_unknown_statistics_are_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=r"unknown|between 0 and 100"):
        parse_statistic(name)


def test_what_a_statistic_lacks_is_said() -> None:
    with pytest.raises(ParameterError, match="time of each value"):
        combine("slope", np.ones((3, 1)))
    with pytest.raises(ParameterError, match="weights are those of a mean"):
        combine("median", np.ones((3, 1)), weights="inverse-variance")


def test_the_same_season_is_that_of_other_years() -> None:
    days = np.array([100.0, 100 + 365, 130 + 365, 80 - 365, 280, 100 + 730.5])
    np.testing.assert_array_equal(same_season(days, 100.0, 25), [False, True, False, True, False, True])


def test_z_counts_spread_and_uncertainty() -> None:
    period = np.tile(RANDOM.standard_normal((400, 1)), (1, 2)) * 0.1
    found = compare(np.array([0.4, 0.4]), np.array([0.0, 0.3]), period, np.zeros((400, 2)), "z")
    sure, unsure = found.values
    assert sure == pytest.approx(0.4 / 0.1, rel=0.15)
    assert unsure == pytest.approx(0.4 / math.hypot(0.1, 0.3), rel=0.1)
    constant = compare(np.array([0.1]), np.array([0.05]), np.zeros((5, 1)), np.zeros((5, 1)), "z")
    assert constant.values[0] == pytest.approx(2.0)  # no spread at all is no alarm


def test_differences_and_ratios_have_joint_errors() -> None:
    period = np.array([[2.0], [2.0], [2.0]])
    errors = np.full((3, 1), 0.3)
    base = 1.25 * 0.3 / math.sqrt(3)
    away = compare(np.array([3.0]), np.array([0.1]), period, errors, "difference")
    assert (away.values[0], away.errors[0]) == (1.0, pytest.approx(math.hypot(0.1, base)))
    ratio = compare(np.array([3.0]), np.array([0.1]), period, errors, "ratio")
    assert (ratio.values[0], ratio.errors[0]) == (1.5, pytest.approx(math.hypot(0.1, 1.5 * base) / 2))
    few = compare(np.array([3.0]), np.array([0.1]), period[:2], errors[:2], "difference")
    assert np.isnan(few.values[0])


def test_shares_of_classes_are_not_biased_by_what_coding_smooths() -> None:
    """A tenth of the pixels is just above a limit, and coding took noise of 0.1 from all of them."""
    decoded = np.where(RANDOM.uniform(size=200_000) < 0.1, 0.55, RANDOM.normal(0.2, 0.1, 200_000))
    truth = decoded + 0.1 * RANDOM.standard_normal(decoded.size)
    found = [class_share(decoded[i::20], np.full(10_000, 0.1), 0.5, math.inf) for i in range(20)]
    exact = np.array([np.mean(truth[i::20] >= 0.5) for i in range(20)])
    apart = np.array([share for share, _ in found]) - exact
    assert abs(apart.mean()) < 0.002
    assert abs(np.mean(decoded >= 0.5) - exact.mean()) > 0.01  # as a plain count is
    assert apart.std() == pytest.approx(np.mean([error for _, error in found]), rel=0.5)
    plain, certain = class_share(decoded, np.zeros(decoded.size), 0.5, math.inf)
    assert plain == pytest.approx(np.mean(decoded >= 0.5))
    assert certain == 0
    assert all(math.isnan(each) for each in class_share(np.full(3, math.nan), np.ones(3), 0, 1))


def test_shares_of_all_classes_are_one() -> None:
    values, errors, weights = RANDOM.normal(size=50), RANDOM.uniform(0, 1, 50), RANDOM.uniform(0, 1, 50)
    limits = [-math.inf, -0.5, 0.3, math.inf]
    shares = [class_share(values, errors, low, high, weights)[0] for low, high in pairwise(limits)]
    assert sum(shares) == pytest.approx(1)
