"""Documents as process graphs of openEO 1.2 (https://openeo.org), to be kept as user-defined processes.

The graph computes on physical values: the parameter `scale` says by what a back end's numbers are multiplied
to be reflectances, 0.0001 by default as of Copernicus Data Space. Backscatter comes as power there, and its
decibels are taken in the graph.
"""

from __future__ import annotations

from typing import Any, Final

from comeo.indicators.document import Document
from comeo.indicators.formula import FUNCTIONS
from comeo.indicators.translate.common import (
    TranslationError,
    codes_kept,
    first_bands,
    is_radar,
    refuse_unsaid,
    single_input,
)
from comeo.indicators.tree import Call, Name, Node, Number

TITLE: Final = "openEO"
COLLECTIONS: Final = {False: "SENTINEL2_L2A", True: "SENTINEL1_GRD"}
SCALE: Final = 0.0001
PERIODS: Final = {"P1D": "day", "P1W": "week", "P7D": "week", "P1M": "month", "P1Y": "year"}
STATISTICS: Final = ("mean", "median", "min", "max", "count")
ARGUMENTS: Final = {
    "normalized_difference": ("x", "y"), "arctan2": ("y", "x"), "power": ("base", "p"), "exp": ("p",),
    "if": ("value", "accept", "reject"), "clip": ("x", "min", "max"),
}  # fmt: skip
"""Names of the arguments of processes, where they are not x, or x and y."""
UNBOUNDED: Final = 1e30
"""The bound of a clip that has one alone; numbers of formulas lie below it."""
Graph = dict[str, Any]


def write_openeo(document: Document) -> Graph:
    """A document as a user-defined process.

    Returns:
        An object of id, summary, parameters, returns and process_graph.

    Raises:
        TranslationError: If processes cannot say it.
    """
    refuse_unsaid(document, TITLE, temporal=True, mask=True)
    if len(document.formulas) > 1:
        raise TranslationError(f"{document.id} is a picture of several results; openEO gets one formula here")
    graph = _Graph()
    cube = _loaded(document, graph)
    cube = graph.add("reduce_dimension", data=cube, dimension="bands", reducer=_reducer(document))
    if document.temporal is not None:
        cube = _combined(document, graph, cube)
    graph.nodes[cube["from_node"]]["result"] = True
    return {
        "id": document.id.replace("-", "_"),
        "summary": document.title_in("en"),
        "description": f"{document.id}@{document.version}, SHA-256 {document.fingerprint}",
        "parameters": _parameters(radar=is_radar(document)),
        "returns": {"description": "The values.", "schema": {"type": "object", "subtype": "datacube"}},
        "process_graph": graph.nodes,
    }


class _Graph:
    """Nodes of a graph, named in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: Graph = {}

    def add(self, process: str, /, **arguments: Any) -> dict[str, str]:
        """Add a node, and return the reference to it."""
        name = f"{process.replace('_', '')}{len(self.nodes) + 1}"
        self.nodes[name] = {"process_id": process, "arguments": arguments}
        return {"from_node": name}


def _parameters(*, radar: bool) -> list[Graph]:
    extents: list[Graph] = [
        {
            "name": f"{kind}_extent", "description": f"As of load_collection: {kind}.", "optional": True,
            "default": None, "schema": [{"type": ["object", "array", "null"]}],
        }
        for kind in ("spatial", "temporal")
    ]  # fmt: skip
    scale = {
        "name": "scale", "description": "What numbers are multiplied by to be reflectances.",
        "optional": True, "default": SCALE, "schema": {"type": "number"},
    }  # fmt: skip
    return extents if radar else [*extents, scale]


def _loaded(document: Document, graph: _Graph) -> dict[str, str]:
    radar = is_radar(document)
    bands = list(dict.fromkeys(first_bands(document).values()))
    extent = {f"{kind}_extent": {"from_parameter": f"{kind}_extent"} for kind in ("spatial", "temporal")}
    collection = COLLECTIONS[radar]
    cube = graph.add("load_collection", id=collection, bands=bands, **extent)
    mask = single_input(document, TITLE).mask
    if mask is not None:
        classes = graph.add("load_collection", id=collection, bands=["SCL"], **extent)
        clouded = graph.add(
            "reduce_dimension", data=classes, dimension="bands", reducer=_hidden(codes_kept(mask))
        )
        cube = graph.add("mask", data=cube, mask=clouded)
    if radar:
        return cube
    scaled = _Graph()
    scaled.add("multiply", x={"from_parameter": "x"}, y={"from_parameter": "scale"})
    return graph.add("apply", data=cube, process=_finished(scaled))


def _hidden(kept: list[int]) -> Graph:
    """A reducer of the band SCL: true where its class is not kept."""
    graph = _Graph()
    code = graph.add("array_element", data={"from_parameter": "data"}, index=0)
    hidden = graph.add("neq", x=code, y=kept[0])
    for each in kept[1:]:
        hidden = graph.add("and", x=hidden, y=graph.add("neq", x=code, y=each))
    return _finished(graph)


def _reducer(document: Document) -> Graph:
    """The formula, with validity and range, of the bands of a pixel."""
    graph = _Graph()
    known: dict[str | int, Any] = {}
    bands = first_bands(document)
    order = list(dict.fromkeys(bands.values()))

    def of(node: Node) -> Any:
        match node:
            case Number(value=value):
                return int(value) if value.is_integer() else value
            case Name(name=name):
                if name not in known:
                    index = order.index(bands[name])
                    element = graph.add("array_element", data={"from_parameter": "data"}, index=index)
                    known[name] = _decibels(graph, element) if is_radar(document) else element
                return known[name]
            case Call(function=function, arguments=arguments):
                if id(node) not in known:
                    known[id(node)] = _call(graph, function, [of(each) for each in arguments])
                return known[id(node)]

    result = of(document.formulas[0])
    if document.validity is not None:
        result = graph.add("if", value=of(document.validity), accept=result)
    if document.value.range is not None:
        low, high = document.value.range
        inside = graph.add("and", x=graph.add("gte", x=result, y=low), y=graph.add("lte", x=result, y=high))
        result = graph.add("if", value=inside, accept=result)
    if "from_node" not in result or graph.nodes[result["from_node"]]["process_id"] == "array_element":
        graph.add("add", x=result, y=0)
    return _finished(graph)


def _finished(graph: _Graph) -> Graph:
    graph.nodes[next(reversed(graph.nodes))]["result"] = True
    return {"process_graph": graph.nodes}


def _decibels(graph: _Graph, power: Any) -> Any:
    return graph.add("multiply", x=10, y=graph.add("log", x=power, base=10))


def _call(graph: _Graph, function: str, arguments: list[Any]) -> Any:  # noqa: PLR0911 - one a case
    """The nodes of one function."""
    match function, arguments:
        case "-", [value]:
            return graph.add("multiply", x=-1, y=value)
        case "db", [value]:
            return _decibels(graph, value)
        case "lin", [value]:
            return graph.add("power", base=10, p=graph.add("divide", x=value, y=10))
        case "log10", [value]:
            return graph.add("log", x=value, base=10)
        case "clip", [value, low, high] if not (_is_constant(low) and _is_constant(high)):
            return _call(graph, "min", [_call(graph, "max", [value, low]), high])
        case (("min" | "max"), values):
            return _extreme(graph, "lt" if function == "min" else "gt", values)
    process = FUNCTIONS[function].openeo
    if not process:
        raise TranslationError(f"openEO has no process of {function}")
    named = ARGUMENTS.get(process, ("x", "y"))
    return graph.add(process, **dict(zip(named, arguments, strict=False)))


def _extreme(graph: _Graph, comparison: str, values: list[Any]) -> Any:
    """The least or greatest of values: openEO's own processes leave missing ones out, and these do not."""
    result, *others = sorted(values, key=_is_constant)
    for each in others:
        if _is_constant(each):
            low, high = (-UNBOUNDED, each) if comparison == "lt" else (each, UNBOUNDED)
            result = graph.add("clip", x=result, min=low, max=high)
            continue
        nearer = graph.add(comparison, x=result, y=each)
        total = graph.add("add", x=result, y=each)  # missing where either is
        chosen = graph.add("if", value=nearer, accept=result, reject=each)
        result = graph.add("if", value=graph.add("is_valid", x=total), accept=chosen)
    return result


def _is_constant(value: Any) -> bool:
    return isinstance(value, (int, float))


def _combined(document: Document, graph: _Graph, cube: Any) -> dict[str, str]:
    """The cube with one date a window."""
    temporal = document.temporal
    if temporal is None:
        return dict(cube)
    period = PERIODS.get(temporal.window)
    if period is None or temporal.statistic not in STATISTICS or temporal.weights != "equal":
        what = (
            f"the window {temporal.window}" if period is None
            else f"the statistic {temporal.statistic}" if temporal.statistic not in STATISTICS
            else "weights that differ"
        )  # fmt: skip
        raise TranslationError(
            f"openEO has no words for {what}; take a window of {', '.join(PERIODS)}, and "
            f"{', '.join(STATISTICS)}"
        )
    reducer = _Graph()
    values = {"from_parameter": "data"}
    result = reducer.add(temporal.statistic, data=values)
    if temporal.min_dates > 1:
        enough = reducer.add("gte", x=reducer.add("count", data=values), y=temporal.min_dates)
        reducer.add("if", value=enough, accept=result)
    return graph.add("aggregate_temporal_period", data=cube, period=period, reducer=_finished(reducer))
