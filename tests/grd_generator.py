"""GRD products made of real annotation: speckled clutter of known backscatter, and targets at known places.

Where a target falls in the image is found by geometry of its own, from the XML alone: a Hermite orbit through
positions and velocities, zero Doppler and ground range by bracketing, time of a line by the grid's own times.
"""

from __future__ import annotations

import tarfile
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.windows import Window as GdalWindow
from scipy.interpolate import CubicHermiteSpline
from scipy.optimize import brentq

from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / "products" / "sentinel1"
ROME = "sarsen_S1B_IW_GRDH_20211223_xml.tar.xz"
NEEDS_PRODUCTS = pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared Sentinel data are not at hand")
_LIGHT = 299_792_458.0


@dataclass(frozen=True)
class Target:
    """A corner reflector.

    Attributes:
        longitude: Degrees.
        latitude: Degrees.
        height: Metres over WGS 84.
    """

    longitude: float
    latitude: float
    height: float


@dataclass(frozen=True)
class Content:
    """What an image shows.

    Attributes:
        window: First line and sample, lines and samples that have data; all others are 0.
        sigma0: Backscatter of the clutter.
        looks: Of its speckle; None for none.
        targets: Reflectors.
        noise: DN² of thermal noise over the window, added in the mean.
        peak: DN of a target.
        seed: Of the speckle.
    """

    window: tuple[int, int, int, int]
    sigma0: float = 0.1
    looks: float | None = 4.4
    targets: Sequence[Target] = ()
    noise: NDArray[np.float64] | None = None
    peak: float = 20_000.0
    seed: int = 0


class Geometry:
    """Where places fall in an image, place by place."""

    def __init__(self, root: ET.Element) -> None:
        self._start = np.datetime64(_text(root, ".//productFirstLineUtcTime"), "ns")
        self._interval = float(_text(root, ".//azimuthTimeInterval"))
        self._spacing = float(_text(root, ".//rangePixelSpacing"))
        vectors = root.findall("generalAnnotation/orbitList/orbit")
        times = [self._seconds(_text(one, "time")) for one in vectors]
        place, speed = (
            np.array([[float(_text(one, f"{what}/{axis}")) for axis in "xyz"] for one in vectors])
            for what in ("position", "velocity")
        )
        self._position = CubicHermiteSpline(times, place, speed)
        self._velocity = self._position.derivative()
        self._span = (times[0], times[-1])
        self._records = [
            (
                self._seconds(_text(one, "azimuthTime")),
                float(_text(one, "gr0")),
                np.array(_text(one, "grsrCoefficients").split(), float),
            )
            for one in root.findall("coordinateConversion/coordinateConversionList/coordinateConversion")
        ]
        self._late = self._fit_lines(root)

    def place(self, longitude: float, latitude: float, height: float) -> tuple[float, float]:
        """Line and sample of a place: degrees, and metres over WGS 84."""
        seconds, slant_range = self.time_and_range(longitude, latitude, height)
        line = (seconds - np.polyval(self._late, 2 * slant_range / _LIGHT)) / self._interval
        _, origin, series = min(self._records, key=lambda record: abs(record[0] - seconds))

        def misfit(ground: float) -> float:
            return float(np.polyval(series[::-1], ground - origin) - slant_range)

        return float(line), float(brentq(misfit, -50e3, 500e3, xtol=1e-4)) / self._spacing

    def time_and_range(self, longitude: float, latitude: float, height: float) -> tuple[float, float]:
        """Azimuth time in seconds from the first line, and slant range in metres."""
        point = np.array(_TO_ECEF.transform(longitude, latitude, height))

        def doppler(seconds: float) -> float:
            return float((point - self._position(seconds)) @ self._velocity(seconds))

        seconds = brentq(doppler, *self._span, xtol=1e-9)
        return seconds, float(np.linalg.norm(point - self._position(seconds)))

    def _fit_lines(self, root: ET.Element) -> NDArray[np.float64]:
        """Seconds by which the grid's points are later than their lines, linear in the range's time."""
        points = root.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
        late = [
            self._seconds(_text(one, "azimuthTime")) - float(_text(one, "line")) * self._interval
            for one in points
        ]
        delays = [float(_text(one, "slantRangeTime")) for one in points]
        return np.polyfit(delays, late, 1)

    def _seconds(self, time: str) -> float:
        return float((np.datetime64(time, "ns") - self._start) / np.timedelta64(1, "ns")) * 1e-9


_TO_ECEF = Transformer.from_crs(4979, 4978, always_xy=True)


def unpack_rome(folder: Path) -> tuple[Path, Path]:
    """Unpack the product over Rome, its measurement left out.

    Returns:
        Its folder, and the DEM.
    """
    safe = dem = None
    with tarfile.open(FOLDER / ROME, "r|xz") as tar:
        for member in tar:
            if member.isfile() and "/measurement/" not in member.name and (stream := tar.extractfile(member)):
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(stream.read())
                dem = target if target.suffix == ".tif" else dem
                safe = target.parent if target.name == "manifest.safe" else safe
    assert safe is not None
    assert dem is not None
    return safe, dem


def unpack(archive: str, product: str, folder: Path) -> Path:
    """Unpack annotation and manifest of a product of an archive of several, or of its zip.

    Args:
        archive: Its name among the shared products.
        product: The beginning of the product's name.
        folder: Where to.

    Returns:
        The product's folder.
    """
    path, packed = FOLDER / archive, {}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as whole:
            packed = {name: whole.read(name) for name in whole.namelist() if _is_metadata(name)}
    else:
        with tarfile.open(path, "r|xz") as tar:
            for member in tar:
                wanted = product in member.name and _is_metadata(member.name)
                if wanted and (stream := tar.extractfile(member)):
                    packed[member.name] = stream.read()
    root = None
    for name, content in packed.items():
        parts = Path(name).parts
        first = next(i for i, part in enumerate(parts) if part.startswith(product))
        target = folder / Path(*parts[first:])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        root = folder / parts[first]
    assert root is not None
    return root


def _is_metadata(name: str) -> bool:
    return name.endswith(("manifest.safe", "productInfo.json")) or (
        "/annotation/" in name and name.endswith(".xml") and "/rfi/" not in name
    )


def images(product: Path) -> list[str]:
    """Stems of a product's images, the co-polarised first."""
    stems = [path.stem for path in (product / "annotation").glob("*.xml")]
    return sorted(stems, key=lambda stem: ("-vh" in stem or "-hv" in stem, stem))


def middle(product: Path) -> tuple[float, float, float, int, int]:
    """Longitude, latitude, height, line and sample of the point of the grid that is nearest to the middle."""
    root = ET.parse(product / "annotation" / f"{images(product)[0]}.xml").getroot()
    lines, samples = (float(_text(root, f".//{name}")) for name in ("numberOfLines", "numberOfSamples"))
    points = root.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")

    def off(point: ET.Element) -> float:
        line, pixel = (float(_text(point, name)) for name in ("line", "pixel"))
        return abs(line / lines - 0.5) + abs(pixel / samples - 0.5)

    best = min(points, key=off)
    longitude, latitude, height, line, pixel = (
        float(_text(best, name)) for name in ("longitude", "latitude", "height", "line", "pixel")
    )
    return longitude, latitude, height, int(line), int(pixel)


def write_measurement(safe: Path, stem: str, content: Content) -> None:
    """Write an image beside its annotation: `annotation/<stem>.xml`."""
    annotation = ET.parse(safe / "annotation" / f"{stem}.xml").getroot()
    calibration = ET.parse(safe / "annotation" / "calibration" / f"calibration-{stem}.xml").getroot()
    row, column, height, width = content.window
    power = content.sigma0 * sigma_table(calibration, content.window) ** 2
    if content.noise is not None:
        power = power + content.noise
    rng = np.random.default_rng(content.seed)
    if content.looks:
        power = power * rng.gamma(content.looks, 1 / content.looks, power.shape)
    amplitude = np.sqrt(power)
    geometry = Geometry(annotation)
    for target in content.targets:
        line, pixel = geometry.place(target.longitude, target.latitude, target.height)
        down = np.arange(height)[:, None] + row - line
        right = np.arange(width) + column - pixel
        amplitude += content.peak * np.exp(-(down**2 + right**2) / 2)
    shape = [int(_text(annotation, f".//{name}")) for name in ("numberOfLines", "numberOfSamples")]
    path = safe / "measurement" / f"{stem}.tiff"
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=shape[0], width=shape[1], count=1, dtype="uint16", sparse_ok=True,
        tiled=True, blockxsize=512, blockysize=512,
    ) as file:  # fmt: skip
        pixels = np.clip(np.rint(amplitude), 1, 65535).astype(np.uint16)
        file.write(pixels, 1, window=GdalWindow(column, row, width, height))


def sigma_table(calibration: ET.Element, window: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """A of σ⁰ over a window, (y, x): linear along both axes."""
    row, column, height, width = window
    vectors = calibration.findall("calibrationVectorList/calibrationVector")
    lines = [int(_text(one, "line")) for one in vectors]
    samples = np.arange(column, column + width)
    table = np.stack(
        [
            np.interp(
                samples,
                np.array(_text(one, "pixel").split(), float),
                np.array(_text(one, "sigmaNought").split(), float),
            )
            for one in vectors
        ]
    )
    along = np.arange(row, row + height)
    return np.apply_along_axis(lambda one: np.interp(along, lines, one), 0, table)


def _text(element: ET.Element, path: str) -> str:
    found = element.findtext(path)
    assert found, path
    return found
