"""Pictures of sites in mail: small, made by what makes those of the viewer, once for all who get the mail."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cachetools import LRUCache

from comeo.errors import ComeoError
from comeo.grid import Bounds
from tileserver.render import images
from tileserver.render.plan import RenderRequest
from tileserver.render.scenes import Scenes
from tileserver.watch.messages.shown import Look, around

SIDES: Final = (320, 240, 160)
"""Longest side in pixels, also of a small site: the first that makes a picture small enough."""
MOST_BYTES: Final = 26_000
"""Of a picture: a third more in mail, whose limit is 50 kB with two texts."""
_KEPT: Final = 16
log = logging.getLogger("comeo")


@dataclass(frozen=True, slots=True)
class Pictures:
    """What makes them.

    Attributes:
        scenes: Catalogue, open archives and caches.
    """

    scenes: Scenes
    _made: LRUCache[tuple[Any, ...], bytes | None] = field(default_factory=lambda: LRUCache(_KEPT))

    def draw(self, what: Mapping[str, Any]) -> bytes | None:
        """A JPEG of a site.

        Args:
            what: See `watch.messages.shown.picture_of`.

        Returns:
            None if the scene is gone, or has no such picture: mail goes without.
        """
        key = (what["collection"], what["item"], *what["bounds"], *_look(what).items())
        if key not in self._made:
            try:
                self._made[key] = self._draw(what)
            except ComeoError as error:
                log.info("a mail goes without a picture of %s: %s", what["item"], error)
                self._made[key] = None
        return self._made[key]

    def _draw(self, what: Mapping[str, Any]) -> bytes | None:
        record = self.scenes.find(what["collection"], what["item"])
        west, south, east, north = what["bounds"]
        box = around((west, south, east, north))
        look = _look(what)
        request = RenderRequest(style=look.get("style"), color_formula=look.get("color_formula"))
        for side in SIDES:
            size = _size(box, side)
            made = images.part(self.scenes, record, box, request, "jpg", self.scenes.budget(), size=size)
            if len(made) <= MOST_BYTES:
                return made
        return None


def _look(what: Mapping[str, Any]) -> Look:
    """How it is shown; messages that an older server has written do not say it."""
    found: Look = what.get("look", {})
    return found


def _size(box: Bounds, side: int) -> tuple[int, int]:
    """Height and width of a picture on which a metre is as long upwards as sideways."""
    west, south, east, north = box
    wide = (east - west) * max(math.cos(math.radians((south + north) / 2)), 0.01)
    high = north - south
    longest = max(wide, high)
    return max(round(side * high / longest), 1), max(round(side * wide / longest), 1)
