"""Ready-made ways to look at a scene, as far as its bands allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from comeo.errors import ParameterError
from comeo.scene import Band

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Style:
    """How to turn bands into a picture.

    Attributes:
        name: What the parameter `style` calls it.
        title: For people.
        description: What it shows, in a sentence.
        expression: On physical values (reflectance, dB); a plain list of bands is one, too.
        rescale: (min, max) of each result.
        colormap: Of a single result; none is grey.
        unit: Of a single result.
    """

    name: str
    title: str
    description: str
    expression: str
    rescale: tuple[Range, ...]
    colormap: str | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class _Recipe:
    """A style for scenes that have all bands of one of its variants, the first that fits being taken."""

    name: str
    title: str
    description: str
    variants: tuple[str, ...]
    rescale: tuple[Range, ...]
    unit: str
    colormap: str | None = None


_REFLECTANCE_RANGE: Range = (0.0, 0.3)
_NEAR_INFRARED_RANGE: Range = (0.0, 0.45)
_NEAR_INFRARED = frozenset({"B06", "B07", "B08", "B8A", "B09"})
_DECIBEL_RANGES: dict[str, Range] = {
    "VV": (-22.0, 0.0),
    "HH": (-22.0, 0.0),
    "VH": (-28.0, -6.0),
    "HV": (-28.0, -6.0),
}
ERROR = "error"
ERROR_COLORMAP = "ylorrd"
_ERROR_RANGES: dict[str, Range] = {"reflectance": (0.0, 0.03), "dB": (0.0, 3.0)}

_OPTICAL = (
    _Recipe(
        "true-color", "True colour", "What the eye would see: red, green and blue light.",
        ("B04;B03;B02",), (_REFLECTANCE_RANGE,) * 3, "reflectance",
    ),
    _Recipe(
        "false-color", "False colour", "Near infrared, red and green: vegetation appears red, water dark.",
        ("B08;B04;B03", "B8A;B04;B03"),
        (_NEAR_INFRARED_RANGE, _REFLECTANCE_RANGE, _REFLECTANCE_RANGE), "reflectance",
    ),
    _Recipe(
        "short-wave-infrared", "Short-wave infrared",
        "Short-wave and near infrared and red: burnt and bare ground, moisture, clouds against snow.",
        ("B12;B8A;B04", "B12;B08;B04", "B11;B08;B04"),
        (_NEAR_INFRARED_RANGE, _NEAR_INFRARED_RANGE, _REFLECTANCE_RANGE), "reflectance",
    ),
    _Recipe(
        "ndvi", "Vegetation (NDVI)", "Near infrared against red: how green and dense vegetation is.",
        ("(B08-B04)/(B08+B04)", "(B8A-B04)/(B8A+B04)"), ((-0.2, 0.9),),
        "reflectance", "rdylgn",
    ),
    _Recipe(
        "moisture", "Moisture (NDMI)", "Near against short-wave infrared: water in leaves, and dryness.",
        ("(B8A-B11)/(B8A+B11)", "(B08-B11)/(B08+B11)"), ((-0.6, 0.6),),
        "reflectance", "rdylbu",
    ),
    _Recipe(
        "ndwi", "Open water (NDWI)", "Green against near infrared: open water stands out.",
        ("(B03-B08)/(B03+B08)", "(B03-B8A)/(B03+B8A)"), ((-0.6, 0.6),),
        "reflectance", "brbg",
    ),
    _Recipe(
        "burn", "Burn ratio (NBR)", "Near against short-wave infrared: burnt ground is low.",
        ("(B8A-B12)/(B8A+B12)", "(B08-B12)/(B08+B12)"), ((-0.5, 0.8),),
        "reflectance", "rdylgn",
    ),
)  # fmt: skip
_RADAR = (
    _Recipe(
        "radar", "Radar composite", "VV, VH and their ratio: rough or built-up is bright, calm water dark.",
        ("VV;VH;VV-VH",),
        (_DECIBEL_RANGES["VV"], _DECIBEL_RANGES["VH"], (2.0, 16.0)), "dB",
    ),
)  # fmt: skip


def styles_for(bands: Sequence[Band]) -> Mapping[str, Style]:
    """Styles that a scene's bands can give, the one to show first at the front."""
    return _styles_for(tuple(bands))


@lru_cache(maxsize=256)
def _styles_for(bands: tuple[Band, ...]) -> Mapping[str, Style]:
    units = {band.name: band.unit for band in bands}
    found: dict[str, Style] = {}
    for recipe in (*_OPTICAL, *_RADAR):
        variant = next((text for text in recipe.variants if _fits(text, units, recipe.unit)), None)
        if variant:
            unit = "" if len(recipe.rescale) == 1 else recipe.unit
            found[recipe.name] = Style(
                recipe.name, recipe.title, recipe.description, variant, recipe.rescale, recipe.colormap, unit
            )
    for band in bands:
        shown = display_range(band)
        if shown:
            found[band.name.lower()] = _single_band(band, shown)
    return MappingProxyType(found)


def error_style(bands: Sequence[Band]) -> Style | None:
    """Style of the bands' expected error, on one range for all scenes; None where the unit is not known."""
    unit = bands[0].unit if bands else ""
    if unit not in _ERROR_RANGES:
        return None
    description = f"Expected error by block, in {unit}, from the archive's own quality certificate."
    return Style(ERROR, "Expected error", description, "", (_ERROR_RANGES[unit],), ERROR_COLORMAP, unit)


def find_style(name: str, bands: Sequence[Band]) -> Style:
    """Return a style by its name.

    Raises:
        ParameterError: If there is none, or the scene's bands can't give it.
    """
    styles = styles_for(bands)
    if name in styles:
        return styles[name]
    errors = error_style(bands) if name == ERROR else None
    if errors:
        return errors
    offered = ", ".join(styles) or "none"
    recipe = next((recipe for recipe in (*_OPTICAL, *_RADAR) if recipe.name == name), None)
    if recipe:
        raise ParameterError(
            f"the style {name} needs {' or '.join(recipe.variants)} in {recipe.unit}, which these bands "
            f"({', '.join(band.name for band in bands)}) can't give; there are {offered}"
        )
    raise ParameterError(f"there is no style {name}; there are {offered}")


def display_range(band: Band) -> Range | None:
    """Physical values to show as black and white, or None where the unit doesn't tell."""
    if band.unit == "reflectance":
        return _NEAR_INFRARED_RANGE if band.name in _NEAR_INFRARED else _REFLECTANCE_RANGE
    if band.unit == "dB":
        return _DECIBEL_RANGES.get(band.name, (-25.0, 0.0))
    return None


def _single_band(band: Band, shown: Range) -> Style:
    title = f"Band {band.name}" + (f" ({band.common_name})" if band.common_name else "")
    description = f"{band.unit} from {shown[0]:g} (black) to {shown[1]:g} (white)."
    return Style(band.name.lower(), title, description, band.name, (shown,), None, band.unit)


def _fits(expression: str, units: dict[str, str], unit: str) -> bool:
    names = "".join(letter if letter.isalnum() else " " for letter in expression).split()
    return all(units.get(name) == unit for name in names)
