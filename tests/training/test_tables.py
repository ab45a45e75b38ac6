from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="tables are fitted with an exported model")
pytest.importorskip("onnxruntime", reason="tables are fitted with an exported model")

import torch

from comeo.codecs.learned import Model as ModelFile
from comeo.codecs.learned import tables as codec_tables
from comeo.codecs.learned.coding import Chosen
from comeo.codecs.learned.layout import FIRST_LAYOUT
from comeo.codecs.learned.quantiser import POINTS, SCALAR, Quantiser, dependent
from comeo.codecs.learned.tables import REACH, ROWS, SKIPPED, SYMBOLS
from training import export, tables
from training.model import Model
from training.pack import load

QUANTISERS = [SCALAR, dependent(10)]


def _chosen(symbols: list[int], index: list[int], sets: list[int]) -> Chosen:
    whole, scales, own = (np.array([each]) for each in (symbols, index, sets))
    return Chosen(0, np.arange(1), scales.astype(np.uint8), whole.astype(np.int32), own.astype(np.uint8))


@pytest.mark.parametrize("quantiser", QUANTISERS)
def test_without_counts_every_row_is_the_logistic_distribution(quantiser: Quantiser) -> None:
    built = tables.unfitted(quantiser).frequencies
    assert built.shape == (quantiser.sets, ROWS, SYMBOLS)
    assert (built.sum(2) == 2**16).all()
    assert built.min() >= 1
    scale, grid = 16, quantiser.grid / 16
    width = 2 ** (scale / 4 - 4) * math.sqrt(3) / math.pi
    for own in range(quantiser.sets):
        points = [math.copysign(max(2 * abs(k) - own, 0), k) * grid for k in range(-3, 4)]
        for symbol in (-2, 0, 1):
            before, here, after = points[symbol + 2 : symbol + 5]
            low, high = (
                1 / (1 + math.exp(-edge / width)) for edge in ((before + here) / 2, (here + after) / 2)
            )
            assert built[own, scale, symbol + REACH] / 2**16 == pytest.approx(high - low, abs=1e-3)


def test_counts_outweigh_it_and_both_signs_count_alike() -> None:
    counts = np.zeros((2, ROWS, SYMBOLS))
    counts[1, 10, REACH + 3] = 1e9
    built = tables.frequencies(counts, dependent(10))
    assert built[1, 10, REACH + 3] == pytest.approx(2**15, rel=0.01)
    away = np.delete(built[1, 10, :-1] - built[1, 10, -2::-1].astype(np.int64), REACH)
    assert np.abs(away).max() <= SYMBOLS, "but for what rounding left over"
    none = tables.unfitted(dependent(10)).frequencies
    assert np.array_equal(built[0], none[0])
    assert np.array_equal(built[1, 11], none[1, 11])


def test_symbols_are_counted_where_the_codec_looks_them_up() -> None:
    random = np.random.default_rng(1)
    index, sets = random.integers(0, 61, 3000).tolist(), random.integers(0, 2, 3000).tolist()
    symbols = np.rint(random.standard_cauchy(3000) * 30).astype(int).tolist()
    found = tables.count(_chosen(symbols, index, sets), dependent(10))
    wanted = np.zeros((2, ROWS, SYMBOLS))
    for symbol, scale, own in zip(symbols, index, sets, strict=True):
        if scale > SKIPPED:
            row, shift = codec_tables.locate(scale)
            distance = symbol >> shift
            wanted[own, row, distance + REACH if abs(distance) <= REACH else SYMBOLS - 1] += 1
    assert np.array_equal(found, wanted)


def test_the_excess_is_how_much_farther_from_zero_points_are_than_what_they_stand_for() -> None:
    """Without points a symbol that decodes a quarter too far out is off by a quarter towards zero."""
    chosen = _chosen([1, -1, 2, 5, 0, 1, 1], [10, 10, 10, 12, 10, 40, 3], [0, 1, 0, 1, 0, 0, 0])
    off = np.array([[-0.25, -0.5, 0.25, -0.5, 0.3, 1.0, 1.0]])
    none = np.zeros((2, ROWS, POINTS), np.int8)
    found = tables.measure_excess(chosen, off, none)
    assert found[0, 10].tolist() == [[0.25, 1], [-0.25, 1], [0, 0]]
    assert found[1, 10].tolist() == [[-0.5, 1], [0, 0], [0, 0]]
    assert found[1, 12].tolist() == [[0, 0], [0, 0], [0.5, 1]]
    assert found[..., 1].sum() == 4
    moved = none.copy()
    moved[0, 10, 0] = 4  # a quarter of a step nearer zero, so the grid's point is that much farther out
    assert tables.measure_excess(chosen, off, moved)[0, 10, 0].tolist() == [0.5, 1]


def test_fitted_tables_are_what_the_codec_takes(small_pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_SIDES", ((128, 2),))
    torch.manual_seed(1)
    quantiser, images = dependent(10), load(small_pack)
    packed = export.pack(Model.blank(), quantiser, {"name": "draft"})
    fits = [
        tables.fit(
            lambda fitted: ModelFile("draft", packed(fitted)),
            FIRST_LAYOUT,
            quantiser,
            images,
            batches=1,
            rounds=2,
        )
        for _ in range(2)
    ]
    checked = codec_tables.check(fits[0].frequencies, fits[0].points, quantiser)
    assert checked.points.shape == (2, ROWS, POINTS)
    assert np.array_equal(fits[0].frequencies, fits[1].frequencies)
    assert not np.array_equal(fits[0].frequencies, tables.unfitted(quantiser).frequencies)
