"""Knowledge of sensors, in one place: recognition, bands, quantities, ranges, indices, grades, credits.

A mission is one module with one `Mission` in it, listed in `MISSIONS`. Readers, styles, `qualify` and the
viewer (by the server's documents) take from here all that differs between sensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from comeo.errors import SourceError
from comeo.missions import copernicus
from comeo.missions.mission import BandFacts, ClassLayer, Mission, Offset, Scale
from comeo.missions.quantity import DECIBEL, QUANTITIES, REFLECTANCE, Grade, Quantity, Range
from comeo.missions.recipe import Recipe
from comeo.missions.sentinel1 import SENTINEL1
from comeo.missions.sentinel2 import SENTINEL2
from comeo.scene import Band

MISSIONS: Final[Mapping[str, Mission]] = MappingProxyType(
    {mission.id: mission for mission in (SENTINEL2, SENTINEL1)}
)
RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {recipe.name: recipe for mission in MISSIONS.values() for recipe in mission.recipes}
)


def mission_in(name: str) -> Mission | None:
    """The mission whose mark comes first in a product or file name."""
    found = [(match.start(), each) for each in MISSIONS.values() if (match := each.name_mark.search(name))]
    return min(found, key=lambda item: item[0])[1] if found else None


def platform_in(name: str) -> str:
    """STAC `platform` that comes first in a product or file name: `sentinel-2a`, or empty."""
    found = [
        (match.start(), f"{each.id}{match.group(1).lower()}")
        for each in MISSIONS.values()
        if (match := each.platform_mark.search(name))
    ]
    return min(found)[1] if found else ""


def mission_of_bands(names: Iterable[str]) -> Mission | None:
    """The only mission that bands of these names can be of."""
    names = list(names)
    return next((each for each in MISSIONS.values() if each.has_bands(names)), None)


def band_name(text: str) -> str | None:
    """The own name of the band that a description, key or word of a file name is for, or None."""
    return next((name for each in MISSIONS.values() if (name := each.band_name(text))), None)


def described_band(text: str, mission: str) -> str:
    """The own name of a band that a file describes in words of its own, or else the description itself.

    Args:
        text: The description.
        mission: Id of the mission that the file's name states; empty where it states none.
    """
    candidates = [each for each in MISSIONS.values() if each.free_names and mission in ("", each.id)]
    return next((name for each in candidates if (name := each.band_name(text))), text)


def band_facts(name: str) -> BandFacts | None:
    """The band of that name, or None if no mission has it."""
    return next((each.bands[name] for each in MISSIONS.values() if name in each.bands), None)


def band_title(band: Band) -> str:
    """Words for a band: `near infrared`; its common name where no mission describes it; may be empty."""
    facts = band_facts(band.name)
    return facts.title if facts and facts.title else band.common_name


def native_gsd(name: str) -> int:
    """Native pixel size of a band in metres; 0 if it is unknown or differs by product."""
    facts = band_facts(name)
    return facts.gsd if facts else 0


def sees_ground(name: str) -> bool:
    """Whether a band sees the ground; one that no mission has is taken to."""
    facts = band_facts(name)
    return facts.sees_ground if facts else True


def band_order(name: str) -> float:
    """Key that sorts bands by wavelength; those without one stay in their order, last."""
    facts = band_facts(name)
    return facts.center_wavelength if facts and facts.center_wavelength else float("inf")


def ancillary_name(text: str) -> str | None:
    """Name of the layer beside the bands that a text names: `SCL`, `L2A_PVI`, `TCI_10m`; None for a band."""
    words = re.split(r"[^A-Za-z0-9]+", text.upper())
    return next((word for word in words if any(word in each.ancillary for each in MISSIONS.values())), None)


def ancillary_file(stem: str) -> str | None:
    """Name of the layer or mask that a file of this name, without its extension, holds; None for a band."""
    if any(each.mask_files and each.mask_files.search(stem) for each in MISSIONS.values()):
        return "mask"
    return ancillary_name(stem)


def class_layer(name: str) -> ClassLayer | None:
    """The layer of classes of that name."""
    layers = (each.classes for each in MISSIONS.values())
    return next((layer for layer in layers if layer and layer.name == name), None)


def nodata_in(stem: str) -> int | None:
    """Number that marks pixels without data in a file of this name, if the name's form says so."""
    known = any(each.zero_is_nodata and each.zero_is_nodata.search(stem) for each in MISSIONS.values())
    return 0 if known else None


def unit_in(stem: str, band: str) -> str:
    """Unit of a band that the end of its file's name states; empty if it states none."""
    ending = stem.lower().replace("-", "_").rpartition("_")
    for each in MISSIONS.values():
        if ending[1] and band.upper() in each.bands and ending[2] in each.name_units:
            return each.name_units[ending[2]]
    return ""


def refuse_unreadable(where: str, names: Iterable[str]) -> None:
    """Refuse a product of a kind that cannot be read.

    Args:
        where: Name of the product's file or folder.
        names: Names of the files inside it.

    Raises:
        SourceError: If it is of such a kind; says how to make it readable.
    """
    names = list(names)
    for kind in (each.unreadable for each in MISSIONS.values()):
        if kind and (kind.name.match(where) or any(kind.content.search(name) for name in names)):
            raise SourceError(f"{where} {kind.message}")


def display_range(band: Band) -> Range | None:
    """Physical values to show as black and white; None where the band's unit is unknown."""
    quantity = QUANTITIES.get(band.unit)
    if quantity is None:
        return None
    facts = band_facts(band.name)
    return facts.display.get(band.unit, quantity.display) if facts else quantity.display


def credit(names: Iterable[object], year: int | None) -> str:
    """Credit line of a scene, empty for one that needs none.

    Args:
        names: Its platform, constellation, collection and id, as far as they are known.
        year: Year of acquisition; None where it is unknown.
    """
    for name in map(str, names):
        mission = next((each for each in MISSIONS.values() if each.is_credited(name)), None)
        if mission or copernicus.ANY_SENTINEL in name.lower():
            line = mission.credit if mission else copernicus.CREDIT
            return line if year is None else f"{line} {year}"
    return ""


__all__ = [
    "DECIBEL", "MISSIONS", "QUANTITIES", "RECIPES", "REFLECTANCE", "BandFacts", "ClassLayer", "Grade",
    "Mission", "Offset", "Quantity", "Range", "Recipe", "Scale", "ancillary_file", "ancillary_name",
    "band_facts", "band_name", "band_order", "band_title", "class_layer", "credit", "described_band",
    "display_range", "mission_in", "mission_of_bands", "native_gsd", "nodata_in", "platform_in",
    "refuse_unreadable", "sees_ground", "unit_in",
]  # fmt: skip
