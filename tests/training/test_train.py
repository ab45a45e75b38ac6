from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from training import evaluate, train
from training.model import Model
from training.train import Options, Trainer, objective


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """A rough start, and two points of a curve: what is tested does not depend on them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "INITIAL_BATCHES", 2)
        patch.setattr(evaluate, "STEPS", (100.0, 400.0))
        yield


def _options(pack: Path, output: Path, **changes: object) -> Options:
    fields: dict[str, object] = {"seconds": 0.0, "small": 1, "large": 1, "bfloat16": False}
    return Options(pack=pack, output=output, **fields | changes)  # type: ignore[arg-type]


def _steps(trainer: Trainer, count: int) -> list[float]:
    batches = trainer._batches()
    return [trainer._one_step(next(batches), 0.0)["value"] for _ in range(count)]


def test_a_run_is_saved_and_resumed_where_it_was(small_pack: Path, tmp_path: Path) -> None:
    first = Trainer(_options(small_pack, tmp_path))
    _steps(first, 2)
    first.save()
    second = Trainer(_options(small_pack, tmp_path))
    assert second.step == first.step == 2
    for one, other in ((first.model, second.model), (first.average, second.average)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name
    moments = first.optimiser.state_dict()["state"], second.optimiser.state_dict()["state"]
    assert torch.equal(moments[0][0]["exp_avg"], moments[1][0]["exp_avg"])


def test_weights_alone_are_enough_to_start_from(small_pack: Path, tmp_path: Path) -> None:
    first = Trainer(_options(small_pack, tmp_path / "first"))
    _steps(first, 1)
    first.save()
    second = Trainer(_options(small_pack, tmp_path / "second", start=tmp_path / "first/weights.pt"))
    assert second.step == 1
    for name, value in first.average.state_dict().items():
        assert torch.allclose(value, second.model.state_dict()[name], rtol=1e-3, atol=1e-6), name


def test_every_parameter_learns_and_the_entropy_model_cannot_cheat(small_pack: Path, tmp_path: Path) -> None:
    trainer = Trainer(_options(small_pack, tmp_path))
    model = trainer.model.train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 1e-3)
    loud = 80 * next(trainer._batches())  # where nothing happens, fine groups aren't coded at all
    loss, figures = objective(model, torch.from_numpy(loud))
    loss.backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []
    assert figures["value"] > figures["bits_per_pixel"] > 0


def test_an_unlucky_batch_does_not_poison_the_weights(small_pack: Path, tmp_path: Path) -> None:
    trainer = Trainer(_options(small_pack, tmp_path))
    batch = next(trainer._batches())
    batch[0, 0, 0, 0] = 1e25
    assert not np.isfinite(trainer._one_step(batch, 0.0)["gradient"])
    assert all(torch.isfinite(value).all() for value in trainer.model.state_dict().values())


def test_training_lowers_the_loss(small_pack: Path, tmp_path: Path) -> None:
    trainer = Trainer(_options(small_pack, tmp_path, small=2, rate=1e-3))
    batch = 10 * next(trainer._batches())  # loud enough that something is coded

    @torch.no_grad()
    def loss() -> float:
        trainer.model.eval()  # without the noise of training
        return float(objective(trainer.model, torch.from_numpy(batch))[0])

    before = loss()
    for _ in range(6):
        trainer._one_step(batch, 0.0)
    assert loss() < before


def test_a_run_ends_with_an_evaluation(small_pack: Path, tmp_path: Path) -> None:
    trainer = Trainer(_options(small_pack, tmp_path, seconds=1.0))
    trainer.run()
    entry = json.loads((tmp_path / "evaluation.jsonl").read_text().splitlines()[-1])
    assert entry["step"] == trainer.step > 0
    assert {"x50", "x100", "x250"} <= set(entry)
    state = torch.load(tmp_path / "weights.pt", weights_only=True)
    Model.blank().load_state_dict({name: value.float() for name, value in state["model"].items()})


def test_the_best_weights_on_held_out_blocks_are_kept(
    small_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, gains = Trainer(_options(small_pack, tmp_path)), iter([0.5, 0.9, 0.7])
    evaluation = train.Evaluation(trainer.images, tmp_path)
    monkeypatch.setattr(evaluation, "measure", lambda *_: next(gains))
    for step in (1, 2, 3):
        trainer.step = step
        trainer._evaluate(evaluation)
    assert torch.load(tmp_path / "best.pt", weights_only=True)["step"] == 2
