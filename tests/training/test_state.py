"""The state in the repository: what the shipped model was exported from, and the next run starts from."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="states are read by the export, which needs the extra `train`")

import rasterio
import torch

import training
from comeo.codecs.learned import models
from comeo.codecs.learned.model import DEFAULT
from training import evaluate
from training.export import read_state
from training.model import Model
from training.verify import verify

STATE = Path(training.__file__).parent / "states" / f"{DEFAULT}.pt"


@pytest.fixture(scope="module")
def model() -> Model:
    return read_state(STATE)[0]


def test_it_is_small_and_tells_how_long_it_was_trained() -> None:
    assert STATE.stat().st_size < 20e6
    read, state = read_state(STATE)
    assert state["step"] > 0
    assert state["seconds"] > 0
    assert all(torch.isfinite(value).all() for value in read.state_dict().values())
    assert sorted(read.order.tolist()) == list(range(256))


def test_the_shipped_model_was_exported_from_it(model: Model, tmp_path: Path) -> None:
    path = tmp_path / f"{DEFAULT}.zip"
    path.write_bytes(models()[DEFAULT].content)
    assert verify(model, path) == sum(map(len, model.context.groups)) > 20


def test_it_beats_jpeg2000_at_a_low_rate_on_a_place_it_never_saw(model: Model, shared_data: Path) -> None:
    with rasterio.open(shared_data / "train/belgium_S2L1C.tif") as file:
        blocks = evaluate.component_blocks(file.read(window=((512, 768), (0, 512))))
    curve = evaluate.model_curve(model, blocks, [1200.0])
    size = float(curve.sizes[0])
    assert evaluate.raw_bytes(blocks) / size > 100
    assert curve.psnr(size) > evaluate.jpeg2000_curve(blocks).psnr(size)


def test_flat_blocks_stay_flat_and_cost_little(model: Model) -> None:
    for level in (0.0, 0.02):  # the spectral transform takes the mean off, but for its rounding
        components = torch.full((1, 4, 128, 128), level)
        result = model(components)
        assert float((model.decoded(result, components.shape) - level).abs().max()) < 1
        assert float(result.bits) < 8 * 512
