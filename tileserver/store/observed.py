"""Observations that are kept for good: what each scene said of each site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection, insert, select, update

from tileserver.store.database import insert_new, parts
from tileserver.store.tables import judged as judged_table
from tileserver.store.tables import observation, site_version

State = Literal["done", "unusable"]


Archived = tuple[str, str, str]
"""Collection, scene and ETag of an archive."""


class Key(NamedTuple):
    """What an observation is of."""

    site_version: int
    indicator: str
    collection: str
    item: str
    etag: str

    @property
    def archive(self) -> Archived:
        """In which archive it was made."""
        return self.collection, self.item, self.etag


@dataclass(frozen=True, slots=True)
class Observed:
    """An observation.

    Attributes:
        site_version: Of which geometry.
        indicator: Digest of the document.
        collection: Of the scene.
        item: The scene.
        etag: Of its archive.
        datetime: Of acquisition.
        state: Whether it has a value.
        value: Of the site.
        u: Its standard uncertainty; None if unknown.
        p10: Percentile of the site's pixels.
        p50: Likewise.
        p90: Likewise.
        classes: Shares of the classes of clear ground; None if the archive does not tell.
        pixels: How many count.
        covered: Share of the site that the scene has data of.
        clear: Share of that which is clear; None if the archive does not tell.
        cloud_near: Share of cloud around the site; None likewise.
        orbit: Relative orbit of radar.
        ratio: Of the archive.
        reason: Why it has no value.
        engine: Revision of what computed it.
    """

    site_version: int
    indicator: str
    collection: str
    item: str
    etag: str
    datetime: datetime
    state: State
    engine: str
    value: float | None = None
    u: float | None = None
    p10: float | None = None
    p50: float | None = None
    p90: float | None = None
    classes: Mapping[str, float] | None = None
    pixels: float = 0.0
    covered: float = 0.0
    clear: float | None = None
    cloud_near: float | None = None
    orbit: int | None = None
    ratio: float | None = None
    reason: str | None = None

    @property
    def key(self) -> Key:
        """What it is of."""
        return Key(self.site_version, self.indicator, self.collection, self.item, self.etag)

    @property
    def archive(self) -> Archived:
        """In which archive it was made."""
        return self.key.archive


def known(connection: Connection, versions: Sequence[int], indicator: str) -> set[Key]:
    """What has been observed of sites."""
    columns = [observation.c[name] for name in Key._fields]
    found: set[Key] = set()
    for some in parts(versions):
        query = select(*columns).where(
            observation.c.site_version.in_(some), observation.c.indicator == indicator
        )
        found.update(Key(*row) for row in connection.execute(query))
    return found


def moments(connection: Connection, versions: Sequence[int], indicator: str) -> list[tuple[datetime, Key]]:
    """When each observation of sites was made."""
    columns = [observation.c[name] for name in Key._fields]
    found: list[tuple[datetime, Key]] = []
    for some in parts(versions):
        query = select(observation.c.datetime, *columns).where(
            observation.c.site_version.in_(some), observation.c.indicator == indicator
        )
        found += [(at, Key(*own)) for at, *own in connection.execute(query)]
    return found


def keep(connection: Connection, made: Iterable[Observed]) -> None:
    """Keep observations; one that is known stays as it is: both say the same."""
    insert_new(connection, observation, [asdict(each) for each in made])


def of_sites(connection: Connection, versions: Sequence[int], indicator: str) -> dict[int, list[Observed]]:
    """All observations of sites, oldest first; of archives that were replaced, too."""
    columns = [each for each in observation.c if each.name != "id"]
    found: dict[int, list[Observed]] = {each: [] for each in versions}
    for some in parts(versions):
        query = (
            select(*columns)
            .where(observation.c.site_version.in_(some), observation.c.indicator == indicator)
            .order_by(observation.c.datetime, observation.c.collection, observation.c.item, observation.c.id)
        )
        for row in connection.execute(query):
            made = Observed(**row._mapping)
            found[made.site_version].append(made)
    return found


def scene_seen(connection: Connection, site: int, item: str) -> tuple[str, float | None] | None:
    """Collection and ratio of a scene in which a site was last observed; None if it never was."""
    query = (
        select(observation.c.collection, observation.c.ratio)
        .join(site_version, site_version.c.id == observation.c.site_version)
        .where(site_version.c.site == site, observation.c.item == item)
        .order_by(observation.c.id.desc())
        .limit(1)
    )
    found = connection.execute(query).first()
    return None if found is None else (found.collection, found.ratio)


def newest(observations: Iterable[Observed]) -> list[Observed]:
    """What the archive of each scene says that was observed last: those before it were replaced.

    Args:
        observations: As `of_sites` gives them.
    """
    return list({(each.collection, each.item): each for each in observations}.values())


def judged(connection: Connection, gs_indicator: int) -> dict[int, str]:
    """Digests of what alerts of each site were last brought in step with."""
    query = select(judged_table.c.site, judged_table.c.digest)
    found = connection.execute(query.where(judged_table.c.gs_indicator == gs_indicator))
    return {row.site: row.digest for row in found}


def keep_judged(connection: Connection, gs_indicator: int, site: int, digest: str) -> None:
    """Write down what alerts of a site have been brought in step with."""
    own = (judged_table.c.gs_indicator == gs_indicator) & (judged_table.c.site == site)
    if connection.execute(update(judged_table).where(own).values(digest=digest)).rowcount == 0:
        connection.execute(insert(judged_table).values(gs_indicator=gs_indicator, site=site, digest=digest))
