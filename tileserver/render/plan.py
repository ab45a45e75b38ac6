"""From the pixels that a user requests to the plan by which they are read, computed and shown."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from color_operations import parse_operations  # type: ignore[import-untyped]
from rio_tiler.colormap import cmap
from rio_tiler.errors import InvalidColorMapName

from comeo.decibel import Reduction
from comeo.errors import BoundError, ParameterError
from comeo.indicators.expression import mean_power
from comeo.missions import DECIBEL, MapClass
from comeo.missions.clear import ClearMask
from comeo.scene import Band
from comeo.view.plan import PixelPlan, PixelRequest, PlanLimits, find_bands, plan_pixels
from tileserver.render.documents import fingerprint_of
from tileserver.render.styles import (
    CHANGE,
    CHANGE_STYLE,
    CLEAR,
    ERROR,
    ERROR_COLORMAP,
    Range,
    Style,
    display_range,
    error_style,
    error_unit,
    find_style,
    styles_for,
)
from tileserver.settings import Settings

Selection = Literal["first", "clear", "mean", "median", "lowest", "highest"]
"""Which pixels of many scenes an image is made of: see `tileserver.render.composite`."""
MAX_FORMULA_LENGTH = 200
MAX_OPERATIONS = 8  # each takes as long as all the rest of a tile
_LEAST, _MOST = 1e-3, 1e3
_CHANGE_RADIUS = 2  # of the windows over which radar is averaged before scenes are compared
_NUMBERS: Range = (0.0, 254.0)
"""What shows each whole number from 0 in a colour of its own."""
# Every corner of the colour cube, its middle, and some colours in between: (3, colours, 1).
_COLOURS = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * 3)).reshape(3, -1, 1)


@dataclass(frozen=True, slots=True)
class RenderRequest(PixelRequest):
    """Pixels that a user requests, and how to show them, by TiTiler's names.

    Attributes:
        style: Name of a ready-made style, instead of bands and expression.
        rescale: (min, max) of each band or result; a single one holds for all.
        colormap_name: One of rio-tiler's, for a single band or result.
        color_formula: Of color-operations, for three bands or results.
        return_mask: Whether an image gets an alpha channel, an array its mask.
        against: Id of the scene of the same collection that this one is compared with.
        significant: Whether a difference is shown only where it exceeds the joint expected error.
        any_orbit: Whether the two may be seen from different relative orbits.
        stretched: Whether bands are shown in the range of the scene's own percentiles.
        selection: Which pixels an image of many scenes is made of.
        document: Fingerprint of the indicator that the style names, so that what is kept of the request's
            answers is that of this document.
    """

    style: str | None = None
    rescale: tuple[Range, ...] | None = None
    colormap_name: str | None = None
    color_formula: str | None = None
    return_mask: bool = True
    against: str | None = None
    significant: bool = True
    any_orbit: bool = False
    stretched: bool = False
    selection: Selection = "first"
    document: str = field(default="", init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "document", fingerprint_of(self.style))


@dataclass(frozen=True, slots=True)
class RenderPlan(PixelPlan):
    """Pixels that will be read and computed, and how they are shown, for the bands of one scene.

    Attributes:
        rescale: (min, max) of each result, or None to leave the values unchanged; empty for a picture of
            classes, which have a colour each.
        colormap: For a single result.
        color_formula: For three.
        return_mask: Whether an image gets an alpha channel, an array its mask.
        marks: Of a picture of decisions: what the numbers of its single result stand for.
        difference: Whether the result is compared with that of another scene: see `render.difference`.
        significant: Whether the expected error of the difference is told, too; in a picture by hatching what
            lies within it.
        stretched: Whether `rescale` is still to become that of the scene: `tileserver.render.stretch`.
    """

    rescale: tuple[Range, ...] | None = None
    colormap: str | None = None
    color_formula: str | None = None
    return_mask: bool = True
    marks: tuple[MapClass, ...] = ()
    difference: bool = False
    significant: bool = False
    stretched: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether values are shown as colours."""
        return self.rescale is not None

    @property
    def is_hatched(self) -> bool:
        """Whether what may be chance is hatched."""
        return self.difference and self.significant and self.is_picture

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each result."""
        names = super(RenderPlan, self).names
        if not self.difference:
            return names
        return (f"difference of {names[0]}", *(("expected error of the difference",) * self.significant))

    @property
    def reduction(self) -> Reduction:
        """What means of the results are means of."""
        return Reduction((None,) * self.results) if self.difference else super(RenderPlan, self).reduction


def resolve(
    request: RenderRequest,
    bands: Sequence[Band],
    settings: Settings,
    *,
    picture: bool,
    compares: bool = False,
) -> RenderPlan:
    """Decide what to read, compute and show for a scene with these bands.

    Args:
        request: Pixels that the user requests.
        bands: All bands of the scene.
        settings: For its bounds.
        picture: Whether the format is a picture (PNG, WebP, JPEG); otherwise values are returned unchanged
            unless `rescale` is given.
        compares: Whether the caller shows single scenes: it can compare two, as the style of change does, and
            stretch a picture to the scene's own percentiles.

    Raises:
        NotFoundError: If the scene lacks a band.
        ParameterError: If parameters contradict each other, or the scene does not have the style.
        BoundError: If a bound of the settings is exceeded.
    """
    _check_scenes(request, may_stretch=compares and picture)
    if request.style == ERROR:
        return _error_plan(request, bands, settings, picture=picture)
    if request.style == CLEAR:
        return _class_plan(request, bands, picture=picture)
    if request.style == CHANGE:
        return _change_plan(request, bands, picture=picture, compares=compares)
    given = [name for name in ("bands", "expression", "style") if getattr(request, name) is not None]
    if len(given) > 1:
        raise ParameterError(f"give one of bands, expression and style, not {' and '.join(given)}")
    expression, indicator = request.expression, None
    rescale, colormap, mask = request.rescale, request.colormap_name, request.mask
    marks = tuple[MapClass, ...]()
    if request.style or (picture and not given):
        style = find_style(request.style, bands) if request.style else _default_style(bands)
        _check_scale(request, style, picture=picture)
        expression, indicator = style.expression, style.indicator.expression if style.indicator else None
        mask = _both_masks(mask, style)
        if picture and style.marks and style.indicator and not (rescale or colormap):
            indicator, rescale, marks = style.indicator.classed(), (_NUMBERS,), style.marks
        elif picture:
            rescale, colormap = rescale or _shown_range(style), colormap or style.colormap
    resampling = request.resampling or ("bilinear" if picture else None)
    limits = PlanLimits(settings.max_bands, settings.max_expression_length, settings.max_expression_nodes)
    wanted = PixelRequest(request.bands, expression, request.unscale, resampling, mask)
    plan = plan_pixels(wanted, bands, limits, indicator)
    if request.style and plan.results == 1:
        plan = replace(plan, label=request.style)
    if picture and rescale is None:
        if plan.expression:
            raise ParameterError("the range of an expression is unknown; give rescale=min,max")
        rescale = tuple(_stored_range(band, plan.physical) for band in plan.sources)
    shown = _shown(plan, request, rescale, colormap, picture=picture)
    return replace(shown, marks=marks, stretched=request.stretched and not marks)


def _check_scenes(request: RenderRequest, *, may_stretch: bool) -> None:
    """Refuse what only answers of one scene can do.

    Raises:
        ParameterError: Saying where it belongs.
    """
    if request.against is not None and request.style != CHANGE:
        raise ParameterError(
            "against= is for tiles, previews, points, pictures and GeoTIFFs of one scene, which it compares "
            "with another"
        )
    if request.stretched and not may_stretch:
        raise ParameterError(
            "rescale=auto is for tiles, previews and pictures of parts of one scene; give rescale=min,max "
            "here: info lists the ranges of each style"
        )


def _check_scale(request: RenderRequest, style: Style, *, picture: bool) -> None:
    """Refuse stored numbers where a style says what physical values mean.

    Raises:
        ParameterError: Saying what to leave out.
    """
    computed = style.indicator is not None and None in style.indicator.expression.whole_bands
    if request.unscale is False and (computed or (picture and request.rescale is None)):
        raise ParameterError(
            f"the style {style.name} is of physical values, and unscale=false asks for stored numbers; leave "
            "unscale out, or name bands"
        )


def _both_masks(mask: ClearMask | None, style: Style) -> ClearMask | None:
    """What a request's mask and that of the style's indicator both keep.

    Raises:
        ParameterError: If that is nothing.
    """
    own = style.indicator.mask if style.indicator else None
    if mask is None or own is None:
        return mask or own
    both = tuple(number for number in own.numbers if number in mask.numbers)
    if not both:
        raise ParameterError(
            f"the style {style.name} is of {', '.join(own.names)} alone, and mask={','.join(mask.names)} "
            "keeps none of them; leave mask out"
        )
    return replace(own, numbers=both)


def _shown_range(style: Style) -> tuple[Range, ...]:
    """Ranges to show a style in.

    Raises:
        ParameterError: If it has none.
    """
    if not style.rescale:
        raise ParameterError(
            f"the style {style.name} does not say in what range it is shown; give rescale=min,max"
        )
    return style.rescale


def _error_plan(
    request: RenderRequest, bands: Sequence[Band], settings: Settings, *, picture: bool
) -> RenderPlan:
    """Expected errors of the bands that are named, otherwise of all that share the unit of errors."""
    if request.expression:
        raise ParameterError(f"style={ERROR} shows the error of bands, not of an expression; give bands")
    names = request.bands or tuple(band.name for band in bands if band.unit == error_unit(bands))
    sources = find_bands(names, bands, settings.max_bands)
    if len({band.unit for band in sources}) > 1:
        raise ParameterError(f"style={ERROR} needs bands of one unit")
    rescale, colormap = request.rescale, request.colormap_name
    if picture:
        style = None if rescale else error_style(sources)
        rescale, colormap = rescale or (style.rescale if style else None), colormap or ERROR_COLORMAP
        if rescale is None:
            raise ParameterError(f"the unit of {names[0]} is unknown; give rescale=min,max")
    plan = PixelPlan(sources, physical=True, error=True, mask=request.mask)
    return _shown(plan, request, rescale, colormap, picture=picture)


def _class_plan(request: RenderRequest, bands: Sequence[Band], *, picture: bool) -> RenderPlan:
    """Classes of the scene's pixels, on the grid of its finest bands."""
    others = ("bands", "expression", "rescale", "colormap_name", "color_formula")
    if given := next((name for name in others if getattr(request, name) is not None), None):
        raise ParameterError(f"style={CLEAR} shows classes in colours of their own; leave out {given}")
    return RenderPlan(
        tuple(bands[:1]), mask=request.mask, classes=True, rescale=() if picture else None,
        return_mask=request.return_mask,
    )  # fmt: skip


def _change_plan(
    request: RenderRequest, bands: Sequence[Band], *, picture: bool, compares: bool
) -> RenderPlan:
    """The band in dB that two scenes are compared in: the one that is named, else the first."""
    if not compares:
        raise ParameterError(
            f"style={CHANGE} compares two scenes: request tiles, previews or pictures of parts of one of "
            "them, with against= naming the other"
        )
    if request.expression:
        raise ParameterError(f"style={CHANGE} compares a band, not an expression; give bands=VV")
    radar = [band for band in bands if band.unit == DECIBEL]
    names = request.bands or tuple(band.name for band in radar[:1])
    if len(names) != 1 or names[0] not in {band.name for band in radar}:
        known = ", ".join(band.name for band in radar) or "none of these"
        raise ParameterError(f"style={CHANGE} compares one band in dB: {known}")
    rescale, colormap = request.rescale, request.colormap_name
    if picture:
        rescale, colormap = rescale or CHANGE_STYLE.rescale, colormap or CHANGE_STYLE.colormap
    resampling = request.resampling or ("bilinear" if picture else "nearest")
    plan = PixelPlan(
        find_bands(names, radar, 1), mean_power(names[0], _CHANGE_RADIUS), physical=True,
        resampling=resampling, label=names[0], mask=request.mask,
    )  # fmt: skip
    return _shown(plan, request, rescale, colormap, picture=picture)


def _shown(
    plan: PixelPlan, request: RenderRequest, rescale: tuple[Range, ...] | None, colormap: str | None, *,
    picture: bool,
) -> RenderPlan:  # fmt: skip
    """Add colours to a plan, checked against its number of results."""
    ranges = _spread(rescale, plan.results)
    _check_colours(plan.results, colormap, request.color_formula, picture=picture or ranges is not None)
    return RenderPlan(
        plan.sources, plan.expression, plan.physical, plan.resampling, plan.error, plan.label, plan.mask,
        plan.classes, ranges, colormap, request.color_formula, request.return_mask,
    )  # fmt: skip


@lru_cache(maxsize=256)
def palette(name: str) -> Any:
    """(256, 4) uint8 colours of one of rio-tiler's colour maps.

    Raises:
        ParameterError: If the name is unknown, or the colour map is for classes rather than a range.
    """
    try:
        colors = cmap.get(name)
    except InvalidColorMapName as error:
        raise ParameterError(f"the colour map {name} is unknown") from error
    if not isinstance(colors, dict) or set(colors) != set(range(256)):
        raise ParameterError(f"the colour map {name} is for classes, not for a range of values")
    return np.array([colors[index] for index in range(256)], np.uint8)


@lru_cache(maxsize=256)
def formula(text: str) -> tuple[Any, ...]:
    """Operations of a colour formula.

    Raises:
        ParameterError: If it is not valid.
    """
    try:
        operations = tuple(parse_operations(text))
        _check_numbers(text)
        sample = _COLOURS
        for operation in operations:
            sample = operation(sample)
    except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError, OverflowError) as error:
        raise ParameterError(
            f"the colour formula {text!r} is not valid ({error}); "
            "an example is 'gamma RGB 1.2 saturation 1.1'"
        ) from error
    if len(operations) > MAX_OPERATIONS:
        raise BoundError(
            f"the colour formula has {len(operations)} operations, more than {MAX_OPERATIONS}",
            "color_formula",
        )
    if not np.isfinite(sample).all():
        raise ParameterError(f"the colour formula {text!r} makes colours that are not numbers")
    return operations


def _check_numbers(text: str) -> None:
    """Refuse numbers for which color-operations leaves the real numbers, or none of its colours is left.

    Raises:
        ValueError: Saying which numbers there may be.
    """
    for token in text.replace(",", "").split():
        with contextlib.suppress(ValueError):
            size = abs(float(token))
            if size != 0 and not _LEAST <= size <= _MOST:  # NaN is out of bounds, too
                break
    else:
        return
    raise ValueError(f"its numbers are 0 or lie between {_LEAST:g} and {_MOST:g}")


def _default_style(bands: Sequence[Band]) -> Any:
    styles = styles_for(bands)
    if not styles:
        raise ParameterError("these bands have no known unit, so no style fits; give bands and rescale")
    return next(iter(styles.values()))


def _stored_range(band: Band, physical: bool) -> Range:
    """Range to show a band in, as physical values or stored numbers."""
    shown = display_range(band)
    if shown is None:
        raise ParameterError(f"the unit of {band.name} is unknown; give rescale=min,max")
    if physical:
        return shown
    return (shown[0] - band.offset) / band.scale, (shown[1] - band.offset) / band.scale


def _spread(rescale: tuple[Range, ...] | None, results: int) -> tuple[Range, ...] | None:
    if rescale is None or len(rescale) == results:
        return rescale
    if len(rescale) == 1:
        return rescale * results
    raise ParameterError(f"rescale has {len(rescale)} ranges for {results} bands; give one, or one for each")


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
        raise ParameterError(
            f"a picture has one band or three, not {results}; request tif or npy for any number"
        )
