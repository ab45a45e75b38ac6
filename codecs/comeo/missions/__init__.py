"""Knowledge of sensors, in one place: recognition, bands, quantities, ranges, indices, grades, credits.

A mission is one module with one `Mission` in it, listed in `MISSIONS`. Readers, styles, `qualify` and the
viewer (by the server's documents) take from here all that differs between sensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from comeo.decibel import DECIBEL
from comeo.errors import SourceError
from comeo.missions import copernicus
from comeo.missions.layers import ancillary_file, ancillary_name
from comeo.missions.map_class import MapClass
from comeo.missions.mission import (
    BandFacts,
    ClassLayer,
    Line,
    Mission,
    Offset,
    Scale,
    baseline_in_words,
)
from comeo.missions.other import Other
from comeo.missions.quantity import (
    POWER,
    QUANTITIES,
    REFLECTANCE,
    Grade,
    Quantity,
    Range,
    stated_unit,
    unit_in_words,
)
from comeo.missions.recognise import (
    MISSIONS,
    mission_in,
    mission_of,
    mission_stated_by,
    other_mission_in,
    platform_in,
    platform_of,
)
from comeo.missions.sentinel1 import SENTINEL1, calibrated_name
from comeo.scene import Band


def mission_of_bands(names: Iterable[str]) -> Mission | None:
    """The only mission that bands of these names can be of."""
    names = list(names)
    return next((each for each in MISSIONS.values() if each.has_bands(names)), None)


def band_name(text: str) -> str | None:
    """The own name of the band that a description, key or word of a file name is for, or None."""
    return next((name for each in MISSIONS.values() if (name := each.band_name(text))), None)


def described_band(text: str, mission: str) -> str:
    """The own name of a band that a source describes in words of its own, or else the description itself.

    Words that any sensor's bands have, as `red`, are only read for a mission that is known.

    Args:
        text: The description.
        mission: Id of the mission; empty where it is unknown.
    """
    known = MISSIONS.get(mission)
    if known:
        return known.band_name(text) or text
    return next((name for each in MISSIONS.values() if (name := each.own_name(text))), text)


def shared_names(texts: Iterable[str]) -> bool:
    """Whether descriptions name bands of a mission by names that bands of others have as well."""
    beside = {text.strip().lower() for text in texts}
    return any(each.shares_names(beside) for each in MISSIONS.values())


def described_bands(texts: Sequence[str], mission: str) -> list[str]:
    """The own names of all bands that a file describes; a description means more beside the others.

    Args:
        texts: The descriptions.
        mission: Id of the mission; empty where it is unknown.
    """
    beside = frozenset(text.strip().lower() for text in texts)
    known = MISSIONS.get(mission)
    if known is None and shared_names(texts):
        return list(texts)
    told = [known.name_beside(text, beside) if known else None for text in texts]
    return [name or described_band(text, mission) for name, text in zip(told, texts, strict=True)]


def band_facts(name: str, mission: str = "") -> BandFacts | None:
    """Facts of the band of that name, or None if the mission has no such band.

    Args:
        name: The sensor's own name.
        mission: Id of the mission; where it is empty, any mission's band of that name is meant.
    """
    if mission:
        known = MISSIONS.get(mission)
        return known.bands.get(name) if known else None
    return next((each.bands[name] for each in MISSIONS.values() if name in each.bands), None)


def band_title(band: Band) -> str:
    """Words for a band: `near infrared`; its common name where no mission describes it; may be empty."""
    facts = band_facts(band.name, band.mission)
    return facts.title if facts and facts.title else band.common_name


def native_gsd(name: str) -> int:
    """Native pixel size of a band in metres; 0 if it is unknown or differs by product."""
    facts = band_facts(name)
    return facts.gsd if facts else 0


def sees_ground(band: Band) -> bool:
    """Whether a band sees the ground; one that no mission has is taken to."""
    facts = band_facts(band.name, band.mission)
    return facts.sees_ground if facts else True


def band_order(name: str) -> float:
    """Key that sorts bands by wavelength; those without one stay in their order, last."""
    facts = band_facts(name)
    return facts.center_wavelength if facts and facts.center_wavelength else float("inf")


def mission_id(properties: Mapping[str, object]) -> str:
    """Id of the mission that a STAC Item's properties state, another one's title, or empty."""
    found = mission_stated_by(properties)
    return found.id if isinstance(found, Mission) else found.title if found else ""


def of_mission(band: Band, mission: str) -> Band:
    """A band of an Item that states a mission: its facts are that mission's, or unknown.

    Args:
        band: As described.
        mission: As `mission_id` returned it.
    """
    known = MISSIONS.get(mission)
    return band if known and band.name not in known.bands else replace(band, mission=mission)


def class_layer(name: str) -> ClassLayer | None:
    """The layer of classes of that name."""
    layers = (each.classes for each in MISSIONS.values())
    return next((layer for layer in layers if layer and layer.name == name), None)


def nodata_in(stem: str) -> int | None:
    """Number that marks pixels without data in a file of this name, if the name's form says so."""
    known = any(each.zero_is_nodata and each.zero_is_nodata.search(stem) for each in MISSIONS.values())
    return 0 if known else None


def unit_in(name: str, band: str) -> str:
    """Unit of a band that the end of its own or its file's name states; empty if it states none."""
    ending = name.lower().replace("-", "_").rpartition("_")
    for each in MISSIONS.values():
        if ending[1] and band.upper() in each.bands and ending[2] in each.name_units:
            return each.name_units[ending[2]]
    return ""


def calibrated(text: str) -> bool:
    """Whether a band's description says that it is calibrated radar backscatter."""
    return calibrated_name(text) is not None


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
        if kind and kind.is_of_kind(where, names):
            raise SourceError(f"{where} {kind.message}")


def display_range(band: Band) -> Range | None:
    """Physical values to show as black and white; None where neither its unit nor its values are known."""
    quantity = QUANTITIES.get(band.unit)
    if quantity is None:
        return band.display
    facts = band_facts(band.name, band.mission)
    return facts.display.get(band.unit, quantity.display) if facts else quantity.display


def peak(band: Band) -> float | None:
    """Number that PSNR takes as its peak: reflectance 1.0 as stored; None where the unit has no peak."""
    quantity = QUANTITIES.get(band.unit)
    return quantity.peak / abs(band.scale) if quantity and quantity.peak and band.scale else None


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
    "DECIBEL",
    "MISSIONS",
    "POWER",
    "QUANTITIES",
    "REFLECTANCE",
    "SENTINEL1",
    "BandFacts",
    "ClassLayer",
    "Grade",
    "Line",
    "MapClass",
    "Mission",
    "Offset",
    "Other",
    "Quantity",
    "Range",
    "Scale",
    "ancillary_file",
    "ancillary_name",
    "band_facts",
    "band_name",
    "band_order",
    "band_title",
    "baseline_in_words",
    "calibrated",
    "class_layer",
    "credit",
    "described_band",
    "described_bands",
    "display_range",
    "mission_id",
    "mission_in",
    "mission_of",
    "mission_of_bands",
    "mission_stated_by",
    "native_gsd",
    "nodata_in",
    "of_mission",
    "other_mission_in",
    "peak",
    "platform_in",
    "platform_of",
    "refuse_unreadable",
    "sees_ground",
    "shared_names",
    "stated_unit",
    "unit_in",
    "unit_in_words",
]  # fmt: skip
