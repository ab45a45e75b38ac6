"""From a geoservice's document to its rows: sites, indicators, people; and from draft to active."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pyproj import Geod
from shapely.geometry import shape
from sqlalchemy import Connection

from comeo.errors import NotFoundError, ParameterError
from comeo.globe import intersections
from comeo.indicators.document import Document
from comeo.indicators.model import OneLine
from comeo.indicators.trials import run_tests
from comeo.view.area import Area
from tileserver.errors import ConflictError
from tileserver.outgoing.addresses import Network, read_target
from tileserver.outgoing.guard import ForbiddenTargetError, Guard
from tileserver.render.documents import find_document
from tileserver.render.scenes import Scenes
from tileserver.render.sites import Site, sites_of
from tileserver.store import accounts, geoservices, outbox, sites
from tileserver.store.geoservices import Geoservice
from tileserver.watch.bulletins.content import check_texts
from tileserver.watch.channels.services import check_service
from tileserver.watch.channels.webhook import new_secret
from tileserver.watch.document import states
from tileserver.watch.document.definition import Definition, Email, Maps, Nominal, Told
from tileserver.watch.maps.keeping import check_size, mapped

MOST_SITES: Final = 10_000
MOST_TEXT: Final = 32 << 20
MOST_NAME: Final = 200
_GLOBE: Final = Geod(ellps="WGS84")
_EMAIL: Final[TypeAdapter[str]] = TypeAdapter(Email)
_NAME: Final[TypeAdapter[str]] = TypeAdapter(OneLine)


def read_definition(text: bytes, kind: str, sites: Any = None) -> Definition:
    """Read a geoservice's document.

    Args:
        text: TOML or JSON.
        kind: `toml` or `json`.
        sites: GeoJSON instead of the sites in it.

    Raises:
        ParameterError: Saying what is wrong, and where.
    """
    try:
        found = tomllib.loads(text.decode()) if kind == "toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"the geoservice cannot be read as {kind.upper()}: {error}") from error
    if sites is not None and isinstance(found, dict):
        found["sites"] = sites
    return definition_of(found)


def definition_of(document: Any) -> Definition:
    """A geoservice of a parsed document.

    Raises:
        ParameterError: Saying what is wrong, and where.
    """
    try:
        return Definition.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(each) for each in first["loc"]) or "the document"
        raise ParameterError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error


def register(
    connection: Connection, definition: Definition, owner: str, max_vertices: int, now: datetime,
    networks: Sequence[Network] = (),
) -> int:  # fmt: skip
    """Add a geoservice as a draft; its id is returned.

    Args:
        connection: In a transaction that writes.
        definition: What the user wrote.
        owner: E-mail address.
        max_vertices: Positions that each site may have.
        now: Time.
        networks: That webhooks may reach though they are not public.

    Raises:
        ParameterError: If a site is no polygon or point or not the owner's, a name or address is none, no map
            can be made of an indicator, or a text of bulletins names what there is not.
        NotFoundError: If an indicator is unknown.
        ConflictError: If there is a geoservice of its slug.
    """
    _check(_EMAIL, owner, f"{owner[:80]!r} is no e-mail address")
    account = accounts.add_person(connection, owner, definition.locales[0], now)
    place = _place(connection, definition, account, max_vertices, now)
    start, end = definition.span
    values = {
        "slug": definition.slug, "title": definition.title, "owner": account, "site": place,
        "collections": definition.collections, "period": "P1M", "timezone": definition.timezone,
        "start": start, "end": end, "locales": definition.locales, "visibility": definition.visibility,
        "alert_policy": definition.alerts.model_dump(mode="json"), "created": now,
        "bulletin_policy": definition.bulletins.model_dump(mode="json"),
        "maps": definition.maps and definition.maps.model_dump(mode="json"),
    }  # fmt: skip
    number = geoservices.add_geoservice(connection, values)
    followed: list[str] = []
    for order, (document, nominal) in enumerate(indicators_of(definition)):
        geoservices.follow(connection, number, order, document, nominal.model_dump(mode="json"))
        followed.append(document.id)
    if definition.maps is not None:
        mapped(geoservices.followed(connection, number), definition.maps)
    check_texts(definition.bulletins, len(sites.leaves(connection, place)), followed)
    for to in definition.recipients:
        is_owner = to.email is not None and to.email.lower() == owner.lower()
        add_told(connection, number, to, "confirmed" if is_owner else "pending", networks)
    return number


def add_told(
    connection: Connection, number: int, to: Told, state: str, networks: Sequence[Network]
) -> str | None:
    """Add a recipient of a geoservice.

    Args:
        connection: In a transaction that writes.
        number: The geoservice.
        to: The recipient.
        state: Theirs.
        networks: That webhooks may reach though they are not public.

    Returns:
        What a new webhook's events are signed with; None of others.

    Raises:
        ParameterError: If the address cannot be one of its channel.
    """
    secret = None
    if to.channel == "webhook":
        try:
            Guard(networks).check(read_target(to.address))
        except ForbiddenTargetError as error:
            raise ParameterError(f"webhook: {error}") from error
        secret = new_secret()
    elif to.channel == "apprise":
        check_service(to.address)
    is_new = outbox.add_recipient(
        connection, number, to.address, to.locale, to.min_severity, state, channel=to.channel, to=to.list,
        rhythm=to.rhythm, secret=secret,
    )  # fmt: skip
    return secret if is_new else None


def indicators_of(definition: Definition) -> list[tuple[Document, Nominal]]:
    """The documents that a geoservice names, with their nominal values.

    Raises:
        NotFoundError: If one is unknown.
    """
    found = []
    for order, each in enumerate(definition.indicators):
        document = find_document(each.indicator)
        if document is None:
            raise NotFoundError(f"indicators.{order}: there is no indicator {each.indicator}; see /pof")
        found.append((document, each.nominal))
    return found


def activate(connection: Connection, scenes: Scenes, geoservice: Geoservice) -> None:
    """Let a geoservice run.

    Raises:
        ConflictError: If it is archived, no scene shows one of its sites, or a test of an indicator fails.
        BoundError: If its maps would have too many pixels.
    """
    states.check(states.GEOSERVICE, geoservice.state, "active")
    for each in geoservices.followed(connection, geoservice.id):
        document = each.read()
        failed = next((one for one in run_tests(document) if not one.passed), None)
        if failed is not None:
            raise ConflictError(f"{document.id} fails its own test: {failed}")
    shown = [scenes.find_collection(name).bbox for name in geoservice.collections]
    places = sites.leaves(connection, geoservice.site)
    if not any(intersections(box, Area(dict(one.geometry)).bounds) for one in places for box in shown):
        raise ConflictError(
            f"no scene of {', '.join(geoservice.collections)} shows any of the sites; choose others"
        )
    geoservices.set_state(connection, geoservice.id, "active")
    check_maps(connection, scenes, geoservices.get_geoservice(connection, geoservice.id))


def check_maps(connection: Connection, scenes: Scenes, geoservice: Geoservice) -> None:
    """Refuse maps that cannot be made; of a draft, which may be of scenes to come, not yet for their size.

    Raises:
        ParameterError: If no map can be made of an indicator.
        BoundError: If they would have too many pixels.
    """
    if geoservice.maps is None:
        return
    followed = geoservices.followed(connection, geoservice.id)
    if geoservice.state == "draft":
        mapped(followed, Maps.model_validate(geoservice.maps))
    else:
        boxes = [Area(dict(one.geometry)).bounds for one in sites.leaves(connection, geoservice.site)]
        check_size(scenes, geoservice, followed, boxes)


def _place(
    connection: Connection, definition: Definition, account: int, max_vertices: int, now: datetime
) -> int:
    """The site or group that a geoservice follows, added where it is not there yet."""
    if definition.site is not None:
        return own_site(connection, definition.site, account)
    places = sites_of(definition.sites, max_vertices, MOST_SITES)
    made = [_add_site(connection, account, one, number, now) for number, one in enumerate(places, 1)]
    return made[0] if len(made) == 1 else sites.add_group(connection, account, definition.title, made, now)


def own_site(connection: Connection, number: int, account: int) -> int:
    """The id of a site, if an account may have it followed.

    Raises:
        ParameterError: If it is not there, or not the account's: both look alike.
    """
    found = sites.find_site(connection, number)
    if found is None or found.owner != account or found.archived is not None:
        raise ParameterError(f"site: there is no site {number} of yours")
    return number


def _add_site(connection: Connection, owner: int, one: Site, number: int, now: datetime) -> int:
    geometry = dict(one.area.geometry)
    return sites.add_site(connection, owner, name_of(one, number), geometry, area_of(geometry), now)


def name_of(one: Site, number: int) -> Mapping[str, str]:
    """Name of a site by language: what its Feature says, else its number."""
    properties = one.properties or {}
    given = properties.get("name") or one.id
    name = " ".join(str(given or f"Site {number}").split())[:MOST_NAME]
    _check(_NAME, name, f"the name of site {number} cannot be read")
    return {"en": name}


def _check(kind: TypeAdapter[Any], value: str, sentence: str) -> None:
    try:
        kind.validate_python(value)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ParameterError(f"{sentence}: {reason}") from error


def area_of(geometry: Mapping[str, Any]) -> float:
    """Area in square metres on the ellipsoid; 0 of a point."""
    return abs(float(_GLOBE.geometry_area_perimeter(shape(dict(geometry)))[0]))
