"""Observations that count by the catalogue as it is: those whose scene is there, and is that archive."""

from __future__ import annotations

from sqlalchemy import Connection

from comeo.errors import NotFoundError, ParameterError
from comeo.view.area import Area
from tileserver.render.scenes import Scenes
from tileserver.store import geoservices, sites
from tileserver.store.geoservices import Geoservice
from tileserver.store.observed import Key
from tileserver.watch.observe import Place, Wanted, present


def standing(connection: Connection, scenes: Scenes, geoservice: Geoservice) -> set[Key]:
    """Keys of the observations of a geoservice that count; none while its collections have no scene."""
    places = [
        Place(each.id, each.site, Area(dict(each.geometry)))
        for each in sites.leaves(connection, geoservice.site)
    ]
    found: set[Key] = set()
    for each in geoservices.followed(connection, geoservice.id):
        wanted = Wanted(each.sha256, each.document, tuple(geoservice.collections), places, geoservice.end)
        try:
            found.update(present(scenes, wanted))
        except (NotFoundError, ParameterError):  # no scene, or none that can answer
            continue
    return found
