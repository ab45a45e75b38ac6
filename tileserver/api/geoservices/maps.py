"""Maps of periods: which there are, and short addresses of their tiles, TileJSON and GeoTIFF.

A map is a scene of the collection `geoservice-SLUG`, and whatever a scene has, it has: short addresses lead
there. Only public geoservices have maps, so that what is there is everybody's.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, redirect, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field
from sqlalchemy import Connection

from comeo.errors import NotFoundError
from tileserver.api.geoservices.common import TAG, SlugPath, of_slug
from tileserver.catalog import Record
from tileserver.http.context import collection_address, item_address, scenes
from tileserver.http.database import database
from tileserver.http.parameters import TilePart
from tileserver.http.writes import state_answer
from tileserver.render.parameters import Parameters
from tileserver.render.temporal import rfc3339
from tileserver.store import geoservices
from tileserver.store.geoservices import Geoservice
from tileserver.store.maps import MadeMap, maps_of
from tileserver.watch.document.definition import maps_collection

api = APIBlueprint("geoservices_maps", __name__)
_MOVED: Final = 307
ELSEWHERE: Final[dict[str | int | HTTPStatus, Any]] = {"307": None}


class PeriodPath(SlugPath):
    """A period of a geoservice."""

    period: str = Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="A month: `2026-11`.")


class PeriodTilePath(PeriodPath, TilePart):
    """A tile of a period's map."""


class MapQuery(Parameters):
    """Of which indicator; all other parameters are those of a scene's own address."""

    indicator: str | None = Field(None, max_length=64, description="Its id; by default the first.")


@api.get("/geoservices/<slug>/maps", tags=[TAG])
def listed(path: SlugPath) -> Response:
    """Maps of all periods, the newest last, with their addresses."""
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        made = _by_indicator(connection, one)
    collection = maps_collection(one.slug)
    rows = [
        {
            "period": each.label, "indicator": indicator, "item": each.item, "made": rfc3339(each.made),
            "address": f"{collection_address(collection)}/items/{each.item}",
        }
        for indicator, each in made
        if each.item and scenes().catalog.get(collection, each.item) is not None
    ]  # fmt: skip
    return state_answer({"collection": collection, "policy": one.maps, "maps": rows})


@api.get("/geoservices/<slug>/map/<period>/tilejson.json", tags=[TAG], responses=ELSEWHERE)
def tilejson(path: PeriodPath, query: MapQuery) -> Response:
    """TileJSON of a period's map: leads to that of its scene."""
    return _leads_to(f"{item_address(_record(path, query))}/tilejson.json")


@api.get("/geoservices/<slug>/map/<period>/tiles/<tms>/<z>/<x>/<y>.<format>", tags=[TAG], responses=ELSEWHERE)
def tile(path: PeriodTilePath, query: MapQuery) -> Response:
    """A tile of a period's map: leads to that of its scene."""
    place = f"{path.tms}/{path.z}/{path.x}/{path.y}.{path.format}"
    return _leads_to(f"{item_address(_record(path, query))}/tiles/{place}")


@api.get("/geoservices/<slug>/map/<period>/extract.tif", tags=[TAG], responses=ELSEWHERE)
def extract(path: PeriodPath, query: MapQuery) -> Response:
    """A period's map as a GeoTIFF with all its bands: leads to the extract of its scene."""
    record = _record(path, query)
    return _leads_to(f"{item_address(record)}/bbox/{','.join(map(str, record.bbox))}.tif")


def _record(path: PeriodPath, query: MapQuery) -> Record:
    """The scene of a map.

    Raises:
        NotFoundError: If there is none.
    """
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        made = [
            each
            for indicator, each in _by_indicator(connection, one)
            if each.label == path.period and query.indicator in (None, indicator)
        ]
    record = scenes().catalog.get(maps_collection(one.slug), made[0].item) if made else None
    if record is None:
        why = "" if one.visibility == "public" else "; maps are made of public geoservices alone"
        of = f"{query.indicator} of " if query.indicator else ""
        raise NotFoundError(f"{one.slug} has no map of {of}{path.period}{why}")
    return record


def _by_indicator(connection: Connection, one: Geoservice) -> list[tuple[str, MadeMap]]:
    """Maps of a geoservice with the ids of their indicators."""
    names = {each.id: each.read().id for each in geoservices.followed(connection, one.id)}
    return [(names[each.gs_indicator], each) for each in maps_of(connection, one.id)]


def _leads_to(address: str) -> Response:
    """A redirect that carries on all parameters but the one that has been used."""
    carried: list[tuple[str, Any]] = [
        (name, value) for name, value in request.args.items(multi=True) if name != "indicator"
    ]
    made = redirect(f"{address}?{urlencode(carried)}" if carried else address, _MOVED)
    assert isinstance(made, Response)  # noqa: S101 - Flask's own
    return made
