"""Runs user-defined processes by openeo-processes-dask on arrays: a program of its own, by JSON.

Its standard input has `process` (of `comeo pof export --to openeo`), `values` (bands by name, each of dates,
rows and columns) and `times`; its output is the result as a list, null where it is missing.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from typing import Any

import numpy as np


def main() -> None:
    """Compute what standard input says."""
    xarray = importlib.import_module("xarray")
    parser = importlib.import_module("openeo_pg_parser_networkx")
    implementations = importlib.import_module("openeo_processes_dask.process_implementations")
    core = importlib.import_module("openeo_processes_dask.process_implementations.core")
    order = json.load(sys.stdin)
    bands = {name: np.array(value, float) for name, value in order["values"].items()}
    times = np.array(order["times"], "datetime64[ns]")

    def loaded(bands_wanted: list[str]) -> Any:
        stacked = np.stack([bands[name] for name in bands_wanted])
        rows, columns = (np.arange(size, dtype=float) for size in stacked.shape[2:])
        coordinates = {"bands": bands_wanted, "t": times, "y": rows, "x": columns}
        array = xarray.DataArray(stacked, dims=("bands", "t", "y", "x"), coords=coordinates)
        return array.chunk() if hasattr(array, "chunk") else array

    registry = parser.ProcessRegistry(wrap_funcs=[core.process])
    for name, function in inspect.getmembers(implementations, inspect.isfunction):
        registry[name.strip("_")] = parser.process_registry.Process(spec={}, implementation=function)
    registry["load_collection"] = parser.process_registry.Process(
        spec={}, implementation=lambda **arguments: loaded(arguments["bands"])
    )
    named = {each["name"]: each.get("default") for each in order["process"]["parameters"]}
    graph = json.loads(
        json.dumps(order["process"]["process_graph"]), object_hook=lambda each: _given(each, named)
    )
    run = parser.OpenEOProcessGraph(pg_data={"process_graph": graph}).to_callable(registry)
    result = np.asarray(run(), float)
    json.dump([None if np.isnan(each) else float(each) for each in result.ravel()], sys.stdout)


def _given(value: dict[str, Any], parameters: dict[str, Any]) -> Any:
    """Parameters of the process by their defaults; those of callbacks stay."""
    name = value.get("from_parameter")
    return parameters[name] if set(value) == {"from_parameter"} and name in parameters else value


if __name__ == "__main__":
    main()
