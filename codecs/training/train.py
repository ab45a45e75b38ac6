"""Train the learned codec: resumable, on a CPU or a CUDA device.

Loss of a block: bits + λ · squared error / step², the same trade at every rate, since the block was divided
by its step. The transform is fixed and the quantiser chooses by that loss, so what is learned is the entropy
model, from the bits. Blocks weigh by the inverse root of their own loss, so that neither busy nor quiet ones
decide alone.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from comeo.codecs.learned.encoder import WORTH
from comeo.codecs.learned.quantiser import dependent
from comeo.codecs.learned.tables import check
from training.crops import CropSampler, options_of, stream
from training.design import FIRST_DESIGN, Design
from training.evaluate import compare, held_out_blocks, jpeg2000_curve, model_curve, raw_bytes
from training.model import Model, measured_order
from training.pack import Image, load
from training.quantising import Quantising
from training.tables import unfitted

log = logging.getLogger("training")

INITIAL_BATCHES = 40
WARM_UP = 150
COOL_DOWN = 0.8  # last share of the run, in which the learning rate falls to a fiftieth
AVERAGE = 0.999
LARGEST_GRADIENT = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """Parameters of a run.

    Attributes:
        pack: The training data.
        output: Folder of checkpoints and log.
        seconds: Length of this run, wall clock.
        rate: Learning rate.
        small: Crops of 128² in a batch.
        large: Crops of 256² in every other batch.
        seed: Of all random numbers.
        device: `cpu` or `cuda`.
        bfloat16: Whether hidden layers may run in bfloat16: quicker on a GPU, and not quite what is decoded.
        save_every: Seconds between checkpoints.
        evaluate_every: Seconds between evaluations.
        pause_file: While this file exists, the run sleeps.
        start: Weights to start from if the folder has no checkpoint.
        design: JSON of `Design.facts`, of a model that starts from nothing; by default that of format 1.
        grid: Of the dependent quantiser, in sixteenths of a step; 0 quantises to whole steps.
    """

    pack: Path
    output: Path
    seconds: float
    rate: float = 5e-4
    small: int = 24
    large: int = 6
    seed: int = 1
    device: str = "cpu"
    bfloat16: bool = False
    save_every: float = 180.0
    evaluate_every: float = 600.0
    pause_file: Path | None = None
    start: Path | None = None
    design: Path | None = None
    grid: int = 10


def objective(model: nn.Module, components: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of a batch, and the figures to log."""
    result = model(components)
    pixels = components.shape[2] * components.shape[3]
    rate, error = result.bits / pixels, result.error / pixels
    value = rate + WORTH * error
    weight = value.detach().clamp(min=0.05).rsqrt()
    figures = {
        "bits_per_pixel": rate.mean().item(),
        "error": error.mean().item(),
        "value": value.mean().item(),
        "root_value": value.detach().sqrt().mean().item(),
    }
    return (weight * value).mean(), figures


class Trainer:
    """A run: its model, its state on disk, and its loop."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.device = torch.device(options.device)
        self.images = load(options.pack)
        self.checkpoint = options.output / "checkpoint.pt"
        self.step = 0
        self.trained_seconds = 0.0
        self.best_gain = -np.inf  # of this run, dB: a run that is continued may cool down to less
        options.output.mkdir(parents=True, exist_ok=True)
        state = self._stored_state()
        self.model = self._fresh_model() if state is None else Model.of_state(state)
        if state is not None:
            self.step, self.trained_seconds = state["step"], state["seconds"]
        self.model.context.quantising = quantising(options.grid)
        self.model.to(self.device)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), lr=options.rate, betas=(0.9, 0.99), fused=True
        )
        if state is not None and "optimiser" in state:
            self.optimiser.load_state_dict(state["optimiser"])
            self.average.load_state_dict(state["average"])
        self.warm = state is not None and "optimiser" in state
        self.first_step = self.step

    def run(self) -> None:
        """Train until the time is up, then evaluate and save."""
        options = self.options
        evaluation = Evaluation(self.images, options.output)
        batches = self._batches()
        began = last_save = last_evaluation = time.monotonic()
        figures: list[dict[str, float]] = []
        while (elapsed := time.monotonic() - began) < options.seconds:
            if options.pause_file is not None and options.pause_file.exists():
                time.sleep(1.0)
                continue
            started = time.monotonic()
            figures.append(self._one_step(next(batches), elapsed / options.seconds))
            now = time.monotonic()
            self.trained_seconds += now - started
            if self.step % 100 == 0:
                self._log(figures)
                figures = []
            if now - last_save > options.save_every:
                self.save()
                last_save = now
            if now - last_evaluation > options.evaluate_every:
                self._evaluate(evaluation)
                last_evaluation = time.monotonic()
        self.save()
        self._evaluate(evaluation)

    def save(self) -> None:
        """Write the checkpoint (all that resuming needs) and the averaged weights (half precision)."""
        common = self._facts()
        full = {"model": self.model.state_dict(), "average": self.average.state_dict()}
        _write(self.checkpoint, full | common | {"optimiser": self.optimiser.state_dict()})
        self._write_weights("weights.pt", common)

    def _evaluate(self, evaluation: Evaluation) -> None:
        """Measure, and keep the averaged weights that gained most on the held-out blocks as `best.pt`."""
        gain = evaluation.measure(self.average, self.step, self.trained_seconds)
        if gain > self.best_gain:
            self.best_gain = gain
            self._write_weights("best.pt", self._facts())

    def _facts(self) -> dict[str, Any]:
        design = self.model.design.facts()
        return {"step": self.step, "seconds": self.trained_seconds, "design": design}

    def _write_weights(self, name: str, facts: dict[str, Any]) -> None:
        half = {key: value.half().cpu() for key, value in self.average.state_dict().items()}
        _write(self.options.output / name, {"model": half} | facts)

    def _one_step(self, batch: NDArray[np.float32], progress: float) -> dict[str, float]:
        self._set_rate(progress)
        self.model.train()
        components = torch.from_numpy(batch).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bfloat16):
            loss, figures = objective(self.model, components)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT))
        if np.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        decay = min(AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)
        return figures | {"gradient": norm}

    def _set_rate(self, progress: float) -> None:
        warm = 1.0 if self.warm else min(1.0, (self.step - self.first_step + 1) / WARM_UP)
        cool = max(0.02, min(1.0, (1 - progress) / COOL_DOWN))
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.rate * warm * cool

    def _batches(self) -> Iterator[NDArray[np.float32]]:
        options = self.options
        crops = partial(options_of, self.images, layout=self.model.layout)
        seed = options.seed * 1_000_003 + self.step
        small = CropSampler(self.images, crops(128, options.small), seed)
        large = CropSampler(self.images, crops(256, options.large), seed + 1)
        return stream([small, large])

    def _fresh_model(self) -> Model:
        torch.manual_seed(self.options.seed)
        path = self.options.design
        design = FIRST_DESIGN if path is None else Design.from_facts(json.loads(path.read_text()))
        layout = design.layout
        sampler = CropSampler(self.images, options_of(self.images, 128, 16, layout), self.options.seed)
        crops = np.concatenate([sampler.batch() for _ in range(INITIAL_BATCHES)])
        return Model(*measured_order(crops, layout), design)

    def _stored_state(self) -> dict[str, Any] | None:
        for path in (self.checkpoint, self.options.start):
            if path is not None and path.exists():
                log.info("continuing from %s", path)
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
        return None

    def _log(self, figures: list[dict[str, float]]) -> None:
        mean = {name: round(float(np.mean([f[name] for f in figures])), 4) for name in figures[0]}
        entry = {"step": self.step, "seconds": round(self.trained_seconds), **mean}
        entry["rate"] = self.optimiser.param_groups[0]["lr"]
        _append(self.options.output / "log.jsonl", entry)
        log.info("%s", entry)


def quantising(grid: int) -> Callable[[list[int]], Quantising] | None:
    """What quantises a batch with the dependent quantiser of a grid; None for grid 0."""
    if not grid:
        return None
    quantiser = dependent(grid)
    return partial(Quantising, quantiser, check(*unfitted(quantiser), quantiser))


class Evaluation:
    """Measures on the held-out blocks, beside KLT + JPEG 2000."""

    def __init__(self, images: list[Image], output: Path) -> None:
        self.blocks = held_out_blocks(images)
        self.anchor = jpeg2000_curve(self.blocks)
        self.output = output

    def measure(self, model: Model, step: int, seconds: float) -> float:
        """Measure, append to `evaluation.jsonl`, and return the mean gain over the ratios, dB."""
        device = next(model.parameters()).device
        curve = model_curve(model, self.blocks, device=device)
        result = compare(curve, self.anchor, raw_bytes(self.blocks))
        entry = {"step": step, "seconds": round(seconds), **result}
        entry["ratios"] = (raw_bytes(self.blocks) / curve.sizes).round(1).tolist()
        _append(self.output / "evaluation.jsonl", entry)
        log.info("%s", entry)
        return float(np.mean([each["gain"] for each in result.values()]))


def _write(path: Path, state: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _append(path: Path, entry: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Train the learned codec.")
    parser.add_argument("--pack", type=Path, default=Path(".cache/training/sentinel2.npz"))
    parser.add_argument("--output", type=Path, default=Path(".cache/training/run"))
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--grid", type=int, default=10, help="of the quantiser, sixteenths; 0: whole steps")
    parser.add_argument("--design", type=Path, help="JSON of a model that starts from nothing")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--small", type=int, default=24)
    parser.add_argument("--large", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--bfloat16", action=argparse.BooleanOptionalAction, default=torch.cuda.is_available()
    )
    parser.add_argument("--evaluate-every", type=float, default=600.0)
    parser.add_argument("--save-every", type=float, default=180.0)
    parser.add_argument("--pause-file", type=Path)
    arguments = vars(parser.parse_args())
    torch.set_num_threads(arguments.pop("threads"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    Trainer(Options(**arguments)).run()


if __name__ == "__main__":
    main()
