"""Annotation that is damaged, or made to harm: one sentence, or an answer that holds together."""

from __future__ import annotations

import copy
import tracemalloc
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comeo.errors import SourceError
from comeo.radar.noise import Noise
from comeo.radar.vectors import Lut
from comeo.scene import Window
from comeo.sources.grd.annotation import Annotation, parse_annotation
from comeo.sources.grd.luts import parse_calibration, parse_noise
from comeo.sources.xmltree import XmlTree
from tests.comeo.radar.products import NEEDS_PRODUCTS, products

pytestmark = NEEDS_PRODUCTS
NAME = "S1C_S4_GRDH_1SDH_20250118T171404"
# What nothing here reads, and most of the bytes.
_UNREAD = ("antennaPattern", "dopplerCentroid", "swathTiming", "swathMerging", "qualityInformation")
ODD = ("", "nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "0", "-1", "9" * 400, "x", "1 2", "2025-99-01",
       "0 " * 200_000, "\u0663", "1_000", "0x10")  # fmt: skip
FACTORS = (-1.0, 0.0, 0.5, 1.0001, 10.0, 1e6, 1e150)
MOST_BYTES = 64 << 20


@cache
def parts() -> dict[str, ET.Element]:
    """Annotation, calibration and noise of a product, without most of what is not read."""
    product = products()[NAME]
    found = {"annotation": product.annotation, "calibration": product.calibration, "noise": product.noise}
    roots = {kind: copy.deepcopy(next(iter(each.values()))) for kind, each in found.items()}
    for parent in list(roots["annotation"].iter()):
        for child in list(parent):
            if child.tag in _UNREAD:
                parent.remove(child)
    return roots


def text_of(root: ET.Element) -> bytes:
    return ET.tostring(root)


@cache
def whole() -> Annotation:
    return parse_annotation(XmlTree(text_of(parts()["annotation"]), "whole.xml"))


def look_at_annotation(content: bytes) -> None:
    """Read all that geocoding takes from it, and see whether it is an image's."""
    found = parse_annotation(XmlTree(content, "x.xml"))
    orbit = found.orbit()
    timing = found.timing(orbit)
    grid = found.grid
    assert min(found.lines, found.samples) > 0
    assert np.isfinite(orbit.position(np.array([found.middle]))).all()
    assert np.isfinite(timing.line(grid.seconds, grid.slant_ranges)).all()
    assert np.isfinite(timing.pixel(grid.seconds, grid.slant_ranges)).all()


def look_at_calibration(content: bytes) -> None:
    tables, dn = parse_calibration(XmlTree(content, "x.xml"))
    assert np.isfinite(dn)
    for table in tables.values():
        assert np.isfinite(table.over(Window(10, 10, 3, 3))).all()


def look_at_noise(content: bytes) -> None:
    sigma = Lut(np.array([0]), (np.array([0]),), (np.array([500.0]),))
    noise, why = parse_noise(XmlTree(content, "x.xml"), whole(), (3, 90), sigma, 1.0)
    assert isinstance(noise, Noise) != bool(why)
    if noise is not None:
        values = noise.over(Window(10, 10, 3, 3))
        assert (np.isfinite(values) & (values >= 0)).all()


LOOKS: dict[str, Callable[[bytes], None]] = {
    "annotation": look_at_annotation, "calibration": look_at_calibration, "noise": look_at_noise,
}  # fmt: skip
KINDS = st.sampled_from(sorted(LOOKS))
SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def check(kind: str, content: bytes) -> None:
    """One sentence, or what holds together; and never much memory."""
    try:
        LOOKS[kind](content)
    except SourceError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 500


def test_what_is_whole_is_read() -> None:
    for kind, root in parts().items():
        LOOKS[kind](text_of(root))


@SETTINGS
@given(kind=KINDS, share=st.floats(0, 1, exclude_max=True))
def test_truncated(kind: str, share: float) -> None:
    content = text_of(parts()[kind])
    with pytest.raises(SourceError, match="not readable XML"):
        LOOKS[kind](content[: int(share * len(content))])


@settings(SETTINGS, max_examples=100)
@given(kind=KINDS, which=st.integers(0, 1 << 30), odd=st.sampled_from(ODD))
def test_texts_that_are_odd(kind: str, which: int, odd: str) -> None:
    root = copy.deepcopy(parts()[kind])
    leaves = [element for element in root.iter() if not len(element) and element.text]
    # Each name as often as any other: half of the texts are of the geolocation grid.
    names = sorted({element.tag for element in leaves})
    chosen = [element for element in leaves if element.tag == names[which % len(names)]]
    chosen[which // len(names) % len(chosen)].text = odd
    check(kind, text_of(root))


@SETTINGS
@given(kind=KINDS, which=st.integers(0, 1 << 30), factor=st.sampled_from(FACTORS))
def test_numbers_that_are_others(kind: str, which: int, factor: float) -> None:
    root = copy.deepcopy(parts()[kind])
    leaves = [element for element in root.iter() if not len(element) and _numbers(element.text)]
    leaf = leaves[which % len(leaves)]
    leaf.text = " ".join(f"{number * factor:.10g}" for number in _numbers(leaf.text))
    check(kind, text_of(root))


def _numbers(text: str | None) -> list[float]:
    try:
        return [float(word) for word in (text or "").split()]
    except ValueError:
        return []


@SETTINGS
@given(kind=KINDS, which=st.integers(0, 1 << 30), times=st.sampled_from([0, 2, 700]))
def test_elements_that_are_missing_or_repeated(kind: str, which: int, times: int) -> None:
    root = copy.deepcopy(parts()[kind])
    pairs = [(parent, child) for parent in root.iter() for child in parent]
    parent, child = pairs[which % len(pairs)]
    if len(text_of(child)) * times > 1 << 22:
        times = 2
    place = list(parent).index(child)
    parent.remove(child)
    for _ in range(times):
        parent.insert(place, child)
    check(kind, text_of(root))


@pytest.mark.parametrize("kind", sorted(LOOKS))
def test_bombs_are_refused_without_memory(kind: str) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bombs = (
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]><product>&l11;</product>',
        f'<!DOCTYPE x [<!ENTITY l "{"l" * 100_000}">]><product>{"&l;" * 50_000}</product>',
        '<!DOCTYPE x [<!ENTITY l SYSTEM "file:///etc/passwd">]><product>&l;</product>',
        "<a>" * 100_000 + "</a>" * 100_000,
        '<product count="4000000000"/>',
    )
    tracemalloc.start()
    try:
        for bomb in bombs:
            with pytest.raises(SourceError):
                LOOKS[kind](bomb.encode())
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def test_lists_that_are_too_long_are_refused() -> None:
    for kind, name, most in (
        ("annotation", "orbitList", 200),
        ("annotation", "geolocationGridPointList", 2_000),
        ("annotation", "coordinateConversionList", 200),
        ("calibration", "calibrationVectorList", 500),
    ):
        root = copy.deepcopy(parts()[kind])
        parent = next(element for element in root.iter() if element.tag == name)
        parent.extend([parent[0]] * (most + 1))
        with pytest.raises(SourceError, match=f"not 1 to {most}"):
            LOOKS[kind](text_of(root))
