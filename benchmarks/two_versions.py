"""Tiles of two versions of this program: python -m benchmarks.two_versions BEFORE AFTER --archives FOLDER.

Each version is a checkout whose C library has been compiled. One process of each answers the same tiles in
turn; figures are medians of ratios of processor time, so that what else the machine does hits both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ITEM: Final = "/collections/sentinel-2-l2a/items/S2A_T32TMT_20190530_L2A"
TILE: Final = f"{ITEM}/tiles/WebMercatorQuad/14/{{x}}/{{y}}.webp"
QUERIES: Final = {
    "true-color": "style=true-color",
    "ndvi": "style=ndvi",
    "expression": "expression=(B08-B04)/(B08%2BB04)&rescale=-0.2,0.9&colormap_name=ylgn",
}
PLACES: Final = [(8587 + x, 5733 + y) for x in range(2) for y in range(2)]
_WORKER: Final = """
import json, sys, time
from pathlib import Path
from tileserver import Settings, create_app
def app(size):
    settings = Settings(paths=(Path(sys.argv[1]),), tile_cache_bytes=0, block_cache_bytes=size)
    return create_app(settings).test_client()
apps = {"cold": app(0), "blocks known": app(1 << 29)}
for line in sys.stdin:
    kind, url = json.loads(line)
    before = time.process_time()
    answer = apps[kind].get(url)
    print(json.dumps([time.process_time() - before, answer.status_code]), flush=True)
"""


class Version:
    """One process of one version."""

    def __init__(self, checkout: Path, archives: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{checkout / 'codecs'}:{checkout}"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(archives)], cwd=checkout, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def seconds(self, kind: str, url: str) -> float:
        """Processor time of an answer."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process has no pipes")
        self._process.stdin.write(json.dumps([kind, url]) + "\n")
        self._process.stdin.flush()
        took, status = json.loads(self._process.stdout.readline())
        if status != 200:
            raise RuntimeError(f"{url} is answered with {status}")
        return float(took)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.two_versions", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--archives", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args(arguments)
    versions = [Version(each.resolve(), given.archives.resolve()) for each in (given.before, given.after)]
    sys.stdout.write("| tile | kind | before, ms | after, ms | after ÷ before |\n|---|---|---|---|---|\n")
    for kind in ("cold", "blocks known"):
        for name, query in QUERIES.items():
            taken: tuple[list[float], list[float]] = ([], [])
            for number in range(given.rounds + 1):
                for x, y in PLACES:
                    url = f"{TILE.format(x=x, y=y)}?{query}"
                    for place in (0, 1) if number % 2 else (1, 0):
                        seconds = versions[place].seconds(kind, url)
                        if number:  # the first round warms up
                            taken[place].append(seconds)
            ratio = statistics.median(after / before for before, after in zip(*taken, strict=True))
            before, after = (1000 * statistics.median(each) for each in taken)
            sys.stdout.write(f"| {name} | {kind} | {before:.1f} | {after:.1f} | {ratio:.3f} |\n")
            sys.stdout.flush()
    for version in versions:
        version.close()


if __name__ == "__main__":
    main()
