"""Fixtures that several tests of geoservices share."""

from __future__ import annotations

from pathlib import Path

import pytest

from comeo.compression import compress
from tests.tileserver.watch.mapped import DAYS, House, scene


@pytest.fixture(scope="module")
def dates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five dates of May and two of June."""
    folder = tmp_path_factory.mktemp("dates")
    for made in (*map(scene, DAYS), scene(5, 6), scene(15, 6), scene(25, 6, cloud=True)):
        compress(made, folder / f"{made.id}.zarr.zip", step=20.0, clear="scl")
    return folder


@pytest.fixture(scope="module")
def made(dates: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("maps") / "house", dates)
    assert house.work() == (2, {})
    return house
