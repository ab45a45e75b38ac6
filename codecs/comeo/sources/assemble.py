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
from comeo.scene import DATETIME_UNKNOWN, Band, BandGroup, Pixels, Scene, Window, group_name
from comeo.sources import sentinel2
from comeo.sources.naming import NameFacts, check_id, iso, safe_id
from comeo.sources.raster import RasterBand
from comeo.sources.replica import to_native

logger = logging.getLogger(__name__)

UNKNOWN_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET_SINCE: Final = datetime(2022, 1, 25, tzinfo=UTC)
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the caller knows better than the source.

    Attributes:
        scene_id: STAC Item id.
        collection: STAC Collection id.
        datetime: Acquisition.
        bands: Names of the bands, in the order of the file.
        native: Whether bands that were replicated onto a finer grid are brought back to their own.
    """

    scene_id: str | None = None
    collection: str | None = None
    datetime: datetime | None = None
    bands: tuple[str, ...] | None = None
    native: bool = True


@dataclass(slots=True)
class Product:
    """What a source has been found to hold, before it becomes a scene.

    Attributes:
        name: File or folder name of the source.
        bands: Its bands.
        default_id: Id of the scene unless the caller gives one.
        facts: What its name says.
        datetime: Acquisition as its metadata state it.
        default_collection: Collection unless the caller gives one; empty for one by mission and level.
        properties: STAC Item properties, over those of the name.
        release: Frees what its bands share.
        checksum: SHA-256 (hex) over its band files; None to have it computed.
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

    def close(self) -> None:
        """Free what its bands and the product itself hold."""
        for band in self.bands:
            band.close()
        self.release()


def build_scene(product: Product, overrides: Overrides) -> Scene:
    """Make the scene of a product.

    Raises:
        SourceError: If its bands don't make one.
    """
    time, time_properties = _time(product, overrides)
    properties = {**product.facts.properties, **time_properties, **product.properties}
    bands, assumed = _with_physical_scale(product, time)
    properties |= assumed | _instrument(product, bands)
    scene_id = (
        check_id(overrides.scene_id, "id")
        if overrides.scene_id is not None
        else safe_id(product.default_id, "id")
    )
    collection = (
        check_id(overrides.collection, "collection")
        if overrides.collection is not None
        else safe_id(product.default_collection or _collection(product, bands), "collection")
    )
    if overrides.native and is_sentinel2(product, bands):
        bands = to_native(product.name, bands)
    groups = group_bands(product.name, bands)
    checksum = _checksum([band.path for band in bands]) if product.checksum is None else product.checksum
    return Scene(
        id=scene_id,
        collection=collection,
        datetime=time,
        groups=groups,
        properties=properties,
        source_name=product.name,
        source_checksum=checksum,
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
    """Return the acquisition time and what the Item says of how far it is known."""
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


def is_sentinel2(product: Product, bands: Iterable[RasterBand]) -> bool:
    """Whether the bands are Sentinel-2's: the name or metadata say so, or else the bands' names."""
    mission = product.properties.get("constellation") or product.facts.mission
    if mission:
        return str(mission).lower() == sentinel2.MISSION
    return sentinel2.has_own_names(band.band.name for band in bands)


def _with_physical_scale(product: Product, time: datetime) -> tuple[list[RasterBand], dict[str, Any]]:
    """Add what is known of Sentinel-2's bands; where the source states no scale, assume it and say so."""
    bands = product.bands
    if not is_sentinel2(product, bands):
        return bands, {}
    described, assumed = [], False
    for item in bands:
        band = item.band
        known = sentinel2.BANDS.get(band.name)
        scale, offset, unit = band.scale, band.offset, band.unit
        if known and item.dtype == np.uint16 and not unit and (scale, offset) == (1.0, 0.0):
            scale, unit, assumed = sentinel2.REFLECTANCE_SCALE, "reflectance", True
        described.append(
            item.named(
                Band(
                    band.name,
                    scale,
                    offset,
                    unit or ("reflectance" if known and scale != 1.0 else ""),
                    known.common_name if known else band.common_name,
                    known.center_wavelength if known else band.center_wavelength,
                )
            )
        )
    if not assumed:
        return described, {}
    late = (
        ", without the offset of −0.1 that products carry since January 2022" if time >= _OFFSET_SINCE else ""
    )
    logger.warning("%s states no scale: reflectance = number × 0.0001 is assumed%s", product.name, late)
    return described, {"comeo:scale_assumed": True}


def _instrument(product: Product, bands: list[RasterBand]) -> dict[str, Any]:
    """STAC properties that follow from the mission."""
    finest = min(band.grid.pixel_size for band in bands) if bands else 0.0
    found: dict[str, Any] = {"gsd": round(finest, 3)}
    if is_sentinel2(product, bands):
        found |= {"constellation": sentinel2.MISSION, "instruments": ["msi"]}
        if product.facts.level:
            found["processing:level"] = product.facts.level
    elif product.facts.mission == "sentinel-1":
        found |= {"constellation": "sentinel-1", "instruments": ["c-sar"], "sar:frequency_band": "C"}
        found["sar:polarizations"] = [b.band.name for b in bands if b.band.name in ("VV", "VH", "HH", "HV")]
    return {name: value for name, value in found.items() if name not in product.properties}


def _collection(product: Product, bands: list[RasterBand]) -> str:
    if is_sentinel2(product, bands):
        return f"sentinel-2-{product.facts.level.lower()}" if product.facts.level else "sentinel-2"
    return product.facts.mission or "scenes"


def _checksum(paths: Sequence[Path | None]) -> str:
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
