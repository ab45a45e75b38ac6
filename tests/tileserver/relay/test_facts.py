"""What a line tells of an archive is what is in it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from comeo.archive import open_archive
from comeo.archive.clear import ClearGroup
from comeo.errors import ReplacedError
from comeo.grid import WGS84, Grid
from comeo.missions.clear import CLOUD, LAND, NODATA, THIN
from comeo.view.projection import move_points
from tests.buckets import Bucket
from tileserver.catalog import BBox, Record, SqliteCatalog
from tileserver.relay.feed.facts import clear_map, facts_of

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
CLOUDED, FREE = "S2_romania_2016-08-25", "S2_romania_2016-08-05"


class _Clear:
    """Classes in degrees, over 16 by 16 of them, ten pixels each."""

    def __init__(self, classes: np.ndarray, west: float, north: float) -> None:
        self.grid = Grid(WGS84, Affine(0.1, 0, west, 0, -0.1, north), *classes.shape)
        self._classes = classes

    def read(self) -> np.ndarray:
        return self._classes


def cells(classes: np.ndarray, bbox: BBox) -> np.ndarray:
    """The map as 16 rows from north of 16 columns from west."""
    text = clear_map(cast("ClearGroup", _Clear(classes, bbox[0], bbox[3])), bbox)
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8)).reshape(16, 16).astype(bool)


def test_a_cell_is_clear_where_half_of_it_is() -> None:
    classes = np.full((160, 160), LAND, np.uint8)
    classes[:10, 10:20] = CLOUD
    classes[20:30, :4] = THIN  # four tenths of a cell
    classes[40:50, :6] = CLOUD  # six
    classes[150:, 150:] = NODATA
    classes[100:110, 100:108] = NODATA  # of what is left there is cloud
    classes[100:110, 108:110] = CLOUD
    found = cells(classes, (10, 30, 26, 46))
    expected = np.ones((16, 16), bool)
    expected[[0, 4, 15, 10], [1, 0, 15, 10]] = False
    assert np.array_equal(found, expected)


def test_a_map_across_the_antimeridian() -> None:
    """A scene of a UTM zone that reaches over it: cloud in its eastern half."""
    utm = CRS.from_epsg(32601)
    xs, ys = move_points(WGS84, utm, np.array([179.5, -179.5]), np.array([1.0, 0.0]))
    clear = _Clear(np.full((160, 160), LAND, np.uint8), 0, 0)
    step = (xs[1] - xs[0]) / 160
    clear.grid = Grid(utm, Affine(step, 0, xs[0], 0, -step, ys[0]), 160, 160)
    clear.read()[:, 80:] = CLOUD
    text = clear_map(cast("ClearGroup", clear), (179.5, 0.0, -179.5, 1.0))
    found = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8)).reshape(16, 16)
    assert found[:, 1:7].all()
    assert not found[:, 9:].any()


@pytest.fixture
def catalogued(tmp_path: Path) -> SqliteCatalog:
    folder = tmp_path / "archives"
    folder.mkdir()
    for name in (CLOUDED, FREE):
        shutil.copy(SAMPLES / f"{name}.zarr.zip", folder)
    catalog = SqliteCatalog((folder,), tmp_path / "catalog.sqlite", 0.0)
    catalog.refresh(force=True)
    return catalog


def _record(catalog: SqliteCatalog, name: str) -> Record:
    found = catalog.get("romania-forest", name)
    assert found
    return found


def test_facts_of_real_scenes(catalogued: SqliteCatalog) -> None:
    for name in (CLOUDED, FREE):
        record = _record(catalogued, name)
        facts, data = facts_of(record), Path(record.path).read_bytes()
        with open_archive(record.path) as archive:
            assert (facts["etag"], facts["codec"], facts["model"]) == (archive.etag, "learned", archive.model)
            assert facts["src"] == archive.source["sha256"]
            assert facts["cloud"] == archive.item["properties"]["eo:cloud_cover"]
        assert (facts["sha256"], facts["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
        assert facts["t"] == f"{name[-10:]}T00:00:00Z"
        assert data[facts["tail"] :][30:].startswith(b"r10m/zarr.json")
        assert data[facts["coarse"] :][30:].startswith(b"clear/data/c/0/0")
    bits = [base64.b64decode(facts_of(_record(catalogued, name))["clear_map"]) for name in (CLOUDED, FREE)]
    share = [int.from_bytes(each, "big").bit_count() / 256 for each in bits]
    assert share[0] == 0
    assert share[1] > 0.6
    catalogued.close()


def test_facts_of_an_archive_in_a_bucket_are_those_of_the_file(
    catalogued: SqliteCatalog, bucket: Bucket
) -> None:
    near = _record(catalogued, FREE)
    far = dataclasses.replace(near, path=bucket.put("a b.zarr.zip", Path(near.path)))
    assert facts_of(far) == facts_of(near)
    bucket.put("a b.zarr.zip", SAMPLES / f"{CLOUDED}.zarr.zip")
    with pytest.raises(ReplacedError):
        facts_of(far)
    catalogued.close()


def test_an_archive_that_is_replaced_meanwhile(catalogued: SqliteCatalog) -> None:
    record = _record(catalogued, CLOUDED)
    shutil.copy(SAMPLES / f"{FREE}.zarr.zip", record.path)
    with pytest.raises(ReplacedError):
        facts_of(record)
    catalogued.close()
