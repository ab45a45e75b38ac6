"""Relays: python -m benchmarks.relay [line] [value] [year] [idle] [--data FOLDER] [--output FOLDER].

Each writes its part of benchmarks/results/relay/: without a name all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from benchmarks import options
from benchmarks.relay import idle, line, value, year

TITLES: Final = {
    "line": "A relay over a bad line",
    "value": "What the order of a relay is worth",
    "year": "What a site costs a year",
    "idle": "What waiting costs a day",
}


def main() -> None:
    """Measure, print, and write the results."""
    parser = options.parser(__doc__)
    parser.add_argument("part", nargs="*", choices=[[], *TITLES], help="of the measurements; by default all")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], Iterable[str]]] = {
        "line": lambda: line.report(arguments.data),
        "value": value.report,
        "year": lambda: year.report(arguments.data),
        "idle": idle.report,
    }
    folder = arguments.output / "relay"
    folder.mkdir(parents=True, exist_ok=True)
    for part in arguments.part or TITLES:
        text = "\n".join([f"# {TITLES[part]}", "", *parts[part](), ""])
        print(text)
        (folder / f"{part}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
