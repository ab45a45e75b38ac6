"""What pictures and links of an alert show: the scene of its last date, the place, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection

from comeo.grid import Bounds
from comeo.indicators.document import Document, unit_of
from comeo.missions import DECIBEL
from comeo.view.area import Area
from tileserver.store import observed, sites
from tileserver.store.alerts import Alert
from tileserver.store.geoservices import Geoservice

Look = Mapping[str, str]
"""How pixels are shown: `style` and `color_formula` of the server, or neither."""
_BRIGHT: Final[Look] = {"style": "true-color", "color_formula": "gamma rgb 2"}  # enough for forests
_AROUND: Final = 0.005  # degrees that a picture shows around a site


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene that an alert names.

    Attributes:
        collection: Of it.
        item: Its id.
        ratio: Compression of its archive; None if it is not known.
    """

    collection: str
    item: str
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of an alert: its site, or of a group the one that is farthest outside.

    Attributes:
        site: Id of the place.
        bounds: Of it in degrees; None if it is no longer there.
        scene: That of its last date.
        at: When that was.
    """

    site: int
    bounds: Bounds | None
    scene: Scene
    at: datetime


def shown_of(connection: Connection, geoservice: Geoservice, alert: Alert) -> Shown:
    """What is shown of an alert.

    Args:
        connection: In a transaction.
        geoservice: Whose alert.
        alert: It.
    """
    group = alert.evidence.get("group")
    place = group["witnesses"][0]["site"] if group else alert.site
    version = sites.newest_version(connection, place)  # also of a site that is archived by now
    last = alert.evidence["dates"][-1]
    return Shown(
        place,
        None if version is None else Area(dict(version.geometry)).bounds,
        scene_of(connection, geoservice, place, last["item"]),
        datetime.fromisoformat(last["datetime"]),
    )


def scene_of(connection: Connection, geoservice: Geoservice, site: int, item: str) -> Scene:
    """The scene of a date of a site, in the collection that it was observed in.

    Args:
        connection: In a transaction.
        geoservice: Whose first collection is named of a scene whose observations are not kept.
        site: Id of the place.
        item: Of the date.
    """
    found = observed.scene_seen(connection, site, item)
    collection, ratio = found or (geoservice.collections[0], None)
    return Scene(collection, item, ratio)


def viewer_link(address: str, scene: Scene) -> str:
    """Address of the viewer at a scene.

    Args:
        address: Of the server, with a slash at its end; empty for one below it.
        scene: It.
    """
    collection, item = (quote(each, safe="") for each in (scene.collection, scene.item))
    return f"{address}#collection={collection}&item={item}"


def look_of(document: Document) -> Look:
    """How the scenes of an indicator are shown: all dates alike; radar as the server shows it by itself."""
    is_radar = any(unit_of(each) == DECIBEL for each in document.inputs.values())
    return {} if is_radar else _BRIGHT


def picture_of(shown: Shown, look: Look, caption: str) -> dict[str, Any] | None:
    """What the picture of a mail is made of; None if the place is no longer there."""
    if shown.bounds is None:
        return None
    return {
        "collection": shown.scene.collection, "item": shown.scene.item, "bounds": list(shown.bounds),
        "look": dict(look), "caption": caption,
    }  # fmt: skip


def around(site: Bounds) -> Bounds:
    """What pictures of a site show, in degrees."""
    west, south, east, north = site
    return west - _AROUND, south - _AROUND, east + _AROUND, north + _AROUND
