"""The zarr.json documents of an archive: Zarr v3 nodes with the conventions that GeoZarr and EOPF use."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json
from rasterio.crs import CRS

from comeo.archive.model import ArchiveGroup, Level
from comeo.crs import crs_text
from comeo.grid import Grid
from comeo.scene import Band

if TYPE_CHECKING:
    from zarr_cm import ConventionName


def dumps(document: dict[str, Any]) -> bytes:
    """Compact JSON: in a small archive each byte of metadata is paid for in quality."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def loads(content: bytes) -> dict[str, Any]:
    """A document, read more strictly than `json` does, since metadata go on to databases and clients.

    There is no NaN in it, no half of a character, and no bottomless nesting.

    Raises:
        ValueError: If it is no JSON object.
    """
    node = from_json(content, allow_inf_nan=False)
    json.dumps(node, allow_nan=False)  # 1e999 has become infinite
    if not isinstance(node, dict):
        raise ValueError("it is not an object")
    return node


def group_node(attributes: dict[str, Any]) -> dict[str, Any]:
    """A Zarr group."""
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def root_node(attributes: dict[str, Any], nodes: Mapping[str, Any]) -> dict[str, Any]:
    """The root group, with all other nodes' metadata inline, so that a reader needs one look."""
    consolidated = {"kind": "inline", "must_understand": False, "metadata": dict(nodes)}
    return {**group_node(attributes), "consolidated_metadata": consolidated}


def group_attributes(group: ArchiveGroup) -> dict[str, Any]:
    """Attributes of a group: its bands, its native grid, and its levels as multiscales."""
    native = group.levels[0]
    layout: list[dict[str, Any]] = []
    for level in group.levels:
        factor = float(2**level.number)
        entry: dict[str, Any] = {
            "asset": str(level.number),
            "spatial:shape": [level.height, level.width],
            "spatial:transform": list(level.transform)[:6],
        }
        if level.number:
            entry["derived_from"] = "0"
            entry["transform"] = {"scale": [factor, factor]}
        layout.append(entry)
    return {
        "zarr_conventions": _conventions("proj", "spatial", "multiscales"),
        "multiscales": {"layout": layout, "resampling_method": "average"},
        **_grid_attributes(group.crs, native),
        "bands": [_band(band) for band in group.bands],
        "levels": [level.number for level in group.levels],
        "nodata": group.has_nodata,
    }


def level_attributes(group: ArchiveGroup, level: Level) -> dict[str, Any]:
    """Attributes of a level's group: enough to georeference it when it is opened alone."""
    return {"zarr_conventions": _conventions("proj", "spatial"), **_grid_attributes(group.crs, level)}


def grid_attributes(grid: Grid) -> dict[str, Any]:
    """Attributes of a group on one grid."""
    return {"zarr_conventions": _conventions("proj", "spatial"), **_grid_attributes(grid.crs, grid)}


def array_node(
    group: ArchiveGroup, level: Level, codec: str, configuration: dict[str, Any]
) -> dict[str, Any]:
    """The Zarr array of a level, sharded, one inner chunk a block."""
    block = [level.bands, level.block, level.block]
    shard = [level.bands, level.shard[0] * level.block, level.shard[1] * level.block]
    reference = {} if level.reference is None else {"reference": level.reference.key}
    inner = [
        {"name": f"comeo.{codec}", "configuration": {"step": level.step, **reference, **configuration}},
        {"name": "crc32c"},
    ]
    sharding = {
        "chunk_shape": block,
        "codecs": inner,
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "index_location": "end",
    }
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [level.bands, level.height, level.width],
        "data_type": str(level.dtype),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": "NaN" if level.dtype.kind == "f" else 0,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "dimension_names": ["band", "y", "x"],
        "attributes": _cf_attributes(group),
    }


def _cf_attributes(group: ArchiveGroup) -> dict[str, Any]:
    """CF attributes, by which xarray gives physical values with NaN where there are none."""
    attributes: dict[str, Any] = {}
    if group.nodata is not None:
        # xarray keeps a float _FillValue as base64 of a little-endian double in Zarr v3
        is_nan = math.isnan(group.nodata)
        attributes["_FillValue"] = base64.b64encode(struct.pack("<d", math.nan)).decode() if is_nan else 0
    scales = {(band.scale, band.offset, band.unit) for band in group.bands}
    if len(scales) == 1:
        scale, offset, unit = scales.pop()
        if (scale, offset) != (1.0, 0.0):
            attributes |= {"scale_factor": scale, "add_offset": offset}
        if unit:
            attributes["units"] = "1" if unit == "reflectance" else unit
    return attributes


def _grid_attributes(crs: CRS, level: Level | Grid) -> dict[str, Any]:
    text = crs_text(crs)
    return {
        ("proj:wkt2" if "[" in text else "proj:code"): text,
        "spatial:dimensions": ["y", "x"],
        "spatial:shape": [level.height, level.width],
        "spatial:transform": list(level.transform)[:6],
        "spatial:registration": "pixel",
    }


def _conventions(*names: ConventionName) -> list[dict[str, Any]]:
    """Declarations of the conventions in use, by what identifies them, without the prose."""
    import zarr_cm  # noqa: PLC0415 - readers of archives need no list of conventions

    known = [zarr_cm.convention_metadata(name) for name in names]
    return [{"uuid": convention["uuid"], "name": convention["name"]} for convention in known]


def _band(band: Band) -> dict[str, Any]:
    """A band in STAC 1.1's words, leaving out what says nothing."""
    facts = {
        "name": band.name,
        "eo:common_name": band.common_name or None,
        "eo:center_wavelength": band.center_wavelength,
        "raster:scale": None if band.scale == 1 else band.scale,
        "raster:offset": None if band.offset == 0 else band.offset,
        "unit": band.unit or None,
        "comeo:display": band.display and list(band.display),
        "comeo:colormap": band.colormap or None,
    }
    return {key: value for key, value in facts.items() if value is not None}
