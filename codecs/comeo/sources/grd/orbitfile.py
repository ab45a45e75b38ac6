"""Precise and restituted orbits, as files apart from products (.EOF): GMES-GSEG-EOPG-FS-10-0075."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from comeo.errors import SourceError
from comeo.radar.orbit import Orbit, fit_orbit
from comeo.sources.grd.annotation import Annotation, seconds_since
from comeo.sources.raster import parse_finite
from comeo.sources.xmltree import XmlTree, child_text

MAX_BYTES: Final = 16 << 20  # a day of vectors, 10 s apart, has 5 MB
_MOST_VECTORS: Final = 30_000
_COMPARED: Final = 5
_MOST_OFF: Final = 10_000.0  # metres from the product's orbit, which is good to a few, in haste to hundreds
_AROUND: Final = 60.0  # seconds of orbit before the first and behind the last line that are fitted


def read_orbit(path: Path, image: Annotation) -> Orbit:
    """The orbit of an image by an orbit file.

    Args:
        path: The file.
        image: Whose first line seconds count from.

    Raises:
        SourceError: If it cannot be read, is of another satellite, does not cover the image, or lies
            elsewhere.
    """
    tree = XmlTree(_content(path), path.name)
    if tree.kind != "Earth_Explorer_File":
        raise SourceError(f"{path.name} is no orbit file; give one whose name ends in .EOF")
    platform, frame = tree.text("Mission"), tree.find("Ref_Frame") or "EARTH_FIXED"
    if platform.upper()[-1:] != image.platform[-1]:
        raise SourceError(f"{path.name} is of {platform[:20]}, and the product of {image.platform}")
    if frame.upper() != "EARTH_FIXED":
        raise SourceError(f"{path.name} has positions in {frame[:20]}; give one in EARTH_FIXED")
    last = (image.lines - 1) * image.interval
    times, positions = [], []
    for count, vector in enumerate(tree.all("OSV")):
        if count >= _MOST_VECTORS:
            raise SourceError(f"{path.name} has more than {_MOST_VECTORS} vectors: it is no orbit file")
        # The same frame of time as in the annotation, which has no word for it.
        text = child_text(vector, "UTC", path.name).removeprefix("UTC=")
        seconds = seconds_since(image.start, text, path.name)
        if -_AROUND <= seconds <= last + _AROUND:
            times.append(seconds)
            place = [child_text(vector, axis, path.name) for axis in "XYZ"]
            positions.append([parse_finite(each, f"a position in {path.name}") for each in place])
    if not times or not (min(times) <= 0 and max(times) >= last):
        raise SourceError(
            f"{path.name} does not cover the product, acquired at {image.start.astype('datetime64[s]')}; "
            "give the orbit file of that time"
        )
    orbit = fit_orbit(np.array(times), np.array(positions), path.name)
    moments = np.linspace(0, last, _COMPARED)
    off = float(np.linalg.norm(orbit.position(moments) - image.orbit().position(moments), axis=1).max())
    if not off < _MOST_OFF:
        raise SourceError(
            f"{path.name} lies {off / 1000:.3g} km off the product's own orbit, which may differ by metres; "
            "download it again, or leave --orbit out"
        )
    return orbit


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SourceError(f"the orbit {path.name} cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise SourceError(f"{path.name} has more than {MAX_BYTES} bytes: it is no orbit file")
    return content
