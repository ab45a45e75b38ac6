"""A GeoTIFF whose band descriptions, or whose name, say which bands it has."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.missions import (
    Mission,
    ancillary_file,
    ancillary_name,
    band_facts,
    baseline_in_words,
    class_layer,
    described_band,
    described_bands,
    mission_of,
    mission_of_bands,
    platform_of,
    shared_names,
    unit_in,
)
from comeo.scene import Band, ClassSource
from comeo.sources import gdal
from comeo.sources.arguments import MAX_UNIT, Given
from comeo.sources.assemble import Overrides, Product
from comeo.sources.classes import class_shares, class_source
from comeo.sources.naming import facts_of, lenient_time, safe_band
from comeo.sources.numbers import is_classes, is_stated
from comeo.sources.raster import RasterBand

logger = logging.getLogger(__name__)

_TIME_TAGS: Final = (
    "datetime", "acquisition_datetime", "sensing_time", "acquisition_date",
    "datatake_1_datatake_sensing_start",
)  # fmt: skip
# Tags by which processors, GDAL's reader of SAFE among them, say what a file is from.
_ORIGIN_TAGS: Final = (
    "constellation", "platform", "spacecraft_name", "datatake_1_spacecraft_name", "satellite", "spacecraft",
    "mission", "sensor", "instrument", "product_uri",
)  # fmt: skip
_BASELINE: Final = "processing_baseline"
_QUANTITY_TAG: Final = re.compile(
    r"quantity|radiometr|backscatter|calibration|long_name|standard_name|^units?$|^scale$"
)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a file says of itself, with band attributes by the index of the band.

    Attributes:
        indexes: Of all bands but opacity, from 1.
        alphas: Of opacity.
        descriptions: One a band; empty where it is missing.
        tags: Of the file and of each band, names in lower case.
        palettes: Bands with a colour table: classes.
        dtypes: Of all bands' numbers.
        numbers: (scale, offset, unit) a band.
        words: What tags say of a band's quantity and scale.
    """

    indexes: tuple[int, ...]
    alphas: tuple[int, ...]
    descriptions: Mapping[int, str]
    tags: Mapping[str, str]
    palettes: frozenset[int]
    dtypes: frozenset[str]
    numbers: Mapping[int, tuple[float, float, str]]
    words: Mapping[int, tuple[str, ...]]


def open_geotiff(path: Path, overrides: Overrides) -> Product:
    """Open a GeoTIFF.

    Args:
        path: The file.
        overrides: Facts that the caller gives; their bands are the names of all of its bands, in order.

    Raises:
        SourceError: If its bands are not named, it is of a mission that cannot be read, or no scene can be
            made of it.
    """
    file = gdal.GdalFile(path)
    gdal.warn_of_side_files(path)
    try:
        return _product(file, path, overrides)
    except BaseException:
        file.close()
        raise


def _product(file: gdal.GdalFile, path: Path, overrides: Overrides) -> Product:
    grid = gdal.grid_of(file)
    facts = _facts(file, overrides.bands)
    mission = mission_of(path.name, {"instruments": _origin(facts.tags)}, [path.stem])
    names = _band_names(path, facts, overrides.bands, mission)
    mission = mission or mission_of_bands(names.values())
    bands: list[RasterBand] = []
    properties = _properties(facts.tags)
    classes: ClassSource | None = None
    for index, name in names.items():
        raster = _opened(file, grid, path, facts, index, name)
        layer = _layer(facts, index, name) or _classes_by_value(raster, mission, overrides.numbers)
        if layer is None:
            bands.append(raster)
            continue
        logger.warning("%s: layer %s (%s) is not a band and is left out", path.name, name, layer)
        if known := class_layer(layer):
            properties |= class_shares(raster, known)
            classes = class_source(path.name, known, partial(replace, raster, close=_nothing))
    if not bands:
        layers = ", ".join(names.values())
        raise SourceError(
            f"{path.name} has no band of measurements, only {layers}, which coding with loss would spoil; "
            "give the bands of the scene"
        )
    return Product(
        path.name, bands, path.stem, facts_of(path.stem),
        None if overrides.datetime else _time(facts.tags, path), properties=properties,
        marks=tuple(_origin(facts.tags)), classes=classes,
    )  # fmt: skip


def _nothing() -> None:
    """Close nothing: the file is open for the bands beside the layer."""


def _facts(file: gdal.GdalFile, given: tuple[str, ...] | None) -> _Facts:
    with file.handle() as dataset:
        # With a name given for each band, none is opacity: GDAL calls any fourth band of 8 bits so.
        alphas = () if given and len(given) == dataset.count else tuple(sorted(gdal.alpha_indexes(dataset)))
        tags = {str(name).lower(): str(value) for name, value in dataset.tags().items()}
        numbers, words = {}, {}
        for index in dataset.indexes:
            stated = float(dataset.scales[index - 1]), float(dataset.offsets[index - 1])
            own = tags | {str(name).lower(): str(value) for name, value in dataset.tags(index).items()}
            words[index] = tuple(own[name][:80] for name in own if _QUANTITY_TAG.search(name))
            if stated == (1.0, 0.0):  # HLS and some writers of xarray state them in tags alone
                stated = _number(own, "scale_factor", 1.0), _number(own, "add_offset", 0.0)
            numbers[index] = (*stated, str(dataset.units[index - 1] or own.get("units") or "")[:MAX_UNIT])
        return _Facts(
            tuple(index for index in dataset.indexes if index not in alphas), alphas,
            {index: (dataset.descriptions[index - 1] or "").strip() for index in dataset.indexes}, tags,
            frozenset(index for index in dataset.indexes if gdal.has_palette(dataset, index)),
            frozenset(dataset.dtypes), numbers, words,
        )  # fmt: skip


def _number(tags: Mapping[str, str], name: str, default: float) -> float:
    try:
        found = float(tags[name])
    except (KeyError, ValueError):
        return default
    return found if np.isfinite(found) and (found or name != "scale_factor") else default


def _origin(tags: Mapping[str, str]) -> list[str]:
    """Texts by which tags say what a file is from."""
    return [text for tag in _ORIGIN_TAGS if (text := tags.get(tag, "").strip()[:80])]


def _properties(tags: Mapping[str, str]) -> dict[str, Any]:
    """STAC properties that tags give: platform, processing baseline and orbit."""
    platform = next((found for text in _origin(tags) if (found := platform_of(text))), "")
    stated = {"platform": platform, "s2:processing_baseline": baseline_in_words(tags.get(_BASELINE, ""))}
    state, orbit = tags.get("orbit_state", "").strip().lower(), tags.get("relative_orbit", "").strip()
    properties: dict[str, Any] = {name: text for name, text in stated.items() if text}
    if state in ("ascending", "descending"):
        properties["sat:orbit_state"] = state
    if re.fullmatch(r"[0-9]{1,3}", orbit):
        properties["sat:relative_orbit"] = int(orbit)
    ipf = re.fullmatch(r"([0-9]{1,3})\.([0-9]{2})", tags.get("ipf", "").strip())
    if ipf:
        properties["processing:software"] = {"Sentinel-1 IPF": f"{int(ipf[1]):03}.{ipf[2]}"}
    noise = tags.get("thermal_noise", "").strip().lower()
    if noise in ("removed", "not removed"):
        properties["comeo:thermal_noise"] = noise
    return facts_of(tags.get("product", "").strip()[:80]).properties | properties


def _band_names(
    path: Path, facts: _Facts, given: tuple[str, ...] | None, mission: Mission | None
) -> dict[int, str]:
    """Return each band's name by its index: as given, as described, or as the file's name says."""
    texts = [facts.descriptions[index] for index in facts.indexes]
    if given is not None:
        if len(given) != len(texts):
            raise SourceError(f"{path.name} has {len(texts)} bands, but {len(given)} names were given")
        texts = list(given)
    elif len(texts) == 1 and not texts[0]:
        texts = [_name_in_stem(path.stem, mission)]
    elif _only_counted(texts):
        raise SourceError(
            f"{path.name} only numbers its bands (Band 1, Band 2 …), which does not say which they are; "
            "name all its bands with `--bands`, as B02,B03,B04,B08"
        )
    unnamed = [str(index) for index, text in zip(facts.indexes, texts, strict=True) if not text]
    if unnamed:
        raise SourceError(
            f"{path.name} does not name its band {', '.join(unnamed)}; name all its bands "
            "with `--bands`, or write descriptions into the file"
        )
    picture = _is_picture(facts, texts)
    known = mission.id if mission else ""
    if not given and not known and shared_names(texts):
        logger.warning(
            "%s: bands named %s are Sentinel-2's or Landsat's, and no mission is stated: none is assumed; "
            "if they are Sentinel-2's, name them with --bands, as B01,B02,B03", path.name, ", ".join(texts),
        )  # fmt: skip
    described = [described_band(text, known) for text in texts] if given else described_bands(texts, known)
    found = [
        text if picture or ancillary_name(text) else name for text, name in zip(texts, described, strict=True)
    ]
    if twice := [name for name, count in Counter(found).items() if count > 1]:
        raise SourceError(
            f"{path.name} has more than one band named {', '.join(twice)}; name them with `--bands`"
        )
    return dict(zip(facts.indexes, found, strict=True))


def _name_in_stem(stem: str, mission: Mission | None) -> str:
    """What the name of a file of one band says of it: a layer, or a band; empty where it says nothing."""
    if layer := ancillary_file(stem):
        return layer
    words = [word for word in re.split(r"[^A-Za-z0-9]+", stem) if word]
    names = (described_band(word, "") for word in reversed(words))
    return next((name for name in names if band_facts(name, mission.id if mission else "")), "")


def _only_counted(texts: Sequence[str]) -> bool:
    """Whether descriptions number bands, as some writers do, and don't name them."""
    counted = all(re.fullmatch(rf"band[ _]?0?{i}", text, re.IGNORECASE) for i, text in enumerate(texts, 1))
    return len(texts) > 1 and counted


def _is_picture(facts: _Facts, texts: Sequence[str]) -> bool:
    """Whether a file is a picture in true colour: its red is no reflectance."""
    return facts.dtypes == {"uint8"} and {text.lower() for text in texts} <= {"red", "green", "blue"}


def _opened(file: gdal.GdalFile, grid: Grid, path: Path, facts: _Facts, index: int, name: str) -> RasterBand:
    """A band of the file, with what is stated of its numbers."""
    scale, offset, unit = facts.numbers[index]
    if facts.dtypes != {"uint8"}:  # a byte is no measurement, whatever its name says
        unit = unit or unit_in(facts.descriptions[index], name) or unit_in(path.stem, name)
    band = Band(safe_band(name), scale, offset, unit)
    raster = gdal.band_of(file, grid, index, band, alphas=facts.alphas)
    return replace(
        raster, offset_stated=raster.offset_stated or (scale, offset) != (1.0, 0.0),
        words=(facts.descriptions[index], *facts.words[index], path.stem),
    )  # fmt: skip


def _layer(facts: _Facts, index: int, name: str) -> str | None:
    """The layer beside the bands that a band is, by its name, description or colours; None for a band."""
    if index in facts.palettes:
        return "classes with a colour each"
    return ancillary_name(name) or ancillary_name(facts.descriptions[index])


def _classes_by_value(raster: RasterBand, mission: Mission | None, given: Given) -> str | None:
    """What an undescribed layer of few small whole numbers is; None for a band."""
    if (mission and raster.band.name in mission.bands) or is_stated(raster):
        return None
    if given.unit is not None or given.scale is not None or not is_classes(raster):
        return None
    return "few whole numbers, so classes; a quantity is said by --unit"


def _time(tags: Mapping[str, str], path: Path) -> datetime | None:
    """Acquisition as a metadata item of the file states it; one that cannot be read is left out.

    The TIFF tag DateTime is not used: it says when the file was written.
    """
    stated = (tags.get(name) for name in _TIME_TAGS)
    texts = (re.split(r"[;,+]\s", text)[0] for text in stated if text)
    return next((time for text in texts if (time := lenient_time(text, path.name))), None)
