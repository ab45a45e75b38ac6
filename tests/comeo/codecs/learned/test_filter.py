"""The classified filter: against a slow reference, in compiled code, and only at full size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.codecs import native
from comeo.codecs.learned import LearnedCodec, Model, codec, engine
from comeo.codecs.learned import filter as flt
from comeo.codecs.learned.model import DEFAULT, models
from tests.comeo.codecs.blocks import textured


def made_up(
    seed: int, limits: tuple[int, int] = (32, 4), thresholds: tuple[int, ...] = (400, 4000)
) -> flt.Filter:
    shape = (flt.DIRECTIONS * (len(thresholds) + 1), flt.LIMITS, len(flt.OFFSETS))
    return flt.Filter(
        limits, thresholds, np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int8)
    )


def plain_class(samples: NDArray[np.int64], row: int, column: int, thresholds: tuple[int, ...]) -> int:
    """Class of a cell, by the text of the format."""
    height, width = samples.shape

    def at(y: int, x: int) -> int:
        return int(samples[min(max(y, 0), height - 1), min(max(x, 0), width - 1)])

    sums, count = [0, 0, 0, 0], 0
    for y in range(8 * row - 2, 8 * row + 10):
        for x in range(8 * column - 2, 8 * column + 10):
            if 0 <= y < height and 0 <= x < width:
                count += 1
                for number, (down, right) in enumerate([(0, 1), (1, 0), (1, 1), (1, -1)]):
                    sums[number] += abs(at(y + down, x + right) - at(y - down, x - right))
    activity = sum((sums[0] + sums[1]) * 144 >= threshold * count for threshold in thresholds)
    weighed = [181 * sums[0], 181 * sums[1], 128 * sums[2], 128 * sums[3]]
    return 4 * activity + weighed.index(max(weighed))


def plain_filter(chosen: flt.Filter, component: NDArray[np.float32]) -> NDArray[np.float32]:
    """A filtered component, sample by sample, in plain Python numbers."""
    samples = np.array([[round(min(max(float(v), -8191), 8191)) for v in row] for row in component])
    height, width = samples.shape
    found = component.copy()
    for y in range(height):
        for x in range(width):
            taps = chosen.taps[plain_class(samples, y // 8, x // 8, chosen.thresholds)].astype(int)
            total = 0
            for pair, (down, right) in enumerate(flt.OFFSETS.tolist()):
                for sign in (1, -1):
                    there_y, there_x = y + sign * down, x + sign * right
                    there = samples[min(max(there_y, 0), height - 1), min(max(there_x, 0), width - 1)]
                    difference = int(there) - int(samples[y, x])
                    for kind, limit in enumerate(chosen.limits):
                        total += int(taps[kind, pair]) * min(max(difference, -limit), limit)
            found[y, x] = np.float32(component[y, x] + np.float32(np.float32(total) / np.float32(256)))
    return found


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 19), st.integers(1, 19), st.integers(0, 2**32 - 1),
    st.sampled_from((0.4, 30.0, 900.0, 1e5)), st.sampled_from(((32, 4), (1, 8191), (8191, 8191))),
)  # fmt: skip
def test_it_is_what_the_format_says(
    height: int, width: int, seed: int, size: float, limits: tuple[int, int]
) -> None:
    component = np.random.default_rng(seed).normal(0, size, (height, width)).astype(np.float32)
    component[component.shape[0] // 2] = (
        np.rint(component[component.shape[0] // 2]) + 0.5
    )  # halves, rounded to even
    chosen = made_up(seed % 1000, limits)
    expected = plain_filter(chosen, component)
    chosen.apply(component[None])
    np.testing.assert_array_equal(component, expected)


def test_what_the_taps_dont_reach_stays() -> None:
    component = np.random.default_rng(1).normal(0, 100, (1, 40, 50)).astype(np.float32)
    kept = component.copy()
    flt.Filter((32, 4), (1,), np.zeros((8, 2, 12), np.int8)).apply(component)
    np.testing.assert_array_equal(component, kept)
    flat = np.full((1, 30, 30), 77.25, np.float32)
    made_up(1).apply(flat)
    assert (flat == 77.25).all()


@pytest.mark.parametrize(("down", "right", "direction"), [(0, 1, 0), (1, 0, 1), (1, 1, 2), (1, -1, 3)])
def test_directions_are_told_apart(down: int, right: int, direction: int) -> None:
    rows, columns = np.mgrid[:64, :64]
    waves = np.rint(200 * np.sin((down * rows + right * columns) / 3)).astype(np.int32)
    classes = made_up(0).classes(waves)
    assert (classes % flt.DIRECTIONS == direction).all()
    assert (classes // flt.DIRECTIONS == 2).all()
    assert (made_up(0).classes(waves // 300) < flt.DIRECTIONS).all()


@pytest.mark.parametrize(
    ("limits", "thresholds", "classes", "message"),
    [
        ((32, 4), (100,), 12, "the filter's taps are int8"),
        ((32,), (100,), 8, "the filter has 2 limits from 1 to 8191"),
        ((32, 0), (100,), 8, "the filter has 2 limits from 1 to 8191"),
        ((9000, 4), (100,), 8, "the filter has 2 limits from 1 to 8191"),
        ((32, 4), (0,), 8, "thresholds rise"),
        ((32, 4), (200, 100), 12, "thresholds rise"),
    ],
)
def test_what_is_no_filter_is_refused(
    limits: tuple[int, ...], thresholds: tuple[int, ...], classes: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        flt.Filter(limits, thresholds, np.zeros((classes, 2, 12), np.int8))


@pytest.fixture(scope="module")
def filtered() -> Model:
    """The shipped model with a made-up filter, and a blob for compiled code."""
    flat, filters = (pytest.importorskip(f"training.{name}") for name in ("flat", "filters"))
    model = Model("filtered", filters.with_filter(models()[DEFAULT].content, made_up(5)))
    model.flat = flat.flatten(model)
    return model


@pytest.fixture
def known(filtered: Model, monkeypatch: pytest.MonkeyPatch) -> Model:
    for module in (codec, engine):
        monkeypatch.setattr(module, "by_tag", lambda _: filtered)
    return filtered


SHAPES = [(4, 100, 77), (1, 1, 1), (2, 5, 130), (7, 33, 64), (3, 16, 3)]


@pytest.mark.parametrize("level", ["plain", "sse41", "avx2", "avx512", "neon"])
def test_compiled_code_finds_the_same_pixels(
    known: Model, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = native.load()
    if library is None or level not in library.levels:
        pytest.skip(f"there is no compiled code for {level}")
    coder = LearnedCodec(known)
    payloads = [
        coder.encode(textured(*shape, seed=7, dtype=dtype), step=step)
        for shape in SHAPES
        for dtype, step in (("uint16", 400.0), ("uint16", 9.0), ("float32", 2.0))
    ]
    monkeypatch.setenv("COMEO_NATIVE_LEVEL", level)
    compiled = coder.decode_many(payloads)
    monkeypatch.setenv("COMEO_NATIVE", "0")
    for one, other in zip(compiled, coder.decode_many(payloads), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("compiled", ["0", "1"])
def test_only_full_size_is_filtered(known: Model, compiled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMEO_NATIVE", compiled)
    plain = models()[DEFAULT]
    block = textured(4, 64, 80, seed=3)
    with_filter = LearnedCodec(known).encode(block, step=400)
    sizes = [LearnedCodec(known).decode(with_filter, reduce=reduce) for reduce in range(4)]
    for module in (codec, engine):
        monkeypatch.setattr(module, "by_tag", lambda _: plain)
    without = LearnedCodec(plain).encode(block, step=400)
    assert len(without) == len(with_filter)
    differs = [
        not np.array_equal(LearnedCodec(plain).decode(without, reduce=reduce), sizes[reduce])
        for reduce in range(4)
    ]
    assert differs == [True, False, False, False]
