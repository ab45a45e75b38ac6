"""The parts of the `dct` codec, each against an independent reference."""

from __future__ import annotations

import heapq
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dct

from comeo.codecs import get_codec
from comeo.codecs.dct import layout
from comeo.codecs.dct.codec import DC_LAMBDA, LAMBDA, DctCodec, dc_shares, transform
from comeo.codecs.dct.huffman import canonical_codes, code_lengths, frozen_tables
from comeo.codecs.dct.lapped import SIZE, analysis, dct_matrix, scan_order, synthesis
from comeo.codecs.dct.plan import plan
from comeo.codecs.dct.write import write
from comeo.codecs.payload import FINE_MEANS, MORE_FLAGS, parse
from tests.comeo.codecs.blocks import textured


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=91))
def test_code_lengths_are_huffmans_when_unlimited(weights: list[int]) -> None:
    lengths = code_lengths(np.array(weights, np.float64), 64)
    heap = [(weight, index) for index, weight in enumerate(weights) if weight]
    if len(heap) < 2:
        return
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        (a, _), (b, index) = heapq.heappop(heap), heapq.heappop(heap)
        cost += a + b
        heapq.heappush(heap, (a + b, index))
    assert int((lengths * np.array(weights)).sum()) == cost


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(1e-9, 1), min_size=2, max_size=91), st.integers(7, 12))
def test_codes_are_prefix_free_and_complete(weights: list[float], longest: int) -> None:
    lengths = code_lengths(np.array(weights), longest)
    assert lengths.max() <= longest
    assert sum(2.0 ** -int(length) for length in lengths) == 1
    words = [f"{code:0{length}b}" for code, length in zip(canonical_codes(lengths), lengths, strict=True)]
    assert len(set(words)) == len(words)
    ordered = sorted(words)
    assert not any(b.startswith(a) for a, b in pairwise(ordered))


def test_frozen_tables_are_complete_codes_over_the_right_symbols() -> None:
    tables = frozen_tables()
    assert tables.lengths.shape == (layout.TABLES, layout.SYMBOLS)
    kraft = np.where(tables.lengths > 0, 2.0 ** -tables.lengths.astype(float), 0).sum(axis=1)
    np.testing.assert_array_equal(kraft, 1)
    assert (tables.lookup > 0).all()
    assert tables.lengths.max() <= layout.CODE_BITS
    assert (tables.lengths[: layout.CLASS_TABLES] > 0).all()
    assert np.abs(tables.offsets).max() < 0.5


@pytest.mark.parametrize("size", [1, 7, 16])
def test_dct_matrix_is_scipys(size: int) -> None:
    np.testing.assert_allclose(dct_matrix(size), dct(np.eye(size), axis=0, norm="ortho"), atol=1e-12)


@pytest.mark.parametrize("blocks", [1, 2, 5, 16])
def test_lapped_transform_is_inverted_exactly_and_nearly_orthonormal(blocks: int) -> None:
    matrix, support = synthesis(blocks, 0)
    product = matrix.astype(float) @ analysis(blocks).astype(float)
    np.testing.assert_allclose(product, np.eye(blocks * SIZE), atol=1e-6)
    energies = np.square(matrix.astype(float)).sum(axis=0)
    assert 0.7 < energies.min() <= energies.max() < 1.35
    for coefficient, (first, end) in enumerate(support):
        outside = np.delete(matrix[:, coefficient], np.s_[first:end])
        assert np.abs(outside).max(initial=0) < 1e-7


@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_reduced_synthesis_is_the_mean(reduce: int) -> None:
    full, _ = synthesis(4, 0)
    reduced, support = synthesis(4, reduce)
    np.testing.assert_allclose(reduced, full.reshape(-1, 1 << reduce, 64).mean(axis=1), atol=1e-7)
    for coefficient, (first, end) in enumerate(support):
        assert np.abs(np.delete(reduced[:, coefficient], np.s_[first:end])).max(initial=0) < 1e-7


def test_scan_is_jpegs_zigzag_on_squares() -> None:
    order = scan_order(8, 8)
    jpeg = [
        0,
        1,
        8,
        16,
        9,
        2,
        3,
        10,
        17,
        24,
        32,
        25,
        18,
        11,
        4,
        5,
        12,
        19,
        26,
        33,
        40,
        48,
        41,
        34,
        27,
        20,
        13,
        6,
    ]
    assert [int(row * 8 + column) for row, column in order[: len(jpeg)]] == jpeg
    assert len({tuple(place) for place in scan_order(5, 9).tolist()}) == 45


def test_choices_minimise_rate_and_distortion_together() -> None:
    """No single level can be changed for the better, by the bits that are really written."""
    rng = np.random.default_rng(4)
    block = textured(1, 16, 16, contrast=500).astype(np.float32) - 2000
    tiles, dc = transform(block, 150.0)
    tables = frozen_tables()
    zone, dc_zone = layout.zones(255), layout.dc_zones(1)

    def cost(levels: np.ndarray, planned: tuple[np.ndarray, ...]) -> float:
        classes, _, dc_classes, dc_levels = planned
        histogram = np.zeros(tables.lengths.shape, np.int64)
        write(classes, levels, dc_classes, dc_levels, zone, dc_zone, tables.codes, tables.lengths, histogram)
        symbols = int((histogram * tables.lengths.astype(np.int64)).sum())
        where = np.flatnonzero(levels)
        starts = np.concatenate([[0], where[:-1] + 1]) if len(where) else where
        bits = symbols + int(layout.RUN_BITS[layout.RUN_CATEGORY[where - starts]].sum())
        sizes = np.abs(levels.ravel()[where])
        bits += sum(
            1 if q <= 2 else 2 if q <= 4 else 3 if q <= 8 else 2 * int(q - 8).bit_length() for q in sizes
        )
        offsets = tables.offsets[classes.ravel()[0] - 1]
        decoded = np.sign(levels) * (np.abs(levels) - offsets[np.clip(np.abs(levels), 1, 3) - 1])
        distortion = float(np.square(np.where(levels == 0, 0, decoded) - tiles).sum())
        return distortion + LAMBDA * bits

    planned = plan(
        tiles, dc, tables.cost, tables.skip_cost, tables.offsets, zone, dc_zone, LAMBDA, DC_LAMBDA,
        np.ones(tiles.shape[1:3]),
    )  # fmt: skip
    assert planned[0].item() > 0
    best = cost(planned[1], planned)
    for place in rng.choice(255, 120, replace=False):
        for change in (-1, 1):
            levels = planned[1].copy()
            levels[..., place] += change
            assert cost(levels, planned) >= best - 1e-4


def test_rate_is_worth_the_distortion_on_average() -> None:
    """Choosing by rate and distortion together beats plain rounding at equal bytes."""
    block = textured(4, 128, 128, seed=2)
    codec = get_codec("dct")
    sizes, errors = [], []
    for step in (100.0, 150.0, 220.0, 330.0):
        payload = codec.encode(block, step=step)
        sizes.append(len(payload))
        errors.append(np.square(codec.decode(payload).astype(float) - block).mean())
    slopes = np.diff(errors) / (8 * -np.diff(sizes) / block.size)
    steps = np.sqrt([100 * 150, 150 * 220, 220 * 330])
    assert (slopes / steps**2 > 0.05).all()
    assert (slopes / steps**2 < 0.4).all()


def test_compiles_where_nothing_can_be_cached(tmp_path: Path) -> None:
    """A read-only installation without a home: the loops are compiled in memory."""
    script = (
        "import numba.core.caching as caching\n"
        "for locator in caching.CacheImpl._locator_classes:\n"
        "    locator.from_function = classmethod(lambda cls, *arguments: None)\n"
        "from comeo.codecs.dct.layout import bit_length\n"
        "print(bit_length(9))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=120
    )
    assert done.stdout.strip() == "4"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 64), st.integers(1, 64))
def test_low_frequencies_of_means_have_finer_steps(rows: int, columns: int) -> None:
    shares = dc_shares(rows, columns)
    for row in range(rows):
        for column in range(columns):
            quarter = 4 * row < rows and 4 * column < columns
            half = 2 * row < rows and 2 * column < columns
            assert shares[row, column] == (0.25 if quarter else 0.5 if half else 1)


class Plain(DctCodec):
    """As payloads were before: one step for all."""

    flags = 0


def test_finer_steps_make_means_of_areas_better_for_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [textured(3, 256, 256, seed=seed) for seed in range(2)]

    def measured(codec: DctCodec, step: float) -> tuple[float, float]:
        payloads = [codec.encode(block, step=step) for block in blocks]
        assert {parse(payload, 1).header.flags & FINE_MEANS for payload in payloads} == {codec.flags}
        errors = np.stack(codec.decode_many(payloads)).astype(float) - np.stack(blocks)
        cells = errors.reshape(2, 3, 4, 64, 4, 64).mean(axis=(3, 5))
        return sum(map(len, payloads)), float(np.sqrt(np.square(cells).mean()))

    size, error = measured(DctCodec(), 400.0)
    monkeypatch.setattr("comeo.codecs.dct.codec.dc_shares", lambda rows, columns: np.ones((rows, columns)))
    size_before, error_before = measured(Plain(), 400.0)
    assert error < 0.6 * error_before
    assert size < 1.04 * size_before
    assert measured(Plain(), 370.0)[0] > size  # a finer step for all would cost more


def test_a_payload_without_the_flag_has_one_step_for_all() -> None:
    """Of a block that is one frequency of its means: without the flag it has four times the contrast."""
    wave = np.cos(np.pi * (np.arange(128) // 16 + 0.5) / 8)
    block = (5000 + 800 * np.broadcast_to(wave, (1, 128, 128))).astype(np.float32)
    payload = bytearray(get_codec("dct").encode(block, step=20.0))
    fine = get_codec("dct").decode(payload)[0].mean(axis=0)[8::16] - 5000
    payload[2] &= ~MORE_FLAGS
    del payload[12]
    plain = get_codec("dct").decode(payload)[0].mean(axis=0)[8::16] - 5000
    np.testing.assert_allclose(fine, 800 * wave[8::16], atol=20)
    np.testing.assert_allclose(plain, 4 * fine, rtol=0.2, atol=60)
