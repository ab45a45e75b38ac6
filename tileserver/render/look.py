"""From what a user asks for to what will be read, computed and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from color_operations import parse_operations  # type: ignore[import-untyped]
from rio_tiler.colormap import cmap
from rio_tiler.errors import InvalidColorMapName

from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.scene import Band
from comeo.view.expression import Expression, parse
from comeo.view.warp import ResamplingName
from tileserver.render.styles import (
    ERROR,
    ERROR_COLORMAP,
    Range,
    display_range,
    error_style,
    find_style,
    styles_for,
)
from tileserver.settings import Settings

MAX_FORMULA_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a user asks for, by TiTiler's names.

    Attributes:
        bands: To be shown or returned.
        expression: Band arithmetic instead.
        style: Ready-made, instead of both.
        rescale: (min, max) of each band or result; one for all, if one.
        colormap_name: One of rio-tiler's, for a single band or result.
        color_formula: Of color-operations, for three.
        unscale: Physical values (True) or stored numbers (False). Bands are given as stored unless asked for
            otherwise, expressions and styles are computed on physical values.
        resampling: None takes what suits: bilinear for pictures, nearest for data.
        return_mask: Whether an image gets an alpha channel, an array its mask.
    """

    bands: tuple[str, ...] | None = None
    expression: str | None = None
    style: str | None = None
    rescale: tuple[Range, ...] | None = None
    colormap_name: str | None = None
    color_formula: str | None = None
    unscale: bool | None = None
    resampling: ResamplingName | None = None
    return_mask: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """What will be done, for the bands of one scene.

    Attributes:
        bands: To be read.
        expression: To be computed from them, or None to take them as they are.
        physical: Whether scale and offset are applied first.
        rescale: (min, max) of each result, or None to leave the values alone.
        colormap: For a single result.
        color_formula: For three.
        resampling: How.
        return_mask: Whether an image gets an alpha channel.
        error: Whether to show the bands' expected error instead of their values.
    """

    bands: tuple[str, ...]
    expression: Expression | None
    physical: bool
    rescale: tuple[Range, ...] | None
    colormap: str | None
    color_formula: str | None
    resampling: ResamplingName
    return_mask: bool
    error: bool = False

    @property
    def results(self) -> int:
        """How many bands come out."""
        if self.error:
            return 1
        return len(self.expression.parts) if self.expression else len(self.bands)

    @property
    def is_picture(self) -> bool:
        """Whether values are made into colours."""
        return self.rescale is not None


def resolve(wanted: Appearance, bands: Sequence[Band], settings: Settings, *, picture: bool) -> Look:
    """Decide what to do for a scene with these bands.

    Args:
        wanted: What the user asks for.
        bands: Of the scene.
        settings: For its bounds.
        picture: Whether the format is for looking at (PNG, WebP, JPEG); else values are returned as they are
            unless `rescale` is given.

    Raises:
        NotFoundError: If the scene lacks a band.
        ParameterError: If parameters contradict each other or a style can't be had.
        BoundError: If too much is asked for.
    """
    if wanted.style == ERROR:
        return _error_look(wanted, bands, settings, picture=picture)
    given = [name for name in ("bands", "expression", "style") if getattr(wanted, name)]
    if len(given) > 1:
        raise ParameterError(f"give one of bands, expression and style, not {' and '.join(given)}")
    by_name = {band.name: band for band in bands}
    colormap = wanted.colormap_name
    rescale = wanted.rescale
    if wanted.bands or not (given or picture):
        names, expression = wanted.bands or tuple(by_name), None
        _check_count(names, settings.max_bands)
        physical = bool(wanted.unscale)
    else:
        if wanted.expression:
            text = wanted.expression
        else:
            style = find_style(wanted.style, bands) if wanted.style else _default_style(bands)
            text = style.expression
            if picture:
                rescale, colormap = rescale or style.rescale, colormap or style.colormap
        expression = parse(
            text, settings.max_expression_length, settings.max_expression_nodes, settings.max_bands
        )
        names = expression.bands
        _check_count(names, settings.max_bands)
        physical = wanted.unscale is not False
    missing = [name for name in names if name not in by_name]
    if missing:
        raise NotFoundError(f"there is no band {', '.join(missing)}; there are {', '.join(by_name)}")
    results = len(expression.parts) if expression else len(names)
    if picture and rescale is None:
        if expression:
            raise ParameterError("the range of an expression is not known; give rescale=min,max")
        rescale = tuple(_stored_range(by_name[name], physical) for name in names)
    rescale = _spread(rescale, results)
    _check_colours(results, colormap, wanted.color_formula, picture=picture or rescale is not None)
    resampling = wanted.resampling or ("bilinear" if picture else "nearest")
    return Look(
        names, expression, physical, rescale, colormap, wanted.color_formula, resampling, wanted.return_mask
    )


def _error_look(wanted: Appearance, bands: Sequence[Band], settings: Settings, *, picture: bool) -> Look:
    """Expected errors of the bands that are named, else of all that share the first one's unit."""
    if wanted.expression:
        raise ParameterError(f"style={ERROR} shows the error of bands, not of an expression; give bands")
    by_name = {band.name: band for band in bands}
    names = wanted.bands or tuple(band.name for band in bands if band.unit == bands[0].unit)
    missing = [name for name in names if name not in by_name]
    if missing:
        raise NotFoundError(f"there is no band {', '.join(missing)}; there are {', '.join(by_name)}")
    _check_count(names, settings.max_bands)
    if len({by_name[name].unit for name in names}) > 1:
        raise ParameterError(f"style={ERROR} needs bands of one unit")
    rescale, colormap = _spread(wanted.rescale, 1), wanted.colormap_name
    if picture:
        style = None if rescale else error_style([by_name[name] for name in names])
        rescale, colormap = rescale or (style.rescale if style else None), colormap or ERROR_COLORMAP
    if picture and rescale is None:
        raise ParameterError(f"the unit of {names[0]} is not known; give rescale=min,max")
    _check_colours(1, colormap, wanted.color_formula, picture=rescale is not None)
    return Look(
        names, None, True, rescale, colormap, wanted.color_formula, "nearest", wanted.return_mask, error=True
    )


@lru_cache(maxsize=256)
def palette(name: str) -> Any:
    """(256, 4) uint8 colours of one of rio-tiler's colour maps.

    Raises:
        ParameterError: If there is none of that name, or it is for classes rather than a range.
    """
    try:
        colors = cmap.get(name)
    except InvalidColorMapName as error:
        raise ParameterError(f"there is no colour map {name}") from error
    if not isinstance(colors, dict) or set(colors) != set(range(256)):
        raise ParameterError(f"the colour map {name} is for classes, not for a range of values")
    return np.array([colors[index] for index in range(256)], np.uint8)


@lru_cache(maxsize=256)
def formula(text: str) -> tuple[Any, ...]:
    """Operations of a colour formula.

    Raises:
        ParameterError: If it isn't one.
    """
    try:
        operations = tuple(parse_operations(text))
        sample = np.full((3, 1, 1), 0.5)
        for operation in operations:
            sample = operation(sample)
    except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError, OverflowError) as error:
        raise ParameterError(
            f"the colour formula {text!r} can't be used ({error}); "
            "an example is 'gamma RGB 1.2 saturation 1.1'"
        ) from error
    return operations


def _default_style(bands: Sequence[Band]) -> Any:
    styles = styles_for(bands)
    if not styles:
        raise ParameterError("these bands have no known unit, so no style; give bands and rescale")
    return next(iter(styles.values()))


def _stored_range(band: Band, physical: bool) -> Range:
    """Range to show a band in, as physical values or stored numbers."""
    shown = display_range(band)
    if shown is None:
        raise ParameterError(f"the unit of {band.name} is not known; give rescale=min,max")
    if physical:
        return shown
    return (shown[0] - band.offset) / band.scale, (shown[1] - band.offset) / band.scale


def _spread(rescale: tuple[Range, ...] | None, results: int) -> tuple[Range, ...] | None:
    if rescale is None or len(rescale) == results:
        return rescale
    if len(rescale) == 1:
        return rescale * results
    raise ParameterError(f"rescale has {len(rescale)} ranges for {results} bands; give one, or one for each")


def _check_count(names: Sequence[str], most: int) -> None:
    if len(names) > most:
        raise BoundError(f"{len(names)} bands are asked for, more than {most}", "max_bands")


def _check_colours(results: int, colormap: str | None, color_formula: str | None, *, picture: bool) -> None:
    if (colormap or color_formula) and not picture:
        raise ParameterError("colours need rescale=min,max, which makes values a picture")
    if colormap:
        palette(colormap)
        if results != 1:
            raise ParameterError(f"a colour map is for one band, not {results}")
    if color_formula:
        if len(color_formula) > MAX_FORMULA_LENGTH:
            raise BoundError(
                f"the colour formula has more than {MAX_FORMULA_LENGTH} characters", "color_formula"
            )
        formula(color_formula)
        if results != 3:
            raise ParameterError(f"a colour formula is for three bands, not {results}")
    if picture and results not in (1, 3):
        raise ParameterError(f"a picture has one band or three, not {results}; as tif or npy any number goes")
