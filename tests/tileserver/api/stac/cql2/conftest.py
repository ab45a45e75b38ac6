"""Small scenes with many kinds of properties, and a server of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from affine import Affine
from flask.testing import FlaskClient

from comeo.compression import compress
from comeo.scene import DATETIME_UNKNOWN
from tests.buckets import places_at, stored
from tests.scenes import array_group, array_scene, landscape
from tests.tileserver.databases import catalogue_at
from tileserver import Settings, create_app

SCENES: dict[str, dict[str, Any]] = {
    "clear": {"eo:cloud_cover": 0, "gsd": 10, "platform": "sentinel-2a", "instruments": ["msi"]},
    "hazy": {"eo:cloud_cover": 12.5, "platform": "sentinel-2b", "instruments": ["msi", "other"]},
    "grey": {"eo:cloud_cover": 99.0, "platform": "SENTINEL-2A", "instruments": ["MSI"]},
    "dark": {"eo:cloud_cover": 10, "platform": "x_y", "instruments": [], "grid:code": "MGRS-32TMT"},
    "bare": {},
    "null": {"eo:cloud_cover": None, "platform": None, "instruments": None},
    "radar": {"platform": "Straße", "sar:polarizations": ["VV", "VH"], "instruments": "msi"},
    "percent": {"platform": "50%", "eo:cloud_cover": 5, "view:off_nadir": 5},
    "wrong": {"eo:cloud_cover": "10", "platform": 5, "instruments": {"msi": 1}, "view:off_nadir": True},
    "odd": {"platform": "it's", "instruments": [1, None, "msi"], "view:off_nadir": 1e300},
    "slash": {"platform": "\\x", "constellation": "sentinel-2a"},
    "undated": {"platform": "msi", DATETIME_UNKNOWN: True},
    "early": {"platform": "a", "gsd": 12.5},
    "late": {"platform": "", "sar:polarizations": ["VV"]},
}


@pytest.fixture(scope="session")
def filtered(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    """A client of a server of `SCENES`, side by side, a day after each other."""
    folder = tmp_path_factory.mktemp("filtered")
    for index, (name, properties) in enumerate(SCENES.items()):
        place = Affine(10, 0, 472_480 + 3000 * index, 0, -10, 5_257_490)
        group = array_group(landscape(1, 32, 32, index), transform=place)
        moment = datetime(2020, 5, 8 + index, 10, 30, tzinfo=UTC)
        scene = array_scene(group, scene_id=name, collection="two" if index % 3 else "one")
        scene = replace(scene, datetime=moment, properties=properties)
        compress(scene, folder / f"{name}.zarr.zip", step=50.0, codec="dct")
    with stored(folder, request):
        yield serve(folder, tmp_path_factory.mktemp("catalog") / "catalog.sqlite")


def serve(folder: Path, catalog: Path) -> FlaskClient:
    """A client of a server of a folder."""
    given = {**places_at(folder), "catalog": catalogue_at(catalog), "workers": 1, "scan_seconds": 3600}
    return create_app(Settings.model_validate(given)).test_client()
