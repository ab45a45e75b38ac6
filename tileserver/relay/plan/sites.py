"""Sites of geoservices as areas of subscriptions."""

from __future__ import annotations

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from comeo.errors import ComeoError
from tileserver.relay.plan.areas import Sites
from tileserver.store.database import Database
from tileserver.store.geoservices import find_geoservice
from tileserver.store.sites import leaves


def sites_in(address: str) -> Sites:
    """A finder of the sites of geoservices.

    Args:
        address: Of their database.
    """

    def find(slug: str) -> BaseGeometry:
        database = Database(address)
        try:
            with database.reading() as connection:
                found = find_geoservice(connection, slug)
                places = [] if found is None else leaves(connection, found.site)
        finally:
            database.close()
        if found is None:
            raise ComeoError(f"area sites:{slug}: there is no such geoservice in the database")
        if not places:
            raise ComeoError(f"area sites:{slug}: the geoservice has no sites")
        return shapely.union_all([shape(dict(each.geometry)) for each in places])

    return find
