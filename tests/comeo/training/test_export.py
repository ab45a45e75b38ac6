from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("onnxscript", reason="export needs the extra `train`")
pytest.importorskip("onnxruntime", reason="the check of an export needs onnxruntime")

import torch

from comeo.training import export, verify
from comeo.training.context import GROUPS, Known
from comeo.training.model import Model
from comeo.training.transforms import CHANNELS


@pytest.fixture(scope="module")
def model() -> Model:
    """A model as after training: no weight is zero."""
    torch.manual_seed(7)
    made = Model.blank()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    made.eval().requires_grad_(False)
    return made


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The tracer writes millions of debug lines, if somebody listens."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


def test_a_pass_gives_the_same_bits_in_any_setting_of_onnxruntime(model: Model) -> None:
    torch.manual_seed(8)
    before = torch.round(torch.randn(3, GROUPS[0], 9, 6) * 300)
    known = torch.round(torch.randn(3, GROUPS[1], 9, 6) * 20)
    energy = torch.tensor([[80.0, 40.0, 20.0, 0.0]]).expand(3, -1)
    expected = export.PassGraph(model.context.groups[1], 1)(before, known, energy)
    graph = export.graphs(model)["context_1_1.onnx"]()
    results = list(verify.run_everywhere(graph, [before, known, energy]))
    assert len(results) == 3
    for result in results:
        for found, wanted in zip(result, expected, strict=True):
            assert np.array_equal(found, wanted.numpy())


def test_the_float_graphs_agree_with_the_model_to_rounding(model: Model) -> None:
    symbols = torch.round(torch.randn(2, CHANNELS, 4, 7) * 10)
    graph = export.graphs(model)["synthesis.onnx"]()
    expected = model.synthesis(symbols).numpy()
    for (found,) in verify.run_everywhere(graph, [symbols]):
        assert found.shape == (2, 4, 64, 112)
        assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_model_file_has_all_that_its_description_promises(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_graph", lambda *_: b"")
    digest = export.export(model, tmp_path / "model.zip", {"name": "test"})
    assert digest == hashlib.sha256((tmp_path / "model.zip").read_bytes()).hexdigest()
    with zipfile.ZipFile(tmp_path / "model.zip") as file:
        described = json.loads(file.read("model.json"))
        names = set(file.namelist())
        frequencies = np.load(io.BytesIO(file.read("tables.npy")))
    assert described["name"] == "test"
    assert described["groups"] == list(GROUPS)
    assert frequencies.shape[2] == 2 * described["table"]["reach"] + 2
    assert {"analysis.onnx", "synthesis.onnx"} <= names
    for group, count in enumerate(described["passes"]):
        assert {f"context_{group}_{number}.onnx" for number in range(count)} <= names


def test_a_frozen_pass_equals_the_trained_one(model: Model) -> None:
    group = model.context.groups[1]
    frozen = export.PassGraph(group, 1)
    before = torch.round(torch.randn(1, GROUPS[0], 5, 4) * 300)
    known = torch.round(torch.randn(1, GROUPS[1], 5, 4) * 20)
    energy = torch.tensor([[80.0, 40.0, 20.0, 0.0]])
    constant = (energy / 16)[:, :, None, None].expand(-1, -1, 5, 4)
    mean, index = group.predict(1, [Known.of(before)], Known.of(known), constant)
    frozen_mean, frozen_index = frozen(before, known, energy)
    assert torch.equal(mean * 4, frozen_mean)
    assert torch.equal(index.clamp(0, 60), frozen_index)


def test_a_model_file_is_the_same_whenever_it_is_written(tmp_path: Path) -> None:
    for name in ("a", "b"):
        export._write(tmp_path / name, {"z": b"1", "a": b"22"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
