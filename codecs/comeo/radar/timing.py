"""From the time and distance at which a place is seen to its line and sample in a ground-range image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from comeo.errors import SourceError

LIGHT: Final = 299_792_458.0
# Lines by which a product's own grid may lie off its orbit, behind the fitted offset: products of IPF 2.36
# to 3.90 lie within 0.01. The offset itself is taken as it is (0.3 lines in IPF 2.36: its grid, or its
# orbit, is 3 m off, which nothing here can tell).
_MAX_RESIDUAL: Final = 0.1
_CHECKS: Final = 512
_RANGES: Final = (3e5, 3e6)  # metres from the satellite, 700 km high, to what it looks at
_NEWTON: Final = 8
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Conversion:
    """Ground range to slant range, as annotated for one azimuth time.

    Attributes:
        seconds: Azimuth time.
        origin: Ground range where the polynomial's argument is 0, in metres.
        coefficients: (degree + 1,) float64: slant range in metres by powers of ground range − origin.
    """

    seconds: float
    origin: float
    coefficients: Values

    def ground(self, slant_ranges: Values) -> Values:
        """(n,) slant ranges to ground ranges, both in metres.

        The polynomial is inverted: the annotated one of the other direction is up to 4 samples off
        (IPF 2.36).
        """
        slope = polynomial.polyder(self.coefficients)
        ground: Values = np.maximum(slant_ranges - self.coefficients[0], 0.0) / max(float(slope[0]), 0.1)
        for _ in range(_NEWTON):
            misfit = polynomial.polyval(ground, self.coefficients) - slant_ranges
            ground = ground - misfit / polynomial.polyval(ground, slope)
        return ground + self.origin


@dataclass(frozen=True, slots=True)
class Timing:
    """How an image lies in time and range. Lines and samples count from the centre of the first.

    Attributes:
        interval: Seconds between lines.
        offset: (a, b, slant range in metres where b adds nothing): line · interval = seconds − a − b · τ, τ
            being two-way seconds beyond that range. Images are focussed with one delay for a whole line,
            so that b is near ½: a fifth of a line at the sides.
        spacing: Metres of ground range between samples.
        records: In order of time; that which is nearest holds, without blending, as the image was made.
        span: (least, greatest) ground range that records are asked for, in metres.
    """

    interval: float
    offset: tuple[float, float, float]
    spacing: float
    records: tuple[Conversion, ...]
    span: tuple[float, float]

    def line(self, seconds: Values, slant_ranges: Values) -> Values:
        """Lines (n,) of azimuth times (n,) and slant ranges (n,) in metres."""
        start, share, middle = self.offset
        return (seconds - start - share * 2 / LIGHT * (slant_ranges - middle)) / self.interval

    def pixel(self, seconds: Values, slant_ranges: Values) -> Values:
        """Samples (n,) of azimuth times (n,) and slant ranges (n,) in metres."""
        samples = np.empty(len(seconds))
        which = self.nearest(seconds)
        for index in np.unique(which):
            here = which == index
            samples[here] = self.records[index].ground(slant_ranges[here]) / self.spacing
        return samples

    def nearest(self, seconds: Values) -> NDArray[np.int64]:
        """Index (n,) of the record that holds at each azimuth time (n,)."""
        times = np.array([record.seconds for record in self.records])
        return np.searchsorted((times[1:] + times[:-1]) / 2, seconds).astype(np.int64)


def fit_timing(
    interval: float,
    spacing: float,
    records: tuple[Conversion, ...],
    samples: int,
    grid: tuple[Values, Values, Values],
    where: str,
) -> Timing:
    """Find a product's own offset of time on its geolocation grid.

    Args:
        interval: Seconds between lines.
        spacing: Metres between samples.
        records: Ground to slant range, in order of time.
        samples: Samples a line.
        grid: Lines (n,) of the grid's points, and seconds (n,) and slant ranges (n,) in metres by the orbit.
        where: Name of the product in messages.

    Raises:
        SourceError: If the grid contradicts the orbit, or ranges do not rise along a line.
    """
    lines, seconds, slant_ranges = grid
    middle = float(slant_ranges.min() + slant_ranges.max()) / 2
    terms = np.stack([np.ones(len(lines)), 2 / LIGHT * (slant_ranges - middle)], 1)
    late = seconds - lines * interval
    (start, share), *_ = np.linalg.lstsq(terms, late, rcond=None)
    residual = float(np.abs(terms @ (start, share) - late).max()) / interval
    if residual > _MAX_RESIDUAL:
        raise SourceError(
            f"{where} has a geolocation grid that lies {residual:.1f} lines off its orbit; download it again"
        )
    span = (-0.05 * samples * spacing, 1.05 * samples * spacing)
    for record in records:
        ground = np.linspace(*span, _CHECKS) - record.origin
        with np.errstate(over="ignore", invalid="ignore"):
            ranges = polynomial.polyval(ground, record.coefficients)
            slopes = polynomial.polyval(ground, polynomial.polyder(record.coefficients))
        if not ((slopes > 0) & (ranges > _RANGES[0]) & (ranges < _RANGES[1])).all():
            raise SourceError(f"{where} has ranges that do not rise along a line; download it again")
    return Timing(interval, (float(start), float(share), middle), spacing, records, span)
