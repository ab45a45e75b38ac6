"""Plans that requests for values become."""

from __future__ import annotations

import pytest

from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.scene import Band
from comeo.view.plan import PixelPlan, PixelRequest, PlanLimits, plan_pixels

BANDS = tuple(Band(name, 1e-4, -0.1, "reflectance") for name in ("B02", "B03", "B04"))


def test_without_a_request_all_bands_come_as_stored() -> None:
    assert plan_pixels(PixelRequest(), BANDS) == PixelPlan(BANDS, None, False, "nearest", False)


def test_bands_keep_their_order_and_expressions_are_physical() -> None:
    plan = plan_pixels(PixelRequest(bands=("B04", "B02"), resampling="cubic"), BANDS)
    assert (plan.bands, plan.names, plan.resampling) == (("B04", "B02"), ("B04", "B02"), "cubic")
    plan = plan_pixels(PixelRequest(expression="B04-B02; B03*2"), BANDS)
    assert (plan.bands, plan.names, plan.results) == (("B04", "B02", "B03"), ("B04-B02", "B03*2"), 2)
    assert plan.physical
    assert not plan_pixels(PixelRequest(expression="B04", unscale=False), BANDS).physical
    assert plan_pixels(PixelRequest(unscale=True), BANDS).physical


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (PixelRequest(bands=("B99",)), NotFoundError, "B99; it has B02, B03, B04"),
        (PixelRequest(expression="B99+1"), NotFoundError, "B99"),
        (PixelRequest(bands=("B02",), expression="B02"), ParameterError, "not both"),
        (PixelRequest(expression="B02("), ParameterError, "B02"),
        (PixelRequest(bands=("B02",) * 3), BoundError, "more than 2"),
        (PixelRequest(expression="B02+B03+B04"), BoundError, "more than 2"),
        (PixelRequest(expression="+".join(["B02"] * 9)), BoundError, "terms"),
    ],
)
def test_requests_that_do_not_fit_are_refused(
    request_: PixelRequest, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        plan_pixels(request_, BANDS, PlanLimits(2, 100, 9))
