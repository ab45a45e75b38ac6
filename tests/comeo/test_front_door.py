"""`import comeo` offers the public names, typed, and imports nothing heavy before they are used."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import rasterio
from numpy.typing import NDArray

import comeo
from comeo.archive import Archive
from comeo.errors import ArchiveError, CodecError, ComeoError
from comeo.quality.results import Qualification
from comeo.scene import Scene, Window
from tests.scenes import array_group, array_scene, landscape

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
NAMES = {
    "__version__",
    "codec_names",
    "compress",
    "extract",
    "get_codec",
    "open_archive",
    "open_source",
    "qualify",
}
HEAVY = (
    "flask",
    "imagecodecs",
    "numba",
    "numpy",
    "rasterio",
    "scipy",
    "skimage",
    "sklearn",
    "xarray",
    "zarr",
)


def run(code: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def corner(archive: Archive) -> NDArray[Any]:
    level = next(iter(archive.groups.values())).levels[0]
    return archive.read(level, Window(0, 0, 10, 10))


def test_these_names_are_public() -> None:
    assert set(comeo.__all__) == NAMES
    assert set(dir(comeo)) >= NAMES
    assert comeo.__version__ == version("comeo")
    with pytest.raises(AttributeError, match="no attribute 'compres'"):
        _ = comeo.compres


def test_importing_loads_nothing_heavy() -> None:
    loaded = run(f"import sys, comeo; dir(comeo); print([name for name in {HEAVY} if sys.modules.get(name)])")
    assert loaded.strip() == "[]"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_name_works_alone(name: str) -> None:
    run(f"from comeo import {name}; assert isinstance({name}, str) or callable({name})")


def test_names_stay_what_they_are_after_their_modules_are_imported() -> None:
    run(
        "import comeo, comeo.codecs, comeo.compression.compress, comeo.export.extract\n"
        "import comeo.archive.reader, comeo.quality.qualify, comeo.sources\n"
        "assert all(callable(getattr(comeo, name)) for name in comeo.__all__ if name != '__version__')"
    )


def test_decoding_needs_no_part_of_the_server() -> None:
    """Without Flask, scikit-image or xarray a scene is opened, extracted and compressed."""
    absent = (
        "flask",
        "gunicorn",
        "jinja2",
        "lxml",
        "platformdirs",
        "prometheus_client",
        "imagecodecs",
        "scipy",
        "sklearn",
        "xarray",
        "zarr",
    )
    run(
        f"import sys\nfor name in {absent}: sys.modules[name] = None\n"
        "import comeo, comeo.compression, comeo.export.extract, comeo.sources\n"
        f"with comeo.open_archive({str(SAMPLES / 'S2_UTM37N_lake.zarr.zip')!r}) as archive:\n"
        "    level = next(iter(archive.groups.values())).levels[0]\n"
        "    assert archive.read(level, comeo.scene.Window(0, 0, 9, 9)).any()\n"
        "try: comeo.qualify('a', 'b')\n"
        "except Exception as error: assert 'comeo[qualify]' in str(error), error\n"
    )


def test_the_package_says_that_it_is_typed() -> None:
    assert files("comeo").joinpath("py.typed").is_file()


@pytest.fixture(scope="module")
def scene() -> Scene:
    return array_scene(array_group(landscape(4, 900, 800)))


@pytest.fixture(scope="module")
def archive(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return comeo.compress(scene, tmp_path_factory.mktemp("archives"), codec="dct", step=60.0)


def test_compress_names_the_archive_in_a_folder(archive: Path) -> None:
    assert archive.name == "test-scene.zarr.zip"
    assert archive.is_file()


def test_compress_takes_a_source_by_name_at_the_usual_ratio(
    scene: Scene, archive: Path, tmp_path: Path
) -> None:
    source = comeo.extract(archive, tmp_path / "S2A_20200501_T32TMT.tif")
    made = comeo.compress(str(source), f"{tmp_path}/b.zarr", codec="dct")
    with comeo.open_archive(made) as opened:
        assert opened.ratio == pytest.approx(100, rel=0.02)
        assert opened.id == "S2A_20200501_T32TMT"


def test_compress_refuses(scene: Scene, archive: Path) -> None:
    with pytest.raises(ArchiveError, match="exists already"):
        comeo.compress(scene, archive, step=9.0)
    with pytest.raises(CodecError, match="not both"):
        comeo.compress(scene, archive, step=9.0, ratio=9.0)


def test_extract_takes_names_and_open_archives(archive: Path, tmp_path: Path) -> None:
    first = comeo.extract(str(archive), str(tmp_path / "a.tif"), bands=["B03"])
    with comeo.open_archive(archive) as opened:
        second = comeo.extract(opened, tmp_path / "b.tif", bands=["B03"])
        assert isinstance(opened, Archive)
        assert corner(opened).shape == (4, 10, 10)  # still open
    with rasterio.open(first) as one, rasterio.open(second) as other:
        assert one.descriptions == ("B03",)
        assert (one.read() == other.read()).all()
    with pytest.raises(ArchiveError, match="exists already"):
        comeo.extract(archive, first)


def test_qualify_takes_names_and_open_ones(scene: Scene, archive: Path, tmp_path: Path) -> None:
    found = comeo.qualify(archive, scene, classifiers=False)
    with comeo.open_archive(archive) as opened:
        certificate = opened.certificate
        again = comeo.qualify(opened, scene, classifiers=False)
    assert certificate is not None
    assert [band.rmse for band in found.bands] == pytest.approx(certificate.groups["r10m"].rmse, rel=1e-3)
    assert [band.rmse for band in again.bands] == [band.rmse for band in found.bands]
    assert isinstance(found, Qualification)
    assert found.perceptual.missing == "LPIPS was not requested"


def test_a_scene_is_closed_on_leaving_its_block(archive: Path, tmp_path: Path) -> None:
    closed: list[bool] = []
    made = array_scene(array_group(landscape(1, 20, 20)))
    with type(made)(
        made.id, made.collection, made.datetime, made.groups, close=lambda: closed.append(True)
    ) as opened:
        assert opened.id == made.id
        assert not closed
    assert closed == [True]


def test_errors_have_one_base() -> None:
    with pytest.raises(ComeoError):
        comeo.open_archive("/nowhere.zarr.zip")
    with pytest.raises(ComeoError):
        comeo.open_source("/nowhere.tif")
    with pytest.raises(ComeoError):
        comeo.get_codec("unheard")


CHECKED = """
from pathlib import Path
import comeo
reveal_type(comeo.open_archive("a"))
reveal_type(comeo.compress("a", "b"))
reveal_type(comeo.extract("a", Path("b")))
reveal_type(comeo.open_source("a"))
reveal_type(comeo.get_codec("dct"))
reveal_type(comeo.codec_names())
reveal_type(comeo.__version__)
"""


def test_type_checkers_see_the_names(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api")
    file = tmp_path / "user.py"
    file.write_text(CHECKED)
    out, err, code = api.run(["--strict", "--config-file", str(ROOT / "pyproject.toml"), str(file)])
    assert code == 0, out + err
    expected = ("reader.Archive", "Path", "Path", "scene.Scene", "base.Codec", "list[str]", "str")
    revealed = [line for line in out.splitlines() if "Revealed type" in line]
    assert len(revealed) == len(expected)
    assert all(kind in line.replace("builtins.", "") for kind, line in zip(expected, revealed, strict=True))


def test_the_old_name_of_compress_works_beside_the_new_one() -> None:
    code = """
import comeo
from comeo.compress import compress
assert compress is comeo.compress.compress
try:
    comeo.compress("missing.tif", "a.zarr.zip", step=9.0)
except comeo.errors.SourceError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "missing.tif" in done.stdout
