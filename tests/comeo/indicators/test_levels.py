"""Sums and quotients of decibels are refused with what to write instead; power of anything else, too."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from comeo.errors import ParameterError
from comeo.indicators.expression import parse
from comeo.scene import Band
from comeo.view.plan import PixelRequest, plan_pixels

BANDS = [
    Band("VV", unit="dB"), Band("VH", unit="dB"), Band("angle", unit="°"),
    Band("B04", 1e-4, -0.1, "reflectance"),
]  # fmt: skip
VALUES = {
    "VV": np.array([[-10.0, -3.0, np.nan]], np.float32),
    "VH": np.array([[-20.0, -13.0, 0]], np.float32),
}


def _evaluated(text: str) -> list[float]:
    plan = plan_pixels(PixelRequest(expression=text), BANDS)
    assert plan.expression is not None
    found: list[float] = plan.expression.evaluate(VALUES)[0, 0].tolist()
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pow(VV)+0*VH", [0.1, 10**-0.3]),
        ("4*pow(VH)/(pow(VV)+pow(VH))", [0.04 / 0.11, 4 / 11]),
        ("10*log10(pow(VV)+pow(VH))", [10 * np.log10(0.11), 10 * np.log10(10**-0.3 + 10**-1.3)]),
        ("pow(VV-VH)", [10, 10]),
        ("VV-VH", [10, 10]),
        ("0.3*VV+0.7*VH", [-17, -10]),
        ("(VV+22)/22+VH*0", [12 / 22, 19 / 22]),
        ("max(VV,VH)", [-10, -3]),
        ("pow(max(VV, VH)+3)", [10**-0.7, 1]),
    ],
)
def test_what_may_be_computed(text: str, expected: list[float]) -> None:
    found = _evaluated(text)
    np.testing.assert_allclose(found[:2], expected, rtol=1e-5)
    assert np.isnan(found[2])


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("(VV+VH)/2", "lin(VV)+lin(VH)"),
        ("VV + VH", "lin(VV)+lin(VH)"),
        ("4*VH/(VV+VH)", "lin(VV)+lin(VH)"),
        ("max(VV,VH) + VV", "lin(max(VV, VH))+lin(VV)"),
        ("sqrt(where(VV>0,VV,VH)+VH)", "lin(if_(VV > 0, VV, VH))+lin(VH)"),
        ("VH/VV", "VH-VV for the ratio in decibels"),
        ("+VV/VH;VV", "lin(VV)/lin(VH)"),
    ],
)
def test_sums_and_quotients_of_decibels_are_refused(text: str, advice: str) -> None:
    with pytest.raises(ParameterError) as caught:
        plan_pixels(PixelRequest(expression=text), BANDS)
    assert advice in str(caught.value)
    written = str(caught.value).split("write ")[1].split(" for ")[0]
    ast.parse(written)
    plan_pixels(PixelRequest(expression=written), BANDS)


@pytest.mark.parametrize("text", ["pow(B04)", "pow(VV*B04)", "pow(angle)"])
def test_only_decibels_have_a_power(text: str) -> None:
    with pytest.raises(ParameterError, match="is not in dB"):
        plan_pixels(PixelRequest(expression=text), BANDS)


def test_pow_is_no_power_of_a_number() -> None:
    with pytest.raises(ParameterError, match=r"x \*\* y"):
        parse("pow(VV, 2)", 100, 100, 4)
    assert plan_pixels(PixelRequest(expression="B04+B04;B04/angle"), BANDS).results == 2


def test_a_plan_knows_which_results_are_averaged_as_power() -> None:
    def scales(**request: object) -> object:
        return plan_pixels(PixelRequest(**request), BANDS).reduction.scales  # type: ignore[arg-type]

    assert scales(bands=("VV", "B04")) == ((1.0, 0.0), None)
    assert scales(expression="VH;VV-VH;pow(VV)") == ((1.0, 0.0), None, None)
    stored = [Band("VV", 0.01, -3.0, "dB")]
    assert plan_pixels(PixelRequest(), stored).reduction.scales == ((0.01, -3.0),)
    assert plan_pixels(PixelRequest(unscale=True), stored).reduction.scales == ((1.0, 0.0),)
