"""JavaScript as a tree of syntax, by tree-sitter."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from comeo.indicators.translate.common import TranslationError

if TYPE_CHECKING:
    from tree_sitter import Node as Syntax
    from tree_sitter import Parser

_WORDS: Final = {
    "for_statement": "a loop", "for_in_statement": "a loop", "while_statement": "a loop",
    "do_statement": "a loop", "try_statement": "try", "throw_statement": "throw",
    "update_expression": "counting up or down", "regex": "a regular expression",
    "class_declaration": "a class", "await_expression": "await", "switch_statement": "switch; write if",
}  # fmt: skip


def parse(script: str) -> Syntax:
    """The tree of a script.

    Raises:
        TranslationError: If it is no JavaScript, with its line; or if the parser is not installed.
    """
    root = _parser().parse(script.encode(errors="replace")).root_node
    if root.has_error:
        raise TranslationError("this is not JavaScript", line(_first_error(root)))
    return root


@lru_cache(maxsize=1)
def _parser() -> Parser:
    try:
        import tree_sitter_javascript  # noqa: PLC0415 - of an extra
        from tree_sitter import Language, Parser  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise TranslationError(
            "reading evalscripts needs tree-sitter; run: pip install 'comeo[evalscript]'"
        ) from error
    return Parser(Language(tree_sitter_javascript.language()))


def _first_error(node: Syntax) -> Syntax:
    while True:
        inner = next((each for each in node.children if each.has_error), None)
        if inner is None or node.is_error:
            return node
        node = inner


def statements(node: Syntax) -> list[Syntax]:
    """The statements of a block, or the one that stands instead."""
    if node.type == "else_clause":
        return statements(node.named_children[0])
    return list(node.named_children) if node.type == "statement_block" else [node]


def child(node: Syntax, name: str) -> Syntax:
    """A part of a node by its name in the grammar."""
    found = node.child_by_field_name(name)
    if found is None:
        raise unreadable(node)
    return found


def text(node: Syntax) -> str:
    """What stands in the script."""
    return (node.text or b"").decode(errors="replace")


def line(node: Syntax) -> int:
    """On which line, from 1."""
    return int(node.start_point[0]) + 1


def unreadable(node: Syntax) -> TranslationError:
    """The refusal of what a document has no place for."""
    what = _WORDS.get(node.type, f"{' '.join(text(node)[:40].split())!r}")
    return TranslationError(f"{what} has no place in a document", line(node))
