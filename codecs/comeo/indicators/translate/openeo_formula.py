"""Graphs of openEO that compute one number of others, as formulas."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from comeo.indicators.formula import FUNCTIONS
from comeo.indicators.translate.common import NEVER, TranslationError, called
from comeo.indicators.translate.openeo import ARGUMENTS, UNBOUNDED
from comeo.indicators.tree import DEEPEST, Call, Name, Node, Number

PLAIN: Final = {each.openeo: name for name, each in FUNCTIONS.items() if each.openeo}
"""Our functions by the processes of the same meaning."""
Arguments = Mapping[str, Any]


class Formula:
    """A graph of numbers as a formula.

    Args:
        graph: The nodes.
        parameters: What `from_parameter` stands for: a formula, a number, or the bands of a pixel.
        where: The node around it, for messages.
    """

    def __init__(self, graph: Mapping[str, Any], parameters: Mapping[str, Any], where: str) -> None:
        self._graph = graph
        self._parameters = parameters
        self._where = where
        self._known: dict[str, Node] = {}
        self._depth = 0

    def node(self, name: str) -> Node:
        """The formula of a node."""
        if name not in self._known:
            self._depth += 1
            if self._depth > DEEPEST:
                raise TranslationError(f"the node {self._where}: its graph is too deep, or goes in a circle")
            process, arguments = node_of(self._graph, name)
            self._known[name] = self._process(name, process, arguments)
            self._depth -= 1
        return self._known[name]

    def _process(self, name: str, process: str, arguments: Arguments) -> Node:  # noqa: PLR0911 - one a process
        match process:
            case "array_element":
                return self._element(name, arguments)
            case "sum" | "product" | "min" | "max" | "mean":
                return self._folded(process, self._list(name, arguments.get("data")))
            case "linear_scale_range":
                return scaled(name, self._value(name, arguments.get("x")), arguments)
            case "between":
                x, low, high = (self._value(name, arguments.get(key)) for key in ("x", "min", "max"))
                upper = "<" if arguments.get("exclude_max") else "<="
                return Call("and", (Call(">=", (x, low)), Call(upper, (x, high))))
            case "is_nodata" | "is_nan":
                return Call("not", (Call("isvalid", (self._value(name, arguments.get("x")),)),))
            case "log":
                return self._logarithm(name, arguments)
            case "if":
                no = arguments.get("reject")
                parts = [self._value(name, arguments.get(key)) for key in ("value", "accept")]
                return Call("if_", (parts[0], parts[1], NEVER if no is None else self._value(name, no)))
            case "pi" | "e":
                return Number(math.pi if process == "pi" else math.e)
        function = PLAIN.get(process)
        if function is None or (process in ("round", "int") and arguments.get("p")):
            raise TranslationError(f"the node {self._where}: the process {process} has no place in a formula")
        least, _ = FUNCTIONS[function].counts
        count = 2 if function == "-" else least
        keys = ARGUMENTS.get(process, ("x", "y"))[:count]
        if function == "clip":
            return self._clipped(name, arguments)
        values = [self._value(name, arguments.get(key)) for key in keys]
        if function == "*":
            return product(*values)
        return Call(function, tuple(values))

    def _clipped(self, name: str, arguments: Arguments) -> Node:
        """A clip, of which one bound may be no bound."""
        result = self._value(name, arguments.get("x"))
        for key, function in (("min", "max"), ("max", "min")):
            bound = arguments.get(key)
            if not (isinstance(bound, (int, float)) and abs(bound) >= UNBOUNDED):
                result = Call(function, (result, self._value(name, bound)))
        return result

    def _element(self, name: str, arguments: Arguments) -> Node:
        rows = self._rows(name, arguments.get("data"))
        label, index = arguments.get("label"), arguments.get("index")
        for position, (band, node) in enumerate(rows):
            if band == label or (label is None and index == position):
                return node
        what = label if label is not None else f"number {index}"
        raise TranslationError(
            f"the node {self._where}: there is no band {what} among {', '.join(b for b, _ in rows)}"
        )

    def _rows(self, name: str, data: Any) -> list[tuple[str, Node]]:
        given = self._parameters.get(str(data.get("from_parameter"))) if isinstance(data, dict) else None
        if not isinstance(given, list):
            raise TranslationError(f"the node {self._where}: {name} takes no element of the bands")
        return given

    def _list(self, name: str, data: Any) -> list[Node]:
        if isinstance(data, list):
            return [self._value(name, each) for each in data]
        return [node for _, node in self._rows(name, data)]

    def _folded(self, process: str, values: list[Node]) -> Node:
        """A statistic of a list of bands or numbers; one that is missing makes the result missing here."""
        if not values:
            raise TranslationError(f"the node {self._where}: {process} of nothing")
        if process in ("min", "max"):
            return Call(process, tuple(values)) if 2 <= len(values) <= 8 else values[0]
        total = values[0]
        for each in values[1:]:
            total = Call("*" if process == "product" else "+", (total, each))
        return Call("/", (total, Number(float(len(values))))) if process == "mean" else total

    def _logarithm(self, name: str, arguments: Arguments) -> Node:
        base, value = arguments.get("base", 10), self._value(name, arguments.get("x"))
        if base == 10:
            return Call("log10", (value,))
        return Call("/", (Call("log", (value,)), Call("log", (self._value(name, base),))))

    def _value(self, name: str, value: Any) -> Node:
        match value:
            case bool():
                return Number(float(value))
            case int() | float() if abs(value) < 1e30:
                return Number(float(value))
            case {"from_node": str(node)}:
                return self.node(node)
            case {"from_parameter": str(parameter)} if parameter in self._parameters:
                given = self._parameters[parameter]
                if isinstance(given, (Number, Name, Call)):
                    return given
                if isinstance(given, (int, float)):
                    return Number(float(given))
        raise TranslationError(
            f"the node {self._where}: an argument of {name} is no number, node or parameter"
        )


def node_of(graph: Mapping[str, Any], name: str) -> tuple[str, Arguments]:
    """Process and arguments of a node."""
    node = graph.get(name)
    if not isinstance(node, dict) or not isinstance(node.get("process_id"), str):
        raise TranslationError(f"there is no node {name[:60]} with a process_id")
    arguments = node.get("arguments", {})
    return node["process_id"], arguments if isinstance(arguments, dict) else {}


def scaled(name: str, node: Node, arguments: Arguments) -> Node:
    """From one range to another; what lies beyond is set to its ends, as openEO says."""
    keys = ("inputMin", "inputMax", "outputMin", "outputMax")
    low, high, least, most = (
        arguments.get(key, default) for key, default in zip(keys, (None, None, 0, 1), strict=True)
    )
    if not all(isinstance(each, (int, float)) for each in (low, high, least, most)) or low == high:
        raise TranslationError(f"the node {name}: inputMin and inputMax are two different numbers")
    inside = Call("clip", (node, Number(float(low)), Number(float(high))))
    gain = (most - least) / (high - low)
    scaled = product(Number(gain), Call("-", (inside, Number(float(low)))) if low else inside)
    return Call("+", (scaled, Number(float(least)))) if least else scaled


def product(one: Node, other: Node) -> Node:
    """A product, with factors of factors multiplied out, so that a back end's scale goes away."""
    if isinstance(one, Call) or not isinstance(one, Number):
        one, other = (other, one) if isinstance(other, Number) else (one, other)
    if isinstance(one, Number):
        match other:
            case Number(value=value):
                return Number(one.value * value)
            case Call(function="*", arguments=(Number(value=value), rest)):
                factor = one.value * value
                return rest if math.isclose(factor, 1.0, rel_tol=1e-12) else Call("*", (Number(factor), rest))
            case Call(function="log10", arguments=(Call(function="lin") as power,)) if one.value == 10:
                return called("db", power)
    return Call("*", (one, other))


def result_of(graph: Mapping[str, Any]) -> str:
    """Name of the node that is a graph's result."""
    found = [name for name, node in graph.items() if isinstance(node, dict) and node.get("result") is True]
    if len(found) != 1:
        raise TranslationError(f"{len(found)} nodes are the result; mark one with result = true")
    return found[0]
