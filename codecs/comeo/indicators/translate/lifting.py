"""Formulas in which what stands several times is named: for languages that have steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from comeo.indicators.tree import Call, Name, Node


def lift(trees: Sequence[Node], prefix: str = "step") -> tuple[list[tuple[str, Node]], list[Node]]:
    """Name the calls that stand several times in formulas.

    Args:
        trees: Formulas, which may share parts; what is shared is looked at once.
        prefix: Of the names.

    Returns:
        The named calls, each behind those that it uses, and the formulas of names.
    """
    unique: dict[Any, Node] = {}
    seen: dict[int, Node] = {}

    def one(node: Node) -> Node:
        """The one node of this form."""
        if not isinstance(node, Call):
            return unique.setdefault(node, node)
        if id(node) not in seen:
            arguments = tuple(one(each) for each in node.arguments)
            key = (node.function, *map(id, arguments))
            seen[id(node)] = unique.setdefault(key, Call(node.function, arguments))
        return seen[id(node)]

    whole = [one(each) for each in trees]
    counts = _counts(whole)
    steps = list[tuple[str, Node]]()
    done: dict[int, Node] = {}

    def named(node: Node) -> Node:
        if not isinstance(node, Call):
            return node
        if id(node) not in done:
            result: Node = Call(node.function, tuple(named(each) for each in node.arguments))
            if counts[id(node)] > 1:
                steps.append((f"{prefix}{len(steps) + 1}", result))
                result = Name(steps[-1][0])
            done[id(node)] = result
        return done[id(node)]

    return steps, [named(each) for each in whole]


def _counts(trees: Sequence[Node]) -> Counter[int]:
    """How often each call stands in formulas, what is in a repeated call counting once."""
    counts: Counter[int] = Counter()
    waiting = list(trees)
    while waiting:
        each = waiting.pop()
        if isinstance(each, Call):
            counts[id(each)] += 1
            if counts[id(each)] == 1:
                waiting.extend(each.arguments)
    return counts
