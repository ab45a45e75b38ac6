"""Compiled code knows no model by heart: other layouts, orders and quantisers come from the blob alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="a model is made as training makes it")
pytest.importorskip("onnx", reason="export needs the extra `train`")
pytest.importorskip("onnxruntime", reason="compared with what runs on it")

import torch

from comeo.codecs.learned import LearnedCodec, Model, codec, engine
from comeo.codecs.learned.layout import Group, Layout
from comeo.codecs.learned.quantiser import POINTS, SCALAR, Quantiser, dependent
from comeo.codecs.learned.tables import ROWS, SYMBOLS
from tests.comeo.codecs.blocks import textured
from tests.comeo.codecs.native.cases import running
from training import export, flat, tables
from training import model as trained
from training.design import FIRST_DESIGN, Design

TWO = Layout(
    (0, 0),
    1,
    (
        Group((0,), 0, 4, 5, before=0),
        Group((1,), 0, 4, 3, (0,), 1, (0,), before=4),
        Group((0,), 4, 63, 2, (0, 1), 1, (0,), before=7),
        Group((1,), 4, 63, 2, (1, 2), 1, (1,), (1, 2), 3),
        Group((0,), 63, 256, 1, (2,), 1, (2,), (2,), 12),
        Group((1,), 63, 256, 3, (3, 4), 1, (3,), (3,), 12),
    ),
)  # components of an item, in groups of odd sizes
SMALL = Design(TWO, (40, 33, 64, 64, 48, 32), (24, 24, 31, 32, 24, 24), (16, 16, 30, 0, 0, 0))


def made(design: Design, quantiser: Quantiser, rules: list[Any]) -> Model:
    """A model whose networks say something, if nothing sensible."""
    torch.manual_seed(5)
    model = trained.Model.blank(design)
    rng = np.random.default_rng(4)
    with torch.no_grad():
        model.order.copy_(torch.randperm(256))
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    model.eval().requires_grad_(False)
    points = rng.integers(-4, 5, (quantiser.sets, ROWS, POINTS)).astype(np.int8)
    frequencies = rng.integers(200, 2500, (quantiser.sets, ROWS, SYMBOLS))
    frequencies[..., SYMBOLS // 2 - 1] += (1 << 16) - frequencies.sum(-1)
    fitted = tables.unfitted(quantiser)._replace(frequencies=frequencies.astype(np.uint32), points=points)
    content = export.pack(model, quantiser, {"name": "made", "reduced": rules})(fitted)
    plain = Model("made", content)
    return Model("made", content, flat.flatten(plain))


@pytest.mark.parametrize(
    ("design", "quantiser", "rules"),
    [
        (FIRST_DESIGN, dependent(10), [[1 << 30, [11, 8, 5, 3]]]),
        (SMALL, dependent(7), []),
        (SMALL, SCALAR, [[1 << 30, [6, 4, 3, 2]]]),
    ],
)
def test_models_of_all_kinds(
    compiled: list[str],
    design: Design,
    quantiser: Quantiser,
    rules: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = made(design, quantiser, rules)
    for module in (codec, engine):
        monkeypatch.setattr(module, "by_tag", lambda _: chosen)
    learned = LearnedCodec(chosen)
    for bands, height, width, step in (
        (2, 70, 50, 20.0),
        (5, 33, 130, 300.0),
        (1, 9, 16, 2.0),
        (4, 64, 64, 60.0),
    ):
        block = textured(bands, height, width, seed=bands)
        with running("none"):
            payload = learned.encode(block, step=step)
            wanted = [learned.decode(payload, reduce=reduce) for reduce in range(4)]
        assert np.abs(wanted[0].astype(float) - block).max() < 8 * step + 1
        for level in compiled:
            with running(level):
                assert learned.encode(block, step=step) == payload
                for reduce in range(4):
                    np.testing.assert_array_equal(learned.decode(payload, reduce=reduce), wanted[reduce])
