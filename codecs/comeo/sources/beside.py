"""What the metadata files beside band files state, and the path that leads to them.

Metadata of a tile (`MTD_TL.xml`; `metadata.xml` in the public buckets of Sentinel-2), `tileInfo.json` and
`productInfo.json` of those buckets, and `…_MTD_ALL.xml` of MAJA (Theia, PEPS). None of them is needed: what
is missing is missing, and what is broken is said and left out.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final

from comeo.errors import SourceError
from comeo.missions import platform_in
from comeo.missions.backscatter import form_of
from comeo.missions.quantity import REFLECTANCE
from comeo.missions.sentinel1 import SENTINEL1
from comeo.missions.sentinel2 import SENTINEL2
from comeo.sources.container import Container
from comeo.sources.naming import facts_of, lenient_time
from comeo.sources.safe_metadata import parse_tile
from comeo.sources.xmltree import XmlTree, finite

logger = logging.getLogger(__name__)

# Folders of the public buckets: UTM zone, latitude band, square, year, month, day, number of the scene.
_BUCKET: Final = re.compile(
    r"(?:^|/)(\d{1,2})/([C-HJ-NP-X])/([A-Z]{2})/(\d{4})/(\d{1,2})/(\d{1,2})/(\d+)(?:/|$)"
)
_XML: Final = re.compile(r"(?:^|_)(?:MTD_TL|metadata|MTD_ALL|MTD_L(?:1C|2A)_TL.*)\.xml$")
_MAJA_FILE: Final = re.compile(r"SENTINEL2[A-DX]_.*_(?:FRE|SRE|FRC)_B\w+$")
_MAJA_PLATFORM: Final = re.compile(r"SENTINEL2[A-DX]?")  # MAJA also makes products of VENµS and Landsat
_MAJA_NODATA: Final = -10000.0
_MAJA_SCALE: Final = 1e-4
_MAX_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class Beside:
    """Facts about a folder of band files, as far as they are stated.

    Attributes:
        title: The product's name, or empty.
        mission: Id of the mission, or empty.
        level: Processing level, or empty.
        datetime: Acquisition, or None.
        nodata: Number that marks invalid pixels, or None.
        scale: Physical value = number × scale; 1 where it is not stated.
        unit: Of the physical value, or empty.
        properties: STAC Item properties.
    """

    title: str = ""
    mission: str = ""
    level: str = ""
    datetime: datetime | None = None
    nodata: float | None = None
    scale: float = 1.0
    unit: str = ""
    properties: dict[str, Any] = field(default_factory=dict)

    def filled(self, other: Beside) -> Beside:
        """These facts, and another's where these lack them."""
        return Beside(
            self.title or other.title,
            self.mission or other.mission,
            self.level or other.level,
            self.datetime or other.datetime,
            other.nodata if self.nodata is None else self.nodata,
            other.scale if self.scale == 1.0 else self.scale,
            self.unit or other.unit,
            other.properties | self.properties,
        )


def facts_beside(container: Container, folder: str, files: Iterable[str]) -> Beside:
    """What is stated beside band files.

    Args:
        container: Where they lie.
        folder: Their folder there.
        files: Names of the band files there.
    """
    found = Beside()
    for name in sorted(container.names):
        path = PurePosixPath(name)
        if ("" if len(path.parts) == 1 else str(path.parent)) != folder:
            continue
        try:
            if _XML.search(path.name):
                found = found.filled(_of_xml(container.read(name), path.name))
            elif path.name in ("tileInfo.json", "productInfo.json"):
                found = found.filled(_of_bucket(_read_json(container, name), path.name))
        except SourceError as error:
            logger.warning("%s: %s; what it could say is left out", container.path.name, error)
    paths = [PurePosixPath(file) for file in files]
    if any(_MAJA_FILE.search(path.stem) for path in paths):
        found = found.filled(_MAJA)
    if form_of(path.stem for path in paths):
        found = found.filled(Beside(mission=SENTINEL1.id))
    # The buckets have L2A in folders by resolution, and L1C in one.
    parents = {path.parent.name or container.path.name for path in paths}
    level = "L2A" if any(re.fullmatch(r"R\d\dm", name) for name in parents) else "L1C"
    return found.filled(_of_path(f"{container.path.as_posix()}/{folder}", found.level or level))


_MAJA: Final = Beside(
    mission=SENTINEL2.id, level="L2A", nodata=_MAJA_NODATA, scale=_MAJA_SCALE, unit=REFLECTANCE
)


def _of_xml(content: bytes, where: str) -> Beside:
    """Facts in a tile's metadata, or in a MAJA product's."""
    xml = XmlTree(content, where)
    if xml.kind == "Muscate_Metadata_Document":
        return _of_maja(xml)
    tile = parse_tile(content, where)
    platform = platform_in(str(tile.properties.get("s2:tile_id", "")))
    properties = {"platform": platform} if platform else {}
    return Beside(
        "", SENTINEL2.id, tile.level, tile.sensing_time, 0.0, properties=properties | tile.properties
    )


def _of_maja(xml: XmlTree) -> Beside:
    """Facts in the metadata of a product of MAJA."""
    title, scale = xml.find("PRODUCT_ID") or "", xml.finite("REFLECTANCE_QUANTIFICATION_VALUE")
    time = xml.find("ACQUISITION_DATE")
    special = (element for element in xml.all("SPECIAL_VALUE") if element.get("name") == "nodata")
    nodata = next((finite(element.text or "") for element in special), None)
    stated = Beside(
        title[:_MAX_TITLE],
        datetime=lenient_time(time, xml.where) if time else None,
        nodata=nodata,
        scale=1 / scale if scale and scale > 0 else 1.0,
        properties=facts_of(title).properties,
    )
    is_sentinel2 = _MAJA_PLATFORM.match(xml.find("PLATFORM") or title)
    return stated.filled(_MAJA if is_sentinel2 else Beside(nodata=_MAJA_NODATA, unit=REFLECTANCE))


def _read_json(container: Container, name: str) -> Mapping[str, Any]:
    try:
        content = json.loads(container.read(name))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name} is not readable JSON: {str(error)[:100]}") from error
    if not isinstance(content, dict):
        raise SourceError(f"{name} is no JSON object")
    return content


def _of_bucket(content: Mapping[str, Any], where: str) -> Beside:
    """Facts in `tileInfo.json` or `productInfo.json`."""
    title = content.get("productName", content.get("name"))
    title = title[:_MAX_TITLE] if isinstance(title, str) else ""
    time = content.get("timestamp")
    datastrip = content.get("datastrip")
    strip = str(datastrip.get("id", "")) if isinstance(datastrip, dict) else ""
    named = facts_of(title)
    level = re.search(r"_MSI_(L1C|L2A)_", strip)
    baseline = re.search(r"_N(\d\d\.\d\d)$", strip)
    properties = {"s2:processing_baseline": baseline.group(1)} if baseline else {}
    # The time of a product is that of its datatake, seconds from the tile's own.
    own_time = lenient_time(time, where) if isinstance(time, str) and where == "tileInfo.json" else None
    of_path = _of_path(str(content.get("path", "")), "")
    return Beside(
        title,
        SENTINEL2.id,
        level.group(1) if level else named.level,
        own_time,
        0.0,
        properties=of_path.properties | named.properties | properties,
    )


def _of_path(path: str, level: str) -> Beside:
    """Facts in the folders that lead to a scene of a public bucket: `…/32/T/MT/2020/1/1/0`."""
    match = _BUCKET.search(path)
    if match is None:
        return Beside()
    zone, band, square, *date, number = match.groups()
    day = "".join(part.zfill(2) for part in date)
    title = "_".join(part for part in (f"T{zone:0>2}{band}{square}", day, number, level) if part)
    return Beside(title, level=level, nodata=0.0, properties=facts_of(title).properties)
