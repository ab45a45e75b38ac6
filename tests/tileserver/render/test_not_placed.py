"""Scenes that are not terrain-corrected: shown alone, never with others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from comeo.compression import compress
from comeo.scene import TERRAIN_CORRECTED, Scene
from tests.scenes import array_group, array_scene
from tests.tileserver.conftest import SIZE, Server
from tests.tileserver.places import position, tile_path


def _radar(scene_id: str, day: int, decibels: float, *, corrected: bool | None) -> Scene:
    group = array_group(
        np.full((1, SIZE, SIZE), decibels, np.float32), np.ones((1, SIZE, SIZE), bool), names=["VV"]
    )
    scene = array_scene(group, scene_id=scene_id, collection="radar", day=day)
    known = {} if corrected is None else {TERRAIN_CORRECTED: corrected}
    return replace(scene, properties={**scene.properties, **known})


def _archives(folder: Path, *scenes: Scene) -> Path:
    folder.mkdir()
    for scene in scenes:
        compress(scene, folder / f"{scene.id}.zarr.zip", step=0.1, codec="dct")
    return folder


def test_they_are_left_out_of_a_collections_pictures_and_points(tmp_path: Path, server: Server) -> None:
    client = server(
        _archives(
            tmp_path / "both",
            _radar("placed", 1, -10, corrected=True),
            _radar("rough", 9, -3, corrected=False),
        )
    )
    tile = f"tiles/WebMercatorQuad/{tile_path(0.5, 0.5, 14)}.png?bands=VV&rescale=-20,0"
    mixed = client.get(f"/collections/radar/{tile}")
    assert mixed.status_code == 200
    alone = client.get(f"/collections/radar/items/placed/{tile}")
    rough = client.get(f"/collections/radar/items/rough/{tile}")
    assert mixed.data == alone.data != rough.data
    assert rough.status_code == 200
    lon, lat = position(0.5, 0.5)
    answer = client.get(f"/collections/radar/point/{lon},{lat}").get_json()
    assert answer["item"] == "placed"
    own = client.get(f"/collections/radar/items/rough/point/{lon},{lat}").get_json()
    assert own["item"] == "rough"
    properties = client.get("/stac/collections/radar/items/rough").get_json()["properties"]
    assert properties[TERRAIN_CORRECTED] is False


def test_a_collection_of_them_alone_says_why_it_has_no_picture(tmp_path: Path, server: Server) -> None:
    client = server(_archives(tmp_path / "rough", _radar("rough", 9, -3, corrected=False)))
    tile = f"tiles/WebMercatorQuad/{tile_path(0.5, 0.5, 14)}.png?bands=VV&rescale=-20,0"
    answer = client.get(f"/collections/radar/{tile}")
    assert answer.status_code == 404
    assert "not terrain-corrected" in answer.get_json()["detail"]
    lon, lat = position(0.5, 0.5)
    answer = client.get(f"/collections/radar/point/{lon},{lat}")
    assert answer.status_code == 404
    assert "not terrain-corrected" in answer.get_json()["detail"]
