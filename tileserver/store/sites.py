"""Sites: places by name, whose geometry has versions, and groups of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from comeo.errors import ParameterError
from tileserver.store.tables import site, site_member, site_version


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
