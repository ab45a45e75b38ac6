"""What alerts of an indicator at a site are made by, from the rows of a geoservice."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter

from tileserver.store.geoservices import Followed, Geoservice
from tileserver.watch.alerts import Rule
from tileserver.watch.definition import AlertPolicy, Nominal

_NOMINAL: Final[TypeAdapter[Nominal]] = TypeAdapter(Nominal)


def rule_of(geoservice: Geoservice, indicator: Followed, site: int) -> Rule:
    """What alerts of an indicator at a site are made by."""
    return Rule(
        geoservice.id, site, indicator.id, _NOMINAL.validate_python(indicator.nominal),
        AlertPolicy.model_validate(geoservice.alert_policy), geoservice.start,
    )  # fmt: skip
