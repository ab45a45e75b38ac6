"""KML 2.2 (OGC 07-147r2): overlays, regions that load as the user zooms in, time spans, legends."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lxml import etree
from lxml.builder import ElementMaker

from comeo.grid import Bounds
from tileserver.render.temporal import rfc3339
from tileserver.text import xml_text

NAMESPACE = "http://www.opengis.net/kml/2.2"
KML_MEDIA_TYPE = "application/vnd.google-earth.kml+xml"
KMZ_MEDIA_TYPE = "application/vnd.google-earth.kmz"
# A tile of 256 pixels is loaded once it is shown at half its size; one that nothing coarser stands in for,
# from as far as it can be seen.
TILE_PIXELS = 128
ROOT_PIXELS = 16
_KML = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})


@dataclass(frozen=True, slots=True)
class Span:
    """When something is shown on the time slider; None is open."""

    begin: datetime | None
    end: datetime | None


def document(
    name: str, description: str, features: Iterable[etree._Element], *, span: Span | None = None,
    place: Bounds | None = None, least_pixels: int = TILE_PIXELS,
) -> bytes:  # fmt: skip
    """Write a document.

    Args:
        name: For people.
        description: Likewise.
        features: Its content.
        span: When it is shown.
        place: (west, south, east, north) in degrees that it is only shown near.
        least_pixels: How long `place` has to be on the screen for that.
    """
    root = _KML.Document(_text("name", name))
    if description:
        root.append(_text("description", html.escape(description, quote=False)))  # clients show it as HTML
    root.extend(_time(span))
    if place:
        root.append(_region(place, least_pixels))
    root.extend(features)
    return etree.tostring(_KML.kml(root), xml_declaration=True, encoding="UTF-8")


def folder(name: str, features: Iterable[etree._Element], span: Span | None = None) -> etree._Element:
    """A folder, which has a box to tick."""
    return _KML.Folder(_text("name", name), *_time(span), *features)


def ground_overlay(
    name: str, href: str, bounds: Bounds, *, draw_order: int = 0, span: Span | None = None,
    least_pixels: int | None = None,
) -> etree._Element:  # fmt: skip
    """A picture on the ground, north up, exactly over bounds (west, south, east, north) in degrees.

    Args:
        name: For people.
        href: Of the picture.
        bounds: Where it is.
        draw_order: Those of a higher one cover the others.
        span: When it is shown.
        least_pixels: How long it has to be on the screen to be shown, or None for always.
    """
    west, south, east, north = bounds
    box = _KML.LatLonBox(*_numbers(north=north, south=south, east=east, west=west))
    return _KML.GroundOverlay(
        _text("name", name), *_time(span), *([_region(bounds, least_pixels)] if least_pixels else []),
        *_numbers(drawOrder=draw_order), _KML.Icon(_text("href", href)), box,
    )  # fmt: skip


def network_link(
    name: str, href: str, bounds: Bounds, span: Span | None = None, least_pixels: int = TILE_PIXELS
) -> etree._Element:
    """Another document, loaded as the user zooms in to its bounds (west, south, east, north in degrees)."""
    link = _KML.Link(_text("href", href), _text("viewRefreshMode", "onRegion"))
    return _KML.NetworkLink(_text("name", name), *_time(span), _region(bounds, least_pixels), link)


def legend_overlay(href: str) -> etree._Element:
    """A picture in the lower left corner of the screen."""
    return _KML.ScreenOverlay(
        _text("name", "Legend"), _KML.Icon(_text("href", href)),
        _corner("overlayXY", 0, 0), _corner("screenXY", 0.02, 0.08), _corner("size", 0, 0, "pixels"),
    )  # fmt: skip


def _region(bounds: Bounds, least_pixels: int) -> etree._Element:
    west, south, east, north = bounds
    return _KML.Region(
        _KML.LatLonAltBox(*_numbers(north=north, south=south, east=east, west=west)),
        _KML.Lod(*_numbers(minLodPixels=least_pixels, maxLodPixels=-1)),
    )


def _time(span: Span | None) -> list[etree._Element]:
    if span is None or (span.begin is None and span.end is None):
        return []
    ends = (("begin", span.begin), ("end", span.end))
    return [_KML.TimeSpan(*(_text(name, rfc3339(moment)) for name, moment in ends if moment))]


def _corner(name: str, x: float, y: float, units: str = "fraction") -> etree._Element:
    return _KML(name, x=str(x), y=str(y), xunits=units, yunits=units)


def _numbers(**values: float) -> list[etree._Element]:
    return [_KML(name, f"{value:.12g}") for name, value in values.items()]


def _text(name: str, value: str) -> etree._Element:
    return _KML(name, xml_text(value))
