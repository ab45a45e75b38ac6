"""Metadata files of a Sentinel-2 product: `MTD_MSIL1C.xml` or `MTD_MSIL2A.xml`, and `MTD_TL.xml`.

Written after ESA's Sentinel-2 Products Specification Document, issue 14.9 and later; issues 12 and 13, of the
products of before December 2016, differ in names of elements only. What pixels can do without (angles,
percentages, orbits, times) is left out where it is missing or broken, and never refuses them.
"""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from xml.etree.ElementTree import Element

from affine import Affine

from comeo.crs import parse_crs
from comeo.errors import CrsError, SourceError
from comeo.grid import Grid
from comeo.missions.sentinel2 import BANDS, SENTINEL2
from comeo.sources.container import plain_name
from comeo.sources.grids import checked_grid
from comeo.sources.naming import lenient_time
from comeo.sources.raster import parse_finite
from comeo.sources.xmltree import XmlTree, child_text, finite

logger = logging.getLogger(__name__)

LEVELS: Final = {"Level-1C_User_Product": "L1C", "Level-2A_User_Product": "L2A"}
_OFFSETS: Final = {"L1C": "RADIO_ADD_OFFSET", "L2A": "BOA_ADD_OFFSET"}
_QUANTIFICATION: Final = {
    "L1C": ("QUANTIFICATION_VALUE",),
    "L2A": ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
}
_BAND_OF_ID: Final = dict(enumerate(BANDS))
_FILES: Final = ("IMAGE_FILE", "IMAGE_FILE_2A", "IMAGE_ID", "IMAGE_ID_2A")

# STAC properties by the elements they come from, as the `s2` extension maps them.
_TEXTS: Final = {
    "s2:product_type": "PRODUCT_TYPE",
    "s2:generation_time": "GENERATION_TIME",
    "s2:datatake_type": "DATATAKE_TYPE",
    "s2:processing_baseline": "PROCESSING_BASELINE",
}
_PERCENTAGES: Final = {
    "eo:cloud_cover": "CLOUDY_PIXEL_PERCENTAGE",
    "s2:degraded_msi_data_percentage": "DEGRADED_MSI_DATA_PERCENTAGE",
    "s2:nodata_pixel_percentage": "NODATA_PIXEL_PERCENTAGE",
    "s2:saturated_defective_pixel_percentage": "SATURATED_DEFECTIVE_PIXEL_PERCENTAGE",
    "s2:dark_features_percentage": "DARK_FEATURES_PERCENTAGE",
    "s2:cast_shadow_percentage": "CAST_SHADOW_PERCENTAGE",
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
        image_files: Names of the image files as the product lists them, without folders and `.jp2`.
        scale: Reflectance = number × scale + offset.
        offsets: Offset by band, in reflectance; empty where none is stated, as before baseline 04.00.
        nodata: Number that marks invalid pixels.
        sensing_time: Start of the datatake or product, or None.
        properties: STAC Item properties.
    """

    level: str
    image_files: tuple[str, ...]
    scale: float
    offsets: dict[str, float]
    nodata: int
    sensing_time: datetime | None
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
    quantification = _quantification(xml, level)
    listed = (element.text.strip() for element in xml.all(*_FILES) if element.text)
    times = ("DATATAKE_SENSING_START", "PRODUCT_START_TIME")
    return ProductMetadata(
        level,
        tuple(plain_name(file).rpartition("/")[2].removesuffix(".jp2") for file in listed),
        1 / quantification,
        _offsets(xml, level, quantification),
        _nodata(xml),
        next((time for name in times if (time := _time(xml, name))), None),
        _product_properties(xml, level),
    )


def _quantification(xml: XmlTree, level: str) -> float:
    """How many numbers make a reflectance of 1; NaN where that is not stated, and has to be given."""
    try:
        number = xml.number(*_QUANTIFICATION[level])
    except SourceError as error:
        logger.warning("%s", error)
        return math.nan
    if number <= 0:
        logger.warning("%s has a quantification value that is not positive", xml.where)
    return number if number > 0 else math.nan


def _time(xml: XmlTree, name: str) -> datetime | None:
    """A time, if it is stated and is one."""
    text = xml.find(name)
    return None if text is None else lenient_time(text, f"{name} in {xml.where}")


def _nodata(xml: XmlTree) -> int:
    """The number that means no measurement: 0 where the metadata state none."""
    for element in xml.all("Special_Values"):
        if child_text(element, "SPECIAL_VALUE_TEXT", xml.where).upper() == "NODATA":
            index = child_text(element, "SPECIAL_VALUE_INDEX", xml.where)
            return int(parse_finite(index, f"special value NODATA in {xml.where}"))
    return 0


def _offsets(xml: XmlTree, level: str, quantification: float) -> dict[str, float]:
    """Radiometric offset of each band, in reflectance."""
    offsets: dict[str, float] = {}
    for element in xml.all(_OFFSETS[level]):
        what = f"{_OFFSETS[level]} in {xml.where}"
        number = parse_finite(element.get("band_id") or "", f"band_id of {what}")
        name = _BAND_OF_ID.get(int(number))
        if name is None:
            raise SourceError(f"{what} is of band {number:g}, which Sentinel-2 does not have")
        value = finite(element.text or "")
        if value is None:
            logger.warning("%s of %s is %r, not a number", what, name, (element.text or "")[:40])
        offsets[name] = (math.nan if value is None else value) / quantification
    return offsets


def _product_properties(xml: XmlTree, level: str) -> dict[str, Any]:
    platform = xml.find("SPACECRAFT_NAME")
    properties: dict[str, Any] = {
        **SENTINEL2.properties,
        "processing:level": level,
        "platform": platform.lower() if platform else None,
    }
    properties["s2:product_uri"] = xml.find("PRODUCT_URI", "PRODUCT_URI_2A", "PRODUCT_URI_1C")
    properties |= {name: xml.find(element) for name, element in _TEXTS.items()}
    for datatake in xml.all("Datatake"):
        properties["s2:datatake_id"] = datatake.get("datatakeIdentifier")
    granules = list(xml.all("Granule", "Granules"))
    if len(granules) == 1:
        properties["s2:granule_id"] = granules[0].get("granuleIdentifier")
        properties["s2:datastrip_id"] = granules[0].get("datastripIdentifier")
    orbit = xml.finite("SENSING_ORBIT_NUMBER")
    direction = xml.find("SENSING_ORBIT_DIRECTION")
    properties |= {
        "sat:relative_orbit": None if orbit is None else int(orbit),
        "sat:orbit_state": direction.lower() if direction else None,
        "s2:reflectance_conversion_factor": xml.finite("U"),
        "eo:cloud_cover": xml.finite("Cloud_Coverage_Assessment"),
    }
    return {name: value for name, value in properties.items() if value is not None}


@dataclass(frozen=True, slots=True)
class TileMetadata:
    """Facts in the granule's metadata file.

    Attributes:
        level: `L1C` or `L2A`, or empty.
        sensing_time: Acquisition of the tile, or None.
        grids: Grid by pixel size in metres.
        properties: STAC Item properties.
    """

    level: str
    sensing_time: datetime | None
    grids: dict[int, Grid]
    properties: dict[str, Any]


def parse_tile(content: bytes, where: str) -> TileMetadata:
    """Parse `MTD_TL.xml`.

    Raises:
        SourceError: If it is not one, or lacks an element that a scene needs.
    """
    xml = XmlTree(content, where)
    if not xml.kind.endswith("_Tile_ID"):
        raise SourceError(f"{where} is a {xml.kind}, not the metadata of a Sentinel-2 tile")
    properties: dict[str, Any] = {}
    if (tile_id := xml.find("TILE_ID", "TILE_ID_2A", "L1C_TILE_ID")) is not None:
        properties |= {"s2:tile_id": tile_id, **_named_in(tile_id)}
    sun = next(xml.all("Mean_Sun_Angle"), None)
    if sun is not None:
        properties |= _sun(sun)
    properties |= {name: xml.finite(element) for name, element in _PERCENTAGES.items()}
    level = re.match(r"Level-(1C|2A)_", xml.kind)
    return TileMetadata(
        f"L{level.group(1)}" if level else "",
        _time(xml, "SENSING_TIME"),
        _grids(xml),
        {name: value for name, value in properties.items() if value is not None},
    )


def _named_in(tile_id: str) -> dict[str, Any]:
    """STAC properties that a tile's identifier states."""
    found: dict[str, Any] = {}
    if tile := re.search(r"_T(\d\d[A-Z]{3})(?:_|$)", tile_id):
        found |= {"grid:code": f"MGRS-{tile.group(1)}", "s2:mgrs_tile": tile.group(1)}
    if baseline := re.search(r"_N(\d\d\.\d\d)$", tile_id):
        found["s2:processing_baseline"] = baseline.group(1)
    return found


def _sun(element: Element) -> dict[str, Any]:
    """STAC properties of the mean sun angle; NaN, as some tiles have it, says nothing."""
    angles = {str(child.tag).rpartition("}")[2]: finite(child.text or "") for child in element}
    zenith, azimuth = angles.get("ZENITH_ANGLE"), angles.get("AZIMUTH_ANGLE")
    return {
        "view:sun_elevation": None if zenith is None else round(90 - zenith, 6),
        "view:sun_azimuth": None if azimuth is None else round(azimuth, 6),
    }


def _grids(xml: XmlTree) -> dict[int, Grid]:
    """The grid of each resolution."""
    code = xml.text("HORIZONTAL_CS_CODE")
    unknown = SourceError(f"{xml.where} has an unknown coordinate reference system {code[:40]!r}")
    if not re.fullmatch(r"EPSG:\d{4,6}", code):  # GDAL would also take a URL or a path, and read it
        raise unknown
    try:
        crs = parse_crs(code)
    except CrsError:
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


def _number_in(element: Element, name: str, where: str) -> float:
    return parse_finite(child_text(element, name, where), f"{name} in {where}")
