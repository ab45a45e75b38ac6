"""Sentinel-2 products as ESA distributes them: SAFE, in a folder or a zip, L1C and L2A."""

from __future__ import annotations

import hashlib
import logging
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from comeo.errors import SourceError
from comeo.missions import refuse_unreadable
from comeo.missions.sentinel2 import BANDS, SENTINEL2, band_name
from comeo.scene import Band
from comeo.sources.assemble import Product
from comeo.sources.container import Container, open_container
from comeo.sources.jp2 import Jp2File, TileCache, jp2_band, tile_cache
from comeo.sources.naming import facts_of
from comeo.sources.raster import Grid, RasterBand
from comeo.sources.safe_metadata import ProductMetadata, parse_product, parse_tile
from comeo.sources.xmltree import XmlTree

logger = logging.getLogger(__name__)

_METADATA: Final = re.compile(r"(?:^|/)MTD_MSIL(?:1C|2A)\.xml$")
_OLD_METADATA: Final = re.compile(r"(?:^|/)S2._(?:OPER|USER)_MTD_SAF[^/]*\.xml$")
_IMAGE: Final = re.compile(r"_(B\d\d|B8A)(?:_(\d\d)m)?$")
_HASHES: Final = {"MD5": "md5", "SHA3-256": "sha3_256", "SHA-256": "sha256", "SHA256": "sha256"}
_CHUNK: Final = 1 << 20


class _Image(NamedTuple):
    """One image file of a product."""

    band: str
    name: str


def is_safe(path: Path) -> bool:
    """Whether a path looks like a SAFE product: a folder with its metadata, or any zip."""
    if path.is_dir():
        is_named = path.suffix.upper() == ".SAFE"
        return is_named or (path / "manifest.safe").exists() or any(path.glob("MTD_MSIL*.xml"))
    return path.suffix.lower() == ".zip"


def open_safe(path: Path, wanted: tuple[str, ...] | None) -> Product:
    """Open a SAFE product.

    Args:
        path: Folder or zip.
        wanted: Names of the bands to take; by default all of the level's, each of which must be there.

    Raises:
        SourceError: If it is no Sentinel-2 L1C or L2A product, or is damaged or incomplete.
    """
    container = open_container(path)
    try:
        return _product(container, wanted)
    except BaseException:
        container.close()
        raise


def _product(container: Container, wanted: tuple[str, ...] | None) -> Product:
    metadata_name = _find_metadata(container)
    root = str(PurePosixPath(metadata_name).parent)
    root = "" if root == "." else root
    metadata = parse_product(container.read(metadata_name), PurePosixPath(metadata_name).name)
    images = _native_images(container, root, metadata, wanted)
    tile = parse_tile(container.read(_tile_metadata(container, images[0].name)), "MTD_TL.xml")
    cache = tile_cache()
    bands = [_band(container, image, metadata, tile.grids, cache) for image in images]
    name = PurePosixPath(root).name or container.path.stem
    title = re.sub(r"\.SAFE$", "", str(metadata.properties.get("s2:product_uri") or name))
    checksum = _verified_checksum(container, root, images)
    logger.info("%s: %s product with bands %s", name, metadata.level, ", ".join(i.band for i in images))

    return Product(
        name=container.path.name,
        bands=bands,
        default_id=title,
        facts=facts_of(title),
        datetime=tile.sensing_time,
        default_collection=SENTINEL2.collection_of(metadata.level),
        properties=metadata.properties | tile.properties,
        release=container.close,
        checksum=checksum,
    )


def _find_metadata(container: Container) -> str:
    """Name of the product's metadata file."""
    found = [name for name in container.names if _METADATA.search(name)]
    where = container.path.name
    if len(found) > 1:
        raise SourceError(f"{where} holds more than one product; give one of them")
    if found:
        return found[0]
    if any(_OLD_METADATA.search(name) for name in container.names):
        raise SourceError(
            f"{where} is in the product format of before December 2016, which cannot be read; "
            "download it again from the Copernicus Data Space, which has it in today's"
        )
    refuse_unreadable(where, container.names)
    raise SourceError(f"{where} is no Sentinel-2 product: it has no MTD_MSIL1C.xml or MTD_MSIL2A.xml")


def _native_images(
    container: Container, root: str, metadata: ProductMetadata, wanted: tuple[str, ...] | None
) -> list[_Image]:
    """The image file of each band at its native resolution, in the instrument's order."""
    listed: dict[str, list[str]] = defaultdict(list)
    for file in metadata.image_files:
        match = _IMAGE.search(file)
        spectral = BANDS.get(match.group(1)) if match else None
        if match and spectral and int(match.group(2) or spectral.gsd) == spectral.gsd:
            listed[match.group(1)].append(file)
    expected = [name for name in BANDS if metadata.level == "L1C" or name != "B10"]
    if wanted is not None:
        wanted = tuple(band_name(name) or name for name in wanted)
        if unknown := [name for name in wanted if name not in expected]:
            names = ", ".join(expected)
            raise SourceError(f"{container.path.name} has no band {', '.join(unknown)}: it has {names}")
        expected = [name for name in expected if name in wanted]
    images = []
    for band in expected:
        files = dict.fromkeys(container.below(root, f"{file}.jp2") for file in listed.get(band, []))
        present = [name for name in files if name is not None]
        if len(present) != 1:
            fault = "has no" if not present else "has more than one"
            raise SourceError(
                f"{container.path.name} {fault} file of band {band}; download the product again, "
                "or choose among its bands with `--bands`"
            )
        images.append(_Image(band, present[0]))
    return images


def _tile_metadata(container: Container, image: str) -> str:
    """Name of the granule's metadata file: in the folder that has IMG_DATA in it."""
    parts = PurePosixPath(image).parts
    if "IMG_DATA" in parts:
        name = container.below(str(PurePosixPath(*parts[: parts.index("IMG_DATA")])), "MTD_TL.xml")
        if name is not None:
            return name
    raise SourceError(f"{container.path.name} has no MTD_TL.xml beside its IMG_DATA")


def _band(
    container: Container, image: _Image, metadata: ProductMetadata, grids: dict[int, Grid], cache: TileCache
) -> RasterBand:
    """One band, read from its file."""
    spectral = BANDS[image.band]
    grid = grids.get(spectral.gsd)
    if grid is None:
        raise SourceError(f"MTD_TL.xml of {container.path.name} does not describe the {spectral.gsd} m grid")
    offset = metadata.offsets.get(image.band, 0.0)
    if metadata.offsets and image.band not in metadata.offsets:
        raise SourceError(f"{container.path.name} states radiometric offsets, but none for {image.band}")
    band = Band(image.band, metadata.scale, offset, spectral.unit)
    return jp2_band(Jp2File(container.local(image.name), cache), grid, band, metadata.nodata)


def _verified_checksum(container: Container, root: str, images: list[_Image]) -> str:
    """SHA-256 over the image files, each of which is checked against the product's manifest meanwhile.

    JPEG 2000 has no checksum of its own: a damaged file can decode to wrong pixels.
    """
    stated = _manifest(container, root)
    total = hashlib.sha256()
    for image in images:
        algorithm, expected = stated.get(image.name, ("", ""))
        own = hashlib.new(algorithm, usedforsecurity=False) if algorithm else None
        with container.local(image.name).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                total.update(chunk)
                if own is not None:
                    own.update(chunk)
        if own is not None and own.hexdigest() != expected.lower():
            raise SourceError(
                f"{container.path.name} is damaged: {PurePosixPath(image.name).name} does not match its "
                "manifest.safe; download the product again"
            )
    return total.hexdigest()


def _manifest(container: Container, root: str) -> dict[str, tuple[str, str]]:
    """Algorithm and checksum by file, as far as the product has a manifest that states them."""
    name = container.below(root, "manifest.safe")
    if name is None:
        return {}
    xml = XmlTree(container.read(name), "manifest.safe")
    stated: dict[str, tuple[str, str]] = {}
    for stream in xml.all("byteStream"):
        children = {str(child.tag).rpartition("}")[2]: child for child in stream}
        location, checksum = children.get("fileLocation"), children.get("checksum")
        if location is None or checksum is None or not checksum.text:
            continue
        algorithm = _HASHES.get((checksum.get("checksumName") or "").upper())
        file = container.below(root, location.get("href") or "")
        if algorithm and file:
            stated[file] = (algorithm, checksum.text.strip())
    return stated
