"""Metadata files of a Sentinel-2 product: `MTD_MSIL1C.xml` or `MTD_MSIL2A.xml`, and `MTD_TL.xml`.

Written after ESA's Sentinel-2 Products Specification Document, issue 14.9 and later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.missions.sentinel2 import BANDS, SENTINEL2
from comeo.sources.georeference import checked_grid
from comeo.sources.naming import parse_time
from comeo.sources.raster import parse_finite
from comeo.sources.xmltree import XmlTree, child_text

LEVELS: Final = {"Level-1C_User_Product": "L1C", "Level-2A_User_Product": "L2A"}
_OFFSETS: Final = {"L1C": "RADIO_ADD_OFFSET", "L2A": "BOA_ADD_OFFSET"}
_QUANTIFICATION: Final = {
    "L1C": ("QUANTIFICATION_VALUE",),
    "L2A": ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
}
_BAND_OF_ID: Final = dict(enumerate(BANDS))

# STAC properties by the elements they come from, as the `s2` extension maps them.
_TEXTS: Final = {
    "s2:product_type": "PRODUCT_TYPE",
    "s2:generation_time": "GENERATION_TIME",
    "s2:datatake_type": "DATATAKE_TYPE",
    "s2:processing_baseline": "PROCESSING_BASELINE",
}
_PERCENTAGES: Final = {
    "s2:degraded_msi_data_percentage": "DEGRADED_MSI_DATA_PERCENTAGE",
    "s2:nodata_pixel_percentage": "NODATA_PIXEL_PERCENTAGE",
    "s2:saturated_defective_pixel_percentage": "SATURATED_DEFECTIVE_PIXEL_PERCENTAGE",
    "s2:dark_features_percentage": "DARK_FEATURES_PERCENTAGE",
    "s2:cloud_shadow_percentage": "CLOUD_SHADOW_PERCENTAGE",
    "s2:vegetation_percentage": "VEGETATION_PERCENTAGE",
    "s2:not_vegetated_percentage": "NOT_VEGETATED_PERCENTAGE",
    "s2:water_percentage": "WATER_PERCENTAGE",
    "s2:unclassified_percentage": "UNCLASSIFIED_PERCENTAGE",
    "s2:medium_proba_clouds_percentage": "MEDIUM_PROBA_CLOUDS_PERCENTAGE",
    "s2:high_proba_clouds_percentage": "HIGH_PROBA_CLOUDS_PERCENTAGE",
    "s2:thin_cirrus_percentage": "THIN_CIRRUS_PERCENTAGE",
    "s2:snow_ice_percentage": "SNOW_ICE_PERCENTAGE",
}


@dataclass(frozen=True, slots=True)
class ProductMetadata:
    """Facts in the product's metadata file.

    Attributes:
        level: `L1C` or `L2A`.
        image_files: Names of the image files as the product lists them, without `.jp2`.
        scale: Reflectance = number × scale + offset.
        offsets: Offset by band, in reflectance; empty before processing baseline 04.00.
        nodata: Number that marks invalid pixels.
        saturated: Number that marks saturated pixels.
        properties: STAC Item properties.
    """

    level: str
    image_files: tuple[str, ...]
    scale: float
    offsets: dict[str, float]
    nodata: int
    saturated: int
    properties: dict[str, Any]


def parse_product(content: bytes, where: str) -> ProductMetadata:
    """Parse `MTD_MSIL1C.xml` or `MTD_MSIL2A.xml`.

    Raises:
        SourceError: If it is not one, or lacks an element that a scene needs.
    """
    xml = XmlTree(content, where)
    level = LEVELS.get(xml.kind)
    if level is None:
        raise SourceError(f"{where} is a {xml.kind}; only Sentinel-2 L1C and L2A products are handled")
    if len(list(xml.all("Granule"))) > 1:
        raise SourceError(f"{where} lists several granules, which products since December 2016 do not have")
    quantification = xml.number(*_QUANTIFICATION[level])
    if quantification <= 0:
        raise SourceError(f"{where} has a quantification value that is not positive")
    special = _special_values(xml)
    return ProductMetadata(
        level,
        tuple(element.text.strip() for element in xml.all("IMAGE_FILE", "IMAGE_FILE_2A") if element.text),
        1 / quantification,
        _offsets(xml, level, quantification),
        special.get("NODATA", 0),
        special.get("SATURATED", 65535),
        _product_properties(xml, level),
    )


def _special_values(xml: XmlTree) -> dict[str, int]:
    """Numbers that mean no measurement, by name."""
    values: dict[str, int] = {}
    for element in xml.all("Special_Values"):
        name = child_text(element, "SPECIAL_VALUE_TEXT", xml.where)
        index = child_text(element, "SPECIAL_VALUE_INDEX", xml.where)
        values[name.upper()] = int(parse_finite(index, f"special value {name[:20]} in {xml.where}"))
    return values


def _offsets(xml: XmlTree, level: str, quantification: float) -> dict[str, float]:
    """Radiometric offset of each band, in reflectance."""
    offsets: dict[str, float] = {}
    for element in xml.all(_OFFSETS[level]):
        what = f"{_OFFSETS[level]} in {xml.where}"
        number = parse_finite(element.get("band_id") or "", f"band_id of {what}")
        name = _BAND_OF_ID.get(int(number))
        if name is None:
            raise SourceError(f"{what} is of band {number:g}, which Sentinel-2 does not have")
        offsets[name] = parse_finite(element.text or "", what) / quantification
    return offsets


def _product_properties(xml: XmlTree, level: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        **SENTINEL2.properties,
        "processing:level": level,
        "platform": xml.text("SPACECRAFT_NAME").lower(),
    }
    properties["s2:product_uri"] = xml.find("PRODUCT_URI", "PRODUCT_URI_2A")
    properties |= {name: xml.find(element) for name, element in _TEXTS.items()}
    for datatake in xml.all("Datatake"):
        properties["s2:datatake_id"] = datatake.get("datatakeIdentifier")
    for granule in xml.all("Granule"):
        properties["s2:granule_id"] = granule.get("granuleIdentifier")
        properties["s2:datastrip_id"] = granule.get("datastripIdentifier")
    if (orbit := xml.find("SENSING_ORBIT_NUMBER")) is not None:
        properties["sat:relative_orbit"] = int(parse_finite(orbit, f"SENSING_ORBIT_NUMBER in {xml.where}"))
    if (direction := xml.find("SENSING_ORBIT_DIRECTION")) is not None:
        properties["sat:orbit_state"] = direction.lower()
    if xml.find("U") is not None:
        properties["s2:reflectance_conversion_factor"] = xml.number("U")
    if xml.find("Cloud_Coverage_Assessment") is not None:
        properties["eo:cloud_cover"] = xml.number("Cloud_Coverage_Assessment")
    return {name: value for name, value in properties.items() if value is not None}


@dataclass(frozen=True, slots=True)
class TileMetadata:
    """Facts in the granule's metadata file.

    Attributes:
        sensing_time: Acquisition of the tile.
        grids: Grid by pixel size in metres.
        properties: STAC Item properties.
    """

    sensing_time: datetime
    grids: dict[int, Grid]
    properties: dict[str, Any]


def parse_tile(content: bytes, where: str) -> TileMetadata:
    """Parse `MTD_TL.xml`.

    Raises:
        SourceError: If it is not one, or lacks an element that a scene needs.
    """
    xml = XmlTree(content, where)
    tile_id = xml.text("TILE_ID", "L1C_TILE_ID", "TILE_ID_2A")
    tile = next((part[1:] for part in tile_id.split("_") if len(part) == 6 and part[0] == "T"), None)
    properties: dict[str, Any] = {"s2:tile_id": tile_id}
    if tile is not None:
        properties |= {"grid:code": f"MGRS-{tile}", "s2:mgrs_tile": tile}
    for sun in xml.all("Mean_Sun_Angle"):
        zenith = parse_finite(child_text(sun, "ZENITH_ANGLE", where), f"ZENITH_ANGLE in {where}")
        azimuth = parse_finite(child_text(sun, "AZIMUTH_ANGLE", where), f"AZIMUTH_ANGLE in {where}")
        properties |= {"view:sun_elevation": round(90 - zenith, 6), "view:sun_azimuth": round(azimuth, 6)}
    for name, element in _PERCENTAGES.items():
        if xml.find(element) is not None:
            properties[name] = xml.number(element)
    return TileMetadata(parse_time(xml.text("SENSING_TIME"), where), _grids(xml), properties)


def _grids(xml: XmlTree) -> dict[int, Grid]:
    """The grid of each resolution."""
    code = xml.text("HORIZONTAL_CS_CODE")
    unknown = SourceError(f"{xml.where} has an unknown coordinate reference system {code[:40]!r}")
    if not re.fullmatch(r"EPSG:\d{4,6}", code):  # GDAL would also take a URL or a path, and read it
        raise unknown
    try:
        crs = CRS.from_string(code)
    except CRSError:
        raise unknown from None
    sizes = {element.get("resolution"): element for element in xml.all("Size")}
    grids: dict[int, Grid] = {}
    for position in xml.all("Geoposition"):
        resolution = position.get("resolution") or ""
        size = sizes.get(resolution)
        if size is None:
            raise SourceError(f"{xml.where} has no Size for resolution {resolution[:20]!r}")
        rows, cols = (_number_in(size, name, xml.where) for name in ("NROWS", "NCOLS"))
        left, top, width, height = (
            _number_in(position, name, xml.where) for name in ("ULX", "ULY", "XDIM", "YDIM")
        )
        transform = Affine(width, 0.0, left, 0.0, height, top)
        number = int(parse_finite(resolution, f"resolution in {xml.where}"))
        grids[number] = checked_grid(xml.where, crs, transform, int(rows), int(cols))
    return grids


def _number_in(element: Any, name: str, where: str) -> float:
    return parse_finite(child_text(element, name, where), f"{name} in {where}")
