"""From bands to a scene: grouping by grid, and the description that all kinds of source share."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from comeo.errors import SourceError
from comeo.missions import Mission, mission_of, mission_of_bands, platform_of
from comeo.progress import Progress, Silent
from comeo.scene import DATETIME_UNKNOWN, Band, BandGroup, ClassSource, Pixels, Scene, Window, group_name
from comeo.sources.arguments import Given
from comeo.sources.grd.options import GeocodeOptions
from comeo.sources.naming import NameFacts, check_id, iso, safe_id
from comeo.sources.numbers import Origin, resolve
from comeo.sources.raster import RasterBand
from comeo.sources.replica import to_native

logger = logging.getLogger(__name__)

UNKNOWN_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Overrides:
    """Facts given by the caller, over those of the source.

    Attributes:
        scene_id: STAC Item id.
        collection: STAC Collection id.
        datetime: Acquisition.
        bands: Names of the bands, in the order of the file.
        native: Whether bands that were replicated onto a finer grid are brought back to their own.
        numbers: Meaning of the numbers.
        geocoding: How a product in radar geometry is brought onto a map; None where nothing is given.
        progress: Receives the stages of that.
    """

    scene_id: str | None = None
    collection: str | None = None
    datetime: datetime | None = None
    bands: tuple[str, ...] | None = None
    native: bool = True
    numbers: Given = field(default_factory=Given)
    geocoding: GeocodeOptions | None = None
    progress: Progress = field(default_factory=Silent)


@dataclass(slots=True)
class Product:
    """Bands and metadata of a source, before they become a scene.

    Attributes:
        name: File or folder name of the source.
        bands: Its bands.
        default_id: Id of the scene unless the caller gives one.
        facts: Facts in its name.
        datetime: Acquisition as its metadata state it.
        default_collection: Collection unless the caller gives one; empty for one by mission and level.
        properties: STAC Item properties, over those of the name.
        release: Frees resources that its bands share.
        checksum: SHA-256 (hex) over its band files; None to have it computed.
        marks: Further names by which its mission and processor can be known: of its collection, for example.
        offset_applied: Property by which it says that its numbers have their offset already, or empty.
        classes: What its pixels show, where it says so.
    """

    name: str
    bands: list[RasterBand]
    default_id: str
    facts: NameFacts
    datetime: datetime | None = None
    default_collection: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    release: Callable[[], None] = lambda: None
    checksum: str | None = None
    marks: tuple[str, ...] = ()
    offset_applied: str = ""
    classes: ClassSource | None = None

    def close(self) -> None:
        """Close its bands and free the resources that they share."""
        for band in self.bands:
            band.close()
        self.release()


def build_scene(product: Product, overrides: Overrides) -> Scene:
    """Make the scene of a product.

    Raises:
        SourceError: If its bands do not make one.
    """
    time, time_properties = _time(product, overrides)
    properties = {**product.facts.properties, **time_properties, **product.properties}
    mission = _mission_of(product)
    origin = Origin(
        product.name, mission, time, _names_of(product), str(properties.get("s2:processing_baseline") or ""),
        product.offset_applied,
    )  # fmt: skip
    bands, recorded = resolve(product.bands, origin, overrides.numbers)
    properties |= recorded | _instrument(product, mission, bands)
    scene_id = (
        check_id(overrides.scene_id, "id")
        if overrides.scene_id is not None
        else safe_id(product.default_id, "id")
    )
    collection = (
        check_id(overrides.collection, "collection")
        if overrides.collection is not None
        else safe_id(product.default_collection or _collection(product, mission), "collection")
    )
    if overrides.native and mission:
        bands = to_native(product.name, bands, mission)
    groups = group_bands(product.name, bands)
    checksum = checksum_of([band.path for band in bands]) if product.checksum is None else product.checksum
    return Scene(
        id=scene_id,
        collection=collection,
        datetime=time,
        groups=groups,
        properties=properties,
        source_name=product.name,
        source_checksum=checksum,
        classes=product.classes,
        close=product.close,
    )


def group_bands(where: str, bands: Sequence[RasterBand]) -> tuple[BandGroup, ...]:
    """Group bands by grid, finest first.

    Raises:
        SourceError: If there are none, or they are named twice, in several CRS, or on clashing grids.
    """
    if not bands:
        raise SourceError(f"{where} has no band that can be compressed")
    names = [band.band.name for band in bands]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"{where} has more than one band named {', '.join(twice)}; choose with `--bands`")
    systems = {band.grid.crs.to_wkt() for band in bands}
    if len(systems) > 1:
        raise SourceError(f"{where} has bands in different coordinate reference systems; bring them to one")
    by_grid: dict[tuple[Any, ...], list[RasterBand]] = defaultdict(list)
    for band in bands:
        grid = band.grid
        by_grid[grid.height, grid.width, *grid.transform[:6]].append(band)
    groups = [_group(where, members) for members in by_grid.values()]
    groups.sort(key=lambda group: float(group.transform.a))
    for finer, coarser in pairwise(groups):
        if finer.name == coarser.name:
            raise SourceError(
                f"{where}: bands {_names(finer.bands)} and {_names(coarser.bands)} have pixels of one size "
                f"({finer.name}) on different grids; bring them to one grid"
            )
    return tuple(groups)


def _names(bands: Iterable[Band]) -> str:
    return ", ".join(band.name for band in bands)


def _group(where: str, members: list[RasterBand]) -> BandGroup:
    """One group of bands on one grid."""
    grid = members[0].grid
    dtypes = {member.dtype for member in members}
    dtype = dtypes.pop() if len(dtypes) == 1 else np.dtype(np.float32)
    if dtypes:
        mixed = _names(member.band for member in members)
        logger.warning("%s: bands %s mix integers and floats; kept as float32", where, mixed)

    def read(window: Window) -> Pixels:
        values = np.empty((len(members), window.height, window.width), dtype)
        valid = np.empty(values.shape, np.bool_)
        for index, member in enumerate(members):
            values[index], valid[index] = member.read(window)
        return Pixels(values, valid)

    return BandGroup(
        name=group_name(grid.transform, grid.crs),
        bands=tuple(member.band for member in members),
        height=grid.height,
        width=grid.width,
        dtype=dtype,
        crs=grid.crs,
        transform=grid.transform,
        has_nodata=any(member.has_nodata for member in members),
        read=read,
    )


def _time(product: Product, overrides: Overrides) -> tuple[datetime, dict[str, Any]]:
    """Return the acquisition time, and STAC properties that say how exactly it is known."""
    facts = product.facts
    if overrides.datetime is not None:
        time = overrides.datetime
        return (time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)), {}
    if known := product.datetime or facts.instant:
        return known, {}
    if facts.day is not None:
        end = facts.day + timedelta(days=1, seconds=-1)
        return facts.day, {"start_datetime": iso(facts.day), "end_datetime": iso(end)}
    logger.warning(
        "%s does not say when it was acquired: dated 1970-01-01, marked as unknown; give it with --datetime",
        product.name,
    )
    return UNKNOWN_TIME, {DATETIME_UNKNOWN: True}


def _names_of(product: Product) -> tuple[str, ...]:
    """Names by which a product's mission and processor can be known, the clearest first."""
    return (product.default_id, *product.marks, product.name)


def _mission_of(product: Product) -> Mission | None:
    """The mission that metadata or names state, or else that the bands' names can only be of."""
    names = _names_of(product)
    bands = (item.band.name for item in product.bands)
    if stated := mission_of(product.name, product.properties, names):
        return stated
    if guessed := mission_of_bands(bands):
        logger.warning("%s: only the names of its bands say that it is of %s", product.name, guessed.title)
    return guessed


def _instrument(product: Product, mission: Mission | None, bands: list[RasterBand]) -> dict[str, Any]:
    """STAC properties that follow from the mission, in the usual spelling of its and its platform's name."""
    finest = min(band.grid.pixel_size for band in bands) if bands else 0.0
    found: dict[str, Any] = {"gsd": round(finest, 3)}
    spelled: dict[str, Any] = {}
    if mission:
        found |= mission.properties
        spelled["constellation"] = mission.id
        if platform := platform_of(str(product.properties.get("platform", ""))):
            spelled["platform"] = platform
        if product.facts.level in mission.collections:
            found["processing:level"] = product.facts.level
        if mission.bands_property:
            found[mission.bands_property] = [b.band.name for b in bands if b.band.name in mission.bands]
    return {name: value for name, value in found.items() if name not in product.properties} | spelled


def _collection(product: Product, mission: Mission | None) -> str:
    """Collection by mission and level."""
    return mission.collection_of(product.facts.level) if mission else product.facts.mission or "scenes"


def checksum_of(paths: Sequence[Path | None]) -> str:
    """SHA-256 over band files, in the order of their bands; empty when one is not local."""
    files = [path for path in dict.fromkeys(paths) if path is not None]
    if len(files) != len(set(paths)):
        return ""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
