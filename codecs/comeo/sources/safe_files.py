"""Which files of a Sentinel-2 product hold its metadata and its bands, wherever they lie in it.

What lies in a product counts, and what the product's metadata list says whether something is missing: folders
are renamed (paths are too long for some systems), products are cut down, and sen2cor writes one resolution.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from comeo.errors import SourceError
from comeo.missions import ancillary_file
from comeo.missions.sentinel2 import BANDS, band_name
from comeo.sources.bandfile import GEOTIFF_SUFFIXES, JP2_SUFFIXES
from comeo.sources.container import Container
from comeo.sources.naming import facts_of_one_scene
from comeo.sources.safe_metadata import ProductMetadata

logger = logging.getLogger(__name__)

_PRODUCT: Final = re.compile(
    r"(?:^|/)(?:[^/]*MTD_MSIL(?:1C|2A)|S2._(?:OPER|USER)_MTD_SAFL(?:1C|2A)[^/]*)\.xml$", re.IGNORECASE
)
_TILE: Final = re.compile(r"(?:^|/)(?:MTD_TL|S2._(?:OPER|USER)_MTD_L(?:1C|2A)_TL_[^/]*)\.xml$", re.IGNORECASE)
_IMAGE: Final = re.compile(r"(?:^|_)(B\d\d|B8A)(?:_(\d\d)m)?$", re.IGNORECASE)
_FOLDER: Final = re.compile(r"R(\d\d)m", re.IGNORECASE)
_MAX_NAMED: Final = 8


class Image(NamedTuple):
    """One image file of a product.

    Attributes:
        band: The band it holds.
        gsd: Its pixel size in metres.
        name: Its name in the container.
    """

    band: str
    gsd: int
    name: str


class Part(NamedTuple):
    """A part of a product.

    Attributes:
        granule: Name of a granule's folder, without the folders above it; empty for the only one.
        folder: Folder in it, by its name in the product, whose files alone are taken; empty for all.
    """

    granule: str = ""
    folder: str = ""


def product_metadata(container: Container) -> list[str]:
    """Names of the metadata files of products in a container; a product has one."""
    return sorted(name for name in container.names if _PRODUCT.search(name))


def tile_metadata(container: Container, root: str, granule: str) -> str | None:
    """Name of the granule's metadata file, or None.

    Args:
        container: The product's files.
        root: The product's folder.
        granule: The granule's folder.
    """
    found = [name for name in container.names if _TILE.search(name) and container.inside(root, name)]
    own = [name for name in found if container.inside(granule, name)]
    return next((names[0] for names in (own, found) if len(names) == 1), None)


def granule_of(name: str) -> str:
    """The folder of the granule that a file of a product lies in, or empty."""
    parts = PurePosixPath(name).parts
    for index, part in enumerate(parts[:-1]):
        if part.upper() == "GRANULE" and index + 2 < len(parts):
            return "/".join(parts[: index + 2])
    return ""


def band_images(container: Container, root: str, part: Part, metadata: ProductMetadata) -> list[Image]:
    """All image files of bands, of one granule.

    Args:
        container: The product's files.
        root: The product's folder.
        part: What to take of the product.
        metadata: The product's metadata, which list the files of its granules.

    Raises:
        SourceError: If there are several granules, and none is chosen.
    """
    by_granule: dict[str, list[Image]] = defaultdict(list)
    for name in sorted(container.names):
        if container.inside(root, name) and (image := _image(name)):
            by_granule[granule_of(name)].append(image)
    names = {PurePosixPath(folder).name: folder for folder in by_granule}
    if part.granule:
        if part.granule not in names:
            raise SourceError(
                f"{container.path.name}: granule {part.granule[:100]} has no image files of bands"
            )
        images = by_granule[names[part.granule]]
        return [image for image in images if container.inside(part.folder, image.name)]
    own = [granule for granule in names.values() if _is_listed(by_granule[granule], metadata)]
    if len(names) > 1 and len(own) == 1:  # beside those of another product
        return by_granule[own[0]]
    if len(names) > 1:
        shown = ", ".join(sorted(names)[:_MAX_NAMED]) + (", …" if len(names) > _MAX_NAMED else "")
        how = "give the folder of one, in its GRANULE folder"
        raise SourceError(
            f"{container.path.name} has {len(names)} granules, each of which is a scene: {shown}; "
            + (how if container.path.is_dir() else f"unzip it and {how}")
        )
    return next(iter(by_granule.values()), [])


def _is_listed(images: list[Image], metadata: ProductMetadata) -> bool:
    """Whether a product's metadata list one of the files."""
    return any(PurePosixPath(image.name).stem in metadata.image_files for image in images)


def _image(name: str) -> Image | None:
    """The band that a file holds, by its name, or None."""
    path = PurePosixPath(name)
    match = _IMAGE.search(path.stem)
    band = match.group(1).upper() if match else ""
    if path.suffix.lower() not in GEOTIFF_SUFFIXES + JP2_SUFFIXES or match is None or band not in BANDS:
        return None
    if ancillary_file(path.stem) or "QI_DATA" in path.parts:
        return None
    folder = _FOLDER.fullmatch(path.parent.name)
    gsd = match.group(2) or (folder.group(1) if folder else BANDS[band].gsd)
    return Image(band, int(gsd), name)


def choose_images(
    where: str, images: list[Image], metadata: ProductMetadata, wanted: tuple[str, ...] | None
) -> list[Image]:
    """One image file of each band, in the instrument's order: at its native resolution, else the finest.

    Args:
        where: The product's name.
        images: The image files that are there.
        metadata: The product's metadata, which list those that should be.
        wanted: Names of the bands to take, at whatever resolution they are there; by default all that the
            product has.

    Raises:
        SourceError: If a file that is listed is missing, or a band's file cannot be told from another.
    """
    present: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for image in images:
        present[image.band][image.gsd].append(image.name)
    listed = _listed(metadata)
    expected = [name for name in BANDS if metadata.level == "L1C" or name != "B10"]
    if wanted is not None:
        names = tuple(band_name(name) or name for name in wanted)
        known = [name for name in expected if name in present or name in listed]
        if unknown := [name for name in names if name not in known]:
            raise SourceError(f"{where} has no band {', '.join(unknown)}: it has {', '.join(known)}")
        expected = [name for name in expected if name in names]
    chosen, absent = [], []
    for band in expected:
        sizes, own = present.get(band, {}), BANDS[band].gsd
        is_missing = not sizes or wanted is None
        if own not in sizes and is_missing and (own in listed[band] or (listed[band] and not sizes)):
            raise SourceError(_missing(where, band, present))
        if not sizes:
            absent.append(band)
            continue
        gsd = own if own in sizes else min(sizes)
        chosen.append(Image(band, gsd, _only(where, band, sizes[gsd], metadata)))
    if absent:
        logger.warning("%s has no file of band %s, and lists none", where, ", ".join(absent))
    if coarser := [image for image in chosen if image.gsd != BANDS[image.band].gsd]:
        names_of = ", ".join(f"{image.band} at {image.gsd} m" for image in coarser)
        logger.warning("%s has bands at coarser resolutions than their own only: %s", where, names_of)
    facts_of_one_scene(where, [image.name for image in chosen])
    return chosen


def _listed(metadata: ProductMetadata) -> dict[str, set[int]]:
    """Pixel sizes of each band's files that a product's metadata list."""
    listed: dict[str, set[int]] = defaultdict(set)
    for file in metadata.image_files:
        match = _IMAGE.search(file)
        if match and match.group(1) in BANDS:
            listed[match.group(1)].add(int(match.group(2) or BANDS[match.group(1)].gsd))
    return listed


def _missing(where: str, band: str, present: dict[str, dict[int, list[str]]]) -> str:
    """What to say of a band whose file is listed but is not there."""
    there = [name for name in BANDS if name in present and name != band]
    if not there:
        return f"{where} has no image file of any band that its metadata list: put them beside its metadata"
    return (
        f"{where} has no file of band {band}, which its metadata list: add it, or take the bands that "
        f"are there with `--bands {','.join(there)}`"
    )


def _only(where: str, band: str, names: list[str], metadata: ProductMetadata) -> str:
    """The one file of a band; of several, the one that the product lists."""
    if len(names) > 1:
        names = [name for name in names if PurePosixPath(name).stem in metadata.image_files] or names
    if len(names) > 1:
        raise SourceError(
            f"{where} has more than one file of band {band}: {', '.join(names[:3])}; remove all but one"
        )
    return names[0]
