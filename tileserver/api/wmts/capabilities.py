"""The service metadata document (WMTS 1.0.0, clause 7.1)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from urllib.parse import quote

from lxml import etree

from comeo.globe import WORLD
from tileserver.api.wmts.matrices import WELL_KNOWN_SCALE_SETS, corner, supported_crs
from tileserver.api.wmts.requests import INFO_TYPES, TILE_TYPES, VERSION
from tileserver.api.wmts.xml import (
    HREF,
    OWS,
    SCHEMA_LOCATION,
    WMTS,
    WMTS_NAMESPACE,
    document,
)
from tileserver.render.layers import Layer, Scope
from tileserver.render.legend import LEGEND_MEDIA_TYPE, legend_size
from tileserver.render.links import WORLD_SETS, Link
from tileserver.render.matrixsets import matrix_set
from tileserver.render.styles import Style
from tileserver.text import xml_text

TITLE = "COMEO"
ABSTRACT = "Sentinel-1 and Sentinel-2 scenes, compressed a hundredfold and decoded on the fly."
CAPABILITIES = "WMTSCapabilities.xml"
# Clients take one template a type, and not all the same one, so there is but one.
TEMPLATE_TILE_TYPE = "image/png"
TEMPLATE_INFO_TYPE = "text/html"
Element = etree._Element


@dataclass(frozen=True, slots=True)
class Site:
    """Where a document is.

    Attributes:
        base: URL of the server, without a slash at the end.
        scope: Subject of the document.
        short_crs: Whether coordinate systems are called `EPSG:n` rather than by URN.
        revision: Of the catalogue.
        provider: Who runs the server, or empty.
    """

    base: str
    scope: Scope
    short_crs: bool
    revision: int
    provider: str = ""

    @property
    def address(self) -> str:
        """URL of the requests in key-value pairs."""
        return f"{self.base}/wmts/{self.scope.path}".rstrip("/")

    @property
    def query(self) -> str:
        """Query that every URL of this variant of the document carries."""
        return "crs=epsg" if self.short_crs else ""

    @property
    def document_url(self) -> str:
        """URL of the document."""
        return f"{self.address}/{VERSION}/{CAPABILITIES}" + (f"?{self.query}" if self.query else "")

    @property
    def pairs_url(self) -> str:
        """URL to which key-value pairs are appended."""
        return f"{self.address}?" + (f"{self.query}&" if self.query else "")


def capabilities(site: Site, layers: Iterable[Layer], sections: Collection[str]) -> bytes:
    """Write the document with some of its sections."""
    root = WMTS.Capabilities(version=VERSION, updateSequence=str(site.revision))
    root.set(
        SCHEMA_LOCATION,
        f"{WMTS_NAMESPACE} http://schemas.opengis.net/wmts/1.0/wmtsGetCapabilities_response.xsd",
    )
    if "ServiceIdentification" in sections:
        root.append(_identification())
    if "ServiceProvider" in sections and site.provider:
        root.append(OWS.ServiceProvider(OWS.ProviderName(xml_text(site.provider)), OWS.ServiceContact()))
    if "OperationsMetadata" in sections:
        root.append(_operations(site))
    if "Contents" in sections:
        root.append(_contents(site, list(layers)))
    root.append(_link(WMTS.ServiceMetadataURL, site.document_url))
    return document(root)


def unchanged(site: Site) -> bytes:
    """Write what a client gets that has the document already (OGC 06-121r3, clause 7.3.4)."""
    return document(WMTS.Capabilities(version=VERSION, updateSequence=str(site.revision)))


def tile_template(site: Site, layer: Layer) -> str:
    """RESTful URL of a layer's tiles."""
    return f"{_resource(site, layer)}.png"


def info_template(site: Site, layer: Layer) -> str:
    """RESTful URL of what is at a pixel of a layer's tiles."""
    return f"{_resource(site, layer)}/{{J}}/{{I}}.html"


def legend_url(base: str, scope: Scope, style: str) -> str:
    """URL of a style's legend."""
    return f"{base}/{scope.path}/styles/{quote(style, safe='')}/legend.png"


def _resource(site: Site, layer: Layer) -> str:
    time = "{Time}" if layer.days else layer.default
    tile = "{TileMatrixSet}/{TileMatrix}/{TileRow}/{TileCol}"
    return f"{site.base}/wmts/{VERSION}/{layer.scope.resource}/{{Style}}/{time}/{tile}"


def _identification() -> Element:
    return OWS.ServiceIdentification(
        OWS.Title(TITLE), OWS.Abstract(ABSTRACT), OWS.ServiceType("OGC WMTS"),
        OWS.ServiceTypeVersion(VERSION), OWS.Fees("none"), OWS.AccessConstraints("none"),
    )  # fmt: skip


def _operations(site: Site) -> Element:
    pairs = _get(site.pairs_url, "KVP")
    return OWS.OperationsMetadata(
        _operation("GetCapabilities", pairs, _get(site.document_url, "RESTful")),
        _operation("GetTile", _get(site.pairs_url, "KVP")),
        _operation("GetFeatureInfo", _get(site.pairs_url, "KVP")),
    )


def _operation(name: str, *gets: Element) -> Element:
    return OWS.Operation(OWS.DCP(OWS.HTTP(*gets)), name=name)


def _get(url: str, encoding: str) -> Element:
    constraint = OWS.Constraint(OWS.AllowedValues(OWS.Value(encoding)), name="GetEncoding")
    return _link(OWS.Get, url, constraint)


def _contents(site: Site, layers: list[Layer]) -> Element:
    finest: dict[str, int] = dict.fromkeys(WORLD_SETS, 0)
    for layer in layers:
        for name, link in layer.links.items():
            finest[name] = max(finest.get(name, 0), link.finest)
    contents = WMTS.Contents(*(_layer(site, layer, finest) for layer in layers))
    contents.extend(_matrix_set(name, zoom, short=site.short_crs) for name, zoom in finest.items())
    return contents


def _layer(site: Site, layer: Layer, finest: dict[str, int]) -> Element:
    west, south, east, north = layer.bbox
    if east < west:
        west, east = WORLD[0], WORLD[2]
    element = WMTS.Layer(
        OWS.Title(xml_text(layer.title)),
        OWS.Abstract(xml_text(layer.abstract)),
        OWS.WGS84BoundingBox(OWS.LowerCorner(f"{west!r} {south!r}"), OWS.UpperCorner(f"{east!r} {north!r}")),
        OWS.Identifier(xml_text(layer.identifier)),
    )
    for number, style in enumerate(layer.styles.values()):
        element.append(_style(site, layer, style, default=number == 0))
    element.extend(WMTS.Format(media_type) for media_type in TILE_TYPES)
    element.extend(WMTS.InfoFormat(media_type) for media_type in INFO_TYPES)
    if layer.days:
        element.append(_time(layer))
    element.extend(_set_link(link, finest[name]) for name, link in layer.links.items())
    for kind, media_type, template in (
        ("tile", TEMPLATE_TILE_TYPE, tile_template(site, layer)),
        ("FeatureInfo", TEMPLATE_INFO_TYPE, info_template(site, layer)),
    ):
        element.append(WMTS.ResourceURL(format=media_type, resourceType=kind, template=template))
    return element


def _style(site: Site, layer: Layer, style: Style, *, default: bool) -> Element:
    width, height = legend_size(style)
    legend = _link(WMTS.LegendURL, legend_url(site.base, layer.scope, style.name))
    legend.attrib.update({"format": LEGEND_MEDIA_TYPE, "width": str(width), "height": str(height)})
    return WMTS.Style(
        OWS.Title(xml_text(style.title)), OWS.Abstract(xml_text(style.description)),
        OWS.Identifier(xml_text(style.name)), legend, isDefault="true" if default else "false",
    )  # fmt: skip


def _time(layer: Layer) -> Element:
    return WMTS.Dimension(
        OWS.Title("Day of acquisition (UTC)"),
        OWS.Identifier("Time"),
        OWS.UOM("ISO8601"),
        WMTS.Default(layer.default),
        WMTS.Current("true"),
        *(WMTS.Value(day) for day in layer.days),
    )


def _set_link(link: Link, finest: int) -> Element:
    limits = WMTS.TileMatrixSetLimits()
    for zoom in range(link.tms.minzoom, finest + 1):
        found = link.limits(zoom)
        limits.append(
            WMTS.TileMatrixLimits(
                WMTS.TileMatrix(link.tms.matrix(zoom).id),
                WMTS.MinTileRow(str(found.min_row)), WMTS.MaxTileRow(str(found.max_row)),
                WMTS.MinTileCol(str(found.min_col)), WMTS.MaxTileCol(str(found.max_col)),
            )
        )  # fmt: skip
    return WMTS.TileMatrixSetLink(WMTS.TileMatrixSet(link.name), limits)


def _matrix_set(name: str, finest: int, *, short: bool) -> Element:
    """A set from its coarsest matrix on, which is what makes it one of a well-known scale set."""
    tms = matrix_set(name)
    element = WMTS.TileMatrixSet(
        OWS.Title(tms.title or name), OWS.Identifier(name), OWS.SupportedCRS(supported_crs(tms, short=short))
    )
    if name in WELL_KNOWN_SCALE_SETS:
        element.append(WMTS.WellKnownScaleSet(WELL_KNOWN_SCALE_SETS[name]))
    for zoom in range(tms.minzoom, finest + 1):
        matrix = tms.matrix(zoom)
        element.append(
            WMTS.TileMatrix(
                OWS.Identifier(matrix.id),
                WMTS.ScaleDenominator(repr(matrix.scaleDenominator)),
                WMTS.TopLeftCorner(corner(tms, zoom)),
                WMTS.TileWidth(str(matrix.tileWidth)), WMTS.TileHeight(str(matrix.tileHeight)),
                WMTS.MatrixWidth(str(matrix.matrixWidth)), WMTS.MatrixHeight(str(matrix.matrixHeight)),
            )
        )  # fmt: skip
    return element


def _link(make: Callable[..., Element], url: str, *children: Element) -> Element:
    element = make(*children)
    element.set(HREF, url)
    return element
