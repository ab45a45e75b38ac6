"""Named styles: the recipes of missions and single bands, as far as a scene's bands allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from comeo.errors import ParameterError
from comeo.missions import DECIBEL, QUANTITIES, RECIPES, MapClass, Range, display_range
from comeo.missions.clear import CLASSES
from comeo.scene import Band
from comeo.view.recipes import fit, parse_variant


@dataclass(frozen=True, slots=True)
class Style:
    """Expression, range and colours that turn bands into a picture.

    Attributes:
        name: Value of the parameter `style`.
        title: For people.
        description: One sentence.
        expression: On physical values (reflectance, dB); a plain list of bands is one, too. Empty where
            the style shows something else than bands.
        rescale: (min, max) of each result; empty for classes.
        colormap: Of a single result; None is grey.
        unit: Of a single result.
        classes: Shown in a colour each, instead of a range of values.
        window: Native pixels to a side of the means that it is computed from.
        marks: What the numbers of a map of decisions stand for; shown like classes.
    """

    name: str
    title: str
    description: str
    expression: str
    rescale: tuple[Range, ...]
    colormap: str | None = None
    unit: str = ""
    classes: tuple[MapClass, ...] = ()
    window: int = 1
    marks: tuple[MapClass, ...] = ()

    @property
    def shown(self) -> tuple[MapClass, ...]:
        """What has a colour of its own; empty for a range of values."""
        return self.classes or self.marks


ERROR = "error"
ERROR_COLORMAP = "ylorrd"
CLEAR_STYLE = Style(
    "clear", "Clear pixels", "What each pixel shows: clear land, water, snow, shadow or cloud, at 60 m.", "",
    (), classes=CLASSES,
)  # fmt: skip
CLEAR = CLEAR_STYLE.name
CHANGE_STYLE = Style(
    "change", "Change", "Backscatter of this scene less that of the one that against= names, of means of "
    "power over 5×5 pixels: what has become brighter is red, what has become darker blue.", "",
    ((-6.0, 6.0),), "rdbu_r", DECIBEL, window=5,
)  # fmt: skip
CHANGE = CHANGE_STYLE.name


def styles_for(bands: Sequence[Band]) -> Mapping[str, Style]:
    """Styles for which a scene has all bands, the one to show first at the front."""
    return _styles_for(tuple(bands))


@lru_cache(maxsize=256)
def _styles_for(bands: tuple[Band, ...]) -> Mapping[str, Style]:
    singles = {
        band.name.lower(): (band, _single_band(band, shown))
        for band in bands
        if (shown := display_range(band))
    }
    # Radar is read in grey, from the co-polarised band; a composite comes after it.
    found = {name: style for name, (band, style) in singles.items() if band.unit == DECIBEL}
    for recipe in RECIPES.values():
        expression = fit(recipe, bands)
        if expression:
            unit = recipe.result_unit if len(recipe.ranges) <= 1 else recipe.unit
            found[recipe.name] = Style(
                recipe.name, recipe.title, recipe.description, expression.text, recipe.ranges,
                recipe.colormap, unit, window=recipe.window, marks=recipe.marks,
            )  # fmt: skip
    return MappingProxyType({**found, **{name: style for name, (_, style) in singles.items()}})


def error_unit(bands: Sequence[Band]) -> str:
    """Unit that errors are shown in if no band is named: the first known one, whatever angles precede it."""
    return next((band.unit for band in bands if band.unit in QUANTITIES), bands[0].unit if bands else "")


def error_style(bands: Sequence[Band]) -> Style | None:
    """Style of the bands' expected error, on one range for all scenes; None where the unit is unknown."""
    quantity = QUANTITIES.get(error_unit(bands))
    if quantity is None:
        return None
    unit = quantity.unit
    description = f"Expected error by block, in {unit}, from the archive's own quality certificate."
    return Style(ERROR, "Expected error", description, "", (quantity.error_range,), ERROR_COLORMAP, unit)


def find_style(name: str, bands: Sequence[Band]) -> Style:
    """Return a style by its name.

    Raises:
        ParameterError: If the style is unknown, or needs bands that the scene lacks.
    """
    styles = styles_for(bands)
    if name in styles:
        return styles[name]
    if name == CLEAR:
        return CLEAR_STYLE
    if name == CHANGE and any(band.unit == DECIBEL for band in bands):
        return CHANGE_STYLE
    errors = error_style(bands) if name == ERROR else None
    if errors:
        return errors
    offered = ", ".join(styles) or "none"
    recipe = RECIPES.get(name)
    if recipe:
        needed = " or ".join(" and ".join(parse_variant(variant).bands) for variant in recipe.variants)
        raise ParameterError(
            f"the style {name} needs {needed} in {recipe.unit}, and the bands here are "
            f"{', '.join(band.name for band in bands)}; choose one of the styles {offered}"
        )
    raise ParameterError(f"the style {name} is unknown; choose one of {offered}")


def _single_band(band: Band, shown: Range) -> Style:
    title = f"Band {band.name}" + (f" ({band.common_name})" if band.common_name else "")
    description = f"{band.unit or 'Values'} from {shown[0]:g} (black) to {shown[1]:g} (white)."
    return Style(band.name.lower(), title, description, band.name, (shown,), None, band.unit)


__all__ = [
    "CHANGE",
    "CHANGE_STYLE",
    "CLEAR",
    "CLEAR_STYLE",
    "ERROR",
    "ERROR_COLORMAP",
    "Range",
    "Style",
    "display_range",
    "error_style",
    "error_unit",
    "find_style",
    "styles_for",
]
