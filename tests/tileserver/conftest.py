"""What the server's tests share: archives of small scenes, and a server of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from flask.testing import FlaskClient

from comeo.compression import compress
from comeo.scene import Band, BandGroup, Scene
from tests.buckets import places_at, stored
from tests.scenes import array_group, array_scene, corner_cut, landscape
from tests.tileserver.databases import (  # noqa: F401 - fixtures
    address,
    catalogue_at,
    database,
    kind,
    postgres,
    sqlite_database,
    sqlite_template,
)
from tileserver import Settings, create_app

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
SIZE = 360
STEP = 20.0
Server = Callable[..., FlaskClient]


def pytest_configure(config: pytest.Config) -> None:
    """Let rasterio and rio-tiler multiply affines as they have always done."""
    for module in ("rasterio", "rio_tiler"):
        config.addinivalue_line("filterwarnings", f"ignore:Use `@` matmul:PendingDeprecationWarning:{module}")


def optical_scene(scene_id: str, day: int, *, seed: int = 0, cut: bool = False) -> Scene:
    """Sentinel-2 with four bands at 10 m and two at 20 m; `cut` hides the lower right half."""
    fine = landscape(4, SIZE, SIZE, seed)
    coarse = landscape(2, SIZE // 2, SIZE // 2, seed + 1)
    masks = [corner_cut(values.shape) if cut else np.ones(values.shape, bool) for values in (fine, coarse)]
    if cut:
        for mask in masks:
            mask[:] = mask.all(axis=0)
    groups = (
        array_group(fine, masks[0], names=["B02", "B03", "B04", "B08"], transform=FINE),
        array_group(coarse, masks[1], names=["B8A", "B11"], transform=FINE @ Affine.scale(2)),
    )
    return array_scene(*groups, scene_id=scene_id, collection="optical", day=day)


def radar_scene(scene_id: str) -> Scene:
    """Sentinel-1 in decibels."""
    group = array_group(
        landscape(2, SIZE, SIZE, 5, np.float32), np.ones((2, SIZE, SIZE), bool), names=["VV", "VH"]
    )
    return array_scene(group, scene_id=scene_id, collection="radar")


def plain_scene(scene_id: str) -> Scene:
    """One band of which nobody knows what it is."""
    group = array_group(landscape(1, 200, 200, 7), names=["DN"])
    bands = (Band("DN"),)
    plain = BandGroup(
        group.name, bands, group.height, group.width, group.dtype, group.crs, group.transform,
        group.has_nodata, group.read,
    )  # fmt: skip
    return Scene(scene_id, "plain", datetime(2021, 1, 1, tzinfo=UTC), (plain,))


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Folder of archives: three days of one place, radar, and a band of unknown unit."""
    folder = tmp_path_factory.mktemp("archives")
    scenes = [
        optical_scene("old", 1),
        optical_scene("middle", 10, seed=10),
        optical_scene("new", 20, seed=20, cut=True),
        radar_scene("radar"),
        plain_scene("plain"),
    ]
    for scene in scenes:
        step = STEP if scene.groups[0].dtype == np.uint16 else 0.1
        compress(scene, folder / f"{scene.id}.zarr.zip", step=step)
    with stored(folder, request):
        yield folder


@pytest.fixture
def own_archives(archives: Path, tmp_path: Path) -> Path:
    """A copy of the archives, to be tampered with."""
    return Path(shutil.copytree(archives, tmp_path / "own"))


def serving(archives: Path, folder: Path, **settings: object) -> FlaskClient:
    """A client of a server that looks at its archives once; the catalogue lies in `folder`."""
    given: dict[str, object] = {
        **places_at(archives), "workers": 1, "scan_seconds": 3600, "static": folder / "no-viewer", **settings,
    }  # fmt: skip
    if "catalog" not in given:
        given["catalog"] = catalogue_at(folder / "catalog.sqlite")
    return create_app(Settings.model_validate(given)).test_client()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """Makes clients of servers with given settings."""
    made = 0

    def make(paths: Path, **settings: object) -> FlaskClient:
        nonlocal made
        made += 1
        if "catalog" not in settings:
            settings["catalog"] = catalogue_at(tmp_path / f"catalog-{made}.sqlite")
        return serving(paths, tmp_path, **{"scan_seconds": 0.0, **settings})

    return make


@pytest.fixture(scope="session")
def client(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A client of a server of all archives."""
    return serving(archives, tmp_path_factory.mktemp("server"))
