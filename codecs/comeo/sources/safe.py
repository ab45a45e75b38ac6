"""Sentinel-2 products as ESA distributes them: SAFE, in a folder or a zip, L1C and L2A."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from comeo.errors import SourceError
from comeo.missions.sentinel2 import BANDS, SENTINEL2
from comeo.scene import Band
from comeo.sources.assemble import Product
from comeo.sources.bandfile import open_band
from comeo.sources.classes import file_source
from comeo.sources.container import Container
from comeo.sources.jp2 import TileCache, tile_cache
from comeo.sources.naming import facts_of
from comeo.sources.raster import RasterBand
from comeo.sources.safe_files import Image, Part, band_images, choose_images, granule_of, tile_metadata
from comeo.sources.safe_metadata import ProductMetadata, TileMetadata, parse_product, parse_tile
from comeo.sources.xmltree import XmlTree

logger = logging.getLogger(__name__)

_HASHES: Final = {"MD5": "md5", "SHA3-256": "sha3_256", "SHA-256": "sha256", "SHA256": "sha256"}
_CHUNK: Final = 1 << 20


def open_safe(
    container: Container, metadata_name: str, wanted: tuple[str, ...] | None, part: Part
) -> Product:
    """Open a SAFE product.

    Args:
        container: Its files; closed with the product, and by the caller where this raises.
        metadata_name: Name of the product's metadata file.
        wanted: Names of the bands to take; by default all that the product has.
        part: What to take of the product.

    Raises:
        SourceError: If it is no Sentinel-2 L1C or L2A product, or is damaged or incomplete.
    """
    path = PurePosixPath(metadata_name)
    root = "" if len(path.parts) == 1 else str(path.parent)
    metadata = parse_product(container.read(metadata_name), path.name)
    present = band_images(container, root, part, metadata)
    if part.folder and wanted is None:
        wanted = tuple({image.band for image in present})
    images = choose_images(container.path.name, present, metadata, wanted)
    if not images:
        raise SourceError(
            f"{container.path.name} has metadata of a product, but no image file of any band; add its images"
        )
    tile = _tile(container, root, images)
    bands = _bands(container, images, metadata, tile)
    name = PurePosixPath(root).name or container.path.stem
    title = _title(metadata, part.granule) or re.sub(r"\.(SAFE|zip)$", "", name)
    logger.info("%s: %s product with bands %s", name, metadata.level, ", ".join(i.band for i in images))
    return Product(
        name=container.path.name,
        bands=bands,
        default_id=title,
        facts=facts_of(title),
        datetime=tile.sensing_time if tile and tile.sensing_time else metadata.sensing_time,
        default_collection=SENTINEL2.collection_of(metadata.level),
        properties=(tile.properties if tile else {}) | metadata.properties,
        release=container.close,
        checksum=_verified_checksum(container, root, images),
        classes=file_source(
            container,
            _beside(container, root, images),
            tile.grids if tile else None,
            lambda name: _verify(container, name, _manifest(container, root)),
        ),
    )


def _beside(container: Container, root: str, images: list[Image]) -> list[str]:
    """Names of all files of the granule that the images are of."""
    granule = granule_of(images[0].name) or root
    return [name for name in container.names if container.inside(granule, name)]


def _title(metadata: ProductMetadata, granule: str) -> str:
    """Id of the scene: the product's, or one granule's where the product has several."""
    if granule and "s2:granule_id" not in metadata.properties:
        return granule
    return re.sub(r"\.SAFE$", "", str(metadata.properties.get("s2:product_uri") or ""))


def _tile(container: Container, root: str, images: list[Image]) -> TileMetadata | None:
    """The metadata of the granule, if it has any."""
    name = tile_metadata(container, root, granule_of(images[0].name))
    if name is None:
        logger.warning("%s has no MTD_TL.xml: grids are taken from the image files", container.path.name)
        return None
    return parse_tile(container.read(name), PurePosixPath(name).name)


def _bands(
    container: Container, images: list[Image], metadata: ProductMetadata, tile: TileMetadata | None
) -> list[RasterBand]:
    """The bands, each read from its file."""
    cache = tile_cache()
    bands: list[RasterBand] = []
    try:
        bands.extend(_band(container, image, metadata, tile, cache) for image in images)
    except BaseException:
        for band in bands:
            band.close()
        raise
    return bands


def _band(
    container: Container, image: Image, metadata: ProductMetadata, tile: TileMetadata | None, cache: TileCache
) -> RasterBand:
    """One band, read from its file."""
    if tile is not None and image.gsd not in tile.grids:
        raise SourceError(
            f"MTD_TL.xml of {container.path.name} does not describe the {image.gsd} m grid; take the tile's"
        )
    grid = tile.grids[image.gsd] if tile is not None else None
    offset = metadata.offsets.get(image.band, 0.0)
    if metadata.offsets and image.band not in metadata.offsets:
        raise SourceError(f"{container.path.name} states radiometric offsets, but none for {image.band}")
    band = Band(image.band, metadata.scale, offset, BANDS[image.band].unit)
    opened = open_band(container.local(image.name), band, cache, metadata.nodata, grid)
    return replace(opened, offset_stated=bool(metadata.offsets))


def _verified_checksum(container: Container, root: str, images: list[Image]) -> str:
    """SHA-256 over the image files, each of which is checked against the product's manifest meanwhile.

    JPEG 2000 has no checksum of its own: a damaged file can decode to wrong pixels.
    """
    stated = _manifest(container, root)
    total = hashlib.sha256()
    for image in images:
        _verify(container, image.name, stated, total.update)
    return total.hexdigest()


def _verify(
    container: Container, name: str, stated: Mapping[str, tuple[str, str]],
    also: Callable[[bytes], None] = lambda _: None,
) -> None:  # fmt: skip
    """Check a file against the manifest, as far as that states it; its content is handed on meanwhile.

    Raises:
        SourceError: If it does not match.
    """
    algorithm, expected = stated.get(PurePosixPath(name).name, ("", ""))
    own = hashlib.new(algorithm, usedforsecurity=False) if algorithm else None
    with container.local(name).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            also(chunk)
            if own is not None:
                own.update(chunk)
    if own is not None and own.hexdigest() != expected.lower():
        raise SourceError(
            f"{container.path.name} is damaged: {PurePosixPath(name).name} does not match its "
            "manifest.safe; download the product again, or remove manifest.safe if you changed the file"
        )


def _manifest(container: Container, root: str) -> dict[str, tuple[str, str]]:
    """Algorithm and checksum by a file's name without folders, as far as a readable manifest states them."""
    name = container.below(root, "manifest.safe")
    if name is None:
        return {}
    try:
        xml = XmlTree(container.read(name), "manifest.safe")
    except SourceError as error:
        logger.warning("%s; the image files are not checked against it", error)
        return {}
    stated: dict[str, tuple[str, str]] = {}
    for stream in xml.all("byteStream"):
        children = {str(child.tag).rpartition("}")[2]: child for child in stream}
        location, checksum = children.get("fileLocation"), children.get("checksum")
        if location is None or checksum is None or not checksum.text:
            continue
        algorithm = _HASHES.get((checksum.get("checksumName") or "").upper())
        if algorithm:
            file = PurePosixPath((location.get("href") or "").replace("\\", "/")).name
            own = (algorithm, checksum.text.strip())
            stated[file] = own if stated.get(file, own) == own else ("", "")
    return stated
