"""Tables of calibration and noise in the XML beside a GRD image, as `comeo.radar` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.radar.noise import AzimuthNoise, Noise, is_plausible, legacy_factor, range_noise
from comeo.radar.vectors import Lut
from comeo.sources.grd.annotation import Annotation, listed
from comeo.sources.raster import parse_finite
from comeo.sources.xmltree import XmlTree, child_floats, child_text

Quantity = Literal["sigma0", "beta0", "gamma0"]
_TAGS: Final[Mapping[Quantity, str]] = {"sigma0": "sigmaNought", "beta0": "betaNought", "gamma0": "gamma"}
_MAX_VECTORS: Final = 500
_MAX_NUMBERS: Final = 5_000


def parse_calibration(tree: XmlTree) -> tuple[Mapping[Quantity, Lut], float]:
    """The tables of an image's calibration file.

    Returns:
        A table a quantity, and the first of its `dn`, by which old noise is scaled.

    Raises:
        SourceError: If it is damaged.
    """
    vectors = listed(tree, "calibrationVectorList", _MAX_VECTORS)
    lines, pixels = _axes(tree, vectors)
    tables: dict[Quantity, Lut] = {
        quantity: Lut(lines, pixels, _columns(tree, vectors, tag)) for quantity, tag in _TAGS.items()
    }
    return tables, float(child_floats(vectors[0], "dn", _MAX_NUMBERS, tree.where)[0])


def parse_noise(
    tree: XmlTree, image: Annotation, ipf: tuple[int, int], sigma: Lut, dn: float
) -> tuple[Noise | None, str]:
    """The noise that an image's noise file tells of.

    Args:
        tree: The file.
        image: What it is of.
        ipf: Version of the processor.
        sigma: The image's table of σ⁰, against which old noise is checked.
        dn: The first `dn` of its calibration.

    Returns:
        The noise, or None with the reason why it cannot be removed.

    Raises:
        SourceError: If the file is damaged.
    """
    old = next(tree.all("noiseVectorList"), None) is not None
    vectors = listed(tree, "noiseVectorList" if old else "noiseRangeVectorList", _MAX_VECTORS)
    lines, pixels = _axes(tree, vectors)
    table = range_noise(lines, pixels, _columns(tree, vectors, "noiseLut" if old else "noiseRangeLut"))
    if table is None:
        return None, "its noise tables are all zero, as IPF 2.36 wrote them"
    if not old:
        return Noise(table, _blocks(tree, image)), ""
    factor = legacy_factor(ipf, image.mode, dn)
    if factor is None:
        return None, f"the scale of noise of IPF {ipf[0]}.{ipf[1]} in mode {image.mode} is unknown"
    noise = Noise(table, (), factor)
    if not is_plausible(noise, sigma, image.lines, image.samples):
        return None, "its noise tables give what noise of Sentinel-1 cannot be"
    return noise, ""


def _blocks(tree: XmlTree, image: Annotation) -> tuple[AzimuthNoise, ...]:
    """Factors along azimuth; stripmap has none, or one without limits."""
    elements = [child for parent in tree.all("noiseAzimuthVectorList") for child in parent]
    if len(elements) > _MAX_VECTORS:
        raise SourceError(f"{tree.where} has more than {_MAX_VECTORS} noise vectors along azimuth")
    return tuple(_block(tree, element, image) for element in elements)


def _block(tree: XmlTree, element: Element, image: Annotation) -> AzimuthNoise:
    def limit(name: str, otherwise: int) -> int:
        if not any(child.tag.endswith(name) for child in element):
            return otherwise
        return int(parse_finite(child_text(element, name, tree.where), f"{name} in {tree.where}"))

    return AzimuthNoise(
        first_line=limit("firstAzimuthLine", 0),
        last_line=limit("lastAzimuthLine", image.lines - 1),
        first_sample=limit("firstRangeSample", 0),
        last_sample=limit("lastRangeSample", image.samples - 1),
        lines=child_floats(element, "line", _MAX_NUMBERS, tree.where).astype(np.int64),
        values=child_floats(element, "noiseAzimuthLut", _MAX_NUMBERS, tree.where),
    )


def _axes(tree: XmlTree, vectors: list[Element]) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], ...]]:
    lines = [parse_finite(child_text(one, "line", tree.where), f"line in {tree.where}") for one in vectors]
    return np.array(lines).astype(np.int64), tuple(
        column.astype(np.int64) for column in _columns(tree, vectors, "pixel")
    )


def _columns(tree: XmlTree, vectors: list[Element], name: str) -> tuple[NDArray[np.float64], ...]:
    return tuple(child_floats(one, name, _MAX_NUMBERS, tree.where) for one in vectors)
