"""The fitting of the `dct` codec's tables, on a small synthetic set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from comeo.codecs.dct import layout
from comeo.codecs.dct.codec import transform
from comeo.codecs.dct.huffman import build_tables
from comeo.codecs.spectral import fit
from tests.comeo.codecs.blocks import textured
from training.huffman_tables import Fit, Sample


def samples() -> list[Sample]:
    out = []
    for seed in range(3):
        block = textured(3, 64, 64, seed=seed).astype(np.float32)
        tiles, dc = transform(fit(block).forward(block), 1.0)
        out += [(tiles / np.float32(step), dc / np.float32(step)) for step in (60, 200, 600)]
    return out


def test_fitting_saves_bits_and_gives_complete_codes(tmp_path: Path) -> None:
    fitted, data = Fit(), samples()
    bits = []
    for turn in range(5):
        bits.append(sum(fitted.code(sample) for sample in data))
        fitted.update(huffman=turn >= 3)
    assert bits[3] < bits[1]
    fitted.save(tmp_path / "tables.npz")
    with np.load(tmp_path / "tables.npz") as saved:
        tables = build_tables(saved["lengths"], saved["skip"], saved["offsets"])
    kraft = np.where(tables.lengths > 0, 2.0 ** -tables.lengths.astype(float), 0).sum(axis=1)
    np.testing.assert_array_equal(kraft, 1)
    assert (tables.lookup > 0).all()
    assert (tables.lengths[: layout.CLASS_TABLES] > 0).all()
    np.testing.assert_allclose(tables.offsets, fitted.offsets, atol=1e-6)
