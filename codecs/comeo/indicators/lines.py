"""On which line each field of a document stands, in TOML and in JSON."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from comeo.indicators.problems import path_text

_KEY: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\\\n]{0,200}"|'[^'\n]{0,200}')"""
_HEADER: Final = re.compile(rf"^[ \t]*(\[\[?)[ \t]*({_KEY}(?:[ \t]*\.[ \t]*{_KEY}){{0,20}})[ \t]*\]")
_ENTRY: Final = re.compile(rf"^[ \t]*({_KEY}(?:[ \t]*\.[ \t]*{_KEY}){{0,20}})[ \t]*=")
_PARTS: Final = re.compile(_KEY)
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|\n|[^\s{}\[\],:"]+')


def toml_lines(text: str) -> dict[str, int]:
    """Line of each table and key, from 1, by its path. What stands within one line shares that of its key."""
    found: dict[str, int] = {}
    counts: Counter[str] = Counter()
    table: list[str | int] = []
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            table = []
            names = _PARTS.findall(header.group(2))
            for index, name in enumerate(names):
                table.append(name.strip("\"'"))
                path = path_text(table)
                if header.group(1) == "[[" and index == len(names) - 1:
                    counts[path] += 1
                if counts[path]:
                    table.append(counts[path] - 1)
            found.setdefault(path_text(table), number)
        elif entry := _ENTRY.match(line):
            names = [name.strip("\"'") for name in _PARTS.findall(entry.group(1))]
            for length in range(1, len(names) + 1):
                found.setdefault(path_text([*table, *names[:length]]), number)
    return found


def json_lines(text: str) -> dict[str, int]:
    """Line of each member and element, from 1, by its path; of a text that is valid JSON."""
    found: dict[str, int] = {}
    path: list[str | int] = []
    line, key = 1, True  # whether a string is a key
    for word in _TOKEN.findall(text):
        match word:
            case "\n":
                line += 1
                continue
            case "{" | "[":
                path.append("" if word == "{" else 0)
                key = word == "{"
            case "}" | "]":
                path.pop()
                key = False
            case ",":
                key = isinstance(path[-1], str)
                if not key:
                    path[-1] = int(path[-1]) + 1
            case ":":
                key = False
            case _ if key and path and isinstance(path[-1], str):
                path[-1] = word[1:-1]
        if path and path[-1] != "" and len(path) <= 20:
            found.setdefault(path_text(path), line)
    return found
