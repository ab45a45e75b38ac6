"""Rate control meets its target, and an interrupted compression leaves nothing under the final name."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform

from comeo.archive import Archive, open_archive
from comeo.codecs import get_codec
from comeo.compression import compress
from comeo.compression.plan import level_numbers, plan
from comeo.compression.rate import RateModel
from comeo.errors import ArchiveError, CodecError, ComeoError, SourceError
from comeo.export.extract import extract
from comeo.progress import Silent
from comeo.scene import Pixels, Scene, Window
from tests.scenes import array_group, array_scene, corner_cut, landscape

KILLS = int(os.environ.get("COMEO_TEST_KILLS", "10"))


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A little over 20 MB raw, from which on the ratio is promised."""
    values = landscape(4, 1700, 1600)
    return array_scene(array_group(values, corner_cut(values.shape)))


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "ratio"), [("dct", 30.0), ("dct", 100.0), ("jpeg2000", 250.0)])
def test_the_whole_file_has_the_ratio(scene: Scene, tmp_path: Path, codec: str, ratio: float) -> None:
    path = compress(scene, tmp_path / "a.zarr.zip", codec=codec, ratio=ratio)
    assert scene.raw_bytes / path.stat().st_size == pytest.approx(ratio, rel=0.02)


def test_a_folder_has_the_ratio_too(tmp_path: Path) -> None:
    scene = array_scene(array_group(landscape(4, 500, 500)))
    path = compress(scene, tmp_path / "a.zarr", ratio=30)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert scene.raw_bytes / size == pytest.approx(30, rel=0.02)


def test_the_step_is_kept(tmp_path: Path) -> None:
    path = compress(array_scene(array_group(landscape(1, 64, 64))), tmp_path / "a.zarr.zip", step=123.25)
    with open_archive(path) as archive:
        assert archive.step == 123.25


def test_a_ratio_beyond_reach_is_refused(tmp_path: Path) -> None:
    small = array_scene(array_group(landscape(1, 64, 64)))
    with pytest.raises(CodecError, match="metadata"):
        compress(small, tmp_path / "a.zarr.zip", ratio=100)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("bytes_at_once", "found"), [(1, True), (40, False)])
def test_sizes_that_jump_over_the_target_are_taken_if_near(
    monkeypatch: pytest.MonkeyPatch, bytes_at_once: int, found: bool
) -> None:
    """A few bytes more or less are more than the tolerance of small payloads: the search never ended well."""
    scene = array_scene(array_group(landscape(1, 64, 64)))
    with ThreadPoolExecutor(1) as pool:
        model = RateModel(scene, plan(scene, 1.0), get_codec("dct"), Silent(), pool)
    monkeypatch.setattr(
        model, "payload_bytes", lambda step: bytes_at_once * round(40_000 * step**-0.8 / bytes_at_once)
    )
    if found:
        assert abs(model.payload_bytes(model.find_step(77.6, 277.0)) - 77.6) < 1
    else:
        with pytest.raises(CodecError, match="closest sizes are off"):
            model.find_step(100.0, 277.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ratio": 100.0, "step": 1.0}, "not both"),
        ({"ratio": 0.5}, "between"),
        ({"ratio": float("nan")}, "between"),
        ({"step": -1.0}, "step"),
        ({"step": 100.0, "codec": "unheard"}, "unheard"),
    ],
)
def test_wrong_wishes_are_refused(tmp_path: Path, wrong: dict[str, float], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        compress(array_scene(array_group(landscape(1, 64, 64))), tmp_path / "a.zarr.zip", **wrong)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_scene_without_a_valid_pixel_is_refused(tmp_path: Path) -> None:
    values = landscape(1, 64, 64)
    with pytest.raises(SourceError, match="no valid pixel"):
        compress(
            array_scene(array_group(values, np.zeros(values.shape, bool))), tmp_path / "a.zarr.zip", step=9.0
        )
    assert not list(tmp_path.iterdir())


def test_a_scene_across_the_antimeridian_has_a_bbox_across_it(tmp_path: Path) -> None:
    crs = CRS.from_epsg(32760)
    (x,), (y,) = transform("EPSG:4326", crs, [179.98], [-17.0])
    grid = Affine(100, 0, round(x), 0, -100, round(y))
    scene = array_scene(array_group(landscape(1, 120, 100), transform=grid, crs=crs))
    with open_archive(compress(scene, tmp_path / "fiji.zarr.zip", step=400.0)) as archive:
        west, south, east, north = archive.item["bbox"]
        assert -180 < east < -179.8 < 179.9 < west < 180
        assert -17.2 < south < north < -16.9
        assert archive.item["geometry"]["type"] == "MultiPolygon"  # cut there, as RFC 7946 asks
        _extracted(archive, tmp_path / "west.tif", (179.97, -18, 180, -16), columns=range(21, 30))
        _extracted(archive, tmp_path / "east.tif", (-180, -18, -179.97, -16), columns=range(31, 45))


def _extracted(archive: Archive, path: Path, bbox: tuple[float, float, float, float], columns: range) -> None:
    extract(archive, path, bbox=bbox)
    with rasterio.open(path) as got:
        assert got.height >= 118
        assert got.width in columns


def test_a_bad_name_is_refused(tmp_path: Path) -> None:
    scene = array_scene(array_group(landscape(1, 64, 64)))
    with pytest.raises(ArchiveError, match=r"\.zarr\.zip"):
        compress(scene, tmp_path / "a.tif", step=9.0)
    with pytest.raises(SourceError, match="--id"):
        compress(array_scene(*scene.groups, scene_id="../a"), tmp_path / "a.zarr.zip", step=9.0)


def test_force_replaces(tmp_path: Path) -> None:
    scene = array_scene(array_group(landscape(1, 64, 64)))
    for suffix in (".zarr.zip", ".zarr"):
        path = compress(scene, tmp_path / f"a{suffix}", step=9.0)
        compress(scene, path, step=99.0, force=True)
        with open_archive(path) as archive:
            assert archive.step == 99.0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.zarr", "a.zarr.zip"]


@pytest.mark.parametrize("wish", [{"step": 9.0}, {"ratio": 3.0}])
def test_a_name_that_cannot_be_had_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: dict[str, float]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    scene = array_scene(array_group(landscape(1, 200, 200)))
    with pytest.raises(ArchiveError, match=r"a\.zarr\.zip cannot be written: no links here"):
        compress(scene, tmp_path / "a.zarr.zip", **wish)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_failing_source_leaves_nothing(tmp_path: Path) -> None:
    values = landscape(1, 1200, 300)
    group = array_group(values)

    def read(window: Window) -> Pixels:
        if window.row:
            raise SourceError("the disk is gone")
        return group.read(window)

    broken = type(group)(**{**{name: getattr(group, name) for name in group.__slots__}, "read": read})
    with pytest.raises(ComeoError, match="disk is gone"):
        compress(array_scene(broken), tmp_path / "a.zarr.zip", step=9.0)
    assert not list(tmp_path.iterdir())


def test_levels_are_stored_where_a_tile_would_decode_too_many_blocks() -> None:
    assert level_numbers(1100, 1103) == [0]
    assert level_numbers(2048, 2048) == [0]
    assert level_numbers(2049, 10) == [0, 3]
    assert level_numbers(10980, 10980) == [0, 3]
    assert level_numbers(40_000, 40_000) == [0, 3, 6]


FORKER = """
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from comeo.compression import compress
from comeo.codecs import get_codec
from tests.scenes import array_group, array_scene, landscape
scene = array_scene(array_group(landscape(4, 700, 700)))
get_codec("jpeg2000").encode(landscape(4, 64, 64), step=9.0)
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        compress(scene, Path(sys.argv[1]), codec="jpeg2000", step=100.0, force=True)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("done", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".zarr.zip", ".zarr"])
def test_kill_leaves_a_whole_archive_or_none(tmp_path: Path, suffix: str) -> None:
    """A process that has everything loaded forks the compressions: a kill costs only their time."""
    path = tmp_path / f"a{suffix}"
    root = Path(__file__).resolve().parents[3]
    forker = subprocess.Popen(
        [sys.executable, "-c", FORKER, str(path)], text=True, cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    commands, answers = forker.stdin, forker.stdout
    assert commands is not None
    assert answers is not None

    def compress_once(kill_after: float | None) -> float:
        commands.write("go\n")
        commands.flush()
        child = int(answers.readline())
        began = time.perf_counter()
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):  # it was quicker this time
                os.kill(child, signal.SIGKILL)
        assert answers.readline() == "done\n"
        return time.perf_counter() - began

    with forker:
        assert answers.readline() == "ready\n"
        moments = np.random.default_rng(0).random(KILLS)
        whole = compress_once(None)
        with open_archive(path) as archive:
            expected = archive.info()
        for moment in moments:
            if suffix == ".zarr.zip":
                path.unlink(missing_ok=True)
            compress_once(float(moment) * whole)
            if path.exists():
                with open_archive(path) as archive:
                    assert archive.info() == expected
        commands.close()
