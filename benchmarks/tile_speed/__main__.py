"""Run with: python -m benchmarks.tile_speed [--data FOLDER] [--output FOLDER]."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mercantile
import rasterio
from rasterio.shutil import copy as copy_dataset
from rasterio.warp import transform_bounds

from benchmarks.tile_speed.servers import comeo_server, fetch, time_all, titiler_server
from comeo.archive import open_archive
from comeo.compression import compress
from comeo.sources import open_source

SCENE = "scenes/S2A_20190530_T32TMT_L2A_10bands.tif"
CODECS = ("dct", "jpeg2000")
ZOOMS = (11, 12, 13, 14)
MAX_TILES_PER_ZOOM = 40
FORMATS = ("png", "webp")
ROUNDS = 3


def tiles_of(path: Path) -> list[mercantile.Tile]:
    """Tiles that lie on the scene, in an order that no cache likes, the same in every run."""
    with rasterio.open(path) as dataset:
        west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    # A little inside the box, in which the scene lies askew: a tile that only touches the box is an error
    # to TiTiler.
    x, y = 0.05 * (east - west), 0.05 * (north - south)
    bounds = (west + x, south + y, east - x, north - y)
    shuffle = random.Random(0)
    chosen: list[mercantile.Tile] = []
    for zoom in ZOOMS:
        tiles = list(mercantile.tiles(*bounds, zooms=[zoom]))
        shuffle.shuffle(tiles)
        chosen += tiles[:MAX_TILES_PER_ZOOM]
    shuffle.shuffle(chosen)
    return chosen


def measure(port: int, paths: list[str]) -> dict[str, Any]:
    """Cold with one client, then warm with one and with eight, then the same addresses again.

    Each warm round asks for a stretch of its own, so that no tile was rendered before.
    """
    cold, sizes, _ = time_all(port, [f"{path}&rescale=0,3000" for path in paths], 1)
    warm: list[float] = []
    crowd: list[float] = []
    again: list[float] = []
    throughput: list[float] = []
    for round_ in range(1, ROUNDS + 1):
        seconds, _, _ = time_all(port, [f"{path}&rescale=0,{3000 + round_}" for path in paths], 1)
        warm += seconds
        seconds, _, whole = time_all(port, [f"{path}&rescale=0,{4000 + round_}" for path in paths], 8)
        crowd += seconds
        throughput.append(len(paths) / whole)
        seconds, _, _ = time_all(port, [f"{path}&rescale=0,{3000 + round_}" for path in paths], 1)
        again += seconds
    return {
        "cold_ms": 1000 * statistics.median(cold),
        "warm_ms": 1000 * statistics.median(warm),
        "warm_8_clients_ms": 1000 * statistics.median(crowd),
        "again_ms": 1000 * statistics.median(again),
        "tiles_per_second_8_clients": statistics.median(throughput),
        "kilobytes": statistics.median(sizes) / 1000,
    }


def run(data: Path) -> list[dict[str, Any]]:
    """Measure both servers on every format, each codec of ours against the same peer."""
    source = data / SCENE
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        cog = Path(folder) / "scene.tif"
        copy_dataset(source, cog, driver="COG", compress="DEFLATE", predictor="YES", blocksize=256)
        tiles = tiles_of(cog)
        archives = {}
        for codec in CODECS:
            place = Path(folder) / codec
            scene = open_source(source)
            archives[codec] = compress(scene, place / f"{scene.id}.zarr.zip", codec=codec, ratio=100.0)
            scene.close()
        for extension in FORMATS:
            peer = [
                f"/tiles/WebMercatorQuad/{t.z}/{t.x}/{t.y}.{extension}?url={quote(str(cog))}"
                "&bidx=3&bidx=2&bidx=1"
                for t in tiles
            ]
            with titiler_server() as port:
                fetch(port, f"{peer[0]}&rescale=0,1000")
                rows.append(
                    {"server": "TiTiler, COG", "format": extension, "stored_bytes": cog.stat().st_size}
                )
                rows[-1] |= measure(port, peer)
            for codec, path in archives.items():
                with open_archive(path) as archive:
                    item = f"/collections/{archive.collection}/items/{archive.id}"
                own = [
                    f"{item}/tiles/WebMercatorQuad/{t.z}/{t.x}/{t.y}.{extension}?bands=B04,B03,B02"
                    for t in tiles
                ]
                with comeo_server(path.parent) as port:
                    # the first tile pays for what a process loads once, at either server
                    fetch(port, f"{own[0].replace('B04,B03,B02', 'B11')}&rescale=0,1000")
                    rows.append({"server": f"COMEO, {codec} ×100", "format": extension})
                    rows[-1] |= {"stored_bytes": path.stat().st_size} | measure(port, own)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, with ratios to the peer (above 1: faster or smaller than the peer)."""
    columns = ("cold_ms", "warm_ms", "warm_8_clients_ms", "again_ms", "kilobytes")
    lines = [
        "| server | stored | format | cold | warm | warm, 8 clients | 8 clients | again | tile |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        peer = next(r for r in rows if r["format"] == row["format"] and r["server"].startswith("TiTiler"))
        cells = []
        for column, unit in zip(columns, ("ms", "ms", "ms", "ms", "kB"), strict=True):
            ratio = "" if row is peer else f" (×{peer[column] / row[column]:.2f})"
            cells.append(f"{row[column]:.1f} {unit}{ratio}")
        rate = f"{row['tiles_per_second_8_clients']:.0f} tiles/s"
        if row is not peer:
            rate += f" (×{row['tiles_per_second_8_clients'] / peer['tiles_per_second_8_clients']:.2f})"
        stored = f"{row['stored_bytes'] / 1e6:.2f} MB"
        line = [row["server"], stored, row["format"], *cells[:3], rate, *cells[3:]]
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write benchmarks/results/tile_speed.*."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    parser.add_argument("--output", type=Path, default=root / "benchmarks" / "results")
    arguments = parser.parse_args()
    rows = run(arguments.data)
    text = (
        "# Tile speed\n\n"
        f"256-pixel true-colour tiles of {Path(SCENE).name}, zooms {ZOOMS[0]} to {ZOOMS[-1]}, one worker a "
        "server, medians; in brackets the ratio to TiTiler in the same run, above 1 being faster (smaller).\n"
        "Cold: each tile for the first time after the server's start. Warm: the blocks were decoded before, "
        "but the tile was not rendered. Again: the same address a second time, which COMEO keeps and TiTiler "
        "leaves to a proxy.\n\n" + table(rows) + "\n"
    )
    print(text)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "tile_speed.md").write_text(text)
    (arguments.output / "tile_speed.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
