"""What tests of catalogues share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from comeo.compression import compress
from comeo.scene import DATETIME_UNKNOWN
from tests.tileserver.conftest import STEP, plain_scene


@pytest.fixture(scope="session")
def undated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of unknown time."""
    scene = replace(plain_scene("undated"), collection="optical", properties={DATETIME_UNKNOWN: True})
    path = tmp_path_factory.mktemp("undated") / "undated.zarr.zip"
    compress(scene, path, step=STEP)
    return path
