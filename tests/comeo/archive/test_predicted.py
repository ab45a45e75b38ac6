"""Archives whose 20 m blocks are predicted from decoded 10 m blocks, from the scene to the pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from numpy.typing import NDArray

from comeo.archive import Archive, Level, open_archive
from comeo.archive.references import finer_blocks, references
from comeo.codecs.payload import SATURATED, is_predicted
from comeo.compression import compress
from comeo.compression.plan import plan
from comeo.errors import ArchiveError, CodecError
from comeo.scene import Scene, Window
from tests.comeo.archive.pairs import COARSE, FINE, decoded_by_hand, pair_scene
from tests.comeo.archive.ranges import serving
from tests.comeo.codecs.blocks import CODECS
from tests.scenes import array_group, array_scene, landscape

ODD = (1081, 602)  # 2 × 3 blocks and fewer pixels than the coarser group covers; 1 × 2 blocks of 256 and less


@pytest.fixture(scope="module")
def scene() -> Scene:
    return pair_scene(*ODD)


@pytest.fixture(scope="module")
def path(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compress(scene, tmp_path_factory.mktemp("pair") / "a.zarr.zip", codec="dct", step=60.0)


def whole(level: Level, reduce: int = 0) -> Window:
    return Window(0, 0, -(-level.height >> reduce), -(-level.width >> reduce))


def places(level: Level) -> list[tuple[int, int]]:
    return [(row, col) for row in range(level.grid[0]) for col in range(level.grid[1])]


def payloads(archive: Archive, level: Level) -> list[bytes]:
    return [bytes(each) for each in archive.payloads(level, places(level)) if each]


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("codec", CODECS)
def test_a_predicted_group_is_read_as_it_was(codec: str, dtype: Any, masked: bool, tmp_path: Path) -> None:
    scene = pair_scene(541, 302, dtype=dtype, masked=masked)
    step = 60.0 if dtype == np.uint16 else 0.3
    path = compress(scene, tmp_path / "a.zarr.zip", codec=codec, step=step)
    alone = compress(scene, tmp_path / "b.zarr.zip", codec=codec, step=step, independent_groups=True)
    with open_archive(path) as archive, open_archive(alone) as other:
        level, apart = archive.groups["r20m"].levels[0], other.groups["r20m"].levels[0]
        assert level.reference is archive.groups["r10m"].levels[0]
        assert apart.reference is None
        assert any(map(is_predicted, payloads(archive, level)))
        assert not any(map(is_predicted, payloads(other, apart)))
        assert sum(map(len, payloads(archive, level))) < 0.8 * sum(map(len, payloads(other, apart)))
        pixels = scene.groups[1].read(whole(level))
        found, by_itself = archive.read(level, whole(level)), other.read(apart, whole(apart))
        empty = found == 0 if dtype == np.uint16 else np.isnan(found)
        np.testing.assert_array_equal(empty, ~pixels.valid)
        error, before = (
            np.sqrt(np.square(each[pixels.valid].astype(float) - pixels.values[pixels.valid]).mean())
            for each in (found, by_itself)
        )
        assert error < 1.1 * before
        for reduce in (0, 1, 3):
            for place, block in decoded_by_hand(archive, level, reduce).items():
                np.testing.assert_array_equal(archive.decode_blocks(level, [place], reduce)[0], block)


def test_overviews_are_predicted_from_overviews(tmp_path: Path) -> None:
    scene = pair_scene(4130, 90, masked=False)
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=20.0)) as archive:
        fine, coarse = (archive.groups[name].levels for name in ("r10m", "r20m"))
        assert [level.number for level in coarse] == [0, 3]
        assert [level.reference for level in coarse] == list(fine)
        for level in coarse:
            assert any(map(is_predicted, payloads(archive, level)))
            for place, block in decoded_by_hand(archive, level, 0).items():
                np.testing.assert_array_equal(archive.decode_blocks(level, [place])[0], block)


def test_each_finer_block_is_decoded_once_and_all_in_one_batch(path: Path) -> None:
    with open_archive(path) as archive:
        level = archive.groups["r20m"].levels[0]
        asked: list[tuple[str, tuple[tuple[int, int], ...], int]] = []

        def finer(level: Level, blocks: Any, reduce: int) -> list[NDArray[Any]]:
            asked.append((level.group, tuple(blocks), reduce))
            return archive.decode_blocks(level, blocks, reduce)

        archive.decode_blocks(level, places(level), 3, finer)
        ((group, blocks, reduce),) = asked
        assert (group, reduce) == ("r10m", 1)
        assert len(set(blocks)) == len(blocks)
        assert set(blocks) <= set(places(archive.groups["r10m"].levels[0]))


def test_references_at_the_far_edge_lack_what_the_finer_group_lacks() -> None:
    fine, coarse = levels(513, 511, 257, 256)
    assert finer_blocks(fine, coarse, 0, 0) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert finer_blocks(fine, coarse, 1, 0) == [(2, 0), (2, 1)]
    decoded = {place: np.full((3, 128, 128), 7, np.uint16) for place in [(0, 0), (0, 1), (1, 0), (1, 1)]}
    decoded[0, 0][0, 5, 6], decoded[1, 1][1, 2, 3] = 0, SATURATED
    (reference,) = references(fine, coarse, [(0, 0)], lambda _, blocks, __: [decoded[b] for b in blocks])
    assert reference.shape == (3, 256, 256)
    assert reference.dtype == np.float32
    assert np.argwhere(np.isnan(reference)).tolist() == [[0, 5, 6], [1, 130, 131]]


def levels(fine_rows: int, fine_cols: int, rows: int, cols: int) -> tuple[Level, Level]:
    fine = array_group(landscape(3, fine_rows, fine_cols), names=["B02", "B03", "B04"], transform=FINE)
    coarse = array_group(landscape(2, rows, cols), names=["B11", "B12"], transform=COARSE)
    one, two = plan(array_scene(fine, coarse), 1.0)
    assert two.levels[0].reference == one.levels[0]
    return one.levels[0], two.levels[0]


def test_a_damaged_reference_is_named(path: Path, tmp_path: Path) -> None:
    with open_archive(path) as archive:
        fine, coarse = (archive.groups[name].levels[0] for name in ("r10m", "r20m"))
        payload = archive.payload(fine, 1, 1)
        assert payload is not None
        content, needle = bytearray(path.read_bytes()), bytes(payload)
        assert any(map(is_predicted, payloads(archive, coarse)))
    content[content.index(needle) + len(needle) // 2] ^= 0x55
    damaged = tmp_path / "damaged.zarr.zip"
    damaged.write_bytes(content)
    with open_archive(damaged) as archive:
        level = archive.groups["r20m"].levels[0]
        with pytest.raises(ArchiveError, match=r"block \(1, 1\) of r10m/0 is damaged, its checksum"):
            archive.read(level, Window(0, 0, 10, 10))


def test_a_lost_reference_is_named(path: Path) -> None:
    """Blocks that an archive lacks have no valid pixel, and nothing is predicted from none."""
    with open_archive(path) as archive:
        level = archive.groups["r20m"].levels[0]

        def lost(finer: Level, blocks: Any, reduce: int) -> list[NDArray[Any]]:
            return [np.zeros_like(block) for block in archive.decode_blocks(finer, blocks, reduce)]

        name = r"block \(2, 0\) of r10m/0 is missing, which block \(1, 0\) of r20m is predicted from"
        with pytest.raises(ArchiveError, match=name):
            archive.decode_blocks(level, [(1, 0)], 0, lost)


def test_over_http_the_same_pixels_come_from_few_requests(path: Path) -> None:
    with serving(path.read_bytes()) as server, open_archive(server.url) as far, open_archive(path) as near:
        level = near.groups["r20m"].levels[0]
        before = len(server.ranges)
        np.testing.assert_array_equal(
            far.read(far.groups["r20m"].levels[0], whole(level)), near.read(level, whole(level))
        )
        assert len(server.ranges) - before <= 6  # an index and the payloads, of two shards


def test_xarray_reads_both_groups(path: Path) -> None:
    with open_archive(path) as archive, xr.open_dataset(path, engine="comeo", group="r20m") as dataset:
        level = archive.groups["r20m"].levels[0]
        expected = archive.read(level, whole(level)).astype(np.float32)
        expected[expected == 0] = np.nan
        np.testing.assert_array_equal(np.isnan(dataset["data"].values), np.isnan(expected))
        np.testing.assert_allclose(dataset["data"].values, expected * 1e-4 - 0.1, atol=1e-6, equal_nan=True)


def test_plain_zarr_reads_the_finer_group_and_says_why_not_the_other(path: Path) -> None:
    with zarr.storage.ZipStore(path, mode="r") as store, open_archive(path) as archive:
        group: Any = zarr.open_group(store, mode="r")
        level = archive.groups["r10m"].levels[0]
        np.testing.assert_array_equal(group["r10m/0/data"][:], archive.read(level, whole(level)))
        with pytest.raises(CodecError, match=r"predicted from r10m/0/data, .* --independent-groups"):
            group["r20m/0/data"][:]
