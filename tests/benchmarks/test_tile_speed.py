"""The benchmark of tiles: which are asked for, and what is made of their times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

pytest.importorskip("mercantile")

from benchmarks.tile_speed import scenes
from benchmarks.tile_speed.__main__ import CPU, KINDS, PEER, against, crowd_table, page, zoom_table


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raster of T32TMT's place and of the benchmark's extent, of few pixels."""
    path = tmp_path_factory.mktemp("tiles") / "wide.tif"
    size = scenes.SIDE // 30
    transform = Affine(300, 0, 472_480, 0, -300, 5_257_490)
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=size, width=size, dtype="uint16", crs="EPSG:32632",
        transform=transform,
    ) as dataset:  # fmt: skip
        dataset.write(np.ones((1, size, size), np.uint16))
    return path


@pytest.mark.parametrize("zoom", [14, 13, 12, 11, 10, 9])
def test_no_two_tiles_of_a_round_lie_on_one_block(wide: Path, zoom: int) -> None:
    rounds = list(scenes.rounds_of(wide, zoom))
    tiles = [tile for round_ in rounds for tile in round_]
    assert len(set(tiles)) == len(tiles) > 0
    assert len(tiles) <= 40
    pixels = 40_075_016 / 2**zoom / 256 * np.cos(np.radians(47.3)) * 256 / 10  # of 10 m, a tile's side
    for round_ in rounds:
        for number, one in enumerate(round_):
            for other in round_[:number]:
                apart = max(abs(one.x - other.x), abs(one.y - other.y)) - 1
                assert apart * pixels >= 256, (one, other)
    assert rounds == list(scenes.rounds_of(wide, zoom))


def test_ratios_are_of_the_same_tile() -> None:
    times = {PEER: [0.01, 0.02, 0.04], "dct": [0.02, 0.02, 0.02]}
    assert against(times, "dct") == 1.0
    kinds = dict.fromkeys((*KINDS, CPU), times)
    table = zoom_table({14: kinds, 9: kinds}, "cold")
    assert "| tiles | 3 | 3 |" in table
    assert f"| {PEER} | (20 ms) | (20 ms) |" in table
    assert "| dct | **1.00** (20 ms) | **1.00** (20 ms) |" in table
    crowd = {kind: {PEER: [10.0, 20.0], "dct": [30.0, 40.0]} for kind in KINDS[:2]}
    assert "| dct | **2.50** (35 tiles/s) |" in crowd_table(crowd)
    results = {"side": 5490, "format": "webp", "stored_bytes": {PEER: 1, "dct": 2}, "zooms": {14: kinds}}
    assert "clients" not in page(results)
    assert "8 clients" in page({**results, "crowd": crowd})
