"""A GRD image's annotation: orbit, timing and geolocation, as the product states them.

The names are those of the Sentinel-1 Product Specification (S1-RS-MDA-52-7441).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.radar.geodesy import to_ecef
from comeo.radar.orbit import Orbit, fit_orbit, zero_doppler
from comeo.radar.timing import LIGHT, Conversion, Timing, fit_timing
from comeo.sources.raster import parse_finite
from comeo.sources.xmltree import XmlTree, child_floats, child_text

POLARISATIONS: Final = ("VV", "VH", "HH", "HV")
_MAX_VECTORS: Final = 200
_MAX_POINTS: Final = 2_000
_MAX_SIDE: Final = 100_000
_MAX_DEGREE: Final = 16
_RANGE_OFF: Final = 10.0  # metres by which grid and orbit may differ; they do by 0.4 mm
_LAST_LINE: Final = 0.1  # lines by which the stated time of the last line may be off
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GridPoints:
    """The geolocation grid, n points.

    Attributes:
        lines: (n,) float64.
        pixels: (n,) float64.
        seconds: (n,) float64 azimuth times since the first line.
        slant_ranges: (n,) float64 metres.
        latitudes: (n,) float64 degrees.
        longitudes: (n,) float64 degrees.
        heights: (n,) float64 metres over WGS 84.
    """

    lines: Values
    pixels: Values
    seconds: Values
    slant_ranges: Values
    latitudes: Values
    longitudes: Values
    heights: Values


@dataclass(frozen=True, slots=True)
class Annotation:
    """What the XML beside one image says of it. Seconds count from its first line.

    Attributes:
        platform: `S1A`.
        mode: `IW`, `EW` or a stripmap beam, `S1` to `S6`.
        polarisation: `VV`.
        start: Time of the first line, UTC.
        lines: Rows of the image.
        samples: Columns of the image.
        interval: Seconds between lines.
        range_spacing: Metres between samples.
        azimuth_spacing: Metres between lines, as annotated.
        ascending: Whether the satellite flies northward.
        absolute_orbit: Number of the orbit.
        denoised: Whether thermal noise has been removed already.
        orbit_seconds: (n,) float64 of the state vectors.
        orbit_positions: (n, 3) float64 metres, Earth-fixed.
        conversions: Ground to slant range, in order of time.
        grid: The geolocation grid.
        where: Name of the file, for messages.
    """

    platform: str
    mode: str
    polarisation: str
    start: np.datetime64
    lines: int
    samples: int
    interval: float
    range_spacing: float
    azimuth_spacing: float
    ascending: bool
    absolute_orbit: int
    denoised: bool
    orbit_seconds: Values
    orbit_positions: Values
    conversions: tuple[Conversion, ...]
    grid: GridPoints
    where: str

    def orbit(self) -> Orbit:
        """The satellite's way."""
        return fit_orbit(self.orbit_seconds, self.orbit_positions, self.where)

    def timing(self, orbit: Orbit) -> Timing:
        """How the image lies in time and range, with the offset that its own grid has from the orbit.

        Args:
            orbit: The product's own, which the grid was made by.

        Raises:
            SourceError: If the grid's points are not seen from the orbit at the ranges that it states.
        """
        grid = self.grid
        points = to_ecef(grid.latitudes, grid.longitudes, grid.heights)
        seconds, slant_ranges = zero_doppler(orbit, points, self.middle)
        off = float(np.abs(slant_ranges - grid.slant_ranges).max())
        if not off < _RANGE_OFF:
            raise SourceError(
                f"{self.where} has a geolocation grid that lies {off:.3g} m off its orbit; download it again"
            )
        return fit_timing(
            self.interval, self.range_spacing, self.conversions, self.samples,
            (grid.lines, seconds, slant_ranges), self.where,
        )  # fmt: skip

    @property
    def middle(self) -> float:
        """Seconds of the middle line."""
        return self.lines / 2 * self.interval


def parse_annotation(tree: XmlTree) -> Annotation:
    """Read an image's annotation.

    Raises:
        SourceError: If it is not of a GRD image, or damaged.
    """
    kind = tree.text("productType")
    if kind != "GRD":
        raise SourceError(f"{tree.where} is of a {kind} product; take the GRD of the same acquisition")
    polarisation = tree.text("polarisation")
    if polarisation not in POLARISATIONS:
        raise SourceError(f"{tree.where} is of polarisation {polarisation[:10]!r}, which is unknown")
    start = parse_time(tree.text("productFirstLineUtcTime"), tree.where)
    lines, samples = (_side(tree, name) for name in ("numberOfLines", "numberOfSamples"))
    interval = _positive(tree, "azimuthTimeInterval")
    last = seconds_since(start, tree.text("productLastLineUtcTime"), tree.where)
    if abs(last / interval - (lines - 1)) > _LAST_LINE:
        raise SourceError(f"{tree.where}: its last line's time does not fit its lines; download it again")
    orbit_seconds, orbit_positions = _orbit(tree, start)
    return Annotation(
        platform=tree.text("missionId"),
        mode=tree.text("mode"),
        polarisation=polarisation,
        start=start,
        lines=lines,
        samples=samples,
        interval=interval,
        range_spacing=_positive(tree, "rangePixelSpacing"),
        azimuth_spacing=_positive(tree, "azimuthPixelSpacing"),
        ascending=tree.text("pass").lower() == "ascending",
        absolute_orbit=int(tree.number("absoluteOrbitNumber")),
        denoised=tree.find("thermalNoiseCorrectionPerformed") == "true",
        orbit_seconds=orbit_seconds,
        orbit_positions=orbit_positions,
        conversions=_conversions(tree, start),
        grid=_grid(tree, start),
        where=tree.where,
    )


def parse_time(text: str, where: str) -> np.datetime64:
    """A UTC time of metadata, to the nanosecond.

    Raises:
        SourceError: If it is none.
    """
    try:
        time = np.datetime64(text.strip().removesuffix("Z"), "ns")
    except ValueError:
        raise SourceError(f"{where}: {text[:40]!r} is not a time") from None
    if np.isnat(time):
        raise SourceError(f"{where} has a time that is missing")
    return time


def seconds_since(start: np.datetime64, text: str, where: str) -> float:
    """Seconds from `start` to a time of metadata; the difference is taken in whole nanoseconds.

    Raises:
        SourceError: If it is no time.
    """
    return float((parse_time(text, where) - start) / np.timedelta64(1, "ns")) * 1e-9


def listed(tree: XmlTree, name: str, most: int) -> list[Element]:
    """The elements of a list by its local name.

    Raises:
        SourceError: If there are none, or more than a product can have.
    """
    found = [element for parent in tree.all(name) for element in parent]
    if not 0 < len(found) <= most:
        raise SourceError(f"{tree.where} has {len(found)} in its {name}, not 1 to {most}; download it again")
    return found


def _orbit(tree: XmlTree, start: np.datetime64) -> tuple[Values, Values]:
    vectors = listed(tree, "orbitList", _MAX_VECTORS)
    seconds = [seconds_since(start, child_text(one, "time", tree.where), tree.where) for one in vectors]
    positions = [
        [_child(place, axis, tree.where) for axis in "xyz"]
        for vector in vectors
        for place in vector
        if place.tag.endswith("position")
    ]
    if len(positions) != len(seconds):
        raise SourceError(f"{tree.where} has orbit vectors without a position; download it again")
    return np.array(seconds), np.array(positions)


def _conversions(tree: XmlTree, start: np.datetime64) -> tuple[Conversion, ...]:
    records = [
        Conversion(
            seconds_since(start, child_text(one, "azimuthTime", tree.where), tree.where),
            _child(one, "gr0", tree.where),
            child_floats(one, "grsrCoefficients", _MAX_DEGREE, tree.where),
        )
        for one in listed(tree, "coordinateConversionList", _MAX_VECTORS)
    ]
    return tuple(sorted(records, key=lambda record: record.seconds))


def _grid(tree: XmlTree, start: np.datetime64) -> GridPoints:
    points = listed(tree, "geolocationGridPointList", _MAX_POINTS)
    times = [seconds_since(start, child_text(one, "azimuthTime", tree.where), tree.where) for one in points]
    names = ("line", "pixel", "latitude", "longitude", "height", "slantRangeTime")
    table = np.array([[_child(one, name, tree.where) for name in names] for one in points])
    lines, pixels, latitudes, longitudes, heights, delays = table.T
    return GridPoints(lines, pixels, np.array(times), delays * (LIGHT / 2), latitudes, longitudes, heights)


def _child(element: Element, name: str, where: str) -> float:
    return parse_finite(child_text(element, name, where), f"{name} in {where}")


def _side(tree: XmlTree, name: str) -> int:
    value = tree.number(name)
    if not (value == int(value) and 0 < value <= _MAX_SIDE):
        raise SourceError(f"{tree.where}: {name} is {value:g}, not 1 to {_MAX_SIDE}")
    return int(value)


def _positive(tree: XmlTree, name: str) -> float:
    value = tree.number(name)
    if value <= 0:
        raise SourceError(f"{tree.where}: {name} is {value:g}, not above 0")
    return value
