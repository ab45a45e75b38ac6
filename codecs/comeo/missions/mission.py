"""The description of a mission, as readers, styles, reports and credits need it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from comeo.missions.quantity import Range

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_BASELINE: Final = re.compile(r"N?(\d{1,2})\.(\d{1,2})|N?(\d{2})(\d{2})", re.IGNORECASE)
BASELINE: Final = re.compile(r"\d{2}\.\d{2}")
LAST_BASELINE: Final = 90.0
"""Baselines above it, as 99.99, are those of private processing: they say nothing of the numbers."""


def baseline_in_words(text: object) -> str:
    """A processing baseline as it is written here, `05.11`; empty for what is none.

    Args:
        text: In any spelling: `05.11`, `5.11`, `N0511`, `0511`. The number 5.1 is the baseline 05.10.
    """
    match = _BASELINE.fullmatch(str(text).strip())
    if match is None:
        return ""
    major, minor = (match.group(1), match.group(2).ljust(2, "0")) if match.group(1) else match.group(3, 4)
    return f"{major:0>2}.{minor}"


@dataclass(frozen=True, slots=True)
class BandFacts:
    """One band of an instrument.

    Attributes:
        name: The sensor's own name: `B04`, `VV`.
        title: For people: `near infrared`.
        gsd: Native pixel size in metres; 0 where products come on grids of any size.
        common_name: STAC `eo:common_name`, or empty.
        center_wavelength: In micrometres, or None.
        unit: Quantity of scaled numbers when their source states none; empty where there are several.
        display: (black, white) to show it in, by unit.
        sees_ground: False for a band that the atmosphere absorbs.
    """

    name: str
    title: str
    gsd: int = 0
    common_name: str = ""
    center_wavelength: float | None = None
    unit: str = ""
    display: Mapping[str, Range] = field(default_factory=dict)
    sees_ground: bool = True


@dataclass(frozen=True, slots=True)
class Offset:
    """A radiometric offset that products carry from a processing baseline on.

    Attributes:
        baseline: The first processing baseline that has it, as `04.00`.
        since: When that baseline came into operation.
        value: Added to number × scale, in the physical unit.
    """

    baseline: str
    since: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Line:
    """Products of a processor other than the mission's own.

    Attributes:
        title: Of the processor or its products.
        mark: Pattern in names of products, collections and files.
        nodata: Number that marks pixels without data, or None.
    """

    title: str
    mark: re.Pattern[str]
    nodata: int | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of a mission's integers when a source states none.

    Attributes:
        scale: Physical value = number × scale + offset.
        unit: Quantity of the physical value.
        offsets: Offsets by processing baseline, the oldest first.
        lines: Processors whose numbers carry no offset, whatever baseline they were made from.
        nodata: Number that marks pixels without data in the mission's own products.
        unscaled: (least, greatest) number that scaled values can be: `unscaled` numbers are physical already.
        integers: (least, greatest) number that can stand for a physical value by `scale`.
    """

    scale: float
    unit: str
    offsets: tuple[Offset, ...] = ()
    lines: tuple[Line, ...] = ()
    nodata: int = 0
    unscaled: Range = (0.0, 0.0)
    integers: Range = (0.0, 0.0)

    def offset_at(self, time: datetime) -> float:
        """The offset of products that were processed when they were acquired."""
        return next((offset.value for offset in reversed(self.offsets) if time >= offset.since), 0.0)

    def offset_of(self, baseline: str) -> float | None:
        """The offset of products of a processing baseline, as `05.11`; None where the text is none."""
        plain = baseline_in_words(baseline)
        if not plain or float(plain) > LAST_BASELINE:
            return None
        return next((each.value for each in reversed(self.offsets) if plain >= each.baseline), 0.0)

    def line_of(self, names: Iterable[str]) -> Line | None:
        """The other processor whose mark one of the names of a product has."""
        names = list(names)
        return next((line for line in self.lines if any(line.mark.search(name) for name in names)), None)


@dataclass(frozen=True, slots=True)
class ClassLayer:
    """A layer of classes that products carry beside their bands.

    Attributes:
        name: As in product names: `SCL`.
        file: Pattern of its file's name; group 1 is the pixel size in metres, if stated.
        unusable: Classes that say nothing about the ground.
        shares: Classes by the STAC property that states their share of the valid pixels, in percent.
        clear: Of each of its classes, by number, the one of `comeo.missions.clear` that it is.
    """

    name: str
    file: re.Pattern[str]
    unusable: tuple[int, ...]
    shares: Mapping[str, tuple[int, ...]]
    clear: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Products that are recognised only to be refused with advice.

    Attributes:
        name: Pattern at the start of the product's name.
        content: Pattern of a name inside the product.
        message: Follows the product's name.
        unless: Pattern in names of products, and of files in them, that can be read after all, or None.
    """

    name: re.Pattern[str]
    content: re.Pattern[str]
    message: str
    unless: re.Pattern[str] | None = None

    def is_of_kind(self, where: str, names: Iterable[str]) -> bool:
        """Whether a product of that name, with files of those names, is of this kind."""
        names = list(names)
        if self.unless and any(self.unless.search(name) for name in (where, *names)):
            return False
        return bool(self.name.match(where)) or any(self.content.search(name) for name in names)


@dataclass(frozen=True, slots=True)
class Mission:
    """A mission and its instrument.

    Attributes:
        id: STAC `constellation`: `sentinel-2`.
        title: `Sentinel-2`.
        name_mark: Pattern of its mark in product and file names.
        spelling: Pattern of it where a product states its platform or constellation; group 1 is the letter
            of the platform, if that is stated.
        prefixes: Of STAC properties that only its products have.
        platform_mark: Pattern of a platform's mark there; group 1 is the platform's letter.
        credit_marks: Beginnings, in capitals, of names of platforms, collections and Items to be credited.
        credit: Credit line, before the year.
        band_name: Reads a band's own name off a description, key or file name; None for any other text.
        bands: By name, in the instrument's order.
        properties: STAC Item properties of all its scenes.
        bands_property: STAC Item property that lists the names of a scene's bands, or empty.
        collections: STAC Collection id by processing level; `id` for any other.
        own_name: Reads a band's own name off texts that mean this mission alone, whatever else is known.
        name_beside: Reads a band's name off a description that means it beside all others (in lower case).
        shares_names: Whether descriptions (in lower case) name bands of other missions as well.
        own_bands: Pattern of band names that belong to no other mission, or None.
        name_level: Pattern of the processing level in names, in group 1, or None.
        name_properties: STAC Item properties that a product or file name gives.
        name_units: Unit by the end of a file's or a band's name, `_` before it.
        scale: Of integers when the source states none, or None.
        zero_is_nodata: Pattern of names of files whose zeros are pixels without data, or None.
        classes: The layer of classes, or None.
        unreadable: Products that cannot be read, or None.
        default_model: Model of the `learned` codec that was trained on its scenes, or empty.
    """

    id: str
    title: str
    name_mark: re.Pattern[str]
    spelling: re.Pattern[str]
    platform_mark: re.Pattern[str]
    credit_marks: tuple[str, ...]
    credit: str
    band_name: Callable[[str], str | None]
    bands: Mapping[str, BandFacts]
    properties: Mapping[str, Any]
    bands_property: str = ""
    collections: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    own_name: Callable[[str], str | None] = lambda _text: None
    name_beside: Callable[[str, Set[str]], str | None] = lambda _text, _beside: None
    shares_names: Callable[[Set[str]], bool] = lambda _texts: False
    own_bands: re.Pattern[str] | None = None
    name_level: re.Pattern[str] | None = None
    name_properties: Callable[[str], dict[str, Any]] = lambda _name: {}
    name_units: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    scale: Scale | None = None
    prefixes: tuple[str, ...] = ()
    zero_is_nodata: re.Pattern[str] | None = None
    classes: ClassLayer | None = None
    unreadable: Unreadable | None = None
    default_model: str = ""

    def collection_of(self, level: str) -> str:
        """STAC Collection id of products of a processing level, which may be empty."""
        return self.collections.get(level, self.id)

    def has_bands(self, names: Iterable[str]) -> bool:
        """Whether names can only be of this mission's bands: all in the form of its own are of them."""
        names = list(names)
        if self.own_bands is None or self.shares_names({name.lower() for name in names}):
            return False
        own = [name for name in names if self.own_bands.fullmatch(name)]
        return bool(own) and all(name in self.bands for name in own)

    def is_credited(self, name: str) -> bool:
        """Whether a platform, collection or Item of that name is the mission's."""
        return self.id in name.lower() or name.upper().startswith(self.credit_marks)


def band_table(*bands: BandFacts) -> Mapping[str, BandFacts]:
    """Bands by name, in the order given."""
    return MappingProxyType({band.name: band for band in bands})
