"""Orbit and timing of real annotation, for the tests of what stands on them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from comeo.radar.geodesy import to_ecef
from comeo.radar.orbit import Orbit, fit_orbit, zero_doppler
from comeo.radar.timing import Conversion, Timing, fit_timing

Values = NDArray[np.float64]


def geolocation(root: ET.Element) -> tuple[NDArray[np.int64], NDArray[np.int64], Values, Values, Values]:
    """Lines, samples, latitudes, longitudes and heights (n,) of the geolocation grid."""
    points = list(root.iter("geolocationGridPoint"))
    lines, pixels = (np.array([int(p.findtext(key, "")) for p in points]) for key in ("line", "pixel"))
    latitudes, longitudes, heights = (
        np.array([float(point.findtext(key, "")) for point in points])
        for key in ("latitude", "longitude", "height")
    )
    return lines, pixels, latitudes, longitudes, heights


def orbit_and_timing(root: ET.Element) -> tuple[Orbit, Timing]:
    """Of an image."""
    start = np.datetime64(root.findtext(".//productFirstLineUtcTime", ""), "ns")

    def seconds(text: str) -> float:
        return float((np.datetime64(text, "ns") - start) / np.timedelta64(1, "ns")) * 1e-9

    vectors = list(root.iter("orbit"))
    times = np.array([seconds(vector.findtext("time", "")) for vector in vectors])
    positions = [[float(vector.findtext(f"position/{axis}", "")) for axis in "xyz"] for vector in vectors]
    orbit = fit_orbit(times, np.array(positions), "the test")
    records = tuple(
        Conversion(
            seconds(record.findtext("azimuthTime", "")),
            float(record.findtext("gr0", "")),
            np.array(record.findtext("grsrCoefficients", "").split(), float),
        )
        for record in root.iter("coordinateConversion")
        if record.find("gr0") is not None
    )
    lines, _, *places = geolocation(root)
    interval = float(root.findtext(".//azimuthTimeInterval", ""))
    passes, ranges = zero_doppler(orbit, to_ecef(*places), 12.0)
    samples = int(root.findtext(".//numberOfSamples", ""))
    spacing = float(root.findtext(".//rangePixelSpacing", ""))
    return orbit, fit_timing(
        interval, spacing, records, samples, (lines.astype(float), passes, ranges), "the test"
    )
