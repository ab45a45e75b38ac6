"""The viewer's page: in the language of the browser, and with the scene that it begins with.

The page could ask for both. On a link with a delay of 400 ms each question is 0.4 s more without a picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from flask import Response, request

from comeo.errors import NotFoundError
from tileserver.catalog import COMPLETENESS, LAYERS, Record, Search
from tileserver.http.conditional import answer_by_content
from tileserver.render.scenes import Scenes

LANGUAGES: Final = ("en", "fr", "pt", "es", "ar")
"""Of the pages that the build writes, `index.fr.html` and so on; see static/src/language.ts."""
PLACE: Final = '<script type="application/json" id="first">null</script>'
NEWEST: Final = 100
"""Scenes among which the first one is chosen: those of the list's first page."""
LARGE: Final = 0.5
"""A scene whose box is smaller than this share of the largest is not what a newcomer should see first."""
CLEAR: Final = 30
"""Per cent; nor is one with more cloud than this."""
LOOKED_AT: Final = 20
SHOWN: Final = (
    "datetime", "start_datetime", "end_datetime", "eo:cloud_cover", "platform", "comeo:datetime_unknown",
    COMPLETENESS, LAYERS,
)  # fmt: skip
"""Properties that the viewer reads of an Item."""


def page(scenes: Scenes, folder: Path) -> Response:
    """The page, with an ETag of its content.

    Args:
        scenes: Catalogue, open archives and caches.
        folder: Of the built viewer.
    """
    text = text_of(folder)
    item = first_item(scenes) if PLACE in text else None
    if item is not None:
        # a tag in an id would end the element
        document = json.dumps(item, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        text = text.replace(PLACE, PLACE.replace("null", document))
    return page_answer(text)


def text_of(folder: Path) -> str:
    """The page of a folder in the language that the browser asks for, of those that the build wrote."""
    wishes = (tag.lower().partition("-")[0] for tag, quality in request.accept_languages if quality > 0)
    language = next((wish for wish in wishes if wish in LANGUAGES), "en")
    own = folder / f"index.{language}.html"
    return (own if own.is_file() else folder / "index.html").read_text(encoding="utf-8")


def page_answer(text: str) -> Response:
    """A page, with an ETag of its content."""
    response = Response(text, mimetype="text/html")
    response.vary.add("Accept-Language")
    return answer_by_content(response)


def first_item(scenes: Scenes) -> dict[str, Any] | None:
    """What the viewer needs of the scene to begin with, as a STAC Item: the newest that is large and clear.

    Where none is clear, the newest large one; None where there is no scene. `firstToShow` in
    static/src/viewer.ts chooses likewise.
    """
    found = list(_items(scenes))
    drawn = [item for item in found if _can_be_drawn(item)]
    clear = [item for item in drawn if not _cloud(item) > CLEAR]
    return next(iter(clear or drawn or found), None)


def _items(scenes: Scenes) -> Iterator[dict[str, Any]]:
    """Of the large scenes the newest, as far as they are still there."""
    records = scenes.catalog.search(Search(), NEWEST)
    largest = max(map(_area, records), default=0.0)
    large = [record for record in records if _area(record) >= LARGE * largest]
    for record in large[:LOOKED_AT]:
        try:
            item = scenes.catalog.item(record)
        except NotFoundError:
            continue
        properties = item.get("properties", {})
        yield {
            "type": "Feature",
            "id": record.id,
            "collection": record.collection,
            "geometry": item.get("geometry"),
            "properties": {name: properties[name] for name in SHOWN if name in properties},
        }


def _area(record: Record) -> float:
    """Of a scene's box on the ground, in square degrees of the equator; only ever compared."""
    west, south, east, north = record.bbox
    return ((east - west) % 360) * (north - south) * math.cos(math.radians((south + north) / 2))


def _can_be_drawn(item: dict[str, Any]) -> bool:
    """Whether more is here of a scene than what tells of it."""
    layers = item["properties"].get(LAYERS)
    return layers is None or any(layer != "head" for layer in layers)


def _cloud(item: dict[str, Any]) -> float:
    """Cloud cover in per cent; 0 where nobody has said."""
    value = item["properties"].get("eo:cloud_cover")
    return value if isinstance(value, int | float) else 0.0
