"""JPEG 2000 files as glymur writes and reads them: any window, any damage."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources.jp2 import Jp2File, tile_cache
from tests.openjpeg import load_glymur

SHAPE = (300, 420)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 65536, SHAPE, dtype=np.uint16)


def write(path: Path, image: np.ndarray, tile: tuple[int, int] | None) -> Path:
    glymur = load_glymur()
    if tile is None:
        glymur.Jp2k(path, data=image)
        return path
    file = glymur.Jp2k(path, shape=image.shape, tilesize=tile)
    across = -(-image.shape[1] // tile[1])
    for writer in file.get_tilewriters():
        row, col = divmod(writer.tile_index, across)
        writer[:] = image[row * tile[0] : (row + 1) * tile[0], col * tile[1] : (col + 1) * tile[1]]
    return path


@pytest.mark.parametrize("tile", [None, (64, 64), (128, 200), (300, 100)])
def test_any_window_of_any_tiling(tmp_path: Path, image: np.ndarray, tile: tuple[int, int] | None) -> None:
    file = Jp2File(write(tmp_path / "x.jp2", image, tile), tile_cache(1 << 20))
    assert (file.height, file.width, file.dtype.name) == (*SHAPE, "uint16")
    rng = np.random.default_rng(2)
    for _ in range(20):
        row, col = int(rng.integers(0, 300)), int(rng.integers(0, 420))
        window = Window(row, col, int(rng.integers(1, 301 - row)), int(rng.integers(1, 421 - col)))
        assert np.array_equal(file.read(window), image[window.slices])


def test_a_tile_is_decoded_once_in_a_pass_of_strips(
    tmp_path: Path, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comeo.sources.jp2._CELL", 64)
    file = Jp2File(write(tmp_path / "x.jp2", image, (64, 64)), tile_cache(2 * 64 * 448 * 2))
    decoded: list[tuple[int, int]] = []
    decode = file._decode

    def counted(row: int, col: int) -> np.ndarray:
        decoded.append((row, col))
        return decode(row, col)

    monkeypatch.setattr(file, "_decode", counted)
    for row in range(0, 300, 10):
        file.read(Window(row, 0, 10, 420))
    assert len(decoded) == len(set(decoded)) == 5 * 7


def test_threads_in_one_tile_decode_it_once(
    tmp_path: Path, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Jp2File(write(tmp_path / "x.jp2", image, None), tile_cache())
    decoded: list[tuple[int, int]] = []
    decode = file._decode

    def counted(row: int, col: int) -> np.ndarray:
        decoded.append((row, col))
        return decode(row, col)

    monkeypatch.setattr(file, "_decode", counted)
    windows = [Window(row, 0, 10, 420) for row in range(0, 300, 10)]
    with ThreadPoolExecutor(4) as pool:
        for window, values in zip(windows, pool.map(file.read, windows), strict=True):
            assert np.array_equal(values, image[window.slices])
    assert len(decoded) == 1


def test_lossy_pixels_are_those_of_glymur(tmp_path: Path) -> None:
    glymur = load_glymur()
    y, x = np.mgrid[:300, :420]
    image = (2000 + 900 * np.sin(x / 9) + 700 * np.cos(y / 13)).astype(np.uint16)
    glymur.Jp2k(tmp_path / "lossy.jp2", data=image, cratios=[20], irreversible=True, tilesize=(128, 128))
    expected = glymur.Jp2k(tmp_path / "lossy.jp2")[:]
    found = Jp2File(tmp_path / "lossy.jp2", tile_cache()).read(Window(0, 0, *SHAPE))
    assert not np.array_equal(found, image)
    np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)


def test_several_components_are_refused(tmp_path: Path, image: np.ndarray) -> None:
    path = write(tmp_path / "rgb.jp2", np.dstack([image] * 3), None)
    with pytest.raises(SourceError, match="has 3 components, and a band's image has one"):
        Jp2File(path, tile_cache(0))


def test_absurd_sizes_are_refused_before_anything_is_decoded(tmp_path: Path, image: np.ndarray) -> None:
    content = write(tmp_path / "x.jp2", image, None).read_bytes()
    old = SHAPE[0].to_bytes(4, "big"), SHAPE[1].to_bytes(4, "big")
    for size in (2**31 - 1, 100_000):
        new = size.to_bytes(4, "big")
        (tmp_path / "big.jp2").write_bytes(content.replace(old[0], new).replace(old[1], new))
        with pytest.raises(SourceError, match=r"big\.jp2"):
            Jp2File(tmp_path / "big.jp2", tile_cache(0)).read(Window(0, 0, 10, 10))


def test_a_flood_of_code_blocks_is_refused(tmp_path: Path, image: np.ndarray) -> None:
    """OpenJPEG would take gigabytes for the 7 million code-blocks that these few bytes state."""
    content = bytearray(write(tmp_path / "x.jp2", image[:64, :64], None).read_bytes())
    side = struct.pack(">II", 10980, 10980)
    siz, cod, boxed = content.index(b"\xff\x51"), content.index(b"\xff\x52"), content.index(b"ihdr")
    for place in (siz + 6, siz + 22, boxed + 4):
        content[place : place + 8] = side
    content[cod + 10 : cod + 12] = b"\x00\x00"  # 4×4
    (tmp_path / "flood.jp2").write_bytes(content)
    with pytest.raises(SourceError, match=r"flood\.jp2 .* coded in too many pieces"):
        Jp2File(tmp_path / "flood.jp2", tile_cache())


@pytest.mark.parametrize("field", [0, 1, 2])
def test_a_damaged_georeference_costs_nothing(tmp_path: Path, image: np.ndarray, field: int) -> None:
    """A count of 2^28 in the TIFF header of a GeoJP2 box, which glymur's own parser would try to unpack."""
    content = write(tmp_path / "x.jp2", image[:64, :64], None).read_bytes()
    entries = [struct.pack("<HHII", 33550 + number, 12, 3, 40) for number in range(3)]
    entries[field] = entries[field][:4] + struct.pack("<II", 1 << 28, 40)
    tiff = b"II*\x00\x08\x00\x00\x00\x03\x00" + b"".join(entries) + bytes(100)
    box = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03") + tiff
    codestream = content.index(b"jp2c") - 4
    path = tmp_path / "geo.jp2"
    path.write_bytes(
        content[:codestream] + struct.pack(">I4s", len(box) + 8, b"uuid") + box + content[codestream:]
    )
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from comeo.scene import Window; from comeo.sources.jp2 import Jp2File, tile_cache\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "Jp2File(Path(sys.argv[1]), tile_cache()).read(Window(0, 0, 64, 64))\n"
        "assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_flipped_bits_never_raise_anything_but_our_error(tmp_path: Path, image: np.ndarray) -> None:
    content = write(tmp_path / "x.jp2", image[:64, :64], None).read_bytes()
    rng = random.Random(3)
    path = tmp_path / "flipped.jp2"
    for position in [*range(200), *(rng.randrange(len(content)) for _ in range(200))]:
        changed = bytearray(content)
        changed[position] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            file = Jp2File(path, tile_cache(0))
            file.read(Window(0, 0, min(file.height, 64), min(file.width, 64)))
        except SourceError as error:
            assert "flipped.jp2" in str(error)
