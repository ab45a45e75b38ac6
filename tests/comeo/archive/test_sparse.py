"""Files with holes: what is published is on the disk, what is not there is said not to be there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.archive import open_archive
from comeo.archive.stores import file as files
from comeo.archive.stores import parts
from comeo.archive.stores.extents import Extents, Span
from comeo.archive.stores.parts import map_path, read_map
from comeo.archive.stores.sparse import SparseFile, SparseWriter
from comeo.errors import ArchiveError, NotHereError, ReplacedError

SIZE = 4096
ETAG = "0123456789abcdef" * 2
BYTES = bytes(1 + number % 251 for number in range(SIZE))  # nowhere zero, as a hole is


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scene.zarr.part"


def fill(writer: SparseWriter, *spans: Span) -> Extents:
    for start, stop in spans:
        writer.write(start, BYTES[start:stop])
    return Extents(spans)


def test_readers_see_what_is_published_and_nothing_else(path: Path) -> None:
    writer = SparseWriter.create(path, SIZE, ETAG)
    fill(writer, (0, 100), (200, 300))
    writer.publish(["head"], Extents([(0, 100)]))
    file = SparseFile(path)
    assert file.read(10, 90) == BYTES[10:100]
    assert (file.size, file.layers, file.etag) == (SIZE, ("head",), ETAG)
    with pytest.raises(NotHereError, match=r"scene\.zarr\.part is here in part, 2% of its bytes"):
        file.read(50, 51)
    with pytest.raises(NotHereError):  # written, and not published
        file.read(200, 10)
    first = file.revision
    writer.publish(["head", "coarse"], Extents([(0, 100), (200, 300)]))
    assert SparseFile(path).read_many([(0, 100), (200, 100)]) == [BYTES[:100], BYTES[200:300]]
    assert SparseFile(path).revision != first


def test_a_new_part_has_nothing_and_goes_on_where_it_was(path: Path) -> None:
    SparseWriter.create(path, SIZE, ETAG).close()
    assert SparseFile(path).here == Extents()
    writer = SparseWriter.create(path, SIZE, ETAG)
    writer.publish(["head"], fill(writer, (5, 9)))
    writer.close()
    again = SparseWriter.create(path, SIZE, ETAG)
    assert (again.published, again.layers) == (Extents([(5, 9)]), ("head",))
    assert path.stat().st_blocks * 512 <= SIZE


def test_one_writer_at_a_time(path: Path) -> None:
    writer = SparseWriter.create(path, SIZE, ETAG)
    with pytest.raises(ArchiveError, match="written by another process"):
        SparseWriter.create(path, SIZE, ETAG)
    writer.close()
    SparseWriter.create(path, SIZE, ETAG).close()


@pytest.mark.parametrize(("size", "etag"), [(SIZE + 1, ETAG), (SIZE, "f" * 32)])
def test_a_part_of_another_archive_is_not_written_over(path: Path, size: int, etag: str) -> None:
    writer = SparseWriter.create(path, SIZE, ETAG)
    writer.publish(["head"], fill(writer, (0, SIZE)))
    writer.close()
    with pytest.raises(ReplacedError, match="discard it"):
        SparseWriter.create(path, size, etag)
    assert SparseFile(path).read(0, SIZE) == BYTES
    SparseWriter.discard(path)
    assert SparseWriter.create(path, size, etag).published == Extents()
    with pytest.raises(NotHereError):
        SparseFile(path).read(0, 1)


def test_bytes_without_a_map_are_not_trusted(path: Path) -> None:
    path.write_bytes(b"x" * SIZE)
    SparseWriter.create(path, SIZE, ETAG).close()
    assert path.read_bytes() == bytes(SIZE)


@pytest.mark.parametrize("size", [0, 21, 1 << 32, -1])
def test_sizes_beyond_those_of_archives_are_refused(path: Path, size: int) -> None:
    with pytest.raises(ArchiveError, match="cannot be a part of an archive"):
        SparseWriter.create(path, size, ETAG)
    assert not path.exists()


def test_a_file_for_which_the_disk_has_no_room_is_not_begun(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": SIZE - 1})())
    with pytest.raises(ArchiveError, match="has 4095 free"):
        SparseWriter.create(path, SIZE, ETAG)
    assert not path.exists()


@pytest.mark.parametrize("offset", [-1, SIZE - 1])
def test_nothing_is_written_outside_the_file(path: Path, offset: int) -> None:
    writer = SparseWriter.create(path, SIZE, ETAG)
    with pytest.raises(ArchiveError, match="has no bytes"):
        writer.write(offset, b"xy")


def test_names_and_ranges_that_could_not_be_read_back_are_refused(path: Path) -> None:
    writer = SparseWriter.create(path, SIZE, ETAG)
    for layers, spans in ((["head", "head"], []), (["Über"], []), (["head"], [(0, SIZE + 1)])):
        with pytest.raises(ArchiveError, match="cannot be a part"):
            writer.publish(layers, Extents(spans))
    assert read_map(path).layers == []
    with pytest.raises(ArchiveError, match="must end in"):
        SparseWriter.create(path.with_suffix(".zip"), SIZE, ETAG)


def test_what_is_punched_out_is_gone_for_new_and_old_readers(path: Path) -> None:
    writer = SparseWriter.create(path, 1 << 20, ETAG)
    writer.write(0, b"\xff" * (1 << 20))
    writer.publish(["head", "coarse", "area"], Extents([(0, 1 << 20)]))
    before, taken = SparseFile(path), path.stat().st_blocks
    writer.punch(Extents([(0, 8192)]), ("head", "coarse"))
    assert read_map(path).layers == ["head", "coarse"]
    for file in (before, SparseFile(path)):
        assert file.read(0, 8192) == b"\xff" * 8192
        with pytest.raises(NotHereError):  # and not zeros
            file.read(8192, 4096)
    assert path.stat().st_blocks < taken


DAMAGED: list[Callable[[dict[str, Any]], Any]] = [
    lambda found: {**found, "extents": [[10, 20], [0, 5]]},
    lambda found: {**found, "extents": [[0, 10], [10, 20]]},
    lambda found: {**found, "extents": [[5, 5]]},
    lambda found: {**found, "extents": [[-5, 5]]},
    lambda found: {**found, "extents": [[0, SIZE + 1]]},
    lambda found: {**found, "extents": [[0, 1, 2]]},
    lambda found: {**found, "extents": [["0", "5"]]},
    lambda found: {**found, "extents": [[0.5, 5]]},
    lambda found: {**found, "extents": [[2 * n, 2 * n + 1] for n in range(70_000)], "size": 1 << 20},
    lambda found: {**found, "size": SIZE + 1},
    lambda found: {**found, "size": True},
    lambda found: {**found, "etag": "x"},
    lambda found: {**found, "v": 2},
    lambda found: {**found, "more": 1},
    lambda found: {**found, "layers": ["<script>"]},
    lambda found: {**found, "layers": [str(n) for n in range(100)]},
    lambda _: [],
    lambda _: "x" * (3 << 20),
]


@pytest.mark.parametrize("change", DAMAGED)
def test_damaged_maps_are_refused(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    writer = SparseWriter.create(path, SIZE, ETAG)
    writer.publish(["head"], fill(writer, (0, SIZE)))
    map_path(path).write_text(json.dumps(change(json.loads(map_path(path).read_text()))))
    with pytest.raises(ArchiveError) as caught:
        SparseFile(path)
    assert not isinstance(caught.value, NotHereError)


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_are_a_map_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zarr.part"
        path.write_bytes(b"x")
        map_path(path).write_bytes(content)
        with pytest.raises(ArchiveError):
            SparseFile(path)


def test_a_map_that_is_a_link_to_a_pipe_does_not_hang(path: Path) -> None:
    path.write_bytes(BYTES)
    os.mkfifo(map_path(path))
    with pytest.raises(ArchiveError, match="not a regular file"):
        SparseFile(path)


def test_the_map_is_canonical(path: Path) -> None:
    writer = SparseWriter.create(path, SIZE, ETAG)
    writer.publish(["head", "coarse"], fill(writer, (9, 12), (0, 4)))
    assert map_path(path).read_text() == (
        f'{{"etag":"{ETAG}","extents":[[0,4],[9,12]],"layers":["head","coarse"],"size":{SIZE},"v":1}}'
    )


class CutError(Exception):
    """The power has gone."""


class Disk:
    """A disk that loses its power before one of its operations, and with it what was not synced.

    Args:
        path: Of the part.
        left: Operations until then.
        keeps: Whether what was not synced had reached the disk all the same.
    """

    def __init__(self, path: Path, left: int, *, keeps: bool) -> None:
        self.left, self.keeps, self._path = left, keeps, path
        self._unsynced: list[tuple[int, bytes]] = []
        self._before_rename: bytes | None = None

    @contextlib.contextmanager
    def under(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        pwrite, fdatasync, replace, sync_folder = os.pwrite, os.fdatasync, Path.replace, files.sync_folder

        def write(descriptor: int, data: Any, offset: int) -> int:
            self._tick()
            part = bytes(data)[: max(1, len(data) // 2)]  # no more at once, as disks may
            self._unsynced.append((offset, os.pread(descriptor, len(part), offset)))
            return pwrite(descriptor, part, offset)

        def sync(descriptor: int) -> None:
            self._tick()
            fdatasync(descriptor)
            self._unsynced.clear()

        def rename(source: Path, target: Path) -> Path:
            self._tick()
            self._before_rename = Path(target).read_bytes()
            return replace(source, target)

        def folder(place: Path) -> None:
            self._tick()
            sync_folder(place)
            self._before_rename = None

        patch.setattr(os, "pwrite", write)
        patch.setattr(os, "fdatasync", sync)
        patch.setattr(Path, "replace", rename)
        patch.setattr(parts, "sync_folder", folder)
        try:
            with contextlib.suppress(CutError):
                yield
        finally:
            patch.undo()

    def lose(self) -> None:
        """Put back what had not reached the disk."""
        if self.keeps:
            return
        with self._path.open("r+b") as file:
            for offset, before in reversed(self._unsynced):
                file.seek(offset)
                file.write(before)
        if self._before_rename is not None:
            map_path(self._path).write_bytes(self._before_rename)

    def _tick(self) -> None:
        if self.left == 0:
            raise CutError
        self.left -= 1


LAYERS = [("head", (3000, SIZE)), ("coarse", (2000, 3000)), ("area", (100, 900)), ("rest", (0, 2000))]


@given(st.integers(0, 80), st.booleans())
@settings(max_examples=60, deadline=None)
def test_wherever_the_power_goes_what_is_published_can_be_read(left: int, keeps: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "scene.zarr.part"
        writer, disk, seen = SparseWriter.create(path, SIZE, ETAG), Disk(path, left, keeps=keeps), []
        with disk.under(patch):
            for number, (_, span) in enumerate(LAYERS):
                fill(writer, span)
                names = [name for name, _ in LAYERS[: number + 1]]
                writer.publish(names, Extents(span for _, span in LAYERS[: number + 1]))
                seen.append(names)
        disk.lose()
        file = SparseFile(path)
        assert len(file.layers) in (len(seen), len(seen) + 1)  # one more may have got there
        assert file.here == Extents(span for _, span in LAYERS[: len(file.layers)])
        for start, stop in file.here:
            assert file.read(start, stop - start) == BYTES[start:stop]


def test_a_whole_file_becomes_an_archive(archive_bytes: bytes, etag: str, tmp_path: Path) -> None:
    path = tmp_path / "scene.zarr.part"
    writer = SparseWriter.create(path, len(archive_bytes), etag)
    writer.write(0, archive_bytes[:-1000])
    with pytest.raises(ArchiveError):  # its end has not come
        writer.complete()
    assert path.exists()
    writer.write(len(archive_bytes) - 1000, archive_bytes[-1000:])
    final = writer.complete()
    assert final == tmp_path / "scene.zarr.zip"
    assert sorted(tmp_path.iterdir()) == [final]
    with open_archive(final) as archive:
        assert (archive.etag, archive.completeness, archive.layers) == (etag, 1.0, ("all",))


def test_an_archive_fades_to_a_part(archive_bytes: bytes, etag: str, tmp_path: Path) -> None:
    whole = tmp_path / "scene.zarr.zip"
    whole.write_bytes(archive_bytes)
    tail = Extents([(len(archive_bytes) // 2, len(archive_bytes))])
    with open_archive(whole) as before:
        with pytest.raises(ReplacedError):
            SparseWriter.fade(whole, tail, ("head", "coarse"), etag="f" * 32)
        SparseWriter.fade(whole, tail, ("head", "coarse"), etag=etag).close()
        assert not whole.exists()
        level = next(iter(before.groups.values())).levels[0]
        assert before.payload(level, 0, 0) is not None  # who reads it reads on
    with open_archive(tmp_path / "scene.zarr.part") as faded:
        assert faded.layers == ("head", "coarse")
        assert faded.whole_etag == etag != faded.etag
        assert faded.completeness == pytest.approx(0.5, abs=1e-4)


def test_a_part_opens_by_its_end_and_says_what_is_not_here(
    archive_bytes: bytes, etag: str, tmp_path: Path
) -> None:
    path = tmp_path / "scene.zarr.part"
    writer = SparseWriter.create(path, len(archive_bytes), etag)
    with pytest.raises(NotHereError):
        open_archive(path)
    head = len(archive_bytes) - 30_000
    writer.write(head, archive_bytes[head:])
    writer.publish(["head"], Extents([(head, len(archive_bytes))]))
    with open_archive(path) as archive:
        level = next(iter(archive.groups.values())).levels[0]
        with pytest.raises(NotHereError):
            archive.payload(level, 0, 0)
        first = archive.etag
    writer.write(0, archive_bytes)
    writer.publish(["all"], Extents([(0, len(archive_bytes))]))
    with open_archive(path) as archive:
        assert archive.payload(level, 0, 0) is not None
        assert archive.etag != first


def test_the_end_of_another_archive_is_refused(archive_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scene.zarr.part"
    writer = SparseWriter.create(path, len(archive_bytes), "f" * 32)
    writer.write(0, archive_bytes)
    writer.publish(["all"], Extents([(0, len(archive_bytes))]))
    with pytest.raises(ArchiveError, match="another archive than its map"):
        open_archive(path)
    with pytest.raises(ArchiveError, match="not the archive"):
        writer.complete()


SAMPLE = Path(__file__).parents[3] / "samples" / "S2A_T32TMT_20190530_L2A.zarr.zip"


@pytest.fixture(scope="module")
def archive_bytes() -> bytes:
    return SAMPLE.read_bytes()


@pytest.fixture(scope="module")
def etag() -> str:
    with open_archive(SAMPLE) as archive:
        return archive.etag
