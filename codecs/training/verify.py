"""Check a model file against the PyTorch model that it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from comeo.codecs.learned import Model as ModelFile
from comeo.codecs.learned.features import CROSS_PEAK, NEIGHBOUR_PEAK, PEAK, Inputs
from comeo.codecs.learned.tables import SCALES
from comeo.errors import ComeoError
from training import context
from training.context import PassContext
from training.integers import UNIT
from training.model import Model

_TILES = 500


@torch.no_grad()
def verify(model: Model, path: Path, seed: int = 1) -> int:
    """Run each network of a model file on random features, beside PyTorch; return how many there are.

    Raises:
        ComeoError: If a mean or an index differs at all.
    """
    file = ModelFile(path.stem, path.read_bytes())
    random = np.random.default_rng(seed)
    checked = 0
    for group, networks in enumerate(model.context.groups):
        for number, network in enumerate(networks):
            inputs = _random_inputs(network, random)
            mean, index = file.predict(group, number, inputs)
            expected_mean, expected = network(_as_tensors(network, inputs))
            same = np.array_equal(index, expected.clamp(0, SCALES - 1).numpy())
            if not same or not np.array_equal(mean, (expected_mean * UNIT).numpy()):
                raise ComeoError(f"pass {number} of group {group} differs from the trained model")
            checked += 1
    return checked


def _random_inputs(network: PassContext, random: np.random.Generator) -> Inputs:
    width, count = network.first.weight.shape[1], len(network.bias)
    features = random.geometric(0.05, (_TILES, width)).clip(1, PEAK + 1).astype(np.uint8) - 1
    neighbours = bends = crossed = None
    if network.linear is not None:
        drawn = random.standard_cauchy((_TILES, network.linear.weight.shape[1])) * 20
        neighbours = np.rint(drawn.clip(-NEIGHBOUR_PEAK, NEIGHBOUR_PEAK)).astype(np.float32)
    if network.bend is not None:
        drawn = random.standard_cauchy((_TILES, network.bend.weight.shape[1])) * 20
        bends = np.rint(drawn.clip(-PEAK, PEAK)).astype(np.int8)
    if network.cross is not None:
        drawn = random.standard_cauchy((_TILES, count)) * 20
        crossed = np.rint(drawn.clip(-CROSS_PEAK, CROSS_PEAK)).astype(np.float32)
    return Inputs(features, neighbours, bends, crossed)


def _as_tensors(network: PassContext, inputs: Inputs) -> context.Inputs:
    features = torch.from_numpy(inputs.features.astype(np.float32) / UNIT)
    own = features.shape[1] - network.kinds * len(network.bias)
    neighbours, bends, crossed = (
        None if each is None else torch.from_numpy(each.astype(np.float32)) for each in inputs[1:]
    )
    return context.Inputs(
        features[:, : network.direct],
        features[:, network.direct : own],
        features[:, own:],
        neighbours,
        None if bends is None else bends / UNIT,
        crossed,
    )
