"""A folder of band files, one each, whose names say which: `T33UUU_20170216T102101_B04.jp2`, `R10m/B04.jp2`.

The folder may lie in others, or in a zip. What lies beside the bands (classes, masks, angles, previews) is
left out by name; a file that nothing is known of is refused, since it could be a band.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from comeo.errors import SourceError
from comeo.missions import ancillary_file, band_name, band_order, native_gsd
from comeo.scene import Band
from comeo.sources.assemble import Product
from comeo.sources.bandfile import GEOTIFF_SUFFIXES, JP2_SUFFIXES, open_band
from comeo.sources.beside import Beside, facts_beside
from comeo.sources.classes import file_source
from comeo.sources.container import Container
from comeo.sources.jp2 import tile_cache
from comeo.sources.naming import NameFacts, facts_of, facts_of_one_scene
from comeo.sources.raster import RasterBand
from comeo.sources.shadow import without_shadow

logger = logging.getLogger(__name__)

_RESOLUTION: Final = re.compile(r"R(\d\d)m")
_INNER: Final = ("IMG_DATA", "measurement")
_SUFFIX: Final = re.compile(r"_(\d\d)m$")
# MAJA writes each band twice: corrected for slopes, and not.
_SLOPES: Final = re.compile(r"_(FRE|SRE)_B\w+$")


def raster_files(container: Container) -> list[str]:
    """Names of all raster files in a container that could be bands."""
    suffixes = GEOTIFF_SUFFIXES + JP2_SUFFIXES
    return sorted(name for name in container.names if PurePosixPath(name).suffix.lower() in suffixes)


def band_folders(container: Container) -> list[str]:
    """The folders of a container that hold the band files of a scene: those that lie least deep."""
    by_depth: dict[int, set[str]] = defaultdict(set)
    for name in raster_files(container):
        stem = PurePosixPath(name).stem
        if band_in(stem) and not ancillary_file(stem):
            folder = _scene_folder(name)
            by_depth[folder.count("/") + bool(folder)].add(folder)
    return sorted(by_depth[min(by_depth)]) if by_depth else []


def _scene_folder(name: str) -> str:
    """The folder of the scene that a band file is of: above those by resolution (R10m) or kind of file."""
    parts = PurePosixPath(name).parts[:-1]
    while parts and (_RESOLUTION.fullmatch(parts[-1]) or parts[-1] in _INNER):
        parts = parts[:-1]
    return "/".join(parts)


def open_folder(container: Container, folder: str, wanted: tuple[str, ...] | None) -> Product:
    """Open a folder of band files.

    Args:
        container: Where it lies; closed with the product, and by the caller where this raises.
        folder: Its name there; empty for the container itself.
        wanted: Names of the bands to take; by default all.

    Raises:
        SourceError: If its files are not understood, or are not of one scene.
    """
    where = PurePosixPath(folder).name or _own_name(container.path)
    files = _choose(where, _by_band(container, folder, wanted), wanted)
    beside = facts_beside(container, folder, files.values())
    title = beside.title or where.removesuffix(".zip")
    cache = tile_cache()
    bands: list[RasterBand] = []
    try:
        for name, file in files.items():
            band = Band(name, beside.scale, 0.0, beside.unit)
            opened_band = open_band(container.local(file), band, cache, beside.nodata)
            bands.append(replace(opened_band, words=(PurePosixPath(file).stem,)))
    except BaseException:
        for opened in bands:
            opened.close()
        raise
    layers = (name for name in raster_files(container) if _scene_folder(name) == folder)
    masked, masks = without_shadow(container, where, bands, layers)
    return Product(
        name=_own_name(container.path),
        bands=masked,
        default_id=title,
        facts=_shared_facts(where, title, beside, files),
        datetime=beside.datetime,
        properties=beside.properties | masks | ({"constellation": beside.mission} if beside.mission else {}),
        release=container.close,
        marks=tuple(PurePosixPath(file).stem for file in files.values()),
        classes=file_source(container, (name for name in container.names if _scene_folder(name) == folder)),
    )


def _own_name(path: Path) -> str:
    """Name of the product that a folder is, or that its folder of measurements is in."""
    return path.parent.name if path.name in _INNER else path.name


def _by_band(container: Container, folder: str, wanted: tuple[str, ...] | None) -> dict[str, list[str]]:
    """Files by the band they hold, in the instrument's order."""
    found: dict[str, list[str]] = {}
    for file in raster_files(container):
        path = PurePosixPath(file)
        if _scene_folder(file) != folder:
            continue
        if layer := ancillary_file(path.stem):
            logger.info("%s: %s is the layer %s, not a band, and is left out", folder, path.name, layer)
        elif (name := band_in(path.stem)) is not None:
            found.setdefault(name, []).append(file)
        elif wanted is None:
            raise SourceError(
                f"{container.path.name}: the name of {path.name} does not say which band it holds; "
                "rename it, as B04.tif, remove it, or say which bands to take with `--bands`"
            )
    return dict(sorted(found.items(), key=lambda item: band_order(item[0])))


def band_in(stem: str) -> str | None:
    """The band that a file's name states; the last word that can be one counts."""
    words = reversed(re.split(r"[^A-Za-z0-9]+", stem))
    return next((name for word in words if (name := band_name(word))), None)


def _choose(where: str, found: dict[str, list[str]], wanted: tuple[str, ...] | None) -> dict[str, str]:
    """One file a band: where a band comes at several resolutions, at its own, else the finest."""
    if wanted is not None:
        names = tuple(band_name(name) or name for name in wanted)
        if missing := [name for name in names if name not in found]:
            raise SourceError(f"{where} has no file of band {', '.join(missing)}: it has {', '.join(found)}")
        found = {name: files for name, files in found.items() if name in names}
    found = {name: _flattened(where, files) for name, files in found.items()}
    chosen: dict[str, str] = {}
    for name, files in found.items():
        own = native_gsd(name)
        by_size: dict[int, list[str]] = defaultdict(list)
        for file in files:
            by_size[_gsd(file)].append(file)
        candidates = by_size.get(own) or by_size[min(by_size)]
        if len(candidates) > 1 or (0 in by_size and len(files) > 1 and own not in by_size):
            shown = ", ".join(PurePosixPath(file).name for file in files)
            raise SourceError(f"{where} has more than one file of band {name}: {shown}; remove all but one")
        chosen[name] = candidates[0]
        if own and 0 not in by_size and own not in by_size:
            logger.warning("%s has band %s at %d m, not at its own %d m", where, name, min(by_size), own)
    return chosen


def _gsd(file: str) -> int:
    """Pixel size in metres that a file's name or folder states, or 0."""
    path = PurePosixPath(file)
    match = _SUFFIX.search(path.stem) or _RESOLUTION.fullmatch(path.parent.name)
    return int(match.group(1)) if match else 0


def _flattened(where: str, files: list[str]) -> list[str]:
    """Of files corrected for slopes (FRE) and not (SRE), the corrected ones."""
    kinds = {file: match.group(1) for file in files if (match := _SLOPES.search(PurePosixPath(file).stem))}
    if len(kinds) < len(files) or len(set(kinds.values())) < 2:
        return files
    logger.info("%s: FRE is taken, corrected for slopes, and SRE left out; remove FRE to take SRE", where)
    return [file for file, kind in kinds.items() if kind == "FRE"]


def _shared_facts(where: str, title: str, beside: Beside, files: dict[str, str]) -> NameFacts:
    """Facts in the names of the product and its files together.

    Raises:
        SourceError: If the files are of several scenes.
    """
    own = facts_of(title)
    each = facts_of_one_scene(where, files.values())
    first = each[0] if each else NameFacts()
    return replace(
        own,
        mission=beside.mission or own.mission or first.mission,
        level=beside.level or own.level or first.level,
        instant=first.instant or own.instant,
        day=first.day or own.day,
        properties=own.properties | first.properties,
    )
