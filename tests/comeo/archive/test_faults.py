"""Faults at every call of writers, sinks and stores: nothing lost, no half archive, no garbage."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from comeo.archive import open_archive
from comeo.archive.stores import open_sink, sweep
from comeo.cache import array_cache
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.view.reader import ArchiveReader
from tests.comeo.archive.contract import SHARD, content, write
from tests.comeo.archive.faults import HARMLESS, FaultyDisk, every_call
from tests.comeo.archive.ranges import Answer, serving
from tests.scenes import array_group, array_scene, landscape

SUFFIXES = (".zarr.zip", ".zarr")
REMOVING = {"unlink", "rmdir", "scandir", "listdir", "open", "fstat", "close"}
NEWER = {"zarr.json": b"newer", SHARD: bytes(range(256)) * 80}
OLDER = {"zarr.json": b"older", "r10m/0/data/c/0/0/0": bytes(50_000)}


def write_on(disk: FaultyDisk, final: Path, *, replace: bool) -> ArchiveError | None:
    """Write an archive on a faulty disk; only a clear error may come of it."""
    with disk.mounted():
        try:
            sink = open_sink(final)
            try:
                for key, data in NEWER.items():
                    sink.write(key, data)
                sink.finish()
                sink.publish(replace=replace)
            except BaseException:
                sink.discard()
                raise
        except ArchiveError as error:
            return error
    return None


@pytest.mark.parametrize("older", ["", ".zarr.zip", ".zarr"])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("fault", "for_good"), [(errno.EIO, False), (errno.ENOSPC, True)])
def test_writing_on_a_disk_that_fails(
    tmp_path: Path, fault: int, suffix: str, older: str, for_good: bool
) -> None:
    """`older` is the form of what is to be replaced: a folder may have a file's name."""
    folder, final = tmp_path / "out", tmp_path / "out" / f"a{suffix}"
    if older:
        written = write(tmp_path / f"older{older}", OLDER)
    errors = 0
    for disk in every_call(folder, fault, for_good=for_good):
        folder.mkdir()
        if older:
            (shutil.copytree if written.is_dir() else shutil.copy)(written, final)
        error = write_on(disk, final, replace=bool(older))
        removal_failed = disk.failed in REMOVING or for_good
        if removal_failed:
            sweep(folder)  # as the next compression into the folder does, on a disk that works again
        left = [path.name for path in folder.iterdir()]
        if error is None:
            assert left == [final.name], (disk.failed, left)
            assert content(final) == NEWER
        else:
            errors += 1
            assert str(final) in str(error), disk.failed
            assert os.strerror(fault) in str(error), disk.failed
            assert set(left) <= {final.name}, (disk.failed, left)
            if older or left:
                is_whole = content(final) == NEWER and "is complete" in str(error)
                assert is_whole or (older and content(final) == OLDER), disk.failed
        shutil.rmtree(folder)
    assert errors


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_short_writes_and_reads_are_made_good(tmp_path: Path, suffix: str) -> None:
    for fault in HARMLESS:
        disk = FaultyDisk(tmp_path, fault, 1, for_good=True)
        assert write_on(disk, tmp_path / f"a{suffix}", replace=True) is None
        with disk.mounted():
            assert content(tmp_path / f"a{suffix}") == NEWER


@pytest.fixture(scope="module")
def one_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_compressing_to_a_disk_that_fails(tmp_path: Path, one_thread: ThreadPoolExecutor) -> None:
    scene = array_scene(array_group(landscape(1, 40, 40)))
    folder, final = tmp_path / "out", tmp_path / "out" / "a.zarr.zip"
    older = compress(scene, tmp_path / "older.zarr.zip", codec="dct", step=99.0, executor=one_thread)
    expected = content(older)
    newer = content(compress(scene, tmp_path / "newer.zarr.zip", codec="dct", step=9.0, executor=one_thread))
    for disk in every_call(folder, errno.EIO):
        folder.mkdir()
        shutil.copy(older, final)
        with disk.mounted():
            try:
                compress(scene, final, codec="dct", step=9.0, force=True, executor=one_thread)
                allowed = [newer]
            except ArchiveError as error:
                assert "Input/output error" in str(error)
                assert "\n" not in str(error)
                allowed = [newer] if "is complete" in str(error) else [expected]
        if disk.failed in REMOVING:
            sweep(folder)
        assert [path.name for path in folder.iterdir()] == [final.name], disk.failed
        assert content(final) in allowed, disk.failed
        shutil.rmtree(folder)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_reading_from_a_disk_that_fails(tmp_path: Path, suffix: str) -> None:
    """Each failed reading is repeated: what was kept meanwhile is right."""
    scene = array_scene(array_group(landscape(2, 300, 300)))
    path = compress(scene, tmp_path / f"a{suffix}", codec="dct", step=99.0)
    with open_archive(path) as archive:
        reader = ArchiveReader(archive, array_cache(1 << 22))
        grid = reader.native_grid()
        expected = reader.read(grid).array
    failed = 0
    for disk in every_call(path, errno.EIO):
        with disk.mounted():
            try:
                archive = open_archive(path)
            except ArchiveError as error:
                assert path.name in str(error)
                failed += 1
                continue
            with archive:
                reader = ArchiveReader(archive, array_cache(1 << 22))
                try:
                    found = reader.read(grid).array
                except ArchiveError as error:
                    assert path.name in str(error)
                    failed += 1
                    found = reader.read(grid).array
                np.testing.assert_array_equal(found, expected)
    assert failed


def _refuses(answer: Answer) -> Answer:
    return Answer(500, {}, b"")


def _is_busy(answer: Answer) -> Answer:
    return Answer(503, {}, b"")


def _stops_early(answer: Answer) -> Answer:
    return Answer(206, {**answer.headers, "Content-Length": str(len(answer.body))}, answer.body[:-1])


def _sends_less(answer: Answer) -> Answer:
    return Answer(206, answer.headers, answer.body[:-1])


def _sends_others(answer: Answer) -> Answer:
    return Answer(206, {**answer.headers, "Content-Range": "bytes 0-9/10"}, answer.body[:10])


@pytest.mark.parametrize("misdeed", [_refuses, _is_busy, _stops_early, _sends_less, _sends_others])
def test_reading_from_a_server_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, misdeed: Callable[[Answer], Answer]
) -> None:
    monkeypatch.setattr("comeo.archive.stores.remote.TAIL_BYTES", 100)
    monkeypatch.setattr("comeo.archive.stores.remote._PAUSE_SECONDS", 0)
    scene = array_scene(array_group(landscape(2, 60, 300)))
    path = compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=9.0)
    with open_archive(path) as archive:
        grid = ArchiveReader(archive, array_cache(1 << 22)).native_grid()
        expected = ArchiveReader(archive, array_cache(1 << 22)).read(grid).array
    at, asked = 0, 1
    while at < asked:
        at += 1

        def once(answer: Answer, number: int, at: int = at) -> Answer:
            return misdeed(answer) if number == at else answer

        with serving(path.read_bytes(), once) as server:
            try:
                archive = open_archive(server.url)
            except ArchiveError as error:
                assert "scene.zarr.zip" in str(error)
                asked = max(asked, len(server.ranges) + 1)
                continue
            with archive:
                reader = ArchiveReader(archive, array_cache(1 << 22))
                try:
                    found = reader.read(grid).array
                except ArchiveError as error:
                    assert "scene.zarr.zip" in str(error)
                    found = reader.read(grid).array
                np.testing.assert_array_equal(found, expected)
            asked = len(server.ranges)
    assert at > 3
