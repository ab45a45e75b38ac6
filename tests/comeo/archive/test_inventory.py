"""What an archive states of its shards: none is lost, and none comes from another archive, unnoticed."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.archive import Archive, open_archive
from comeo.archive.clear_model import SHARD
from comeo.archive.inventory import Inventory, check, encode
from comeo.archive.model import Level
from comeo.archive.shard import absent_checksum
from comeo.codecs.reduction import reduce_mean
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.scene import Scene, Window
from tests.comeo.archive.pairs import COARSE, FINE
from tests.comeo.archive.ranges import serving
from tests.comeo.archive.rewriting import change_document, put
from tests.scenes import array_classes, array_group, array_scene, landscape, patchy

SIDE = 4096 + 300  # two shards, and an overview


def scene_of(seed: int) -> Scene:
    """A 10 m group of two shards in a column, without a pixel between them, and a predicted one."""
    fine = landscape(1, SIDE, 120, seed=seed)
    coarse = (reduce_mean(fine.astype(np.float32), 1) * 0.8).astype(np.uint16)
    valid = np.ones(fine.shape, bool)
    valid[:, :1000] = False
    return array_scene(
        array_group(fine, valid, names=["B02"], transform=FINE),
        array_group(coarse, names=["B11"], transform=COARSE),
        classes=array_classes(patchy(SIDE // 2, 60, seed=seed)),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compress(scene_of(1), tmp_path_factory.mktemp("one") / "a.zarr", codec="dct", step=300.0)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compress(scene_of(2), tmp_path_factory.mktemp("two") / "a.zarr", codec="dct", step=300.0)


def read_all(archive: Archive) -> None:
    for group in archive.groups.values():
        for level in group.levels:
            archive.read(level, Window(0, 0, level.height, level.width))
    if archive.clear is None:  # which does not refuse the pixels
        raise ArchiveError(archive.damaged["clear"])
    archive.clear.read()


def shards(folder: Path) -> list[str]:
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(key for key in files if "/data/c/" in key)


def zipped(folder: Path, file: Path, without: str = "") -> Path:
    with zipfile.ZipFile(file, "w") as target:
        for path in sorted(folder.rglob("*")):
            key = path.relative_to(folder).as_posix()
            if path.is_file() and key != without:
                target.write(path, key)
    return file


def test_whole_archives_have_all(folder: Path, tmp_path: Path) -> None:
    assert len(shards(folder)) == 6  # two of 10 m, 20 m, their overviews, clear
    for place in (folder, zipped(folder, tmp_path / "a.zarr.zip")):
        with open_archive(place) as archive:
            read_all(archive)


def test_every_lost_shard_is_named(folder: Path, tmp_path: Path) -> None:
    for number, key in enumerate(shards(folder)):
        lost = tmp_path / f"{number}.zarr"
        shutil.copytree(folder, lost)
        (lost / key).unlink()
        file = zipped(folder, tmp_path / f"{number}.zarr.zip", without=key)
        for place in (lost, file):
            with open_archive(place) as archive, pytest.raises(ArchiveError, match=f"{key} is missing: copy"):
                read_all(archive)
    with (
        serving(file.read_bytes()) as server,
        open_archive(server.url) as archive,
        pytest.raises(ArchiveError, match="is missing: copy"),
    ):
        read_all(archive)


def test_what_is_predicted_from_a_lost_shard_is_not_shown(folder: Path, tmp_path: Path) -> None:
    """Beside a kept shard the reference of a block would only have a hole."""
    lost = tmp_path / "a.zarr"
    shutil.copytree(folder, lost)
    (lost / "r10m/0/data/c/0/1/0").unlink()
    with open_archive(lost) as archive, open_archive(folder) as whole:
        level = archive.groups["r20m"].levels[0]
        assert level.reference is not None
        kept = Window(600, 0, 300, 60)
        np.testing.assert_array_equal(archive.read(level, kept), whole.read(level, kept))
        with pytest.raises(ArchiveError, match="r10m/0/data/c/0/1/0 is missing"):
            archive.read(level, Window(0, 0, level.height, level.width))


def test_every_shard_of_another_archive_is_named(folder: Path, other: Path, tmp_path: Path) -> None:
    for number, key in enumerate(shards(folder)):
        mixed = tmp_path / f"{number}.zarr"
        shutil.copytree(folder, mixed)
        shutil.copy(other / key, mixed / key)
        with open_archive(mixed) as archive, pytest.raises(ArchiveError, match=f"{key} belongs to another"):
            read_all(archive)


def test_shards_without_a_pixel_are_not_missed(tmp_path: Path) -> None:
    fine = np.full((1, SIDE, 40), 3000, np.uint16)
    valid = np.zeros(fine.shape, bool)
    valid[:, -10:] = True
    scene = array_scene(array_group(fine, valid), classes=array_classes(np.zeros((SIDE // 2, 20), np.uint8)))
    with open_archive(compress(scene, tmp_path / "a.zarr", codec="dct", step=300.0)) as archive:
        level = archive.groups["r10m"].levels[0]
        assert not (tmp_path / "a.zarr" / level.shard_key(0, 0)).exists()
        assert not (tmp_path / "a.zarr" / SHARD).exists()
        assert np.count_nonzero(archive.read(level, Window(0, 0, SIDE, 40))) == 400
        assert archive.clear is not None
        assert not archive.clear.read().any()


def test_metadata_that_do_not_say_are_refused(folder: Path, tmp_path: Path) -> None:
    cases = {
        "shards, of which shards there are, is missing": None,
        "not 4 for each of 6 shards": "AAAA",
        "it is not Base64": "?",
        "at most": "A" * (1 << 18),
    }
    for number, (words, value) in enumerate(cases.items()):
        file = zipped(folder, tmp_path / f"{number}.zarr.zip")
        change_document(file, "zarr.json", put("attributes", "comeo", "shards", value=value))
        with pytest.raises(ArchiveError, match=words):
            open_archive(file)


def level_of(group: str, rows: int, cols: int, shard: tuple[int, int]) -> Level:
    return Level(group, 0, rows * 16, cols * 16, FINE, 16, shard, 1, np.dtype(np.uint16), 1.0)


sides = st.integers(1, 9)


@given(st.lists(st.tuples(sides, sides, sides, sides), min_size=1, max_size=4), st.data())
def test_what_was_stated_is_expected(shapes: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    levels = [level_of(f"r{n}m", rows, cols, (a, b)) for n, (rows, cols, a, b) in enumerate(shapes, 1)]
    keys = [level.shard_key(*place) for level in levels for place in np.ndindex(*level.shards)]
    chosen = data.draw(st.dictionaries(st.sampled_from(keys), st.binary(min_size=4, max_size=4)))
    clear = data.draw(st.none() | st.binary(min_size=4, max_size=4))
    inventory = Inventory(encode(levels, chosen, clear), levels, None if clear is None else SHARD)
    for level in levels:
        slots = level.shard[0] * level.shard[1]
        for row, col in np.ndindex(*level.shards):
            found = chosen.get(level.shard_key(row, col))
            expected = inventory.expected(level, row, col)
            assert expected == (found or absent_checksum(slots))
            check(found, expected, slots, "a shard")
            if found not in (None, absent_checksum(slots)):
                with pytest.raises(ArchiveError, match="a shard is missing"):
                    check(None, expected, slots, "a shard")
    if clear is not None:
        assert inventory.expected_clear(SHARD) == clear


def test_version_1_states_nothing() -> None:
    level = level_of("r10m", 2, 2, (1, 1))
    expected = Inventory(None, [level]).expected(level, 1, 1)
    check(None, expected, 1, "a shard")
    assert expected is None
