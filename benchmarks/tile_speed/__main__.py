"""Tiles against TiTiler: python -m benchmarks.tile_speed [--data FOLDER] [--output FOLDER] [--zoom Z …].

One worker a server, all servers started anew for each round, every tile asked of each of them in turn: what
the machine does meanwhile hits all alike, and figures are medians of ratios.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import mercantile

from benchmarks import options
from benchmarks.extracts import cpu_seconds
from benchmarks.tile_speed import scenes
from benchmarks.tile_speed.scenes import Served
from benchmarks.tile_speed.servers import Running, comeo_server, fetch, time_all, titiler_server
from comeo.codecs import codec_names

PEER: Final = "TiTiler"
ZOOMS: Final = (14, 13, 12, 11, 10, 9)
CROWD_ZOOMS: Final = (14, 13)
CLIENTS: Final = 8
CROWD_ROUNDS: Final = 3
KINDS: Final = ("cold", "blocks known", "again")
CPU: Final = "cold, processor"
Scenes = Mapping[str, tuple[Served, Served]]
Seconds = dict[str, list[float]]


def prepare(data: Path, side: int, codecs: Sequence[str], folder: Path) -> Scenes:
    """For each server the scene to measure, and a small one to warm up with."""
    large, small = scenes.cog(data, side), scenes.cog(data, scenes.WARM_UP_SIDE)
    found = {PEER: (scenes.of_cog(large), scenes.of_cog(small))}
    for codec in codecs:
        archives = [scenes.archive(source, name, codec, folder / codec)
                    for source, name in ((large, "mosaic"), (small, "small"))]  # fmt: skip
        found[codec] = (scenes.of_archive(archives[0]), scenes.of_archive(archives[1]))
        sys.stderr.write(f"{codec}: {archives[0].stat().st_size / 1e6:.2f} MB\n")
    return found


@contextmanager
def servers(served: Scenes, extension: str) -> Iterator[dict[str, Running]]:
    """A server a scene, each with what a process loads once loaded."""
    with ExitStack() as stack:
        running = {}
        for name, (large, _) in served.items():
            starting = titiler_server() if name == PEER else comeo_server(large.file.parent)
            running[name] = stack.enter_context(starting)
        warm_up = next(scenes.rounds_of(served[PEER][1].file, 13))[:2]
        for name, (_, small) in served.items():
            for url in urls(small, warm_up, extension, 3000):
                fetch(running[name].port, url)
        yield running


def urls(scene: Served, tiles: Sequence[mercantile.Tile], extension: str, white: int) -> list[str]:
    """Addresses of tiles of a scene, stretched from 0 to a number."""
    return [
        scene.tiles.format(z=tile.z, x=tile.x, y=tile.y, format=extension, rescale=f"0,{white}")
        for tile in tiles
    ]


def in_turn(running: Mapping[str, Running], paths: Mapping[str, Sequence[str]]) -> Seconds:
    """Ask every server for its path of the same tile, a different one first each time."""
    names = list(running)
    seconds: Seconds = {name: [] for name in names}
    for number in range(len(paths[PEER])):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            began = time.perf_counter()
            fetch(running[name].port, paths[name][number])
            seconds[name].append(time.perf_counter() - began)
    return seconds


def by_zoom(served: Scenes, zoom: int, extension: str) -> dict[str, Seconds]:
    """Seconds of each server for the tiles of a zoom: see `KINDS`; and of its processors, a mean a round."""
    found: dict[str, Seconds] = {kind: {name: [] for name in served} for kind in (*KINDS, CPU)}
    for tiles in scenes.rounds_of(served[PEER][0].file, zoom):
        with servers(served, extension) as running:
            for kind, white in zip(KINDS, (3000, 3500, 3500), strict=True):
                paths = {name: urls(large, tiles, extension, white) for name, (large, _) in served.items()}
                before = {name: cpu_seconds(one.pid) for name, one in running.items()}
                for name, seconds in in_turn(running, paths).items():
                    found[kind][name] += seconds
                if kind == KINDS[0]:
                    for name, one in running.items():
                        found[CPU][name].append((cpu_seconds(one.pid) - before[name]) / len(tiles))
    return found


def crowd(served: Scenes, extension: str) -> dict[str, Seconds]:
    """Tiles a second that each server gives to many clients: of tiles that are cold, and of blocks known."""
    tiles = [tile for zoom in CROWD_ZOOMS for tile in next(scenes.rounds_of(served[PEER][0].file, zoom))]
    kinds = KINDS[:2]
    found: dict[str, Seconds] = {kind: {name: [] for name in served} for kind in kinds}
    with servers(served, extension) as running:
        for kind, white in zip(kinds, (3000, 3500), strict=True):
            for round_ in range(CROWD_ROUNDS):
                part = tiles[round_::CROWD_ROUNDS]
                for name, (large, _) in served.items():
                    *_, seconds = time_all(running[name].port, urls(large, part, extension, white), CLIENTS)
                    found[kind][name].append(len(part) / seconds)
    return found


def against(values: Seconds, name: str) -> float:
    """Median of the ratios of a server's figures to the peer's."""
    return statistics.median(own / peer for own, peer in zip(values[name], values[PEER], strict=True))


def zoom_table(found: Mapping[int, Mapping[str, Seconds]], kind: str) -> str:
    """Times by zoom as Markdown: below 1 is faster than the peer."""
    columns = [kinds[kind] for kinds in found.values()]
    counts = " | ".join(str(len(values[PEER])) for values in columns)
    lines = [f"| {'rounds' if kind == CPU else 'tiles'} | {counts} |"]
    return _table("zoom", found, [*lines, *_rows(columns, lambda value: f"{1e3 * value:.0f} ms")])


def crowd_table(found: Mapping[str, Seconds]) -> str:
    """Tiles a second as Markdown: above 1 is more than the peer."""
    return _table("server", found, _rows(list(found.values()), lambda value: f"{value:.0f} tiles/s"))


def _table(corner: str, columns: Iterable[object], lines: Sequence[str]) -> str:
    names = list(map(str, columns))
    return "\n".join([f"| {corner} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|", *lines])


def _rows(columns: Sequence[Seconds], text: Callable[[float], str]) -> list[str]:
    """A line a server: in each column the ratio to the peer, and the median."""
    lines = []
    for name in columns[0]:
        cells = []
        for values in columns:
            ratio = "" if name == PEER else f"**{against(values, name):.2f}** "
            cells.append(f"{ratio}({text(statistics.median(values[name]))})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def page(results: Mapping[str, Any]) -> str:
    """All tables."""
    stored = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in results["stored_bytes"].items())
    parts = [
        "# Tile speed",
        f"256-pixel true-colour tiles ({results['format']}) of {results['side']}² pixels in four bands: "
        f"T32TMT, mirrored at its edges until it fills that square. Stored: {stored}. One worker a server, "
        f"each tile asked of all servers in turn; median of the ratios of times to {PEER} on the deflate COG "
        "of the same scene (below 1 is faster), and median time.",
        "### Cold",
        "Each tile asked once of servers that have decoded none of its blocks.",
        zoom_table(results["zooms"], "cold"),
        "Processor time of the servers for these tiles, the mean of a round, which other work on the machine "
        "changes less.",
        zoom_table(results["zooms"], CPU),
        "### Blocks known",
        "The same tiles in another stretch: their blocks are decoded, the tile isn't rendered.",
        zoom_table(results["zooms"], "blocks known"),
        "### Again",
        f"The same address a second time, which COMEO keeps and {PEER} leaves to a proxy.",
        zoom_table(results["zooms"], "again"),
    ]
    if "crowd" in results:
        parts += [
            f"### {CLIENTS} clients",
            f"Tiles a second (zooms {' and '.join(map(str, CROWD_ZOOMS))}) and their ratio to {PEER}'s, "
            f"above 1 being more; median of {CROWD_ROUNDS} turns.",
            crowd_table(results["crowd"]),
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure, print, and write benchmarks/results/tile_speed.*."""
    parser = options.parser(__doc__)
    parser.add_argument("--codec", nargs="+", default=codec_names())
    parser.add_argument("--zoom", type=int, nargs="+", default=ZOOMS)
    parser.add_argument("--side", type=int, default=scenes.SIDE, help="pixels of the scene's side")
    parser.add_argument("--format", default="webp", help="of the tiles: webp, as the viewer has it, or png")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        served = prepare(arguments.data, arguments.side, arguments.codec, Path(folder))
        results: dict[str, Any] = {
            "side": arguments.side, "format": arguments.format,
            "stored_bytes": {name: large.file.stat().st_size for name, (large, _) in served.items()},
            "zooms": {},
        }  # fmt: skip
        for zoom in arguments.zoom:
            results["zooms"][zoom] = by_zoom(served, zoom, arguments.format)
            cold = results["zooms"][zoom]["cold"]
            ratios = ", ".join(f"{name} {against(cold, name):.2f}" for name in arguments.codec)
            sys.stderr.write(f"zoom {zoom}, cold, time over {PEER}'s: {ratios}\n")
            write(arguments.output, results)  # each zoom takes minutes
        results["crowd"] = crowd(served, arguments.format)
    sys.stdout.write(write(arguments.output, results))


def write(folder: Path, results: Mapping[str, Any]) -> str:
    """Write figures and tables; give the tables."""
    text = page(results)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tile_speed.md").write_text(text)
    (folder / "tile_speed.json").write_text(json.dumps(results, indent=1) + "\n")
    return text


if __name__ == "__main__":
    main()
