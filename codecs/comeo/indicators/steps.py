"""The named steps of a document, put into its formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from comeo.indicators.formula import DEEPEST, FormulaError, depth, names
from comeo.indicators.tree import Call, Name, Node, walk

MOST_TERMS: Final = 2000
"""Terms of a formula with all its steps put in, each as often as it is named."""


def order(steps: Mapping[str, Node]) -> list[str]:
    """Names of steps, each behind those that it uses; in what order they are written does not matter.

    Raises:
        FormulaError: If steps use each other in a circle.
    """
    done = list[str]()
    waiting = dict(steps)
    while waiting:
        ready = [name for name, node in waiting.items() if not any(each in waiting for each in names(node))]
        if not ready:
            circle = ", ".join(sorted(waiting))
            raise FormulaError(f"the steps {circle} need each other", hint="break the circle")
        done.extend(ready)
        for name in ready:
            del waiting[name]
    return done


def put_in(node: Node, meanings: Mapping[str, Node]) -> Node:
    """The formula with names replaced; what stands for several names, or in several places, stays shared."""
    done: dict[int, Node] = {}

    def replaced(node: Node) -> Node:
        match node:
            case Name(name=name):
                return meanings.get(name, node)
            case Call(function=function, arguments=arguments, place=place):
                if id(node) not in done:
                    done[id(node)] = Call(function, tuple(replaced(each) for each in arguments), place)
                return done[id(node)]
        return node

    return replaced(node)


def expand(steps: Mapping[str, Node], formulas: Mapping[str, Node]) -> dict[str, Node]:
    """Formulas with all steps put in.

    Args:
        steps: By name.
        formulas: By the path of each in the document.

    Raises:
        FormulaError: If steps need each other, or a formula becomes too long or too deep.
    """
    meanings = dict[str, Node]()
    sizes = dict[str, int]()
    for name in order(steps):
        sizes[name] = _size(steps[name], sizes)
        meanings[name] = _put_in_checked(steps[name], meanings, sizes[name], name)
    return {
        path: _put_in_checked(node, meanings, _size(node, sizes), path) for path, node in formulas.items()
    }


def _size(node: Node, sizes: Mapping[str, int]) -> int:
    return sum(sizes.get(each.name, 1) if isinstance(each, Name) else 1 for each in walk(node))


def _put_in_checked(node: Node, meanings: Mapping[str, Node], size: int, where: str) -> Node:
    if size > MOST_TERMS:
        raise FormulaError(
            f"{where} has more than {MOST_TERMS} terms with its steps", hint="name steps less often"
        )
    whole = put_in(node, meanings)
    if depth(whole) > DEEPEST:
        raise FormulaError(f"{where} is nested deeper than {DEEPEST} with its steps", hint="make it flatter")
    return whole
