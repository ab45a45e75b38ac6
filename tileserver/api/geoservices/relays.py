"""What relays tell of their geoservices: taken by their keys, shown to whom the operator names."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import Connection

from comeo.errors import BoundError, NotFoundError
from comeo.settings import SettingsError
from tileserver.api.geoservices.common import TAG, unseen
from tileserver.errors import ForbiddenError
from tileserver.http.context import state
from tileserver.http.database import database
from tileserver.http.session import caller
from tileserver.http.writes import state_answer
from tileserver.render.parameters import Parameters
from tileserver.render.scenes import Scenes
from tileserver.render.temporal import rfc3339
from tileserver.signing import public_key
from tileserver.store import reports
from tileserver.store.accounts import Person
from tileserver.store.reports import Kind, Report
from tileserver.watch.document.definition import SLUG, Email
from tileserver.watch.reports import parcel

api = APIBlueprint("relays", __name__)
NAME: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
_PAGE: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


class Allowed(BaseModel):
    """A relay that may tell, and who may read it.

    Attributes:
        name: As the relay calls itself (COMEO_REPORT_NAME).
        key: Its public key, as `comeo geoservice key` says there.
        readers: E-mail addresses of accounts here.
        public: Whether everybody may read it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME)]
    key: str
    readers: Annotated[tuple[Email, ...], Field(max_length=1000)] = ()
    public: bool = False

    @field_validator("key")
    @classmethod
    def _is_key(cls, value: str) -> str:
        public_key(value)
        return value

    def shows(self, person: Person | None) -> bool:
        """Whether somebody may read what it has told."""
        return self.public or (person is not None and person.email in {each.lower() for each in self.readers})


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    relay: Annotated[list[Allowed], Field(max_length=1000)] = []


class RelayPath(Parameters):
    """A relay."""

    name: str = Field(pattern=NAME)


class ReportedPath(RelayPath):
    """A geoservice of a relay."""

    slug: str = Field(pattern=SLUG)


class PrintedPath(ReportedPath):
    """A bulletin of it."""

    number: str = Field(pattern=r"^[0-9-]{4,10}-r[0-9]{1,4}$")
    locale: str = Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,2}$")


def read_relays(path: Path) -> dict[str, Allowed]:
    """The relays that a file (TOML) names.

    Raises:
        SettingsError: If it cannot be read.
    """
    try:
        found = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).relay
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"COMEO_RELAYS: {path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"COMEO_RELAYS: {path}: {where}: {first['msg']}") from error
    return {each.name: each for each in found}


@api.post(f"/{parcel.PATH}", tags=[TAG], responses={"200": None})
def take() -> Response:
    """Take a parcel of reports, signed by the key of a relay that the operator has allowed."""
    one = _known().get(request.headers.get(parcel.NAME, ""))
    if one is None:
        raise ForbiddenError("the operator of this server knows no relay of that name")
    data = request.stream.read(parcel.MOST_PACKED + 1)
    if len(data) > parcel.MOST_PACKED:
        raise BoundError(f"a parcel has at most {parcel.MOST_PACKED >> 20} MB", "max_body_bytes")
    found = parcel.unpack(data, request.headers.get(parcel.SIGNATURE, ""), public_key(one.key))
    with database().writing() as connection:
        now = datetime.now(UTC)
        new = reports.take(connection, one.name, found.epoch, found.seq, found.reports, now)
    return state_answer({"taken": len(found.reports) if new else 0})


@api.get("/relays", tags=[TAG])
def listed() -> Response:
    """Relays that one may read, when they were heard of last, and which geoservices they have."""
    with database().reading() as connection:
        person = caller(connection)
        heard = {each.name: each for each in reports.relays(connection)}
        told = [
            {
                "name": one.name,
                "at": rfc3339(heard[one.name].at),
                "geoservices": [
                    _brief(each) for each in reports.reports_of(connection, one.name, "geoservice")
                ],
            }
            for one in _known().values()
            if one.name in heard and one.shows(person)
        ]
    return state_answer({"relays": told})


@api.get("/relays/<name>/geoservices/<slug>", tags=[TAG])
def show(path: ReportedPath) -> Response:
    """What a relay says of a geoservice: sites, clear observations, alerts, and which bulletins there are."""
    with database().reading() as connection:
        _admit(path.name, caller(connection))

        def of(kind: Kind) -> list[Report]:
            return reports.reports_of(connection, path.name, kind, f"{path.slug}/")

        own = reports.reports_of(connection, path.name, "geoservice", path.slug)
        one = next((each for each in own if each.key == path.slug), None)
        if one is None:
            raise NotFoundError(f"{path.name} has told of no geoservice {path.slug}")
        return state_answer({
            **_brief(one), "relay": path.name, "at": rfc3339(_heard(connection, path.name)),
            "sites": _features(of("site")),
            "observations": [_observation(each) for each in of("observation")],
            "alerts": [{"id": _number(each), **dict(each.body or {})} for each in of("alert")],
            "bulletins": [each.key.removeprefix(f"{path.slug}/") for each in of("bulletin")],
        })  # fmt: skip


@api.get("/relays/<name>/geoservices/<slug>/bulletins/<number>/<locale>", tags=[TAG])
def printed(path: PrintedPath) -> Response:
    """A bulletin that a relay has published, as a page: it is theirs, so nothing in it runs here."""
    with database().reading() as connection:
        _admit(path.name, caller(connection))
        key = f"{path.slug}/{path.number}/{path.locale}"
        some = reports.reports_of(connection, path.name, "bulletin", key)
    found = next((each.body for each in some if each.key == key), None)
    if found is None:
        raise NotFoundError(f"{path.name} has told of no bulletin {path.number} in {path.locale}")
    response = Response(found["html"], content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _PAGE
    return response


def _heard(connection: Connection, name: str) -> datetime:
    return next(each.at for each in reports.relays(connection) if each.name == name)


def allowed_by(own: Scenes) -> dict[str, Allowed]:
    """The relays that the settings allow; a file that is changed counts from the next start on."""
    path = own.settings.relays
    return {} if path is None else read_relays(path)


def _known() -> dict[str, Allowed]:
    return state().part(allowed_by)


def _admit(name: str, person: Person | None) -> None:
    one = _known().get(name)
    if one is None or not one.shows(person):
        raise unseen(f"relay {name}")


def _brief(one: Report) -> dict[str, Any]:
    return {"slug": one.key, **dict(one.body or {})}


def _number(one: Report) -> int:
    """Of a site or an alert, as its relay counts."""
    return int(one.key.rpartition("/")[2])


def _features(some: list[Report]) -> dict[str, Any]:
    features = []
    for each in some:
        body = dict(each.body or {})
        geometry = body.pop("geometry", None)
        features.append({"type": "Feature", "id": _number(each), "geometry": geometry, "properties": body})
    return {"type": "FeatureCollection", "features": features}


def _observation(one: Report) -> dict[str, Any]:
    _, indicator, site, collection, item = one.key.split("/", 4)
    return {
        "indicator": indicator, "site": int(site), "collection": collection, "item": item,
        **dict(one.body or {}),
    }  # fmt: skip
