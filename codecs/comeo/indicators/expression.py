"""Formulas over the bands of a scene: of users, several between `;`, and of documents."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from comeo.errors import BoundError, ParameterError
from comeo.indicators.formula import FormulaError, cost, evaluate, halo, names, parse_formula, short
from comeo.indicators.parsing import TooManyTermsError
from comeo.indicators.tree import Call, Name, Node, Number, Place, walk

Values = NDArray[np.float32]
STRIP = 1 << 16
"""Pixels that are computed at once, so that a formula of hundreds of parts needs no more memory."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of an image that are computed at once.

    Attributes:
        read: With their neighbours, which windows reach into.
        inner: Those that are wanted, among the ones that are read.
        out: The same, in the image.
    """

    read: slice
    inner: slice
    out: slice


def strips(shape: tuple[int, ...], reach: int) -> Iterator[Strip]:
    """The rows of an image, in strips that each depend on `reach` rows above and below at most.

    Args:
        shape: Of the image; rows come first.
        reach: Likewise as `Expression.reach`.
    """
    rows, row = shape[0], math.prod(shape[1:])
    step = max(1, STRIP // max(row, 1), 4 * reach)  # neighbours are half as many again at most
    for first in range(0, rows, step):
        last, above = min(first + step, rows), min(first, reach)
        read = slice(first - above, min(last + reach, rows))
        yield Strip(read, slice(above, above + last - first), slice(first, last))


@dataclass(frozen=True, slots=True)
class Expression:
    """What is computed of bands.

    Attributes:
        text: As written, without spaces around its parts.
        parts: One formula a result, of names of bands.
        bands: Names that it uses, in order of appearance.
        terms: Passes over all pixels.
        halo: Native pixels around each that its results depend on.
        valid: Where it is false, there are no results.
        range: Results beyond it are none.
        floor: Standard uncertainty of the results beside that of the bands' coding.
    """

    text: str
    parts: tuple[Node, ...]
    bands: tuple[str, ...]
    terms: int
    halo: int = 0
    valid: Node | None = None
    range: tuple[float, float] | None = None
    floor: float = 0.0

    @property
    def names(self) -> list[str]:
        """Name of each result: its own text."""
        return self.text.split(";")

    @property
    def whole_bands(self) -> list[str | None]:
        """Of each result the band that it is, unchanged, or None."""
        return [part.name if isinstance(part, Name) else None for part in self.parts]

    def reach(self, pixel: float) -> int:
        """The halo in pixels that are so many native ones wide."""
        return max(halo(tree, pixel) for tree in (*self.parts, *([] if self.valid is None else [self.valid])))

    def evaluate(self, bands: Mapping[str, Values], pixel: float = 1.0) -> Values:
        """Compute the results.

        Args:
            bands: (y, x) of every band in `self.bands`; NaN where invalid.
            pixel: Native pixels that one of these is wide, by which windows shrink.

        Returns:
            (results, y, x), float32; NaN where a result is not finite, not valid or beyond the range.
        """
        shape = np.shape(next(iter(bands.values())))
        out = np.empty((len(self.parts), *shape), np.float32)
        for strip in strips(shape, self.reach(pixel)):
            read = {name: each[strip.read] for name, each in bands.items() if name in self.bands}
            out[:, strip.out] = self._computed(read, pixel)[:, strip.inner]
        return out

    def _computed(self, bands: Mapping[str, Values], pixel: float) -> Values:
        """The results of a strip."""
        shape = np.shape(next(iter(bands.values())))
        out = np.empty((len(self.parts), *shape), np.float32)
        for row, part in enumerate(self.parts):
            out[row] = evaluate(part, bands, shape, pixel)
        if self.valid is not None:
            valid = evaluate(self.valid, bands, shape, pixel)
            out[:, np.isnan(valid) | (valid == 0)] = np.nan
        if self.range is not None:
            low, high = map(np.float32, self.range)
            out[(out < low) | (out > high)] = np.nan
        return out


@lru_cache(maxsize=256)
def parse(text: str, max_length: int, max_nodes: int, max_results: int) -> Expression:
    """Parse and check an expression.

    Raises:
        BoundError: If it is too long or too costly.
        ParameterError: If it is not valid.
    """
    if len(text) > max_length:
        raise BoundError(
            f"the expression has {len(text)} characters, more than {max_length}", "max_expression_length"
        )
    texts = [part.strip() for part in text.split(";") if part.strip()]
    if not texts:
        raise ParameterError("the expression is empty")
    if len(texts) > max_results:
        raise BoundError(f"the expression has {len(texts)} results, more than {max_results}", "max_bands")
    parts = tuple(_parse_part(part, text) for part in texts)
    nodes = sum(1 for part in parts for _ in walk(part))
    if nodes > max_nodes:
        raise BoundError(f"the expression has {nodes} terms, more than {max_nodes}", "max_expression_nodes")
    return expression_of(parts, ";".join(texts))


def expression_of(
    parts: Sequence[Node],
    text: str,
    valid: Node | None = None,
    limits: tuple[float, float] | None = None,
    floor: float = 0.0,
) -> Expression:
    """An expression of trees: see the attributes of `Expression`.

    Raises:
        ParameterError: If it names no band.
    """
    trees = [*parts, valid] if valid is not None else list(parts)
    bands = tuple(dict.fromkeys(name for tree in trees for name in names(tree)))
    if not bands:
        raise ParameterError(f"the expression {short(text)} names no band")
    reach = max(map(halo, trees))
    return Expression(text, tuple(parts), bands, sum(map(cost, trees)), reach, valid, limits, floor)


def mean_power(band: str, radius: int) -> Expression:
    """A band in decibels as that of the mean power of the windows around its pixels."""
    power = Call("focal_mean", (Call("lin", (Name(band),)), Number(float(radius))))
    return expression_of((Call("db", (power,)),), band)


def _parse_part(part: str, text: str) -> Node:
    """One result; errors are placed in the whole text."""
    try:
        return parse_formula(part)
    except TooManyTermsError as error:
        raise BoundError(
            f"the expression {short(text)} is too long: {error}", "max_expression_nodes"
        ) from error
    except FormulaError as error:
        place = Place(text.find(part) + error.offset, error.length)
        source = text[place.offset : place.offset + place.length]
        message = f"the expression {short(text)} cannot be read: {error}"
        if source and source not in str(error):
            message += f" (at {short(source)})"
        raise FormulaError(message, place) from error
