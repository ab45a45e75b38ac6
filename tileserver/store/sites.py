"""Sites: places by name, whose geometry has versions, and groups of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from comeo.errors import ParameterError
from tileserver.store.tables import geoservice, site, site_member, site_version


@dataclass(frozen=True, slots=True)
class SiteVersion:
    """A geometry of a site, which never changes.

    Attributes:
        id: Of the version.
        site: Id of the site.
        number: From 1.
        name: Of the site, by language.
        geometry: GeoJSON in degrees.
        sha256: Digest of the geometry.
        area_m2: Its area.
    """

    id: int
    site: int
    number: int
    name: Mapping[str, str]
    geometry: Mapping[str, Any]
    sha256: str
    area_m2: float


def add_site(
    connection: Connection, owner: int, name: Mapping[str, str], geometry: Mapping[str, Any], area_m2: float,
    now: datetime,
) -> int:  # fmt: skip
    """Add an elementary site with its first geometry; its id is returned."""
    values = {"owner": owner, "name": dict(name), "kind": "elementary", "created": now}
    made = connection.execute(insert(site).values(values).returning(site.c.id)).scalar_one()
    add_version(connection, made, geometry, area_m2, now)
    return int(made)


def add_version(
    connection: Connection, of: int, geometry: Mapping[str, Any], area_m2: float, now: datetime
) -> None:
    """Give a site another geometry; what was observed of the one before stays that one's."""
    query = select(func.coalesce(func.max(site_version.c.number), 0)).where(site_version.c.site == of)
    number = connection.execute(query).scalar_one() + 1
    digest = hashlib.sha256(repr(geometry).encode()).hexdigest()
    connection.execute(
        insert(site_version).values(
            site=of, number=number, geometry=dict(geometry), sha256=digest, area_m2=area_m2, valid_from=now
        )
    )


def add_group(
    connection: Connection, owner: int, name: Mapping[str, str], members: Sequence[int], now: datetime
) -> int:
    """Add a group of sites and groups; its id is returned."""
    values = {"owner": owner, "name": dict(name), "kind": "group", "created": now}
    made = int(connection.execute(insert(site).values(values).returning(site.c.id)).scalar_one())
    add_members(connection, made, members)
    return made


def add_members(connection: Connection, group: int, members: Sequence[int]) -> None:
    """Put sites into a group.

    Raises:
        ParameterError: If the group would be in itself.
    """
    for member in members:
        if group == member or group in _below(connection, member):
            raise ParameterError(f"site {member} has group {group} in it, and cannot be in that group")
    if members:
        connection.execute(insert(site_member), [{"group": group, "site": each} for each in members])


def leaves(connection: Connection, of: int) -> list[SiteVersion]:
    """The newest geometry of each elementary site in a group, or of the site itself, by id."""
    inside = [of, *_below(connection, of)]
    newest = (
        select(site_version.c.site, func.max(site_version.c.number).label("number"))
        .where(site_version.c.site.in_(inside))
        .group_by(site_version.c.site)
        .subquery()
    )
    query = (
        select(site_version, site.c.name)
        .join(newest, (site_version.c.site == newest.c.site) & (site_version.c.number == newest.c.number))
        .join(site, site.c.id == site_version.c.site)
        .where(site.c.archived.is_(None))
        .order_by(site_version.c.site)
    )
    return [_version(row) for row in connection.execute(query)]


def _below(connection: Connection, of: int) -> list[int]:
    """All members of a group and of its groups."""
    base = select(site_member.c.site).where(site_member.c.group == of).cte("below", recursive=True)
    below = base.union(select(site_member.c.site).join(base, site_member.c.group == base.c.site))
    return list(connection.execute(select(below.c.site)).scalars())


def _version(row: Row[Any]) -> SiteVersion:
    return SiteVersion(row.id, row.site, row.number, row.name, row.geometry, row.sha256, row.area_m2)


@dataclass(frozen=True, slots=True)
class Site:
    """A row of the table: see there."""

    id: int
    owner: int
    name: Mapping[str, str]
    kind: str
    created: datetime
    archived: datetime | None


def find_site(connection: Connection, number: int) -> Site | None:
    """The site of an id."""
    found = connection.execute(select(site).where(site.c.id == number)).first()
    return None if found is None else Site(**found._mapping)


def sites_of_owner(connection: Connection, owner: int, after: int, most: int) -> list[Site]:
    """Sites of an account that are not archived, by id, from the one after an id on."""
    query = (
        select(site)
        .where(site.c.owner == owner, site.c.archived.is_(None), site.c.id > after)
        .order_by(site.c.id)
        .limit(most)
    )
    return [Site(**row._mapping) for row in connection.execute(query)]


def names_of(connection: Connection, some: Sequence[int]) -> dict[int, Mapping[str, str]]:
    """Names of sites, by id."""
    query = select(site.c.id, site.c.name).where(site.c.id.in_(some))
    return {row.id: row.name for row in connection.execute(query)}


def newest_version(connection: Connection, of: int) -> SiteVersion | None:
    """The newest geometry of a site, archived or not; None of a group."""
    query = (
        select(site_version, site.c.name)
        .join(site, site.c.id == site_version.c.site)
        .where(site_version.c.site == of)
        .order_by(site_version.c.number.desc())
        .limit(1)
    )
    found = connection.execute(query).first()
    return None if found is None else _version(found)


def change_site(connection: Connection, of: int, values: Mapping[str, Any]) -> None:
    """Change a site's name, or archive it."""
    connection.execute(update(site).where(site.c.id == of).values(dict(values)))


def members_of(connection: Connection, group: int) -> list[int]:
    """Ids of what is in a group, groups of its groups not included."""
    query = select(site_member.c.site).where(site_member.c.group == group).order_by(site_member.c.site)
    return list(connection.execute(query).scalars())


def set_members(connection: Connection, group: int, members: Sequence[int]) -> None:
    """Let a group have just these members.

    Raises:
        ParameterError: If the group would be in itself.
    """
    connection.execute(delete(site_member).where(site_member.c.group == group))
    add_members(connection, group, members)


def is_followed(connection: Connection, of: int) -> bool:
    """Whether a geoservice that is not archived follows a site, by itself or in a group."""
    base = select(site.c.id).where(site.c.id == of).cte("above", recursive=True)
    above = base.union(select(site_member.c.group).join(base, site_member.c.site == base.c.id))
    query = select(geoservice.c.id).where(
        geoservice.c.site.in_(select(above.c.id)), geoservice.c.state != "archived"
    )
    return connection.execute(query.limit(1)).first() is not None
