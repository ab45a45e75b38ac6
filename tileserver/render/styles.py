"""Named styles: indicators and single bands, as far as a scene's bands allow."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

from rio_tiler.colormap import cmap

from comeo.errors import ParameterError
from comeo.indicators.catalogue import Catalogue
from comeo.indicators.compiled import Indicator, compile_for, map_classes
from comeo.indicators.document import Document, text_in
from comeo.missions import DECIBEL, QUANTITIES, MapClass, Range, display_range
from comeo.missions.clear import CLASSES
from comeo.scene import Band
from tileserver.render.documents import current, find_document


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
        marks: Classes of values, by their numbers from 0; shown like classes.
        fingerprint: Of the document, if it is an indicator's.
        indicator: For the scene's bands.
    """

    name: str
    title: str
    description: str
    expression: str
    rescale: tuple[Range, ...]
    colormap: str | None = None
    unit: str = ""
    classes: tuple[MapClass, ...] = ()
    marks: tuple[MapClass, ...] = ()
    fingerprint: str = ""
    indicator: Indicator | None = field(default=None, compare=False, repr=False)

    @property
    def document(self) -> Document | None:
        """The indicator's document."""
        return self.indicator.document if self.indicator else None

    @property
    def is_masked(self) -> bool:
        """Whether it is of some classes of pixels alone, which the archive has to tell."""
        return self.indicator is not None and self.indicator.mask is not None

    @property
    def window(self) -> int:
        """Native pixels to a side of what a value is computed from."""
        return 1 if self.indicator is None else 2 * self.indicator.expression.halo + 1

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
    ((-6.0, 6.0),), "rdbu_r", DECIBEL,
)  # fmt: skip
CHANGE = CHANGE_STYLE.name


def styles_for(bands: Sequence[Band], *, clear: bool = False) -> Mapping[str, Style]:
    """Styles for which a scene has all bands, the one to show first at the front.

    Args:
        bands: Of the scene.
        clear: Whether its archive says what its pixels show, as indicators with a mask need.
    """
    return _styles_for(tuple(bands), current(), clear)


@lru_cache(maxsize=256)
def _styles_for(bands: tuple[Band, ...], catalogue: Catalogue, clear: bool) -> Mapping[str, Style]:
    singles = {
        band.name.lower(): (band, _single_band(band, shown))
        for band in bands
        if (shown := display_range(band))
    }
    # Radar is read in grey, from the co-polarised band; a composite comes after it.
    found = {name: style for name, (band, style) in singles.items() if band.unit == DECIBEL}
    for document in catalogue.all():
        with contextlib.suppress(ParameterError):
            style = style_of(document.id, document, bands)
            if clear or not style.is_masked:
                found[style.name] = style
    return MappingProxyType({**found, **{name: style for name, (_, style) in singles.items()}})


def style_of(name: str, document: Document, bands: Sequence[Band]) -> Style:
    """An indicator as a style.

    Args:
        name: By which it is requested.
        document: The indicator.
        bands: Of the scene.

    Raises:
        ParameterError: If the bands do not give it.
    """
    indicator = compile_for(document, bands)
    description = document.description or document.title
    return Style(
        name, document.title_in("en"), text_in(description, "en"), indicator.expression.text,
        _ranges(indicator), indicator.colormap, document.value.unit, marks=map_classes(document),
        fingerprint=document.fingerprint, indicator=indicator,
    )  # fmt: skip


def document_style(document: Document) -> Style:
    """An indicator as a style of no scene, for its legend."""
    display, limits = document.display, document.value.range
    results = len(document.formulas)
    stated = display.rescale if display is not None and display.rescale is not None else limits or ()
    ranges = tuple(stated) if isinstance(stated, list) else (stated,) if stated else ()
    return Style(
        document.id, document.title_in("en"), "", ";".join(list(document.formula_texts.values())[:results]),
        () if document.classes else ranges * (results if len(ranges) == 1 else 1),
        display.colormap if display else None, document.value.unit, marks=map_classes(document),
        fingerprint=document.fingerprint,
    )  # fmt: skip


def in_language(style: Style, language: str) -> Style:
    """A style with the words of its document in a language, where it has them."""
    document = style.document
    if document is None:
        return style
    return replace(
        style, title=document.title_in(language), marks=map_classes(document, language),
        description=text_in(document.description or document.title, language),
    )  # fmt: skip


def _ranges(indicator: Indicator) -> tuple[Range, ...]:
    """Ranges to show: those that the document states, else the range of its values."""
    limits = indicator.document.value.range
    stated = indicator.rescale or (() if limits is None else (limits,) * len(indicator.expression.parts))
    return () if indicator.document.classes else stated


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
    offered = f"choose one of the styles {', '.join(styles) or 'none'}"
    document = find_document(name)
    if document is None:
        raise ParameterError(f"the style {name} is unknown; {offered}")
    try:
        return style_of(name, document, bands)
    except ParameterError as error:
        raise ParameterError(f"the style {error}; {offered}") from error


def _single_band(band: Band, shown: Range) -> Style:
    title = f"Band {band.name}" + (f" ({band.common_name})" if band.common_name else "")
    colormap = band.colormap if band.colormap in cmap.list() else None  # an archive may say anything
    what = f"{band.unit or 'Values'} from {shown[0]:g}"
    description = f"{what} to {shown[1]:g}." if colormap else f"{what} (black) to {shown[1]:g} (white)."
    return Style(band.name.lower(), title, description, band.name, (shown,), colormap, band.unit)


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
    "document_style",
    "error_style",
    "error_unit",
    "find_style",
    "in_language",
    "style_of",
    "styles_for",
]
