"""Bands that say themselves in what range and colours they are shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from comeo.archive import open_archive
from comeo.archive.model import BandModel
from comeo.compression import compress
from comeo.scene import Scene
from tests.tileserver.conftest import Server, plain_scene
from tileserver.catalog.rows import bands_from_json, bands_to_json


def shown(colormap: str) -> Scene:
    scene = plain_scene("shown")
    (group,) = scene.groups
    band = replace(group.bands[0], display=(1000.0, 3000.0), colormap=colormap)
    return replace(scene, groups=(replace(group, bands=(band,)),))


def test_range_and_colours_come_with_the_archive(tmp_path: Path, server: Server) -> None:
    path = compress(shown("ylgn"), tmp_path / "archives" / "shown.zarr.zip", step=20.0)
    with open_archive(path) as archive:
        (group,) = archive.groups.values()
    assert (group.bands[0].display, group.bands[0].colormap) == ((1000.0, 3000.0), "ylgn")
    assert bands_from_json(bands_to_json(group.bands)) == group.bands
    client = server(tmp_path / "archives")
    (style,) = client.get("/collections/plain/items/shown/info").get_json()["styles"]
    assert (style["rescale"], style["colormap_name"]) == ([[1000.0, 3000.0]], "ylgn")
    own = client.get("/collections/plain/items/shown/preview.png?max_size=64")
    named = client.get("/collections/plain/items/shown/preview.png?max_size=64&colormap_name=ylgn&bands=DN")
    assert own.status_code == 200
    assert own.data == named.data


def test_colours_that_nobody_knows_are_grey(tmp_path: Path, server: Server) -> None:
    compress(shown("no_such_palette"), tmp_path / "archives" / "shown.zarr.zip", step=20.0)
    client = server(tmp_path / "archives")
    (style,) = client.get("/collections/plain/items/shown/info").get_json()["styles"]
    assert style["colormap_name"] is None
    assert client.get("/collections/plain/items/shown/preview.png?max_size=64").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"comeo:display": [1, 1]},
        {"comeo:display": [2, 1]},
        {"comeo:display": [0, float("inf")]},
        {"comeo:display": [0]},
        {"comeo:colormap": "../x"},
        {"comeo:colormap": "a" * 65},
    ],
)
def test_what_cannot_be_shown_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BandModel.model_validate({"name": "DN", **wrong})
