"""The STAC Item of an archive is one that pystac reads and would write alike."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pystac
import pytest

from comeo.compression.item import build_item
from tests.scenes import array_group, array_scene, landscape

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
