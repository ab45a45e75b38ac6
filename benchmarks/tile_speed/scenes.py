"""The scene that tiles are cut from: so large that each tile decodes blocks of its own.

T32TMT has 1100² pixels, and a few tiles decode all of its blocks. Here its four 10 m bands are mirrored at
their edges until they fill a square of a given size; blocks of 256² lie differently in each of the copies.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import mercantile
import numpy as np
import rasterio
from rasterio.shutil import copy as copy_dataset
from rasterio.warp import transform_bounds

from benchmarks.caching import kept, program_digest
from comeo.archive import open_archive
from comeo.compression import compress
from comeo.sources import open_source

SCENE: Final = "scenes/S2A_20190530_T32TMT_L2A_10bands.tif"
BANDS: Final = ("B02", "B03", "B04", "B08")
SIDE: Final = 5490
WARM_UP_SIDE: Final = 600
RATIO: Final = 100.0
_STRIDES: Final = {14: 3}
"""So many tiles apart no two tiles touch a block in common; 2 at all other zooms."""
_MOST_TILES: Final = 40
_ROUNDS: Final = 4


class Served(NamedTuple):
    """One scene, as a server has it.

    Attributes:
        file: The COG or archive.
        tiles: URL of a tile, with `{z}`, `{x}`, `{y}`, `{format}` and `{rescale}` to be filled in.
    """

    file: Path
    tiles: str


def cog(data: Path, side: int) -> Path:
    """The mirrored scene as a Cloud-Optimized GeoTIFF, deflate with a predictor, tiles of 256²."""
    source = data / SCENE

    def write(path: Path) -> None:
        with rasterio.open(source) as dataset:
            bands = [list(dataset.descriptions).index(band) + 1 for band in BANDS]
            pixels = dataset.read(bands)
            place = {"crs": dataset.crs, "transform": dataset.transform, "nodata": 0}
        more = [(0, max(0, side - size)) for size in pixels.shape[1:]]
        pixels = np.pad(pixels, ((0, 0), *more), mode="symmetric")[:, :side, :side]
        plain = path.with_suffix(".plain.tif")
        shape = {"count": len(BANDS), "height": side, "width": side, "dtype": "uint16"}
        with rasterio.open(plain, "w", driver="GTiff", **shape, **place) as dataset:
            dataset.write(pixels)
            dataset.descriptions = BANDS
        copy_dataset(plain, path, driver="COG", compress="DEFLATE", predictor="YES", blocksize=256)
        plain.unlink()

    key = hashlib.sha256(source.read_bytes()).digest() + f"COG of {BANDS} {side}".encode()
    return kept("cog", key, ".tif", write)


def archive(source: Path, name: str, codec: str, folder: Path) -> Path:
    """The archive of a scene at `RATIO`, as a link in a folder that is served."""

    def write(path: Path) -> None:
        with open_source(source) as scene:
            compress(replace(scene, id=name), path, codec=codec, ratio=RATIO)

    key = b"\0".join((program_digest(), source.read_bytes(), f"{name} {codec} {RATIO}".encode()))
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / f"{name}.zarr.zip"
    link.symlink_to(kept("archives", key, ".zarr.zip", write))
    return link


def of_archive(path: Path) -> Served:
    """How COMEO serves it."""
    with open_archive(path) as opened:
        item = f"/collections/{opened.collection}/items/{opened.id}"
    query = "bands=B04,B03,B02&rescale={rescale}"
    return Served(path, f"{item}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.{{format}}?{query}")


def of_cog(path: Path) -> Served:
    """How TiTiler serves it."""
    query = f"url={path}&bidx=3&bidx=2&bidx=1&rescale={{rescale}}"
    return Served(path, f"/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.{{format}}?{query}")


def rounds_of(path: Path, zoom: int) -> Iterator[list[mercantile.Tile]]:
    """Tiles of a zoom in rounds: within a round no two tiles lie on one block, so that all are cold.

    Tiles lie on the scene with at least a quarter of their area. They come in an order that no cache likes,
    the same in every run.
    """
    with rasterio.open(path) as dataset:
        bounds = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    stride = _STRIDES.get(zoom, 2)
    classes: dict[tuple[int, int], list[mercantile.Tile]] = {}
    for tile in mercantile.tiles(*bounds, zooms=[zoom]):
        if _share(mercantile.bounds(tile), bounds) >= 0.25:
            classes.setdefault((tile.x % stride, tile.y % stride), []).append(tile)
    shuffle = random.Random(zoom)
    left = _MOST_TILES
    for tiles in sorted(classes.values(), key=len, reverse=True)[:_ROUNDS]:
        shuffle.shuffle(tiles)
        if left:
            yield tiles[:left]
        left -= min(left, len(tiles))


def _share(tile: Sequence[float], bounds: Sequence[float]) -> float:
    """Share of a box (west, south, east, north) that lies in another one."""
    west, south, east, north = tile
    width = min(east, bounds[2]) - max(west, bounds[0])
    height = min(north, bounds[3]) - max(south, bounds[1])
    return max(0.0, width) * max(0.0, height) / ((east - west) * (north - south))
