"""Texts that editors write into bulletins: a part of Markdown, with placeholders from a list.

A text becomes blocks of plain runs, of which a page and a PDF are set alike; what is no heading, list or
emphasis stays the characters that it is. So nothing that somebody writes is ever HTML, Jinja or Typst.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

OF_SITE: Final = ("value", "usual", "difference", "clear")
OF_ALERTS: Final = ("opened", "confirmed", "dismissed", "undecided", "withdrawn")
PLAIN: Final = ("title", "month", "number", "scenes", "clear-scenes", "sites", "outside")
_BRACES: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_SITE: Final = re.compile(r"site-([1-9][0-9]{0,4})")
_LISTED: Final = (
    f"write {', '.join(PLAIN)}; {', '.join(OF_SITE)} as value:site-1, or value:site-1:ndvi of another "
    f"indicator than the first; {', '.join(OF_ALERTS)} as alerts:opened"
)
MOST_DEPTH: Final = 3
"""Lists in lists; what is deeper stands at this depth."""
Kind = Literal["heading", "paragraph", "bullet", "number"]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands between two braces.

    Attributes:
        name: `month`, `value`, `alerts` …
        site: Number of the site in the bulletin, from 1.
        detail: Id of an indicator, or a count of alerts.
    """

    name: str
    site: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one look."""

    text: str
    strong: bool = False
    emphasis: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading or an item of a list.

    Attributes:
        kind: Which.
        depth: Of an item, from 1.
        number: Of an item of a numbered list.
        runs: Its characters.
    """

    kind: Kind
    depth: int
    number: int
    runs: tuple[Run, ...]

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def placeholders(text: str) -> Iterator[Placeholder]:
    """Placeholders of a text.

    Raises:
        ValueError: If one is not on the list, with a sentence.
    """
    for found in _BRACES.finditer(text):
        yield _placeholder(found.group(1))
    if "{{" in _BRACES.sub("", text):
        raise ValueError("a placeholder begins with {{ and does not end with }}")


def blocks(text: str, value: Callable[[Placeholder], str]) -> list[Block]:
    """A text as blocks, its placeholders filled.

    Args:
        text: Markdown whose placeholders have been checked.
        value: What stands for a placeholder.
    """
    made: list[Block] = []
    lists: list[tuple[Kind, int]] = []
    kind: Kind = "paragraph"
    is_first = False  # paragraph of its item
    for token in _parser().parse(text):
        if token.type == "heading_open":
            kind = "heading"
        elif token.type == "heading_close":
            kind = "paragraph"
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            first = int(token.attrs.get("start", 1))
            lists.append(("bullet", 0) if token.type == "bullet_list_open" else ("number", first - 1))
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "list_item_open":
            lists[-1], is_first = (lists[-1][0], lists[-1][1] + 1), True
        elif token.type == "inline":
            runs = tuple(_runs(token.children or (), value))
            own, number = lists[-1] if lists and is_first and kind == "paragraph" else (kind, 0)
            made.append(Block(own, min(len(lists), MOST_DEPTH), number, runs))
            is_first = False
    return made


def _parser() -> MarkdownIt:
    return MarkdownIt("zero").enable(["heading", "list", "emphasis", "escape", "newline"])


def _runs(tokens: Sequence[Token], value: Callable[[Placeholder], str]) -> Iterator[Run]:
    strong = emphasis = 0
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            yield Run("\n" if token.type == "hardbreak" else " ", strong > 0, emphasis > 0)
        elif token.type.startswith("strong_"):
            strong += token.nesting
        elif token.type.startswith("em_"):
            emphasis += token.nesting
        elif token.content:
            yield Run(_filled(token.content, value), strong > 0, emphasis > 0)


def _filled(text: str, value: Callable[[Placeholder], str]) -> str:
    """Characters with what stands for their placeholders; others that escapes have made stay."""

    def of(found: re.Match[str]) -> str:
        try:
            return value(_placeholder(found.group(1)))
        except ValueError:
            return found.group()

    return _BRACES.sub(of, text)


def _placeholder(inside: str) -> Placeholder:
    name, *rest = (each.strip() for each in inside.split(":"))
    if name in PLAIN and not rest:
        return Placeholder(name)
    if name == "alerts" and len(rest) == 1 and rest[0] in OF_ALERTS:
        return Placeholder(name, None, rest[0])
    if name in OF_SITE and len(rest) in (1, 2):
        site = _SITE.fullmatch(rest[0])
        if site is not None:
            return Placeholder(name, int(site.group(1)), rest[1] if len(rest) > 1 else None)
    raise ValueError(f"there is no placeholder {{{{{inside[:60]}}}}}; {_LISTED}")
