"""Damaged and hostile archives: a clear error or the very same pixels, in little memory, and never a hang."""

from __future__ import annotations

import io
import json
import os
import resource
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.crs import CRS

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.scene import Window
from tests.comeo.archive.rewriting import put, rewritten
from tests.scenes import array_group, array_scene, corner_cut, landscape
from tests.watchdog import no_hanging  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("no_hanging")

EXTRA_KILOBYTES = 200_000
FLIPS = 2000  # `make fuzz` does more


@pytest.fixture(scope="module", params=["dct", "jpeg2000"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    values = landscape(2, 96, 280)
    scene = array_scene(array_group(values, corner_cut(values.shape)))
    path = compress(scene, tmp_path_factory.mktemp("sound") / "a.zarr.zip", codec=request.param, step=400.0)
    return path.read_bytes()


def read_all(path: Path) -> list[Any]:
    """Everything that an archive says, so that two readings can be compared."""
    with open_archive(path) as archive:
        facts = archive.info()
        facts.pop("archive_bytes"), facts.pop("ratio")
        out: list[Any] = [facts, archive.item]
        for group in archive.groups.values():
            out += [
                archive.read(level, Window(0, 0, level.height, level.width)).tobytes()
                for level in group.levels
            ]
        return out


def outcome(path: Path, data: bytes) -> list[Any] | ArchiveError:
    """Read damaged bytes; anything but an ArchiveError is a failure of the test."""
    path.write_bytes(data)
    try:
        result: list[Any] | ArchiveError = read_all(path)
    except ArchiveError as error:
        assert path.name in str(error)
        assert "\n" not in str(error)
        result = error
    return result


def test_truncation_is_always_noticed(sound: bytes, tmp_path: Path) -> None:
    for percent in range(100):
        cut = sound[: len(sound) * percent // 100]
        assert isinstance(outcome(tmp_path / "cut.zarr.zip", cut), ArchiveError)


@pytest.mark.slow
def test_flipped_bytes_never_change_a_pixel(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "flipped.zarr.zip"
    expected = outcome(path, sound)
    rng = np.random.default_rng(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    noticed = 0
    for _ in range(FLIPS):
        position, bit = int(rng.integers(len(sound))), int(rng.integers(8))
        damaged = bytearray(sound)
        damaged[position] ^= 1 << bit
        result = outcome(path, bytes(damaged))
        if isinstance(result, ArchiveError):
            noticed += 1
        else:
            assert result == expected, f"byte {position} changed what the archive says"
    assert noticed > FLIPS // 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < EXTRA_KILOBYTES


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


ARRAY = "r10m/0/data/zarr.json"
PROPERTIES = ("attributes", "stac_discovery", "properties")
GEOMETRY = ("attributes", "stac_discovery", "geometry", "coordinates")
SHARDING = ("codecs", 0, "configuration")


@pytest.mark.parametrize(
    ("key", "change"),
    [
        (ARRAY, put("shape", value=[2, 10**9, 10**9])),
        (ARRAY, put("shape", value=[2, 2**20, 2**20])),
        (ARRAY, put("shape", value=[10**6, 96, 280])),
        (ARRAY, put("shape", value=[2, -1, 280])),
        (ARRAY, put("shape", value=[2, 96])),
        (ARRAY, put("shape", value="large")),
        (ARRAY, put("data_type", value="object")),
        (ARRAY, put(*SHARDING, "chunk_shape", value=[2, 0, 0])),
        (ARRAY, put(*SHARDING, "chunk_shape", value=[2, 3, 3])),
        (ARRAY, put(*SHARDING, "chunk_shape", value=[2, 2**20, 2**20])),
        (ARRAY, put(*SHARDING, "codecs", 0, "name", value="comeo.unheard")),
        (ARRAY, put(*SHARDING, "codecs", 0, "configuration", value={})),
        (ARRAY, put(*SHARDING, "codecs", 0, "configuration", "step", value=1e-300)),
        (ARRAY, put(*SHARDING, "codecs", 0, "configuration", "step", value=True)),
        ("zarr.json", put("attributes", "comeo", "step", value=1e30)),
        ("zarr.json", put("attributes", "comeo", "step", value=1e-300)),
        ("zarr.json", put("attributes", "comeo", "step", value="400")),
        ("zarr.json", put("attributes", "stac_discovery", "bbox", value=["8", "47", "9", "48"])),
        ("zarr.json", put("attributes", "stac_discovery", "bbox", value=[False, False, True, True])),
        ("zarr.json", put(*GEOMETRY, value=[[["8", "47"], ["9", "47"], ["9", "48"], ["8", "47"]]])),
        (ARRAY, put("chunk_grid", "configuration", "chunk_shape", value=[2, 2**20, 2**20])),
        (ARRAY, put("codecs", value=[])),
        (ARRAY, lambda _: b"[" * 100_000),
        (ARRAY, lambda _: b"\xff\xfe"),
        (ARRAY, lambda _: b"null"),
        ("r10m/zarr.json", put("attributes", "proj:code", value="EPSG:99999999")),
        ("r10m/zarr.json", put("attributes", "proj:code", value=None)),
        ("r10m/zarr.json", put("attributes", "proj:code", value="EPSG:4978")),
        ("r10m/zarr.json", put("attributes", "proj:code", value="EPSG:3855")),
        ("r10m/zarr.json", put("attributes", "spatial:transform", value=[1, 2])),
        ("r10m/zarr.json", put("attributes", "spatial:transform", value=[0, 0, 0, 0, 0, 0])),
        (
            "r10m/zarr.json",
            put("attributes", "spatial:transform", value=[10, 0, 472480, 1e308, -10, 5257490]),
        ),
        ("r10m/zarr.json", put("attributes", "spatial:transform", value=[1e300, 0, 472480, 0, -10, 5257490])),
        ("r10m/zarr.json", put("attributes", "levels", value=[])),
        ("r10m/zarr.json", put("attributes", "levels", value=[3])),
        ("r10m/zarr.json", put("attributes", "levels", value=[0, 0])),
        ("r10m/zarr.json", put("attributes", "bands", value=[{"name": "../../etc"}])),
        ("r10m/zarr.json", put("attributes", "bands", value=[{"name": "B01"}, {"name": "B01"}])),
        ("zarr.json", put("attributes", "comeo", "groups", value=["../r10m"])),
        ("zarr.json", put("attributes", "comeo", "groups", value=["r10m", "r10m"])),
        ("zarr.json", put("attributes", "comeo", "codec", value="unheard")),
        ("zarr.json", put("attributes", "comeo", "format_version", value=99)),
        ("zarr.json", put("attributes", "stac_discovery", value={})),
        ("zarr.json", put("attributes", "stac_discovery", "id", value="../../etc/passwd")),
        ("zarr.json", put("attributes", "stac_discovery", "bbox", value=[1e308, "a", None, 0])),
        ("zarr.json", put("attributes", "stac_discovery", "bbox", value=[10, 10, 20, 0])),
        *(
            ("zarr.json", put("attributes", "stac_discovery", "geometry", value=geometry))
            for geometry in (
                {"type": "Polygon", "coordinates": []},
                {"type": "Polygon", "coordinates": [[[1e308, 1e308]] * 4]},
                {"type": "MultiPolygon", "coordinates": [[[[8, 47], [9, 47], [8, 47]]]]},
                {"type": "Point", "coordinates": [8, 47]},
            )
        ),
        ("r10m/zarr.json", put("attributes", "bands", value=[{"name": "B01", "raster:scale": 1e308}])),
        ("r10m/zarr.json", put("attributes", "bands", value=[{"name": "B01", "raster:offset": -1e308}])),
        ("zarr.json", put("attributes", "stac_discovery", "properties", "datetime", value="yesterday")),
        ("zarr.json", put(*PROPERTIES, "datetime", value="0001-01-01T00:00:00+14:00")),
        ("zarr.json", put(*PROPERTIES, "datetime", value="9999-12-31T23:59:59-14:00")),
        ("zarr.json", put(*PROPERTIES, "gsd", value=float("nan"))),
        ("zarr.json", put(*PROPERTIES, "title", value="\ud800")),
        (
            "zarr.json",
            lambda root: (
                json.dumps(put(*PROPERTIES, "gsd", value=0)(root))
                .replace('"gsd": 0', '"gsd": 1e999')
                .encode()
            ),
        ),
        ("zarr.json", put(*PROPERTIES, "nested", value=nested(900))),
        ("zarr.json", put("attributes", value=None)),
    ],
)
def test_absurd_metadata_is_refused(
    sound: bytes, tmp_path: Path, key: str, change: Callable[[Any], Any]
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = outcome(tmp_path / "absurd.zarr.zip", rewritten(sound, key, change))
    assert isinstance(result, ArchiveError)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < EXTRA_KILOBYTES


@pytest.mark.parametrize("key", ["proj:code", "proj:wkt2"])
@pytest.mark.parametrize(
    "form", ["http://127.0.0.1:{port}/crs", "/vsicurl/http://127.0.0.1:{port}/crs", "{file}"]
)
def test_a_crs_is_not_fetched_from_anywhere(sound: bytes, tmp_path: Path, key: str, form: str) -> None:
    """GDAL takes addresses and paths for a CRS; an archive must not make its reader ask for them."""
    file = tmp_path / "crs.wkt"
    file.write_text(CRS.from_epsg(32632).to_wkt())
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        value = form.format(port=server.getsockname()[1], file=file)

        def change(document: Any) -> Any:
            del document["attributes"]["proj:code"]
            return put("attributes", key, value=value)(document)

        result = outcome(tmp_path / "crs.zarr.zip", rewritten(sound, "r10m/zarr.json", change))
        assert isinstance(result, ArchiveError)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("folder", [False, True])
def test_an_archive_cut_short_while_open_is_noticed(sound: bytes, tmp_path: Path, folder: bool) -> None:
    path = file = tmp_path / "open.zarr.zip"
    path.write_bytes(sound)
    if folder:
        path = tmp_path / "open.zarr"
        with zipfile.ZipFile(file) as source:
            source.extractall(path)
        file = path / "r10m/0/data/c/0/0/0"
    with open_archive(path) as archive:
        level = archive.groups["r10m"].levels[0]
        archive.decode_blocks(level, [(0, 1)])
        os.truncate(file, 10)
        with pytest.raises(ArchiveError, match="cut short"):
            archive.decode_blocks(level, [(0, 0)])


def test_a_closed_archive_says_so(sound: bytes, tmp_path: Path) -> None:
    (tmp_path / "closed.zarr.zip").write_bytes(sound)
    archive = open_archive(tmp_path / "closed.zarr.zip")
    archive.close()
    with pytest.raises(ArchiveError, match="closed"):
        archive.decode_blocks(archive.groups["r10m"].levels[0], [(0, 0)])


@pytest.mark.parametrize("key", ["", "zarr.json"])
def test_a_pipe_keeps_nobody_waiting(tmp_path: Path, key: str) -> None:
    path = tmp_path / "pipe.zarr"
    if key:
        path.mkdir()
    os.mkfifo(path / key)
    with pytest.raises(ArchiveError, match="regular file"):
        open_archive(path)


@pytest.mark.parametrize("field_offset", [20, 24, 42])  # compressed size, size, local header offset
@pytest.mark.parametrize("value", [0, 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_false_zip_sizes_are_noticed(sound: bytes, tmp_path: Path, field_offset: int, value: int) -> None:
    expected = outcome(tmp_path / "sound.zarr.zip", sound)
    start = 0
    while (start := sound.find(b"PK\1\2", start)) >= 0:
        damaged = bytearray(sound)
        damaged[start + field_offset : start + field_offset + 4] = value.to_bytes(4, "little")
        result = outcome(tmp_path / "sizes.zarr.zip", bytes(damaged))
        assert isinstance(result, ArchiveError) or result == expected
        start += 4


def test_deflated_entries_are_refused(sound: bytes, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sound)) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            target.writestr(info.filename, source.read(info))
    result = outcome(tmp_path / "deflated.zarr.zip", buffer.getvalue())
    assert isinstance(result, ArchiveError)
    assert "stored" in str(result)


@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive" * 10, b"\0" * 1000])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    assert isinstance(outcome(tmp_path / "no.zarr.zip", content), ArchiveError)


def test_a_swapped_block_is_noticed(sound: bytes, tmp_path: Path) -> None:
    """A payload of another shape under a valid checksum: the header is held against the level."""
    values = landscape(2, 96, 96)
    other = compress(array_scene(array_group(values)), tmp_path / "other.zarr.zip", step=400.0).read_bytes()
    with zipfile.ZipFile(io.BytesIO(other)) as archive:
        foreign = archive.read("r10m/0/data/c/0/0/0")
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        own = archive.read("r10m/0/data/c/0/0/0")
    payload_length = int.from_bytes(foreign[-20 + 8 : -4], "little")
    index = np.array([[0, payload_length], [payload_length, payload_length]], "<u8").tobytes()
    from comeo.archive.shard import with_checksum

    shard = 2 * foreign[:payload_length] + with_checksum(index)
    assert own != shard
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound)) as source, zipfile.ZipFile(buffer, "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, shard if info.filename.endswith("c/0/0/0") else source.read(info))
    assert isinstance(outcome(tmp_path / "swapped.zarr.zip", buffer.getvalue()), ArchiveError)
