"""What reports look like: a relay is believed what it says of its places, not in which shape."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from geojson_pydantic import MultiPolygon, Point, Polygon
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from comeo.archive.model import ID_PATTERN
from comeo.errors import ParameterError
from comeo.indicators.model import Language, OneLine
from tileserver.store.alerts import State as AlertState
from tileserver.store.alerts import Verified
from tileserver.store.geoservices import State
from tileserver.store.reports import Kind, Report
from tileserver.watch.document.definition import SLUG

MOST_PAGE: Final = 300_000
"""Characters of a bulletin."""
_Texts = Annotated[dict[Language, OneLine], Field(max_length=20)]
_Id = Annotated[str, Field(pattern=ID_PATTERN)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1)]
_SLUG: Final = SLUG.removeprefix("^").removesuffix("$")
_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_NUMBER: Final = r"[1-9][0-9]{0,9}"
_KEYS: Final[dict[Kind, re.Pattern[str]]] = {
    "geoservice": re.compile(_SLUG),
    "site": re.compile(f"{_SLUG}/{_NUMBER}"),
    "observation": re.compile(f"{_SLUG}/{_ID}/{_NUMBER}/{_ID}/{_ID}"),
    "alert": re.compile(f"{_SLUG}/{_NUMBER}"),
    "bulletin": re.compile(rf"{_SLUG}/[0-9-]{{4,10}}-r[0-9]{{1,4}}/[a-z]{{2,3}}(-[A-Za-z0-9]{{1,8}}){{0,2}}"),
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IndicatorBody(_Body):
    """What is followed."""

    id: _Id
    title: _Texts
    unit: Annotated[str, Field(max_length=60)] | None


class GeoserviceBody(_Body):
    """A geoservice."""

    title: _Texts
    state: State
    timezone: Annotated[str, Field(max_length=60)]
    collections: Annotated[list[_Id], Field(max_length=100)]
    indicators: Annotated[list[IndicatorBody], Field(max_length=100)]


class SiteBody(_Body):
    """An elementary site."""

    name: _Texts
    geometry: Point | Polygon | MultiPolygon
    area_m2: Annotated[float, Field(ge=0, le=1e15)]


class ObservationBody(_Body):
    """A clear date of a site."""

    datetime: AwareDatetime
    value: _Number
    u: _Number | None
    clear: _Share | None


class AlertBody(_Body):
    """An alert, without who decided on it."""

    site: Annotated[int, Field(ge=1, le=2**31 - 1)]
    indicator: _Id
    kind: Literal["low", "high"]
    state: AlertState
    severity: Annotated[int, Field(ge=1, le=3)]
    score: _Number
    verified: Verified
    first: AwareDatetime
    last: AwareDatetime
    opened: AwareDatetime
    closed: AwareDatetime | None


class BulletinBody(_Body):
    """A bulletin as it was printed."""

    html: Annotated[str, Field(max_length=MOST_PAGE)]


_BODIES: Final[dict[Kind, type[_Body]]] = {
    "geoservice": GeoserviceBody, "site": SiteBody, "observation": ObservationBody, "alert": AlertBody,
    "bulletin": BulletinBody,
}  # fmt: skip


def check(kind: Kind, key: str, body: dict[str, Any] | None) -> Report:
    """A report as it was sent.

    Raises:
        ParameterError: If it is none of that kind.
    """
    if not _KEYS[kind].fullmatch(key):
        raise ParameterError(f"{key[:80]!r} is not the key of a report of the kind {kind}")
    if body is not None:
        try:
            _BODIES[kind].model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ParameterError(f"{kind} {key}: {where}: {first['msg']}") from error
    return Report(kind, key, body)
