"""From the pixels that a user requests to the bands that are read and what is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from comeo.decibel import DECIBEL, Reduction, reduction_of
from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.indicators.expression import Expression, parse
from comeo.indicators.levels import check_decibels
from comeo.missions.clear import ClearMask
from comeo.scene import Band
from comeo.view.resampling import ResamplingName

DEFAULT_RESAMPLING: ResamplingName = "nearest"


@dataclass(frozen=True, slots=True)
class PixelRequest:
    """Values that a user requests of a scene.

    Attributes:
        bands: Names, in the order of the result. None: all bands of the scene, unless an expression is given.
        expression: Band arithmetic instead of bands.
        unscale: Physical values (True) or stored numbers (False). None: bands as stored, expressions
            computed from physical values.
        resampling: None: the default, `nearest` for data.
        mask: Classes whose pixels alone count. None: all pixels.
    """

    bands: tuple[str, ...] | None = None
    expression: str | None = None
    unscale: bool | None = None
    resampling: ResamplingName | None = None
    mask: ClearMask | None = None


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """Bounds of a plan.

    Attributes:
        bands: Bands read, and results of an expression.
        expression_length: Characters of an expression.
        expression_nodes: Operators, names and numbers of an expression.
    """

    bands: int = 64
    expression_length: int = 1000
    expression_nodes: int = 200


@dataclass(frozen=True, slots=True)
class PixelPlan:
    """Pixels that will be read and computed, for the bands of one scene.

    Attributes:
        sources: Bands to read.
        expression: Computed from them; None takes them as they are.
        physical: Whether scale and offset are applied first.
        resampling: How pixels reach a grid other than their own.
        error: Whether the bands' expected error is wanted instead of their values.
        label: Name of the expression's single result, if it has one of its own.
        mask: Classes whose pixels alone count; others are as without data. None: all pixels.
        classes: Whether the classes of the scene's pixels are wanted instead of the bands' values.
    """

    sources: tuple[Band, ...]
    expression: Expression | None = None
    physical: bool = False
    resampling: ResamplingName = DEFAULT_RESAMPLING
    error: bool = False
    label: str | None = None
    mask: ClearMask | None = None
    classes: bool = False

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands to read."""
        return tuple(band.name for band in self.sources)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each result."""
        if self.classes:
            return ("class",)
        if self.error:
            return (f"expected error of {', '.join(self.bands)}",)
        if self.expression is None:
            return self.bands
        return (self.label,) if self.label else tuple(self.expression.names)

    @property
    def results(self) -> int:
        """Number of results."""
        return len(self.names)

    @property
    def reduction(self) -> Reduction:
        """What means of the results are means of: of power where they are a band in decibels."""
        if self.error or self.classes:
            return Reduction((None,) * self.results)
        by_name = {band.name: band for band in self.sources}
        shown = self.bands if self.expression is None else self.expression.whole_bands
        bands = [by_name[name] if name else Band("") for name in shown]
        if self.physical:
            bands = [replace(band, scale=1.0, offset=0.0) for band in bands]
        return reduction_of(bands)


def plan_pixels(
    request: PixelRequest,
    bands: Sequence[Band],
    limits: PlanLimits | None = None,
    indicator: Expression | None = None,
) -> PixelPlan:
    """Decide what to read and compute.

    Args:
        request: Values that the user requests.
        bands: All bands of the scene.
        limits: Bounds of the plan.
        indicator: Computed instead of what the request says, as an indicator has it.

    Raises:
        NotFoundError: If the scene lacks a band.
        ParameterError: If both bands and an expression are given, or the expression is not valid or takes
            decibels for power.
        BoundError: If a limit is exceeded.
    """
    limits = limits or PlanLimits()
    if request.bands is not None and request.expression is not None:
        raise ParameterError("give bands or an expression, not both")
    expression = indicator
    names = tuple(band.name for band in bands) if request.bands is None else request.bands
    if expression is None and request.expression is not None:
        expression = parse(
            request.expression, limits.expression_length, limits.expression_nodes, limits.bands
        )
    if expression is not None:
        names = expression.bands
    sources = find_bands(names, bands, limits.bands)
    if expression is not None:
        check_decibels(expression.parts, {band.name for band in sources if band.unit == DECIBEL})
    physical = bool(request.unscale) if expression is None else request.unscale is not False
    return PixelPlan(
        sources, expression, physical, request.resampling or DEFAULT_RESAMPLING, mask=request.mask
    )


def find_bands(names: Sequence[str], bands: Sequence[Band], most: int) -> tuple[Band, ...]:
    """Return the bands of these names, in their order.

    Raises:
        NotFoundError: If a name is unknown.
        ParameterError: If no name is given.
        BoundError: If there are more than `most`.
    """
    if not names:
        raise ParameterError("no band is named; give at least one")
    if len(names) > most:
        raise BoundError(f"{len(names)} bands are requested, more than {most}; request fewer", "max_bands")
    known = {band.name: band for band in bands}
    missing = [name for name in names if name not in known]
    if missing:
        raise NotFoundError(f"the scene has no band {', '.join(missing)}; it has {', '.join(known)}")
    return tuple(known[name] for name in names)
