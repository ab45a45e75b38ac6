"""Check a model file against the PyTorch model that it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from comeo.codecs.learned import Model as ModelFile
from comeo.codecs.learned.features import NEIGHBOUR_PEAK, PEAK
from comeo.codecs.learned.tables import SCALES
from comeo.errors import ComeoError
from comeo.training.integers import UNIT
from comeo.training.model import Model

_TILES = 500


@torch.no_grad()
def verify(model: Model, path: Path, seed: int = 1) -> None:
    """Run each network of a model file on random features, beside PyTorch.

    Raises:
        ComeoError: If a mean or an index differs at all.
    """
    file = ModelFile(path.stem, path.read_bytes())
    random = np.random.default_rng(seed)
    for group, networks in enumerate(model.context.groups):
        for number, network in enumerate(networks):
            width = network.first.weight.shape[1]
            features = random.geometric(0.05, (_TILES, width)).clip(1, PEAK + 1).astype(np.uint8) - 1
            neighbours = None
            if network.linear is not None:
                size = _TILES, network.linear.weight.shape[1]
                drawn = random.standard_cauchy(size) * 20
                neighbours = np.rint(drawn.clip(-NEIGHBOUR_PEAK, NEIGHBOUR_PEAK)).astype(np.float32)
            mean, index = file.predict(group, number, features, neighbours)
            expected_mean, expected = network(
                torch.from_numpy(features.astype(np.float32) / UNIT),
                None if neighbours is None else torch.from_numpy(neighbours),
            )
            same = np.array_equal(index, expected.clamp(0, SCALES - 1).numpy())
            if not same or (mean is not None and not np.array_equal(mean, (expected_mean * 4).numpy())):
                raise ComeoError(f"pass {number} of group {group} differs from the trained model")
