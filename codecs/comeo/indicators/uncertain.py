"""How errors of bands become errors of results: the delta method along the tree of a formula.

The variance of f(b₁, b₂, …) is Σᵢⱼ (∂f/∂bᵢ) σᵢ ρᵢⱼ σⱼ (∂f/∂bⱼ): JCGM 100:2008 (GUM), equation 16. A share is
one (∂f/∂bᵢ)·σᵢ. Where a formula goes in steps, as comparisons do, its derivative is 0; of what nothing but
decisions make, no error is known.

Filters over windows are linear filters of errors that are correlated from pixel to pixel by `LAGS` along rows
and columns, as it was measured on decoded Sentinel-2 scenes. A share is kept apart by the kernel that has
passed over it, so that what a formula makes of a pixel and of the mean around it counts together as it
should. Medians of errors are taken to spread √(π/2) times as far as means, extremes as far as single pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.indicators import windows
from comeo.indicators.expression import Expression, strips
from comeo.indicators.formula import FUNCTIONS, Function, names, radius_of, radius_on, shared
from comeo.indicators.tree import Name, Node, Number

Values = NDArray[np.float32]
LAGS: Final = (1.0, 0.56, 0.13)
"""Correlation of errors at a distance of so many pixels."""
Kernel = tuple[float, ...]
Source = tuple[str, Kernel]
Shares = dict[Source, Any]
_PIXEL: Final[Kernel] = (1.0,)
_MEDIAN: Final = math.sqrt(math.pi / 2)


class _Part(NamedTuple):
    """Value of a part of a formula, and what each band's error contributes to its own, if any does."""

    value: Any
    shares: Shares


def propagate(
    expression: Expression,
    values: Mapping[str, NDArray[Any]],
    errors: Values,
    correlated: NDArray[np.float32],
    pixel: float = 1.0,
    *,
    of_means: bool = False,
) -> Values:
    """Expected errors of an expression's results, to first order.

    Args:
        expression: The function.
        values: (y, x) of each of its bands.
        errors: (bands, y, x) expected errors of `expression.bands`, in the same unit.
        correlated: (bands, bands) correlation of the errors.
        pixel: Native pixels that one of these is wide, as for `Expression.evaluate`.
        of_means: Whether values and errors are those of means over areas, which windows do not make more
            certain.

    Returns:
        (results, y, x); NaN where a result or an error is unknown.
    """
    out = np.empty((len(expression.parts), *errors.shape[1:]), np.float32)
    for strip in strips(errors.shape[1:], expression.reach(pixel)):
        read = {name: values[name][strip.read] for name in expression.bands}
        found = _of_strip(expression, read, errors[:, strip.read], correlated, pixel, of_means=of_means)
        out[:, strip.out] = found[:, strip.inner]
    return out


def _of_strip(
    expression: Expression, values: Mapping[str, NDArray[Any]], errors: Values,
    correlated: NDArray[np.float32], pixel: float, *, of_means: bool,
) -> Values:  # fmt: skip
    """See `propagate`."""
    shape = errors.shape[1:]
    known = dict(zip(expression.bands, errors, strict=True))
    places = {name: place for place, name in enumerate(expression.bands)}
    out = np.empty((len(expression.parts), *shape), np.float32)
    with np.errstate(all="ignore"):  # a result that overflows is unknown
        for row, part in enumerate(expression.parts):
            if not names(part):
                out[row] = 0
                continue
            found = _Propagation(part, values, known, shape, pixel, of_means=of_means).of(part)
            variance = _variance(found.shares, correlated, places, shape) + expression.floor**2
            out[row] = np.sqrt(np.maximum(variance, 0))
        results = expression.evaluate(values, pixel)
    out[np.isnan(results) | ~np.isfinite(out)] = np.nan
    return out


class _Propagation:
    """One walk over a tree; what stands in several places is computed once."""

    def __init__(
        self, whole: Node, values: Mapping[str, Any], errors: Mapping[str, Any], shape: tuple[int, ...],
        pixel: float, *, of_means: bool,
    ) -> None:  # fmt: skip
        self._values, self._errors, self._shape, self._pixel = values, errors, shape, pixel
        self._of_means = of_means
        self._shared = shared(whole)
        self._known: dict[int, _Part] = {}

    def of(self, node: Node) -> _Part:
        match node:
            case Number(value=value):
                return _Part(np.float32(value), {})
            case Name(name=name):
                return _Part(self._values[name], {(name, _PIXEL): self._errors[name]})
        if id(node) in self._known:
            return self._known[id(node)]
        function = FUNCTIONS[node.function]
        found = (
            self._spatial(function, node.arguments)
            if function.spatial
            else self._plain(function, node.arguments)
        )
        if id(node) in self._shared:
            self._known[id(node)] = found
        return found

    def _plain(self, function: Function, arguments: tuple[Node, ...]) -> _Part:
        parts = [self.of(each) for each in arguments]
        values = [each.value for each in parts]
        result = np.asarray(function.compute(*values), np.float32)
        shares: Shares = {}
        if function.partials is not None and any(each.shares for each in parts):
            for slope, part in zip(function.partials(*values, result), parts, strict=True):
                for source, share in part.shares.items():
                    # What does not count, as the branch not taken, does not matter even if unknown.
                    added = np.where(np.equal(slope, 0), np.float32(0), np.multiply(slope, share))
                    shares[source] = shares[source] + added if source in shares else added
        return _Part(result, shares)

    def _spatial(self, function: Function, arguments: tuple[Node, ...]) -> _Part:
        inner = self.of(arguments[0])
        native = radius_of(arguments[1])
        radius = radius_on(native, self._pixel)
        image = np.broadcast_to(np.asarray(inner.value, np.float32), self._shape)
        result = function.compute(image, radius)
        if self._of_means:
            unknown = {source: np.full(self._shape, np.nan) for source in inner.shares}
            return _Part(result, unknown if function.name == "focal_std" else inner.shares)
        if function.name == "lee":
            own = windows.lee_gain(*windows.statistics(image, radius))
            smooth = _filtered(self._images(inner.shares), native, radius)
            return _Part(result, {**_times(inner.shares, own), **_times(smooth, 1 - own)})
        if function.name in ("focal_min", "focal_max"):
            return _Part(result, {s: _around(each, radius) for s, each in self._images(inner.shares).items()})
        shares = _filtered(self._images(inner.shares), native, radius)
        return _Part(result, _times(shares, _MEDIAN) if function.name == "focal_median" else shares)

    def _images(self, shares: Shares) -> Shares:
        return {s: np.broadcast_to(np.asarray(each, np.float32), self._shape) for s, each in shares.items()}


def _times(shares: Shares, factor: Any) -> Shares:
    return {source: share * factor for source, share in shares.items()}


def _filtered(shares: Shares, native: int, radius: int) -> Shares:
    """Shares that a mean over a window leaves, by the kernels that they have passed then."""
    out: Shares = {}
    for (band, kernel), share in shares.items():
        wider = _widened(kernel, native)
        left = _around(share, radius) * np.float32(_spread(wider, wider) / _spread(kernel, kernel))
        out[band, wider] = out[band, wider] + left if (band, wider) in out else left
    return out


def _around(share: Values, radius: int) -> Values:
    """Root mean square of shares around each pixel, with the sign of their mean."""
    return np.copysign(np.sqrt(windows.mean(share * share, radius)), windows.mean(share, radius))


@lru_cache(maxsize=256)
def _widened(kernel: Kernel, radius: int) -> Kernel:
    """A kernel along an axis after a mean over a window has passed as well."""
    side = 2 * radius + 1
    return tuple(np.convolve(kernel, np.full(side, 1 / side)).tolist())


@lru_cache(maxsize=1024)
def _spread(one: Kernel, other: Kernel) -> float:
    """Covariance, along an axis, of errors of variance 1 that two kernels have passed over."""
    total = 0.0
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            lag = abs((i - len(one) // 2) - (j - len(other) // 2))
            total += a * b * (LAGS[lag] if lag < len(LAGS) else 0.0)
    return total


def _variance(
    shares: Shares, correlated: NDArray[np.float32], places: Mapping[str, int], shape: tuple[int, ...]
) -> Any:
    if not shares:
        return np.full(shape, np.nan, np.float32)
    total: Any = np.zeros(shape, np.float32)
    sources = list(shares)
    for index, (band, kernel) in enumerate(sources):
        for other, wider in sources[: index + 1]:
            alike = _spread(kernel, wider) ** 2 / (_spread(kernel, kernel) * _spread(wider, wider))
            factor = float(correlated[places[band], places[other]]) * alike
            twice = 1 if (band, kernel) == (other, wider) else 2
            if factor:
                total = total + twice * factor * shares[band, kernel] * shares[other, wider]
    return total
