from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="export needs the extra `train`")
pytest.importorskip("onnxruntime", reason="the check of an export needs onnxruntime")

import torch

from comeo.codecs.learned import LearnedCodec, codec, engine
from comeo.codecs.learned import Model as ModelFile
from comeo.codecs.learned.layout import FIRST_LAYOUT
from comeo.codecs.learned.quantiser import POINTS, dependent
from comeo.codecs.learned.tables import ROWS
from comeo.errors import ComeoError
from tests.comeo.codecs.blocks import textured
from tests.comeo.codecs.learned.reference import ReferenceModel
from training import export, filters, tables, verify
from training.flat import flatten
from training.model import Model
from training.pack import load

QUANTISER = dependent(10)


@pytest.fixture(scope="module")
def model() -> Model:
    """A model as after training: no weight is zero."""
    torch.manual_seed(7)
    made = Model.blank()
    with torch.no_grad():
        made.order.copy_(torch.randperm(256))
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    made.eval().requires_grad_(False)
    return made


@pytest.fixture(scope="module")
def fitted() -> tables.Fitted:
    points = np.random.default_rng(1).integers(-9, 10, (2, ROWS, POINTS)).astype(np.int8)
    return tables.unfitted(QUANTISER)._replace(points=points)


@pytest.fixture(scope="module")
def file(model: Model, fitted: tables.Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.zip"
    path.write_bytes(export.pack(model, QUANTISER, {"name": "test"})(fitted))
    return path


def test_an_exported_model_agrees_with_the_trained_one_bit_for_bit(model: Model, file: Path) -> None:
    assert verify.verify(model, file) == sum(map(len, model.context.groups)) > 20


@pytest.mark.parametrize("part", ["last", "diagonal", "cross", "bias", "bend.weight", "bent.bias"])
def test_the_check_of_an_export_can_fail(model: Model, file: Path, part: str) -> None:
    parameter = model.context.groups[3][1].get_parameter(part)
    kept = parameter.clone()
    parameter.add_(0.4)
    try:
        with pytest.raises(ComeoError, match="pass 1 of group 3 differs from the trained model"):
            verify.verify(model, file)
    finally:
        parameter.copy_(kept)


def test_a_plain_reference_reads_an_exported_model(file: Path) -> None:
    """Its own bounds are asserted as it reads; `verify` draws the inputs."""
    shipped, reference = (kind("test", file.read_bytes()) for kind in (ModelFile, ReferenceModel))
    random = np.random.default_rng(3)
    for group, number in shipped.graphs():
        network = Model.blank().context.groups[group][number]
        inputs = verify._random_inputs(network, random)
        for found, wanted in zip(
            shipped.predict(group, number, inputs), reference.predict(group, number, inputs), strict=True
        ):
            np.testing.assert_array_equal(found, wanted)


def test_a_model_file_has_all_that_its_description_promises(
    model: Model, fitted: tables.Fitted, file: Path
) -> None:
    read = ModelFile("test", file.read_bytes())
    assert read.facts["name"] == "test"
    assert read.layout == FIRST_LAYOUT
    assert read.quantiser.facts() == QUANTISER.facts()
    assert len(read.graphs()) == sum(group.passes for group in FIRST_LAYOUT.groups)
    np.testing.assert_array_equal(np.diff(read.tables.cumulative), fitted.frequencies)
    np.testing.assert_array_equal(read.tables.points, fitted.points)
    assert json.loads(json.dumps(read.facts)) == read.facts
    order = model.order.numpy()
    assert read.places[:12].tolist() == order[:12].tolist()
    assert read.places[12:20].tolist() == (256 + order[:8]).tolist()


def test_an_exported_model_codes_blocks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = ModelFile("test", file.read_bytes())
    for module in (codec, engine):
        monkeypatch.setattr(module, "by_tag", lambda _: chosen)
    block = textured(4, 70, 50)
    decoded = LearnedCodec(chosen).decode(LearnedCodec(chosen).encode(block, step=20))
    assert np.abs(decoded.astype(float) - block).max() < 6 * 20


def test_a_model_file_is_the_same_whenever_it_is_written(
    model: Model, fitted: tables.Fitted, file: Path
) -> None:
    assert export.pack(model, QUANTISER, {"name": "test"})(fitted) == file.read_bytes()


def test_an_export_is_fitted_and_checked(
    model: Model, small_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "fit", partial(tables.fit, batches=1, rounds=1))
    monkeypatch.setattr(filters, "fit", partial(filters.fit, batches=1))
    for module in (tables, filters):
        monkeypatch.setattr(module, "_SIDES", ((128, 1),))
    path = tmp_path / "test.zip"
    digest = export.export(model, QUANTISER, load(small_pack), path, {"name": "test"})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["test.bin", "test.zip"]
    assert (tmp_path / "test.bin").read_bytes() == flatten(ModelFile("test", path.read_bytes()))
    assert ModelFile("test", path.read_bytes()).filter is not None
    frequencies = np.diff(ModelFile("test", path.read_bytes()).tables.cumulative)
    assert not np.array_equal(frequencies, tables.unfitted(QUANTISER).frequencies)


def test_a_state_is_read_as_it_was_saved(model: Model, tmp_path: Path) -> None:
    half = {name: value.half() for name, value in model.state_dict().items()}
    half["order"] = model.order
    torch.save({"model": half, "step": 3, "seconds": 1.5}, tmp_path / "weights.pt")
    read, state = export.read_state(tmp_path / "weights.pt")
    assert state == {"step": 3, "seconds": 1.5}
    assert torch.equal(read.order, model.order)
    assert not read.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(read.state_dict()[name], value, rtol=1e-3, atol=1e-6)
