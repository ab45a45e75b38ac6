"""What the viewer costs on a link of 256 kbit/s and 400 ms: python -m benchmarks.viewer.

Headless Chromium opens the bundled samples with an empty cache. Bytes and requests are exact: the browser's
own count of what came over the link, which its own throttling makes. Times hold for this machine, and are
upper bounds where it does other work.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.options import parser
from benchmarks.tile_speed.servers import comeo_server
from benchmarks.viewer.figures import Figures, change_of_style, first_visit, swiping
from benchmarks.viewer.link import chromium

SAMPLES: Final = Path(__file__).resolve().parents[2] / "samples"
GOALS: Final = {
    "first picture, s": 4,
    "map alive, s": 9,
    "bytes before the first picture, page": 60_000,
    "bytes of the page": 280_000,
    "bytes of the reference map": 30_000,
    "bytes of a change to NDVI": 100_000,
    "longest task while swiping, ms": 100,
}


def repeated(visits: list[Figures]) -> Figures:
    """The median of each figure."""
    known = {name: [value for each in visits if (value := each[name]) is not None] for name in visits[0]}
    return {name: median(values) if values else None for name, values in known.items()}


def table(columns: dict[str, Figures]) -> str:
    """Figures side by side with the goals, in Markdown."""
    names = list(dict.fromkeys(name for each in columns.values() for name in each))
    head = f"| | {' | '.join(columns)} | goal |\n|---|{'---|' * (len(columns) + 1)}\n"

    def cell(value: float | None) -> str:
        return (
            "–"
            if value is None
            else f"{value:,.0f}"
            if value >= 100 or value == int(value)
            else f"{value:.1f}"
        )

    rows = (
        f"| {name} | {' | '.join(cell(each.get(name)) for each in columns.values())} | "
        f"{'≤ ' + cell(GOALS[name]) if name in GOALS else ''} |"
        for name in names
    )
    return head + "\n".join(rows) + "\n"


def main() -> None:
    """Measure, print and write `viewer.md` and `viewer.json`."""
    options = parser(__doc__)
    options.add_argument("--visits", type=int, default=3, help="cold starts a screen [default: 3]")
    options.add_argument("--archives", type=Path, default=SAMPLES)
    arguments = options.parse_args()
    with comeo_server(arguments.archives) as server, chromium() as browser:
        address = f"http://127.0.0.1:{server.port}/"
        columns = {
            screen: repeated([first_visit(browser, address, screen) for _ in range(arguments.visits)])
            for screen in ("desktop", "phone")
        }
        columns["desktop"] |= change_of_style(browser, address, "NDVI")
        columns["phone"] |= swiping(browser, address)
    text = f"# The viewer on a slow link\n\n{(__doc__ or '').split(chr(10), 2)[2]}\n{table(columns)}"
    print(text)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "viewer.md").write_text(text)
    (arguments.output / "viewer.json").write_text(json.dumps(columns, indent=1) + "\n")


if __name__ == "__main__":
    main()
