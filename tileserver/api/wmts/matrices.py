"""Tile matrix sets in the words of WMTS: coordinate systems and corners."""

from __future__ import annotations

from morecantile import TileMatrixSet

WELL_KNOWN_SCALE_SETS = {
    "WebMercatorQuad": "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible",
    "WorldCRS84Quad": "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad",
}


def supported_crs(tms: TileMatrixSet, *, short: bool) -> str:
    """Name of a set's CRS: a URN, which says the order of axes, or `EPSG:n` where clients know no other."""
    code = tms.rasterio_crs.to_epsg()
    if tms.id == "WorldCRS84Quad":
        return "EPSG:4326" if short else "urn:ogc:def:crs:OGC:1.3:CRS84"
    return f"EPSG:{code}" if short else f"urn:ogc:def:crs:EPSG::{code}"


def corner(tms: TileMatrixSet, zoom: int) -> str:
    """TopLeftCorner of a matrix, in the order of axes of the CRS that `supported_crs` names.

    All of them have easting (or longitude) first: EPSG's axes of Web Mercator and UTM, those of CRS84, and
    those that clients of the short name `EPSG:4326` expect.
    """
    x, y = tms.matrix(zoom).pointOfOrigin
    return f"{x!r} {y!r}"
