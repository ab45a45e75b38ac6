"""A STAC Item whose assets are bands: COG or JPEG 2000, as Earth Search, CDSE and others publish them.

Versions 1.0 (`eo:bands`, `raster:bands`) and 1.1 (`bands`) of STAC are understood.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from comeo.errors import SourceError
from comeo.missions import (
    Mission,
    ancillary_file,
    ancillary_name,
    band_name,
    band_order,
    baseline_in_words,
    described_band,
    mission_of,
    native_gsd,
)
from comeo.missions.mission import BASELINE
from comeo.missions.sentinel2 import CLASSES
from comeo.places import is_url
from comeo.scene import Band, ClassSource
from comeo.sources import gdal
from comeo.sources.arguments import MAX_UNIT, Given
from comeo.sources.assemble import Overrides, Product
from comeo.sources.assets import Asset, locate
from comeo.sources.bandfile import open_band
from comeo.sources.classes import NATIVE_GSD, class_source
from comeo.sources.download import fetch
from comeo.sources.jp2 import TileCache, tile_cache
from comeo.sources.naming import facts_of, lenient_time, safe_band
from comeo.sources.raster import RasterBand, parse_finite

logger = logging.getLogger(__name__)

MAX_ITEM_BYTES: Final = 8 << 20
_KEPT: Final = re.compile(
    r"platform|constellation|instruments|gsd|(?:\w+:)?boa_(?:add_)?offset_applied|"
    r"(?:eo|s2|sat|sar|s1|view|grid|mgrs|processing):\w+"
)
_APPLIED: Final = re.compile(r"(?:\w+:)?boa_(?:add_)?offset_applied")
_TRUE: Final = ("true", "1", "1.0", "yes")
_BASELINES: Final = ("s2:processing_baseline", "sentinel:processing_baseline")
_PRODUCT_NAMES: Final = ("s2:product_uri", "sentinel:product_id", "s2:granule_id")
_NOT_DATA: Final = {
    "thumbnail", "overview", "visual", "metadata", "saturation", "cloud", "cloud-shadow", "snow-ice",
    "data-mask", "land-water", "water-mask", "classification", "probability", "incidence-angle", "azimuth",
    "sun-azimuth", "sun-elevation",
}  # fmt: skip
_MAX_TEXT: Final = 300
# By which Items of analysis-ready radar (CEOS-ARD) state quantity and scale.
_RADIOMETRY: Final = ("card4l:measurement_type", "card4l:measurement_convention", "ceosard:measurement_type",
                      "ceosard:measurement_convention")  # fmt: skip


def open_stac(source: str | Path, overrides: Overrides) -> Product:
    """Open a STAC Item.

    Args:
        source: JSON file, or http(s) URL of one.
        overrides: Facts that the caller gives; their bands are those to take.

    Raises:
        SourceError: If it is no Item, is of a mission that cannot be read, or its assets are not understood
            or cannot be read.
    """
    item = load_item(source)
    properties, names = item["properties"], _names(item)
    mission = mission_of(str(source), properties, names)
    assets = choose(str(source), list(_assets(item, source, mission)), overrides.bands)
    cache = tile_cache()
    bands: list[RasterBand] = []
    try:
        bands.extend(_open_asset(asset, overrides.numbers, cache) for asset in assets)
    except BaseException:
        for band in bands:
            band.close()
        raise
    kept = {name: value for name, value in properties.items() if _is_kept(name, value)}
    return Product(
        name=Path(urlsplit(str(source)).path).name or names[0],
        bands=bands,
        default_id=str(item["id"]),
        facts=facts_of(names[0]),
        datetime=None if overrides.datetime else _time(properties),
        default_collection=str(item.get("collection") or ""),
        properties=kept | _baseline(properties),
        marks=(*names, *(file for file in _files(assets))),
        offset_applied=_applied(properties) or _applied_to_all(str(source), assets),
        classes=_classes(item, source, cache),
    )


def _names(item: Mapping[str, Any]) -> list[str]:
    """Names of the product, its collection and its processor, the clearest first."""
    properties = item["properties"]
    stated = [*(properties.get(name) for name in _PRODUCT_NAMES), item["id"], item.get("collection"),
              properties.get("odc:product")]  # fmt: skip
    return [text[:_MAX_TEXT] for text in stated if isinstance(text, str) and text]


def _files(assets: Iterable[Asset]) -> Iterator[str]:
    for asset in assets:
        yield Path(urlsplit(str(asset.location or "")).path).stem[:_MAX_TEXT]


def _baseline(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The processing baseline under its usual name, from any that it goes by."""
    # In the very form of a baseline, and not any program's.
    version = str(properties.get("processing:version", ""))
    stated = [properties.get(name, "") for name in _BASELINES]
    stated.append(version if BASELINE.fullmatch(version) else "")
    found = next(filter(None, map(baseline_in_words, stated)), "")
    return {"s2:processing_baseline": found} if found else {}


def _applied(properties: Mapping[str, Any]) -> str:
    """The property by which an Item says that its numbers have their offset already, or empty.

    Earth Search has taken the offset off the numbers themselves, and states it all the same.
    """
    flags = (name for name in properties if _APPLIED.fullmatch(name))
    return next((name for name in flags if str(properties[name]).strip().lower() in _TRUE), "")


def _applied_to_all(where: str, assets: Iterable[Asset]) -> str:
    """The same of assets, which say it all or not at all.

    Raises:
        SourceError: If some say it, and others don't.
    """
    flags = [_applied(asset.fields) for asset in assets]
    if any(flags) and not all(flags):
        raise SourceError(
            f"{where} says of some of its assets only that their offset is in the numbers already; "
            "take them apart with --bands"
        )
    return next(iter(flags), "")


def load_item(source: str | Path) -> dict[str, Any]:
    """Load and check a STAC Item.

    Raises:
        SourceError: If it is none.
    """
    where = str(source)
    if is_url(source):
        content = fetch(where, MAX_ITEM_BYTES)
    else:
        path = Path(source)
        if not path.is_file():
            raise SourceError(f"{path.name} cannot be read: it is not a regular file")
        if path.stat().st_size > MAX_ITEM_BYTES:
            raise SourceError(f"{path.name} has more than {MAX_ITEM_BYTES} bytes: it is no STAC Item")
        content = path.read_bytes()
    try:
        item = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where} is not readable JSON: {str(error)[:_MAX_TEXT]}") from error
    if not isinstance(item, dict) or item.get("type") != "Feature" or "stac_version" not in item:
        kind = item.get("type") if isinstance(item, dict) else type(item).__name__
        raise SourceError(f"{where} is no STAC Item but {str(kind)[:40]!r}; give the Item of one scene")
    if not isinstance(item.get("id"), str) or not item["id"]:
        raise SourceError(f"{where} is a STAC Item without an id")
    for part in ("properties", "assets"):
        if not isinstance(item.get(part), dict):
            raise SourceError(f"{where} is a STAC Item without {part}")
    return item


def is_item(path: Path) -> bool:
    """Whether a file is a STAC Item."""
    try:
        load_item(path)
    except (SourceError, OSError):
        return False
    return True


def _assets(item: dict[str, Any], source: str | Path, mission: Mission | None) -> Iterator[Asset]:
    """The assets that are one band each; layers beside the bands are left out, and named."""
    for key, asset in item["assets"].items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            raise SourceError(f"asset {key[:40]!r} of {source} has no href")
        fields = _merged(asset)
        if fields is None or _is_document(asset):
            continue
        if layer := _layer(key, fields):
            logger.info("%s: asset %s is the layer %s, not a band, and is left out", source, key[:40], layer)
            continue
        name = band_of_asset(key, fields, mission)
        if name is not None:
            stated = tuple(
                str(item["properties"][word]) for word in _RADIOMETRY if word in item["properties"]
            )
            yield Asset(key, name, locate(asset, source), _gsd(key, fields), fields, stated)


def _classes(item: dict[str, Any], source: str | Path, cache: TileCache) -> ClassSource | None:
    """The scene classification among an Item's assets; where its file is not there, that is said."""
    found: list[Asset] = []
    for key, asset in item["assets"].items():
        file = Path(unquote(urlsplit(asset["href"]).path)).name
        if _is_document(asset) or not (ancillary_name(key) == CLASSES.name or CLASSES.file.search(file)):
            continue
        try:
            location = locate(asset, source)
        except SourceError as error:
            logger.warning("%s", error)
            continue
        if location is not None:
            found.append(Asset(key, CLASSES.name, location, _gsd(key, asset), asset))
    if not found:
        return None
    best = min(found, key=lambda asset: (abs((asset.gsd or NATIVE_GSD) - NATIVE_GSD), asset.is_jp2))
    return class_source(str(source), CLASSES, lambda: _opened(best, Band(CLASSES.name), cache, 0.0))


def _is_document(asset: Mapping[str, Any]) -> bool:
    """Whether an asset is metadata or a picture to look at, and no raster of measurements."""
    kind = str(asset.get("type", ""))
    return kind.startswith(("application/", "text/", "image/jpeg", "image/png")) or bool(
        {"metadata", "thumbnail", "overview"}.intersection(str(role) for role in asset.get("roles") or [])
    )


def _layer(key: str, fields: Mapping[str, Any]) -> str | None:
    """The layer beside the bands that an asset is, by roles, classes, key, file or name; None for a band."""
    roles = [str(role) for role in fields.get("roles") or []]
    if found := next((role for role in roles if role in _NOT_DATA), None):
        return found
    if any(name.removeprefix("raster:").startswith("classification:") for name in fields):
        return "classification"
    file = Path(unquote(urlsplit(str(fields.get("href"))).path)).stem
    return ancillary_name(key) or ancillary_file(file) or ancillary_name(str(fields.get("name", ""))[:80])


def _merged(asset: dict[str, Any]) -> dict[str, Any] | None:
    """Fields of an asset and its only band; None when it has several bands."""
    fields = dict(asset)
    for part in ("eo:bands", "raster:bands", "bands"):
        bands = asset.get(part)
        if not isinstance(bands, list) or not bands:
            continue
        if len(bands) > 1:
            return None
        if isinstance(bands[0], dict):
            prefix = "raster:" if part == "raster:bands" else ""
            fields |= {f"{prefix}{name}": value for name, value in bands[0].items()}
    return {name: value for name, value in fields.items() if value is not None}


def band_of_asset(key: str, fields: Mapping[str, Any], mission: Mission | None) -> str | None:
    """The band that an asset offers, by its key, its band's name or its band's common name."""
    stem = re.sub(r"[-_](?:\d+m|jp2|tif|cog)$", "", key, flags=re.IGNORECASE)
    stated = str(fields.get("name") or "")
    common = fields.get("eo:common_name") or fields.get("common_name")
    for text in (stem, re.sub(r"_\d+m$", "", stated), str(common or "")):
        known = described_band(text, mission.id if mission else "")
        if text and band_name(known) == known:
            return known
    own = safe_band(stated or ("" if mission else stem))
    return own if own and "data" in (fields.get("roles") or []) else None


def _gsd(key: str, fields: Mapping[str, Any]) -> float:
    """Pixel size as an asset states it."""
    for name in ("gsd", "raster:spatial_resolution"):
        if isinstance(value := fields.get(name), int | float):
            return float(value)
    transform = fields.get("proj:transform")
    if isinstance(transform, list) and transform and isinstance(transform[0], int | float):
        return abs(float(transform[0]))
    match = re.search(r"_(\d+)m$", key)
    return float(match.group(1)) if match else 0.0


def choose(where: str, assets: list[Asset], wanted: tuple[str, ...] | None) -> list[Asset]:
    """One asset a band: at the band's own resolution, else the finest; a COG rather than JPEG 2000.

    Raises:
        SourceError: If there is no asset, or two of one band are alike.
    """
    found: dict[str, list[Asset]] = {}
    for asset in assets:
        found.setdefault(asset.name, []).append(asset)
    if wanted is not None:
        names = [band_name(name) or name for name in wanted]
        if missing := [name for name in names if name not in found]:
            raise SourceError(f"{where} has no asset of band {', '.join(missing)}: it has {', '.join(found)}")
        found = {name: found[name] for name in names}
    if not found:
        raise SourceError(
            f"{where} has no asset that is one band with a known name; of assets with several bands, "
            "give the GeoTIFF itself; Zarr (EOPF) is not read: give the SAFE, or the Item of COGs"
        )
    chosen = []
    for name in sorted(found, key=band_order):
        ranked = sorted(found[name], key=_rank)
        if (
            len(ranked) > 1
            and _rank(ranked[0]) == _rank(ranked[1])
            and ranked[0].location != ranked[1].location
        ):
            keys = ", ".join(asset.key for asset in ranked)
            raise SourceError(f"{where} offers band {name} several times alike: {keys}; remove all but one")
        if ranked[0].location is None:
            raise SourceError(
                f"{where}: asset {ranked[0].key} is neither at an http(s) URL nor in a file beside the Item; "
                "download it there"
            )
        chosen.append(ranked[0])
    return chosen


def _rank(asset: Asset) -> tuple[bool, bool, float, bool]:
    return asset.location is None, asset.gsd != native_gsd(asset.name), asset.gsd, asset.is_jp2


def _open_asset(asset: Asset, given: Given, cache: TileCache) -> RasterBand:
    """Open an asset as its band."""
    band = _described(asset, given)
    stated = asset.fields.get("raster:nodata", asset.fields.get("nodata"))
    marker = parse_nodata(stated, asset.key) if stated is not None and given.nodata is None else None
    opened = _opened(asset, band, cache, marker)
    return replace(
        opened, offset_stated=opened.offset_stated or "raster:offset" in asset.fields, words=asset.words
    )


def _opened(asset: Asset, band: Band, cache: TileCache, nodata: float | None) -> RasterBand:
    if isinstance(asset.location, Path):
        return open_band(asset.location, band, cache, nodata)
    logger.info("%s: reading %s", asset.name, asset.location)
    file = gdal.GdalFile(str(asset.location), gdal.JPEG2000 if asset.is_jp2 else gdal.GEOTIFF)
    try:
        return gdal.band_of(file, gdal.grid_of(file), 1, band, nodata)
    except BaseException:
        file.close()
        raise


def parse_nodata(value: object, key: str) -> float:
    """Parse a nodata number of an Item, in which "nan", "inf" and "-inf" are texts: none is ever valid."""
    if str(value).strip().lower() in ("nan", "inf", "-inf"):
        return float("nan")
    try:
        return parse_finite(value, f"nodata of asset {key[:40]!r}")
    except SourceError as error:
        raise SourceError(f"{error}; give it with --nodata") from error


def _described(asset: Asset, given: Given) -> Band:
    """The description of a band in the Item; what the caller gives is not looked at there."""
    fields, what = asset.fields, f"of asset {asset.key[:40]!r}"
    scale = parse_finite(fields.get("raster:scale", 1.0), f"scale {what}") if given.scale is None else 1.0
    offset = parse_finite(fields.get("raster:offset", 0.0), f"offset {what}") if given.offset is None else 0.0
    unit = str(fields.get("raster:unit", fields.get("unit")) or "")
    common = fields.get("eo:common_name") or fields.get("common_name") or ""
    wavelength = fields.get("eo:center_wavelength", fields.get("center_wavelength"))
    is_number = isinstance(wavelength, int | float) and math.isfinite(wavelength)
    return Band(
        asset.name, scale, offset, unit[:MAX_UNIT], str(common)[:40], wavelength if is_number else None
    )


def _time(properties: Mapping[str, Any]) -> datetime | None:
    """Acquisition: `datetime`, or the start of the range."""
    text = properties.get("datetime") or properties.get("start_datetime")
    return None if text is None else lenient_time(text, "the Item's datetime")


def _is_kept(name: str, value: object) -> bool:
    """Whether a property of the source Item is one of the archive's: short, and about the acquisition."""
    if not _KEPT.fullmatch(name):
        return False
    if isinstance(value, list):
        return len(value) <= 16 and all(_is_scalar(element) for element in value)
    return _is_scalar(value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _MAX_TEXT)
