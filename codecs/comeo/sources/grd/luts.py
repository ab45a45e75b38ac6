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
from comeo.sources.xmltree import XmlTree, child_floats, child_numbers

Quantity = Literal["sigma0", "beta0", "gamma0"]
_TAGS: Final[Mapping[Quantity, str]] = {"sigma0": "sigmaNought", "beta0": "betaNought", "gamma0": "gamma"}
_MAX_VECTORS: Final = 500
_MAX_NUMBERS: Final = 5_000
# Of a table: A of calibration and noise in DN² have some hundreds to some hundred thousands.
_GREATEST: Final = 1e9


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
    return tables, float(_columns(tree, vectors[:1], "dn")[0][0])


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
        return int(child_numbers(element, name, 1, tree.where)[0])

    return AzimuthNoise(
        first_line=limit("firstAzimuthLine", 0),
        last_line=limit("lastAzimuthLine", image.lines - 1),
        first_sample=limit("firstRangeSample", 0),
        last_sample=limit("lastRangeSample", image.samples - 1),
        lines=child_numbers(element, "line", _MAX_NUMBERS, tree.where),
        values=_columns(tree, [element], "noiseAzimuthLut")[0],
    )


def _axes(tree: XmlTree, vectors: list[Element]) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], ...]]:
    lines = [child_numbers(one, "line", 1, tree.where)[0] for one in vectors]
    return np.array(lines), tuple(child_numbers(one, "pixel", _MAX_NUMBERS, tree.where) for one in vectors)


def _columns(tree: XmlTree, vectors: list[Element], name: str) -> tuple[NDArray[np.float64], ...]:
    columns = tuple(child_floats(one, name, _MAX_NUMBERS, tree.where) for one in vectors)
    if any((np.abs(column) > _GREATEST).any() for column in columns):
        raise SourceError(f"{name} in {tree.where} has numbers greater than {_GREATEST:g}; download it again")
    return columns
