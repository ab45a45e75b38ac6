"""The state in the repository: what the next run starts from."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import rasterio
import torch

import comeo.training
from comeo.training import evaluate
from comeo.training.model import Model

STATE = Path(comeo.training.__file__).parent / "states" / "sentinel2.pt"


@pytest.fixture(scope="module")
def model() -> Model:
    state = torch.load(STATE, map_location="cpu", weights_only=True)
    made = Model.blank()
    made.load_state_dict({name: value.float() for name, value in state["model"].items()})
    made.eval().requires_grad_(False)
    return made


def test_it_is_small_and_tells_how_long_it_was_trained() -> None:
    assert STATE.stat().st_size < 20e6
    state = torch.load(STATE, map_location="cpu", weights_only=True)
    assert state["step"] > 0
    assert state["seconds"] > 0
    assert all(torch.isfinite(value).all() for value in state["model"].values())


def test_it_beats_jpeg2000_at_a_low_rate_on_a_place_it_never_saw(model: Model, shared_data: Path) -> None:
    with rasterio.open(shared_data / "train/belgium_S2L1C.tif") as file:
        blocks = evaluate.component_blocks(file.read(window=((512, 768), (0, 512))))
    curve = evaluate.model_curve(model, blocks, [1200.0])
    size = float(curve.sizes[0])
    assert evaluate.raw_bytes(blocks) / size > 100
    assert curve.psnr(size) > evaluate.jpeg2000_curve(blocks).psnr(size)


def test_flat_blocks_stay_flat_and_cost_little(model: Model) -> None:
    for level in (0.0, 0.02):  # the spectral transform takes the mean off, but for its rounding
        coded = model(torch.full((1, 4, 128, 128), level))
        assert float((coded.decoded - level).abs().max()) < 1
        assert float(coded.bits) < 8 * 512
