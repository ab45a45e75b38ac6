"""What alerts of an indicator at a site are made by, from the rows of a geoservice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter

from tileserver.store.geoservices import Followed, Geoservice
from tileserver.watch.document.definition import AlertPolicy, Nominal

_NOMINAL: Final[TypeAdapter[Nominal]] = TypeAdapter(Nominal)


@dataclass(frozen=True, slots=True)
class Rule:
    """What an indicator's alerts of a site are made by.

    Attributes:
        geoservice: Its id.
        site: Id of the site.
        gs_indicator: Id of the indicator's row.
        nominal: Nominal values.
        policy: When a deviation becomes an alert.
        start: Deviations that were over before are no alerts.
    """

    geoservice: int
    site: int
    gs_indicator: int
    nominal: Nominal
    policy: AlertPolicy
    start: datetime


def alert_policy_of(geoservice: Geoservice) -> AlertPolicy:
    """When deviations become alerts of a geoservice, and what is done with these."""
    return AlertPolicy.model_validate(geoservice.alert_policy)


def rule_of(geoservice: Geoservice, indicator: Followed, site: int) -> Rule:
    """What alerts of an indicator at a site are made by."""
    return Rule(
        geoservice.id, site, indicator.id, _NOMINAL.validate_python(indicator.nominal),
        alert_policy_of(geoservice), geoservice.start,
    )  # fmt: skip
