from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from comeo.codecs.learned import tables as codec_tables
from comeo.codecs.learned.tables import POINTS, REACH, ROWS, SKIPPED, SYMBOLS
from training import tables
from training.context import Coded
from training.model import Model
from training.pack import load


def _coded(symbols: list[int], index: list[int], values: list[float] | None = None) -> Coded:
    whole = torch.tensor(symbols).float()[None]
    decoded = whole if values is None else torch.tensor(values)[None]
    return Coded(16 * decoded, whole, torch.tensor(index).float()[None], torch.zeros(1), torch.zeros(1))


def test_without_counts_every_row_is_the_logistic_distribution() -> None:
    built = tables.frequencies(np.zeros((ROWS, SYMBOLS)))
    assert built.shape == (ROWS, SYMBOLS)
    assert (built.sum(1) == 2**16).all()
    assert built.min() >= 1
    scale = 16
    width = 2 ** (scale / 4 - 4) * math.sqrt(3) / math.pi
    for symbol in (-2, 0, 1):
        low, high = (1 / (1 + math.exp(-(symbol + side) / width)) for side in (-0.5, 0.5))
        assert built[scale, symbol + REACH] / 2**16 == pytest.approx(high - low, abs=1e-3)


def test_counts_outweigh_it_and_both_signs_count_alike() -> None:
    counts = np.zeros((ROWS, SYMBOLS))
    counts[10, REACH + 3] = 1e9
    built = tables.frequencies(counts)
    assert built[10, REACH + 3] == pytest.approx(2**15, rel=0.01)
    away = np.delete(built[10, :-1] - built[10, -2::-1].astype(np.int64), REACH)
    assert np.abs(away).max() <= SYMBOLS, "but for what rounding left over"
    assert np.array_equal(built[11], tables.frequencies(np.zeros((ROWS, SYMBOLS)))[11])


def test_symbols_are_counted_where_the_codec_looks_them_up() -> None:
    random = np.random.default_rng(1)
    index = random.integers(-1, 61, 3000)
    symbols = np.rint(random.standard_cauchy(3000) * 30).astype(int)
    found = tables.count(_coded(symbols.tolist(), index.tolist()))
    wanted = np.zeros((ROWS, SYMBOLS))
    for symbol, scale in zip(symbols.tolist(), index.tolist(), strict=True):
        if scale > SKIPPED:
            row, shift = codec_tables.locate(scale)
            distance = symbol >> shift
            wanted[row, distance + REACH if abs(distance) <= REACH else SYMBOLS - 1] += 1
    assert np.array_equal(found, wanted)


def test_the_excess_is_how_much_farther_from_zero_symbols_are_than_what_they_stand_for() -> None:
    coded = _coded([1, -1, 2, 5, 0, 1, 1], [10, 10, 10, 12, 10, 40, 3])
    latents = torch.tensor([[0.75, -0.5, 2.25, 4.5, 0.3, 0.0, 0.0]])
    found = tables.measure_excess(coded, latents)
    assert found[10].tolist() == [[0.75, 2], [-0.25, 1], [0, 0]]
    assert found[12].tolist() == [[0, 0], [0, 0], [0.5, 1]]
    assert found[..., 1].sum() == 4


def test_fitted_tables_are_what_the_codec_takes(small_pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_SIDES", ((128, 2),))
    torch.manual_seed(1)
    model = Model.blank()
    fitted = tables.fit(model, load(small_pack), batches=1)
    checked = codec_tables.check(fitted.frequencies, fitted.points)
    assert checked.points.shape == (ROWS, POINTS)
    assert np.array_equal(fitted.frequencies, tables.fit(model, load(small_pack), batches=1).frequencies)
    assert not np.array_equal(fitted.frequencies, tables.frequencies(np.zeros((ROWS, SYMBOLS))))
