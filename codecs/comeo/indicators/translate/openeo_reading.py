"""Process graphs of openEO as documents: the part of openEO that computes one value of a pixel's bands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from comeo.indicators.translate.common import (
    NEVER,
    TranslationError,
    codes_where,
    names_of,
    own_band,
    words_kept,
)
from comeo.indicators.translate.drafts import Draft, Imported, finish
from comeo.indicators.translate.openeo import COLLECTIONS, PERIODS, SCALE, STATISTICS
from comeo.indicators.translate.openeo_formula import Arguments, Formula, node_of, product, result_of, scaled
from comeo.indicators.tree import DEEPEST, Call, Name, Node, Number

LONGEST: Final = 256 * 1024
DIGITAL: Final = 1 / SCALE
"""Numbers of a back end's Sentinel-2 that are a reflectance of 1."""
_WINDOWS: Final = {period: window for window, period in reversed(PERIODS.items())}
_PASSED: Final = (
    "save_result",
    "resample_spatial",
    "resample_cube_spatial",
    "filter_temporal",
    "filter_bbox",
)


@dataclass(frozen=True, slots=True)
class _Cube:
    """What a node of the graph gives.

    Attributes:
        bands: The formula of each band, in order; one without a name after bands are reduced.
        radar: Whether it is of Sentinel-1.
        keep: Classes of clear ground, where a mask by SCL has been put on.
        temporal: How dates are combined, or None.
        valid: Where a mask of another kind keeps values.
    """

    bands: Mapping[str, Node]
    radar: bool
    keep: tuple[str, ...] | None = None
    temporal: Mapping[str, Any] | None = None
    left_out: tuple[str, ...] = field(default=())

    def mapped(self, change: Callable[[Node], Node]) -> _Cube:
        """The cube with every band changed."""
        return replace(self, bands={name: change(node) for name, node in self.bands.items()})


def read_openeo(text: str) -> Imported:
    """A document of a process graph, a user-defined process, or an object with a process.

    Raises:
        TranslationError: If it is none, or says what a document cannot, naming the node.
    """
    if len(text) > LONGEST:
        raise TranslationError(f"the graph has {len(text)} characters, more than {LONGEST}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TranslationError(f"this is not JSON: {error}", getattr(error, "lineno", 0)) from error
    value = value.get("process", value) if isinstance(value, dict) else value
    graph = value.get("process_graph", value) if isinstance(value, dict) else None
    if not isinstance(graph, dict) or not graph:
        raise TranslationError("there is no process_graph")
    parameters = value.get("parameters") if isinstance(value.get("parameters"), list) else []
    defaults = {
        each["name"]: each.get("default") for each in parameters if isinstance(each, dict) and "name" in each
    }
    cube = _Reader(graph, defaults).cube(result_of(graph))
    if len(cube.bands) not in (1, 3):
        raise TranslationError(
            f"the result has {len(cube.bands)} bands; reduce the dimension bands to one value"
        )
    fields: dict[str, Any] = {"temporal": dict(cube.temporal)} if cube.temporal else {}
    draft = Draft(
        list(cube.bands.values()), None, list(cube.keep) if cube.keep else None, cube.radar, fields,
        list(dict.fromkeys(cube.left_out)),
    )  # fmt: skip
    title = value.get("summary") or value.get("id") or "imported"
    return finish(draft, str(value.get("id") or title), str(title)[:1000])


class _Reader:
    """Follows a graph from its result."""

    def __init__(self, graph: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self._graph = graph
        self._parameters = parameters
        self._known: dict[str, _Cube] = {}
        self._waiting: list[str] = []

    def cube(self, name: str) -> _Cube:
        """What a node gives.

        Raises:
            TranslationError: Naming the node that is not understood.
        """
        if name in self._waiting or len(self._waiting) > DEEPEST:
            raise TranslationError(f"the node {name} needs itself, or nodes are too many in a row")
        if name not in self._known:
            self._waiting.append(name)
            process, arguments = node_of(self._graph, name)
            self._known[name] = self._process(name, process, arguments)
            self._waiting.pop()
        return self._known[name]

    def _process(  # noqa: PLR0911 - one a process
        self, name: str, process: str, arguments: Arguments
    ) -> _Cube:
        if process == "load_collection":
            return _loaded(name, arguments)
        data = self._data(name, arguments)
        match process:
            case "filter_bands":
                return _filtered(name, data, arguments)
            case "ndvi":
                nir, red = arguments.get("nir") or "B08", arguments.get("red") or "B04"
                return replace(data, bands={"": Call("nd", (_band(name, data, nir), _band(name, data, red)))})
            case "apply":
                return data.mapped(lambda node: self._callback(name, arguments, "process", {"x": node}))
            case "linear_scale_range":
                return data.mapped(lambda node: scaled(name, node, arguments))
            case "mask":
                return self._masked(name, data, arguments)
            case "reduce_dimension" if arguments.get("dimension") in ("bands", "spectral", "b"):
                rows = list(data.bands.items())
                reduced = self._callback(name, arguments, "reducer", {"data": rows})
                return replace(data, bands={"": reduced})
            case "reduce_dimension" | "aggregate_temporal_period":
                return self._combined(name, data, process, arguments)
        if process in _PASSED:
            return replace(data, left_out=(*data.left_out, f"{process} is left out: requests say it"))
        raise TranslationError(f"the node {name}: the process {process} has no place in a document")

    def _data(self, name: str, arguments: Arguments) -> _Cube:
        data = arguments.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("from_node"), str):
            raise TranslationError(f"the node {name}: its data comes from no node")
        return self.cube(data["from_node"])

    def _callback(self, name: str, arguments: Arguments, key: str, given: Mapping[str, Any]) -> Node:
        inner = arguments.get(key)
        graph = inner.get("process_graph") if isinstance(inner, dict) else None
        if not isinstance(graph, dict):
            raise TranslationError(f"the node {name}: {key} is no process_graph")
        return Formula(graph, {**self._parameters, **given}, name).node(result_of(graph))

    def _masked(self, name: str, data: _Cube, arguments: Arguments) -> _Cube:
        if arguments.get("replacement") is not None:
            raise TranslationError(
                f"the node {name}: masked pixels have no value here; leave out replacement"
            )
        mask = self._data(name, {"data": arguments.get("mask")})
        (hidden,) = mask.bands.values() if len(mask.bands) == 1 else (None,)
        if hidden is None:
            raise TranslationError(f"the node {name}: the mask has {len(mask.bands)} bands, not one")
        if names_of([hidden]) == ["SCL"]:
            hidden_codes = codes_where(hidden)
            keep = words_kept([code for code in range(12) if code not in hidden_codes])
            return replace(data, keep=tuple(keep))
        shown = Call("if_", (hidden, NEVER, Number(1.0)))
        return data.mapped(lambda node: Call("*", (node, shown)))

    def _combined(self, name: str, data: _Cube, process: str, arguments: Arguments) -> _Cube:
        """Dates combined: by a reducer of one statistic, with at least so many dates."""
        window = "P100Y"
        if process == "aggregate_temporal_period":
            window = _WINDOWS.get(str(arguments.get("period")), "")
        elif arguments.get("dimension") not in ("t", "temporal", "time"):
            raise TranslationError(
                f"the node {name}: the dimension {arguments.get('dimension')} is not reduced here"
            )
        if not window:
            raise TranslationError(
                f"the node {name}: the period {arguments.get('period')} has no window here"
            )
        if data.temporal:
            raise TranslationError(f"the node {name}: dates are combined twice")
        inner = arguments.get("reducer")
        graph = inner.get("process_graph") if isinstance(inner, dict) else {}
        statistic, dates = _statistic(name, graph if isinstance(graph, dict) else {})
        temporal: dict[str, Any] = {"window": window, "statistic": statistic}
        if dates > 1:
            temporal["min_dates"] = dates
        return replace(data, temporal=temporal)


def _statistic(name: str, graph: Mapping[str, Any]) -> tuple[str, int]:
    """Statistic and least number of dates of a reducer of dates."""
    process, arguments = node_of(graph, result_of(graph))
    if process in STATISTICS and arguments.get("data") == {"from_parameter": "data"}:
        return process, 1
    if process == "if":
        accept, enough = (arguments.get(key) for key in ("accept", "value"))
        if isinstance(accept, dict) and isinstance(enough, dict) and arguments.get("reject") is None:
            statistic, inner = node_of(graph, str(accept.get("from_node")))
            comparison, sides = node_of(graph, str(enough.get("from_node")))
            counted = sides.get("x")
            counts = isinstance(counted, dict) and node_of(graph, str(counted.get("from_node")))[0] == "count"
            least = sides.get("y")
            plain = inner.get("data") == {"from_parameter": "data"} and statistic in STATISTICS
            if plain and comparison == "gte" and counts and isinstance(least, int):
                return statistic, least
    raise TranslationError(
        f"the node {name}: dates are combined by one of {', '.join(STATISTICS)}, not by {process}"
    )


def _loaded(name: str, arguments: Arguments) -> _Cube:
    collection, bands = str(arguments.get("id", "")), arguments.get("bands")
    radar = "SENTINEL1" in collection.upper().replace("-", "").replace("_", "")
    if not radar and "SENTINEL2" not in collection.upper().replace("-", "").replace("_", ""):
        raise TranslationError(
            f"the node {name}: {collection[:60]!r} is none of {', '.join(COLLECTIONS.values())}"
        )
    if not isinstance(bands, list) or not bands or not all(isinstance(each, str) for each in bands):
        raise TranslationError(f"the node {name}: name the bands that load_collection is to load")
    return _Cube({band: _loaded_band(band, radar) for band in bands}, radar)


def _loaded_band(band: str, radar: bool) -> Node:
    """A back end's number of a band, of reflectance or decibels."""
    if band == "SCL":
        return Name("SCL")
    own = Name(own_band(band, radar))
    return Call("lin", (own,)) if radar else product(Number(DIGITAL), own)


def _filtered(name: str, data: _Cube, arguments: Arguments) -> _Cube:
    bands = arguments.get("bands")
    if not isinstance(bands, list):
        raise TranslationError(f"the node {name}: filter_bands names no bands")
    return replace(data, bands={str(band): _band(name, data, str(band)) for band in bands})


def _band(name: str, data: _Cube, band: str) -> Node:
    if band not in data.bands:
        raise TranslationError(f"the node {name}: there is no band {band[:40]} among {', '.join(data.bands)}")
    return data.bands[band]
