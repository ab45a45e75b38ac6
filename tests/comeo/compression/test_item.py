"""The STAC Item of an archive is one that pystac reads and would write alike."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pystac
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS
from shapely.geometry import shape

from comeo.compression.item import build_item
from tests.scenes import array_group, array_scene, landscape

# CRS, transform, and the footprint's box
FOOTPRINTS: dict[str, tuple[str, Affine, tuple[float, float, float, float]]] = {
    "touching the pole": ("EPSG:4326", Affine(0.25, 0, 0, 0, -0.25, 90), (0, 80, 7.5, 90)),
    "globe": ("EPSG:4326", Affine(12, 0, -180, 0, -4.5, 90), (-180, -90, 180, 90)),
    "globe on lines": ("EPSG:4326", Affine(12, 0, -186, 0, -4.5, 92.25), (-180, -87.75, 180, 90)),
    "corner at the pole": ("EPSG:3413", Affine(5e4, 0, 0, 0, -5e4, 0), (-45, 67.2, 45, 90)),
    "around the pole": ("EPSG:3031", Affine(5e4, 0, -7.5e5, 0, -5e4, 1e6), (-180, -90, 180, -78.5)),
    "across 180": ("EPSG:32701", Affine(1e3, 0, 165_000, 0, -1e3, 8_120_000), (179.84, -17.37, -179.86, -17)),
}


@pytest.mark.parametrize("name", FOOTPRINTS)
def test_footprints_are_valid_wherever_they_lie(name: str) -> None:
    crs, transform, expected = FOOTPRINTS[name]
    group = array_group(landscape(1, 40, 30), transform=transform, crs=CRS.from_string(crs))
    item = build_item(array_scene(group), np.tile([0, 30], (40, 1)))
    geometry = shape(item["geometry"])
    assert geometry.is_valid
    west, south, east, north = item["bbox"]
    assert (west, south, east, north) == pytest.approx(expected, abs=0.35)
    assert (west > east) == (name == "across 180") == (geometry.geom_type == "MultiPolygon")
    assert np.abs(shapely.get_coordinates(geometry)).max(axis=0) == pytest.approx(
        [180 if west == -180 or west > east else max(abs(west), abs(east)), max(abs(south), abs(north))],
        abs=1e-5,
    )


TIMES = [
    datetime(2020, 5, 1, 10, 30, 31, 24_000, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2020, 5, 1, 12, 30, tzinfo=timezone(timedelta(hours=2))),
]


@pytest.mark.parametrize("time", TIMES)
def test_an_item_is_written_as_pystac_writes_it(time: datetime) -> None:
    scene = replace(
        array_scene(array_group(landscape(2, 40, 30))),
        datetime=time,
        properties={"platform": "sentinel-2a", "eo:cloud_cover": 3.5},
    )
    item = build_item(scene, np.tile([0, 30], (40, 1)))
    theirs = pystac.Item.from_dict(json.loads(json.dumps(item)))
    assert json.dumps(theirs.to_dict(include_self_link=False)) == json.dumps(item)
    assert theirs.datetime == time
    assert theirs.collection_id == "test"
    assert item["properties"]["datetime"].endswith("Z")
