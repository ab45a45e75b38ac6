"""The `clear/` group: written, read by two readers, damaged."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import ZipStore

from comeo.archive import open_archive
from comeo.archive.clear import ClearGroup, ClearLayer
from comeo.archive.clear_model import ClearFacts
from comeo.archive.shard import CRC_BYTES, SLOT_BYTES, build_shard
from comeo.archive.stores import open_sink, open_store
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.grid import Grid
from comeo.scene import Window
from tests.scenes import UTM32, array_classes, array_group, array_scene, landscape, patchy

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FACTS = ClearFacts(source="SCL", classes=("land", "cloud"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = array_scene(array_group(landscape(2, 300, 350)), classes=array_classes(patchy(150, 175)))
    return compress(scene, tmp_path_factory.mktemp("clear") / "scene.zarr.zip", codec="dct", step=40)


def stored(folder: Path, layer: ClearLayer, change: Any = None) -> ClearGroup:
    """The group of a layer alone, its array's document changed."""
    path = folder / "layer.zarr"
    sink = open_sink(path)
    nodes = layer.nodes()
    if change:
        change(nodes["clear/data"], nodes["clear"]["attributes"])
    for key, data in layer.objects.items():
        sink.write(key, data)
    for key, node in nodes.items():
        sink.write(f"{key}/zarr.json", json.dumps(node).encode())
    sink.write("zarr.json", b"{}")
    sink.finish()
    sink.publish(replace=True)
    return ClearGroup(open_store(path), layer.facts)


def layer_of(classes: np.ndarray[Any, np.dtype[np.uint8]]) -> ClearLayer:
    return ClearLayer(classes, Grid(UTM32, Affine(60, 0, 4e5, 0, -60, 5e6), *classes.shape), FACTS)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_any_layer_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, seed: int, greatest: int
) -> None:
    classes = np.random.default_rng(seed).integers(0, greatest + 1, (height, width), np.uint8)
    group = stored(tmp_path_factory.mktemp("any"), layer_of(classes))
    np.testing.assert_array_equal(group.read(), classes)
    np.testing.assert_array_equal(group.counts, np.bincount(classes.ravel(), minlength=7))
    row, col = seed % height, seed % width
    window = Window(row, col, height - row, width - col)
    np.testing.assert_array_equal(group.read(window), classes[window.slices])


def test_layers_of_several_blocks_are_read_by_windows_across_them(tmp_path: Path) -> None:
    classes = patchy(1100, 1500, 3)
    layer = layer_of(classes)
    group = stored(tmp_path, layer)
    assert (layer.block, group.shape) == (256, (5, 6))
    window = Window(1000, 1000, 90, 60)
    np.testing.assert_array_equal(group.read(window), classes[window.slices])


def test_zarr_reads_the_same_without_this_program(archive: Path) -> None:
    root = zarr.open_group(ZipStore(archive, mode="r"), mode="r")
    array = root["clear/data"]
    with open_archive(archive) as opened:
        assert opened.clear is not None
        np.testing.assert_array_equal(np.asarray(array[:]), opened.clear.read())  # type: ignore[index]
        assert root["clear"].attrs["proj:code"] == "EPSG:32632"
        assert root["clear"].attrs["spatial:transform"] == list(opened.clear.grid.transform)[:6]
    assert array.attrs["flag_meanings"] == "nodata land water snow shadow thin cloud"


def test_info_counts_the_classes(archive: Path) -> None:
    with open_archive(archive) as opened:
        found = opened.info()["clear"]
        assert opened.clear is not None
        classes = opened.clear.read()
    assert found["source"] == "SCL"
    assert found["shape"] == [50, 59]
    assert found["shares"]["cloud"] == pytest.approx(
        100 * (classes == 6).sum() / (classes > 0).sum(), abs=1e-3
    )


def test_an_archive_without_the_group_says_so(tmp_path: Path) -> None:
    scene = array_scene(array_group(landscape(1, 40, 40)))
    with open_archive(compress(scene, tmp_path / "plain.zarr.zip", codec="dct", step=40)) as opened:
        assert opened.clear is None
        assert opened.info()["clear"] is None


def _set(*path: Any, value: Any) -> Any:
    def change(array: dict[str, Any], attributes: dict[str, Any]) -> None:
        place: Any = {"array": array, "attributes": attributes}
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


_SHARDING = ("array", "codecs", 0, "configuration")


@pytest.mark.parametrize(
    "change",
    [
        _set("array", "data_type", value="uint16"),
        _set("array", "shape", value=[50]),
        _set("array", "shape", value=[1 << 19, 1 << 19]),
        _set("array", "shape", value=[0, 50]),
        _set("array", "fill_value", value=3),
        _set(*_SHARDING, "chunk_shape", value=[32, 64]),
        _set(*_SHARDING, "chunk_shape", value=[1, 1]),
        _set(*_SHARDING, "chunk_shape", value=[1 << 16, 1 << 16]),
        _set("array", "chunk_grid", "configuration", "chunk_shape", value=[64, 128]),
        _set(*_SHARDING, "codecs", 1, "name", value="gzip"),
        _set("attributes", "spatial:transform", value=[60, 0, 0, 0, 0, 0]),
        _set("attributes", "proj:code", value="EPSG:1"),
        _set("attributes", "proj:code", value=None),
    ],
)
def test_metadata_that_do_not_fit_are_refused(tmp_path: Path, change: Any) -> None:
    with pytest.raises(ArchiveError, match="clear"):
        stored(tmp_path, layer_of(patchy(40, 50)), change)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_block_is_an_error_that_names_it(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    """Whatever bytes a frame has: with its checksum made to fit, so that zstd itself has to notice."""
    classes = patchy(40, 50, 1)
    layer = layer_of(classes)
    (key,) = layer.objects
    good = layer.objects[key]
    frame = bytearray(good[: -(SLOT_BYTES + 8)])
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    layer.__dict__["objects"] = {key: build_shard({0: bytes(frame)}, 1)}
    group = stored(tmp_path_factory.mktemp("hurt"), layer)
    try:
        found = group.read()
    except ArchiveError as error:
        assert "block (0, 0) of clear" in str(error)
    else:
        assert found.shape == classes.shape
        assert found.max() <= 6


def test_a_frame_that_unpacks_to_more_than_a_block_is_refused(tmp_path: Path) -> None:
    layer = layer_of(patchy(40, 50, 1))
    (key,) = layer.objects
    layer.__dict__["objects"] = {key: build_shard({0: zstd.compress(bytes(1 << 28), 19)}, 1)}
    with pytest.raises(ArchiveError, match="damaged"):
        stored(tmp_path, layer).read()


@pytest.mark.parametrize("behind", [b"\0", zstd.compress(b""), zstd.compress(bytes(64 * 64))])
def test_bytes_behind_a_frame_are_refused(tmp_path: Path, behind: bytes) -> None:
    """Zarr unpacks frames that follow, too, so readers would differ."""
    layer = layer_of(patchy(40, 50, 1))
    (key,) = layer.objects
    frame = layer.objects[key][: -(SLOT_BYTES + CRC_BYTES + CRC_BYTES)]
    layer.__dict__["objects"] = {key: build_shard({0: frame + behind}, 1)}
    with pytest.raises(ArchiveError, match=r"block \(0, 0\) of clear is damaged"):
        stored(tmp_path, layer).read()
