"""Blocks of a shard, and entries of a ZIP, that share bytes: a small file would fill a reader's memory."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.archive.shard import build_shard, read_index, with_checksum
from comeo.archive.stores import Blob, open_store
from comeo.archive.stores.file import LocalFile
from comeo.errors import ArchiveError

LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_ABSENT = (2**64 - 1, 2**64 - 1)


def _blob(folder: Path, content: bytes) -> Blob:
    path = folder / "shard"
    path.write_bytes(content)
    return Blob(LocalFile(path), 0, len(content))


def _shard(index: list[tuple[int, int]], payloads: int) -> bytes:
    return bytes(payloads) + with_checksum(np.array(index, "<u8").tobytes())


@pytest.mark.parametrize(
    "index",
    [
        [(0, 100), (0, 100)],
        [(0, 60), (59, 41)],
        [(50, 50), _ABSENT, (0, 51)],
        [(0, 100), (10, 5), (95, 5)],
        [(0, 100), (99, 5), _ABSENT],
    ],
)
def test_blocks_that_overlap_are_refused(tmp_path: Path, index: list[tuple[int, int]]) -> None:
    with pytest.raises(ArchiveError, match="shard of it has blocks that overlap"):
        read_index(_blob(tmp_path, _shard(index, 104)), len(index), "shard of it")


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 30), min_size=1, max_size=20), seed=st.integers(0, 2**32 - 1))
def test_blocks_apart_are_read_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], seed: int
) -> None:
    """As other writers may lay them out: not by slot, with gaps."""
    order = np.random.default_rng(seed).permutation(len(sizes))
    index, place = [_ABSENT] * len(sizes), 0
    for slot in order:
        if sizes[slot]:
            index[slot] = place, sizes[slot] + 4
            place += sizes[slot] + 4 + slot % 3
    blob = _blob(tmp_path_factory.mktemp("apart"), _shard(index, place))
    found, _ = read_index(blob, len(sizes), "shard")
    assert [tuple(map(int, row)) for row in found] == [row if row != _ABSENT else (0, 0) for row in index]


def test_what_is_written_does_not_overlap(tmp_path: Path) -> None:
    content = build_shard({0: b"one", 2: b"another"}, 4)
    found, _ = read_index(_blob(tmp_path, content), 4, "shard")
    assert found[:, 1].tolist() == [7, 0, 11, 0]


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    """Each entry's header stands in the bytes of the one before, and each reaches to the last byte."""
    path = tmp_path / "nested.zarr.zip"
    path.write_bytes(_nested([f"r10m/0/data/c/0/0/{number}" for number in range(50)], bytes(1000)))
    with pytest.raises(ArchiveError, match=r"nested\.zarr\.zip has entries that overlap"):
        open_store(path)


def _nested(names: list[str], content: bytes) -> bytes:
    """A ZIP in which each entry is all that follows its header."""
    body, heads = content, []
    for name in reversed(names):
        header = LOCAL_HEADER.pack(b"PK\3\4", 20, 0, 0, 0, 33, 0, len(body), len(body), len(name), 0)
        heads.append((name, len(body)))
        body = header + name.encode() + body
    directory = b""
    for name, size in heads:
        offset = len(body) - size - LOCAL_HEADER.size - len(name)
        directory += _record(name, size, offset)
    count = len(names)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def _record(name: str, size: int, offset: int) -> bytes:
    facts = (20, 20, 0, 0, 0, 33, 0, size, size, len(name), 0, 0, 0, 0, 0, offset)
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *facts) + name.encode()
