"""A small pack of made-up images, shaped like the real one."""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from training import pack

SOURCES = """
[[source]]
path = "train/field.tif"
bands = [2, 1, 0, 3]
weight = 0.5

[[source]]
path = "train/sheet_*.tif"
bands = [0, 1, 2, 3, 4]
first = 4
chip = 128
weight = 0.5

[[source]]
path = "train/kept.tif"
bands = [0, 1, 2, 3]
held_out = true
"""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small tensors gain nothing from threads, and lose much where tests run side by side."""
    if importlib.util.find_spec("torch") is not None:
        importlib.import_module("torch").set_num_threads(1)


def landscape(bands: int, height: int, width: int, seed: int) -> NDArray[np.uint16]:
    """Correlated bands of smooth ground with sharp field edges."""
    random = np.random.default_rng(seed)
    fields = np.kron(random.normal(0, 400, (height // 32 + 1, width // 32 + 1)), np.ones((32, 32)))
    ground = fields[:height, :width] + random.normal(0, 40, (height, width))
    gains = random.uniform(0.5, 2, (bands, 1, 1))
    return np.clip(3000 + gains * ground + random.normal(0, 15, (bands, height, width)), 1, 60000).astype(
        np.uint16
    )


def _write(path: Path, values: NDArray[np.uint16]) -> None:
    count, height, width = values.shape
    place = {"crs": "EPSG:32633", "transform": Affine(10, 0, 0, 0, -10, 0)}
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype="uint16", **place
    ) as file:
        file.write(values)


@pytest.fixture(scope="session")
def raw_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a manifest, training images and a scene; one image has invalid pixels."""
    folder = tmp_path_factory.mktemp("data")
    field = landscape(4, 300, 280, 1)
    field[:, :20, :30] = 0
    _write(folder / "train/field.tif", field)
    _write(folder / "train/sheet_0.tif", landscape(5, 128, 256, 2))
    _write(folder / "train/sheet_1.tif", landscape(5, 128, 256, 3))
    _write(folder / "train/kept.tif", landscape(4, 256, 256, 4))
    _write(folder / "scenes/scene.tif", landscape(4, 64, 64, 5))
    names = [
        ("train/field.tif", "train"),
        ("train/sheet_0.tif", "train"),
        ("train/sheet_1.tif", "train/sheets"),
    ]
    names += [("train/kept.tif", "train"), ("scenes/scene.tif", "scenes")]
    manifest = [{"path": path, "split": split} for path, split in names]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "sources.toml").write_text(SOURCES)
    return folder


@pytest.fixture(scope="session")
def small_pack(raw_data: Path) -> Path:
    """The pack made of `raw_data`."""
    path = raw_data / "pack.npz"
    pack.build(raw_data, path, raw_data / "sources.toml")
    return path
