from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from training import evaluate, pack
from training.model import Model, Result


def test_a_curve_is_interpolated_in_decibels_over_the_logarithm_of_size() -> None:
    curve = evaluate.Curve(np.array([100.0, 400.0]), np.array([1e4, 1e2]))
    assert curve.psnr(100) == pytest.approx(40)
    assert curve.psnr(200) == pytest.approx(50)
    assert math.isnan(curve.psnr(99))
    assert math.isnan(curve.psnr(401))


def test_only_held_out_images_are_measured_on(small_pack: Path) -> None:
    blocks = evaluate.held_out_blocks(pack.load(small_pack))
    assert [block.shape for block in blocks] == [(4, 256, 256)]
    assert evaluate.raw_bytes(blocks) == 2 * 4 * 256 * 256


def test_blocks_with_invalid_pixels_are_left_out() -> None:
    values = np.random.default_rng(1).integers(1, 9000, (4, 600, 512)).astype(np.uint16)
    assert len(evaluate.component_blocks(values)) == 4
    values[2, 300, 300] = 0
    assert len(evaluate.component_blocks(values)) == 3


def test_the_seam_ratio_compares_the_border_with_the_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    def worse(result: Result, shape: tuple[int, ...]) -> torch.Tensor:
        decoded = torch.ones(shape)
        decoded[..., 0] += 2
        return decoded

    model = Model.blank()
    monkeypatch.setattr(model, "decoded", worse)
    ring = 256**2 - 252**2
    expected = np.sqrt((256 * 9 + (ring - 256)) / ring)
    blocks = [np.zeros((4, 256, 256), np.float32)]
    assert evaluate.seam_ratio(model, blocks, 10.0) == pytest.approx(expected)


def test_a_finer_step_costs_more_and_errs_less(small_pack: Path) -> None:
    torch.manual_seed(1)
    blocks = [block[:, :64, :96] for block in evaluate.held_out_blocks(pack.load(small_pack))]
    curve = evaluate.model_curve(Model.blank(), blocks, [40.0, 400.0])
    assert (np.diff(curve.sizes) > 0).all()
    assert (np.diff(curve.errors) < 0).all()
    assert curve.errors[1] < 40**2
    assert curve.sizes[0] > evaluate.OVERHEAD_BYTES


def test_the_jpeg2000_anchor_improves_with_size_and_spends_no_more_than_asked(small_pack: Path) -> None:
    blocks = evaluate.held_out_blocks(pack.load(small_pack))
    curve = evaluate.jpeg2000_curve(blocks)
    assert (np.diff(curve.sizes) > 0).all()
    assert (np.diff(curve.errors) < 0).all()
    raw = evaluate.raw_bytes(blocks)
    compared = evaluate.compare(curve, curve, raw, [raw / curve.sizes[1]])
    assert [entry["gain"] for entry in compared.values()] == [0.0]
