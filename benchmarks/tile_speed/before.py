"""Tiles of this version against another one: python -m benchmarks.tile_speed.before CHECKOUT.

CHECKOUT is a folder of another version with its own `.venv` (after `make install` there). Both servers run at
once, idle but for one request at a time, and each tile is asked of both, one right after the other and in
turn first: what the machine does meanwhile hits both alike.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tile_speed import scenes
from benchmarks.tile_speed.servers import comeo_server, fetch

ZOOMS = (13, 11)
ROUNDS = 5
WARM_ROUNDS = 3


def ratios(ports: tuple[int, int], paths: Sequence[str]) -> list[float]:
    """Time of the first server over that of the second, of each path."""
    out = []
    for number, path in enumerate(paths):
        seconds = {}
        for port in ports if number % 2 else ports[::-1]:
            began = time.perf_counter()
            fetch(port, path)
            seconds[port] = time.perf_counter() - began
        out.append(seconds[ports[0]] / seconds[ports[1]])
    return out


def measure(archive: Path, bins: tuple[Path, Path], paths: Sequence[str]) -> dict[str, list[float]]:
    """Ratios of cold tiles, of tiles whose blocks are known, and of tiles asked for again."""
    found: dict[str, list[float]] = {"cold": [], "blocks known": [], "again": []}
    for round_ in range(ROUNDS):
        with comeo_server(archive.parent, bins[0]) as one, comeo_server(archive.parent, bins[1]) as two:
            own, other = one.port, two.port
            for port in (own, other):
                fetch(port, f"{paths[0]}&bands=B08&rescale=0,1000")
            tiles = [f"{path}&bands=B04,B03,B02" for path in paths]
            found["cold"] += ratios((own, other), [f"{path}&rescale=0,3000" for path in tiles])
            for warm in range(WARM_ROUNDS):
                warmed = [f"{path}&rescale=0,{3001 + warm}" for path in tiles]
                found["blocks known"] += ratios((own, other), warmed)
                found["again"] += ratios((own, other), warmed)
        print(f"round {round_ + 1} of {ROUNDS}", file=sys.stderr)
    return found


def main() -> None:
    """Measure and print."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--codec", default="dct")
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    arguments = parser.parse_args()
    bins = (Path(sys.executable).parent, arguments.checkout.resolve() / ".venv" / "bin")
    cog = scenes.cog(arguments.data, scenes.SIDE)
    rounds = [next(scenes.rounds_of(cog, zoom)) for zoom in ZOOMS]
    with tempfile.TemporaryDirectory() as folder:
        archive = scenes.archive(cog, "mosaic", arguments.codec, Path(folder))
        address = scenes.of_archive(archive).tiles.partition("?")[0]
        paths = [
            address.format(z=tile.z, x=tile.x, y=tile.y, format="webp") + "?return_mask=true"
            for tile in itertools.chain(*rounds)
        ]
        found = measure(archive, bins, paths)
    print(f"{arguments.codec}, {len(paths)} tiles, this version's time over the other's: median [quartiles]")
    for state, values in found.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{state:>13}: {middle:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
