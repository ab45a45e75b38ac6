"""Sites: places by name that one owns, whose geometry has versions, and groups of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import Connection

from comeo.errors import ParameterError
from comeo.indicators.document import text_in
from comeo.indicators.model import Texts
from tileserver.api.geoservices.common import MOST_ROWS, TAG, NumberPath, unseen
from tileserver.api.geoservices.uploads import KINDS, sites_in_body
from tileserver.errors import ConflictError
from tileserver.http import problems
from tileserver.http.context import base_url, scenes
from tileserver.http.database import database
from tileserver.http.session import caller, signed_in
from tileserver.http.writes import check_unchanged, state_answer
from tileserver.render.parameters import Parameters
from tileserver.render.sites import Site as Located
from tileserver.render.sites import sites_of
from tileserver.render.temporal import rfc3339
from tileserver.store import audit, sites
from tileserver.store.sites import Site
from tileserver.watch.setup.register import MOST_SITES, area_of, name_of

api = APIBlueprint("followed_sites", __name__)
GEOJSON: Final = "application/geo+json"
Members = Annotated[list[Annotated[int, Field(ge=1, le=2**31 - 1)]], Field(max_length=MOST_SITES)]


class SiteQuery(Parameters):
    """Which sites."""

    after: int = Field(0, ge=0, le=2**31 - 1, description="Ids after this one: the last of a page.")
    limit: int = Field(100, ge=1, le=MOST_ROWS)


class SiteBody(BaseModel):
    """A site: a place with its geometry, or a group with its members."""

    model_config = ConfigDict(extra="forbid")

    name: Texts
    geometry: dict[str, Any] | None = Field(None, description="GeoJSON: a Point, Polygon or MultiPolygon.")
    members: Members | None = Field(None, description="Ids of sites and groups of one's own.")

    @model_validator(mode="after")
    def _one(self) -> SiteBody:
        if (self.geometry is None) == (self.members is None):
            raise ValueError("give either geometry or members")
        return self


BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": SiteBody.model_json_schema()}, **KINDS},
    }
}


class AddQuery(Parameters):
    """Whether sites are added."""

    keep: bool = Field(True, description="false: only tell what a file holds, as GeoJSON with names.")


class MembersBody(BaseModel):
    """What is in a group."""

    model_config = ConfigDict(extra="forbid")

    members: Members


@api.get("/sites", tags=[TAG])
def listed(query: SiteQuery) -> Response:
    """One's own sites, as GeoJSON; archived ones are left out."""
    with database().reading() as connection:
        person = signed_in(connection)
        found = sites.sites_of_owner(connection, person.id, query.after, query.limit + 1)
        features = [_feature(connection, each) for each in found[: query.limit]]
    last = features[-1]["id"] if len(found) > len(features) else None
    return state_answer(
        {"type": "FeatureCollection", "features": features, "after": last}, content_type=GEOJSON
    )


@api.post("/sites", tags=[TAG], responses={"200": None, "201": None}, openapi_extensions=BODY)
def add(query: AddQuery) -> Response:
    """Add a site or a group, or the sites of a file: KML, KMZ, GeoPackage, zipped Shapefile, GeoJSON."""
    with database().reading() as connection:
        signed_in(connection)  # before anything of the body is read
    if request.mimetype != "application/json":
        return _add_all(sites_in_body(), keep=query.keep)
    if not query.keep:
        raise ParameterError("keep: only a file is read without keeping its sites")
    try:
        body = SiteBody.model_validate(request.get_json(silent=True))
    except ValidationError as error:
        return problems.invalid_parameters(error)
    return _add_one(body)


def _add_one(body: SiteBody) -> Response:
    now = datetime.now(UTC)
    geometry = None if body.geometry is None else _geometry(body.geometry)
    with database().writing() as connection:
        person = signed_in(connection)
        if geometry is not None:
            number = sites.add_site(connection, person.id, body.name, geometry, area_of(geometry), now)
        else:
            members = _own(connection, person.id, body.members or [])
            number = sites.add_group(connection, person.id, body.name, members, now)
        _note(connection, person.id, "site.added", number)
        found = sites.find_site(connection, number)
        assert found is not None  # noqa: S101 - it was added in this transaction
        response = state_answer(_feature(connection, found), 201, GEOJSON)
    response.headers["Location"] = f"{base_url()}/sites/{number}"
    return response


def _add_all(read: list[Located], *, keep: bool) -> Response:
    """Add the sites of a file, all of them or none; or only tell what it holds."""
    named = [(name_of(each, number), dict(each.area.geometry)) for number, each in enumerate(read, 1)]
    if not keep:
        features = [
            {"type": "Feature", "geometry": geometry,
             "properties": {"name": text_in(name, "en"), "area_m2": area_of(geometry)}}
            for name, geometry in named
        ]  # fmt: skip
        return state_answer({"type": "FeatureCollection", "features": features}, content_type=GEOJSON)
    now = datetime.now(UTC)
    with database().writing() as connection:
        person = signed_in(connection)
        made = []
        for name, geometry in named:
            number = sites.add_site(connection, person.id, name, geometry, area_of(geometry), now)
            _note(connection, person.id, "site.added", number)
            found = sites.find_site(connection, number)
            assert found is not None  # noqa: S101 - it was added in this transaction
            made.append(_feature(connection, found))
    return state_answer({"type": "FeatureCollection", "features": made}, 201, GEOJSON)


@api.get("/sites/<number>", tags=[TAG])
def show(path: NumberPath) -> Response:
    """A site of one's own, as a GeoJSON Feature."""
    with database().reading() as connection:
        return state_answer(_feature(connection, _site(connection, path.number)), content_type=GEOJSON)


@api.put("/sites/<number>", tags=[TAG])
def change(path: NumberPath, body: SiteBody) -> Response:
    """Change a site's name and geometry; a geometry is a new version, and what was observed stays."""
    geometry = None if body.geometry is None else _geometry(body.geometry)
    with database().writing() as connection:
        found = _site(connection, path.number)
        check_unchanged(_feature(connection, found))
        _not_archived(found)
        if (geometry is None) != (found.kind == "group"):
            raise ConflictError("a place stays a place, and a group a group; add another site")
        sites.change_site(connection, found.id, {"name": body.name})
        if geometry is None:
            sites.set_members(connection, found.id, _own(connection, found.owner, body.members or []))
        else:
            _set_geometry(connection, found.id, geometry)
        _note(connection, found.owner, "site.changed", found.id)
        return state_answer(_feature(connection, _site(connection, found.id)), content_type=GEOJSON)


@api.delete("/sites/<number>", tags=[TAG], responses={"204": None})
def archive(path: NumberPath) -> Response:
    """Archive a site that no geoservice follows; what was observed of it stays."""
    with database().writing() as connection:
        found = _site(connection, path.number)
        check_unchanged(_feature(connection, found))
        if sites.is_followed(connection, found.id):
            raise ConflictError("a geoservice follows this site; archive the geoservice first")
        if found.archived is None:
            sites.change_site(connection, found.id, {"archived": datetime.now(UTC)})
            _note(connection, found.owner, "site.archived", found.id)
    return Response(status=204)


@api.get("/sites/<number>/members", tags=[TAG])
def members(path: NumberPath) -> Response:
    """What is in a group."""
    with database().reading() as connection:
        return state_answer(_members(connection, _site(connection, path.number)))


@api.put("/sites/<number>/members", tags=[TAG])
def set_members(path: NumberPath, body: MembersBody) -> Response:
    """Say what is in a group."""
    with database().writing() as connection:
        found = _site(connection, path.number)
        check_unchanged(_members(connection, found))
        _not_archived(found)
        if found.kind != "group":
            raise ConflictError(f"site {found.id} is a place, and has no members")
        sites.set_members(connection, found.id, _own(connection, found.owner, body.members))
        _note(connection, found.owner, "site.members", found.id)
        return state_answer(_members(connection, found))


def _site(connection: Connection, number: int) -> Site:
    """A site of the caller's.

    Raises:
        NotFoundError: If there is none, or it is somebody else's: both look alike.
    """
    person, found = caller(connection), sites.find_site(connection, number)
    if person is None or found is None or found.owner != person.id:
        raise unseen(f"site {number}")
    return found


def _note(connection: Connection, owner: int, action: str, number: int) -> None:
    audit.write(connection, datetime.now(UTC), owner, action, "site", number)


def _not_archived(found: Site) -> None:
    if found.archived is not None:
        raise ConflictError(f"site {found.id} is archived, and changes no more")


def _own(connection: Connection, owner: int, wanted: list[int]) -> list[int]:
    """Members of a group, each once.

    Raises:
        ParameterError: If one of them is no site of the owner's.
    """
    for number in sorted(set(wanted)):
        found = sites.find_site(connection, number)
        if found is None or found.owner != owner or found.archived is not None:
            raise ParameterError(f"members: there is no site {number} of yours")
    return sorted(set(wanted))


def _geometry(document: dict[str, Any]) -> dict[str, Any]:
    (one,) = sites_of(document, scenes().settings.max_vertices, 1)
    return dict(one.area.geometry)


def _set_geometry(connection: Connection, number: int, geometry: dict[str, Any]) -> None:
    known = sites.newest_version(connection, number)
    if known is None or dict(known.geometry) != geometry:
        sites.add_version(connection, number, geometry, area_of(geometry), datetime.now(UTC))


def _members(connection: Connection, found: Site) -> dict[str, Any]:
    return {"site": found.id, "members": sites.members_of(connection, found.id)}


def _feature(connection: Connection, one: Site) -> dict[str, Any]:
    version = sites.newest_version(connection, one.id)
    properties: dict[str, Any] = {
        "name": dict(one.name), "kind": one.kind, "created": rfc3339(one.created),
        "archived": one.archived and rfc3339(one.archived),
    }  # fmt: skip
    if version is None:
        properties["members"] = sites.members_of(connection, one.id)
    else:
        properties |= {"version": version.number, "area_m2": version.area_m2}
    geometry = None if version is None else dict(version.geometry)
    return {"type": "Feature", "id": one.id, "geometry": geometry, "properties": properties}
