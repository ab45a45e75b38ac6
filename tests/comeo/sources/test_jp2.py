"""JPEG 2000 through glymur: any window, any damage; and the library that glymur needs."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources.jp2 import Jp2File
from comeo.sources.openjpeg import bundled_library, load_glymur
from comeo.sources.tilecache import TileCache

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
    file = Jp2File(write(tmp_path / "x.jp2", image, tile), TileCache(1 << 20))
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
    file = Jp2File(write(tmp_path / "x.jp2", image, (64, 64)), TileCache(2 * 64 * 448 * 2))
    decoded: list[tuple[int, int]] = []
    decode = file._decode

    def counted(row: int, col: int) -> np.ndarray:
        decoded.append((row, col))
        return decode(row, col)

    monkeypatch.setattr(file, "_decode", counted)
    for row in range(0, 300, 10):
        file.read(Window(row, 0, 10, 420))
    assert len(decoded) == len(set(decoded)) == 5 * 7


def test_several_components_are_refused(tmp_path: Path, image: np.ndarray) -> None:
    path = write(tmp_path / "rgb.jp2", np.dstack([image] * 3), None)
    with pytest.raises(SourceError, match="has 3 components, and a band's image has one"):
        Jp2File(path, TileCache(0))


def test_absurd_sizes_are_refused_before_anything_is_decoded(tmp_path: Path, image: np.ndarray) -> None:
    content = write(tmp_path / "x.jp2", image, None).read_bytes()
    old = SHAPE[0].to_bytes(4, "big"), SHAPE[1].to_bytes(4, "big")
    for size in (2**31 - 1, 100_000):
        new = size.to_bytes(4, "big")
        (tmp_path / "big.jp2").write_bytes(content.replace(old[0], new).replace(old[1], new))
        with pytest.raises(SourceError, match=r"big\.jp2"):
            Jp2File(tmp_path / "big.jp2", TileCache(0)).read(Window(0, 0, 10, 10))


def test_flipped_bits_never_raise_anything_but_our_error(tmp_path: Path, image: np.ndarray) -> None:
    content = write(tmp_path / "x.jp2", image[:64, :64], None).read_bytes()
    rng = random.Random(3)
    path = tmp_path / "flipped.jp2"
    for position in [*range(200), *(rng.randrange(len(content)) for _ in range(200))]:
        changed = bytearray(content)
        changed[position] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            file = Jp2File(path, TileCache(0))
            file.read(Window(0, 0, min(file.height, 64), min(file.width, 64)))
        except SourceError as error:
            assert "flipped.jp2" in str(error)


def test_glymur_finds_its_library_on_a_bare_machine(tmp_path: Path) -> None:
    assert bundled_library() is not None
    code = "from comeo.sources.openjpeg import load_glymur; print(load_glymur().version.openjpeg_version)"
    bare = {"PATH": "", "HOME": str(tmp_path), "PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() >= "2.4.0"


def test_the_users_own_configuration_of_glymur_comes_first(tmp_path: Path) -> None:
    (tmp_path / "glymur").mkdir()
    (tmp_path / "glymur" / "glymurrc").write_text("[library]\nopenjp2: None\n")
    code = (
        "from comeo.errors import SourceError\nfrom comeo.sources.openjpeg import load_glymur\n"
        "try:\n    load_glymur()\nexcept SourceError as error:\n    print(error)"
    )
    own = {
        "PATH": "",
        "XDG_CONFIG_HOME": str(tmp_path),
        "PYTHONPATH": ":".join(path for path in sys.path if path),
    }
    done = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True, check=False)
    assert "glymur finds no OpenJPEG library" in done.stdout, done.stderr


class TestTileCache:
    def test_it_stays_within_its_bound_and_forgets_the_oldest(self) -> None:
        cache = TileCache(300)
        made: list[int] = []

        def tile(key: int) -> np.ndarray:
            made.append(key)
            return np.full(100, key, np.uint8)

        for key in (1, 2, 3, 1, 4, 1, 2):
            assert (cache.get(key, partial(tile, key)) == key).all()
        assert made == [1, 2, 3, 4, 2]

    def test_tiles_can_t_be_written_to(self) -> None:
        tile = TileCache(100).get("a", lambda: np.zeros(3))
        with pytest.raises(ValueError, match="read-only"):
            tile[0] = 1

    def test_threads_that_ask_alike_wait_for_one_decoding(self) -> None:
        cache, started, go = TileCache(1000), threading.Event(), threading.Event()
        calls = []

        def slow() -> np.ndarray:
            calls.append(1)
            started.set()
            go.wait(5)
            return np.ones(4)

        results: list[np.ndarray] = []
        threads = [threading.Thread(target=lambda: results.append(cache.get("a", slow))) for _ in range(4)]
        threads[0].start()
        started.wait(5)
        for thread in threads[1:]:
            thread.start()
        go.set()
        for thread in threads:
            thread.join(5)
        assert len(calls) == 1
        assert len(results) == 4

    def test_a_failure_reaches_all_and_is_tried_again(self) -> None:
        cache = TileCache(1000)

        def fail() -> np.ndarray:
            raise SourceError("damaged")

        with pytest.raises(SourceError, match="damaged"):
            cache.get("a", fail)
        assert cache.get("a", lambda: np.ones(2)).sum() == 2
