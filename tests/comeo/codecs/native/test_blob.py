"""The flat blob of a model: made of its graphs, and read with care."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.codecs.lapped import synthesis
from comeo.codecs.learned import engine, models
from comeo.codecs.native import Flat, Library, NativeError
from comeo.codecs.native.library import digest_of
from comeo.settings import CodecSettings
from tests.comeo.codecs.native.cases import payloads

pytest.importorskip("onnx", reason="blobs are made of ONNX graphs")

from training import flat


@pytest.mark.parametrize("name", sorted(models()))
def test_shipped_blobs_are_made_of_the_graphs(name: str) -> None:
    model = models()[name]
    assert model.flat is not None, "make it: python -m training.flat"
    assert flat.flatten(model) == model.flat
    assert digest_of(model.flat) == model.digest


@pytest.mark.parametrize("reduce", [0, 1, 2, 3])
def test_four_kinds_of_tiles_make_every_transform(reduce: int) -> None:
    """A tile's basis depends on whether there are tiles before and after it alone, to the last bit."""
    kinds, side, half = flat.bases(reduce), 16 >> reduce, 8 >> reduce
    for tiles in (1, 2, 3, 4, 7, 16, 64):
        matrix = np.pad(synthesis(tiles, reduce)[0], ((half, half), (0, 0)))
        for tile in range(tiles):
            own = matrix[tile * side : (tile + 2) * side, tile * 16 : tile * 16 + 16].T
            assert np.array_equal(own, kinds[(tile > 0) + 2 * (tile < tiles - 1)])
            outside = matrix[:, tile * 16 : tile * 16 + 16].copy()
            outside[tile * side : (tile + 2) * side] = 0
            assert not outside.any()


def test_layers_that_are_not_exact_are_refused() -> None:
    ones: NDArray[np.float32] = np.ones(2, np.float32)
    sound = flat.Layer(np.full((9, 2), 100), ones, ones, np.zeros((0, 2)))
    flat.check_exact(sound, 127)
    many = flat.Layer(np.full((2000, 2), 100), sound.biases, sound.scales, sound.own)
    with pytest.raises(ValueError, match="beyond what float32 holds"):
        flat.check_exact(many, 127)
    with pytest.raises(ValueError, match="no room for"):
        flat.check_exact(flat.Layer(np.full((9, 2), 128), sound.biases, sound.scales, sound.own), 127)
    with pytest.raises(ValueError, match="power of two"):
        flat.check_exact(flat.Layer(sound.weights, sound.biases, np.full(2, 0.3, np.float32), sound.own), 127)


def test_damaged_blobs_are_refused(library_path: Path) -> None:
    library, blob = Library(library_path), models()["sentinel2-1"].flat
    assert blob is not None
    assert Flat(library, blob).groups == 11
    for length in [*range(0, 700, 7), *range(700, len(blob), 40_009), len(blob) - 4]:
        with pytest.raises(NativeError, match="damaged"):
            Flat(library, blob[:length])
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(600):  # the head and the groups, where all numbers are sizes and places
        data = bytearray(blob)
        at = 4 * int(rng.integers(0, 220))
        data[at : at + 4] = int(rng.choice([0, 1, 3, 255, 256, 0x7FFFFFFF, 0xFFFFFFFF])).to_bytes(4, "little")
        try:
            Flat(library, bytes(data))
        except NativeError:
            refused += 1
    assert refused > 300


def test_a_blob_of_another_model_is_refused(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    model = models()["sentinel2-1"]
    assert model.flat is not None
    other = type(model)("other", model.content + b" ", model.flat)
    with pytest.raises(NativeError, match="made from another file"):
        engine.engine_of(other, CodecSettings())
    assert payloads()
