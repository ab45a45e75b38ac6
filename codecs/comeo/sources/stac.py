"""A STAC Item whose assets are bands: COG or JPEG 2000, as Earth Search and CDSE publish them.

Versions 1.0 (`eo:bands`, `raster:bands`) and 1.1 (`bands`) of STAC are understood.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from comeo.errors import SourceError
from comeo.missions import ancillary_name, band_facts, band_name, band_order, native_gsd
from comeo.scene import Band
from comeo.sources import gdal
from comeo.sources.assemble import Product
from comeo.sources.bandfile import JP2_SUFFIXES, open_band
from comeo.sources.download import fetch
from comeo.sources.jp2 import TileCache, tile_cache
from comeo.sources.naming import facts_of, parse_time
from comeo.sources.paths import inside
from comeo.sources.raster import RasterBand, parse_finite

logger = logging.getLogger(__name__)

MAX_ITEM_BYTES: Final = 8 << 20
_KEPT: Final = re.compile(
    r"platform|constellation|instruments|gsd|earthsearch:boa_offset_applied|"
    r"(?:eo|s2|sat|sar|s1|view|grid|mgrs|processing):\w+"
)
_NOT_DATA: Final = {"thumbnail", "overview", "visual", "metadata", "saturation", "cloud", "snow-ice"}
_MAX_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset that offers a band.

    Attributes:
        key: Its key in the Item.
        name: Band that it offers.
        location: Local path or http(s) URL; None when it is neither.
        gsd: Pixel size in metres, or 0 when not stated.
        fields: The asset's own fields, and those of its only band over them.
    """

    key: str
    name: str
    location: Path | str | None
    gsd: float
    fields: Mapping[str, Any]

    @property
    def is_jp2(self) -> bool:
        """Whether it is JPEG 2000."""
        return str(self.fields.get("type", "")).startswith("image/jp2") or (
            Path(urlsplit(str(self.location or "")).path).suffix.lower() in JP2_SUFFIXES
        )


def open_stac(source: str | Path, wanted: tuple[str, ...] | None) -> Product:
    """Open a STAC Item.

    Args:
        source: JSON file, or http(s) URL of one.
        wanted: Names of the bands to take; by default all.

    Raises:
        SourceError: If it is no Item, or its assets are not understood or cannot be read.
    """
    item = load_item(source)
    properties = item["properties"]
    assets = choose(str(source), list(_assets(item, source)), wanted)
    applied = properties.get("earthsearch:boa_offset_applied") is True
    cache = tile_cache()
    bands: list[RasterBand] = []
    try:
        bands.extend(_open_asset(asset, applied, cache) for asset in assets)
    except BaseException:
        for band in bands:
            band.close()
        raise
    kept = {name: value for name, value in properties.items() if _is_kept(name, value)}
    return Product(
        name=Path(urlsplit(str(source)).path).name or str(item["id"])[:_MAX_TEXT],
        bands=bands,
        default_id=str(item["id"]),
        facts=facts_of(str(properties.get("s2:product_uri") or item["id"])[:_MAX_TEXT]),
        datetime=_time(properties),
        default_collection=str(item.get("collection") or ""),
        properties=kept,
    )


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


def is_url(source: str | Path) -> bool:
    """Whether a source is an http(s) URL."""
    return isinstance(source, str) and urlsplit(source).scheme in ("http", "https")


def is_item(path: Path) -> bool:
    """Whether a file is a STAC Item."""
    try:
        load_item(path)
    except (SourceError, OSError):
        return False
    return True


def _assets(item: dict[str, Any], source: str | Path) -> Iterator[Asset]:
    """The assets that are one band each."""
    for key, asset in item["assets"].items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            raise SourceError(f"asset {key[:40]!r} of {source} has no href")
        roles = asset.get("roles") or []
        if _NOT_DATA.intersection(str(role) for role in roles):
            continue
        fields = _merged(asset)
        name = None if fields is None else band_of_asset(key, fields)
        if fields is None or name is None:
            continue
        location = locate(asset, source)
        yield Asset(key, name, location, _gsd(key, fields), fields)


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
    return fields


def band_of_asset(key: str, fields: Mapping[str, Any]) -> str | None:
    """The band that an asset offers, by its key, its band's name or its band's common name."""
    file = Path(unquote(urlsplit(str(fields.get("href"))).path)).stem
    if ancillary_name(key) or ancillary_name(file):
        return None
    stem = re.sub(r"[-_](?:\d+m|jp2|tif|cog)$", "", key, flags=re.IGNORECASE)
    stated = fields.get("name")
    common = fields.get("eo:common_name") or fields.get("common_name")
    for text in (stem, re.sub(r"_\d+m$", "", str(stated)) if stated else "", str(common or "")):
        if name := band_name(text):
            return name
    return str(stated)[:40] if stated and "data" in (fields.get("roles") or []) else None


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


def locate(asset: Mapping[str, Any], source: str | Path) -> Path | str | None:
    """Location of an asset: a file, or an http(s) URL; None when it is neither (as s3://).

    A local Item's assets that lie beside it are read there, wherever their href says they came from.

    Raises:
        SourceError: If it leads out of a local Item's folder, or to no file.
    """
    alternate = asset.get("alternate")
    others = alternate.values() if isinstance(alternate, dict) else []
    stated = [asset["href"], *(other.get("href") for other in others if isinstance(other, dict))]
    hrefs = [href for href in stated if isinstance(href, str)]
    if is_url(source):
        hrefs = [urljoin(str(source), href) for href in hrefs]
    else:
        folder = Path(source).resolve().parent
        for href in hrefs:
            beside = folder / Path(unquote(urlsplit(href).path)).name
            if beside.is_file():
                return inside(folder, beside)
            if not urlsplit(href).scheme:
                return _named(folder, href)
    return next((href for href in hrefs if is_url(href)), None)


def _named(folder: Path, href: str) -> Path:
    path = inside(folder, folder / unquote(href))
    if not path.is_file():
        raise SourceError(f"{path}, which the Item names as an asset, does not exist; download it there")
    return path


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
        raise SourceError(f"{where} has no asset that is one band with a known name")
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


def _open_asset(asset: Asset, offset_applied: bool, cache: TileCache) -> RasterBand:
    """Open an asset as its band."""
    band = _described(asset, offset_applied)
    nodata = asset.fields.get("raster:nodata", asset.fields.get("nodata"))
    marker = None if nodata is None else parse_nodata(nodata, asset.key)
    if isinstance(asset.location, Path):
        return open_band(asset.location, band, cache, marker)
    logger.info("%s: reading %s", asset.name, asset.location)
    file = gdal.GdalFile(str(asset.location), gdal.JPEG2000 if asset.is_jp2 else gdal.GEOTIFF)
    try:
        return gdal.band_of(file, gdal.grid_of(file), 1, band, marker)
    except BaseException:
        file.close()
        raise


def parse_nodata(value: object, key: str) -> float:
    """Parse a nodata number of an Item, in which "nan" is a text."""
    if isinstance(value, str) and value.lower() == "nan":
        return float("nan")
    return parse_finite(value, f"nodata of asset {key[:40]!r}")


def _described(asset: Asset, offset_applied: bool) -> Band:
    """The description of a band in the Item."""
    fields, what = asset.fields, f"of asset {asset.key[:40]!r}"
    scale = parse_finite(fields.get("raster:scale", 1.0), f"scale {what}")
    offset = parse_finite(fields.get("raster:offset", 0.0), f"offset {what}")
    if offset_applied and offset:
        # Earth Search has taken the offset off the numbers themselves, and states it all the same.
        logger.info("%s: the offset %g is already in the numbers, as the Item says", asset.name, offset)
        offset = 0.0
    common = fields.get("eo:common_name") or fields.get("common_name") or ""
    wavelength = fields.get("eo:center_wavelength", fields.get("center_wavelength"))
    known = band_facts(asset.name)
    return Band(
        asset.name,
        scale,
        offset,
        known.unit if known and scale != 1.0 else "",
        str(common)[:40],
        None if wavelength is None else parse_finite(wavelength, f"wavelength {what}"),
    )


def _time(properties: Mapping[str, Any]) -> datetime | None:
    """Acquisition: `datetime`, or the start of the range."""
    text = properties.get("datetime") or properties.get("start_datetime")
    return None if text is None else parse_time(text, "the Item's datetime")


def _is_kept(name: str, value: object) -> bool:
    """Whether a property of the source Item is one of the archive's: short, and about the acquisition."""
    if not _KEPT.fullmatch(name):
        return False
    if isinstance(value, list):
        return len(value) <= 16 and all(_is_scalar(element) for element in value)
    return _is_scalar(value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _MAX_TEXT)
