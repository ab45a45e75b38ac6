"""The command: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.warp import transform_bounds

from comeo.compression import compress
from tests.scenes import UTM32, array_group, array_scene, corner_cut, landscape
from tileserver.cli import main as cli

SAMPLE = Path(__file__).parents[3] / "samples" / "S2_romania_2016-08-15.zarr.zip"


def comeo(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "tileserver.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def geotiff(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "S2A_20200501_T32TMT.tif"
    values = landscape(4, 300, 280)
    values[~corner_cut(values.shape)] = 0
    profile = {
        "driver": "GTiff", "dtype": "uint16", "count": 4, "height": 300, "width": 280, "nodata": 0,
        "crs": UTM32, "transform": Affine(10, 0, 472_480, 0, -10, 5_257_490),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(values)
        target.descriptions = ["B02", "B03", "B04", "B08"]
    return path


@pytest.fixture(scope="module")
def archive(geotiff: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    done = comeo("compress", geotiff, "--output", folder, "--step", 50)
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    assert str(path) in done.stdout
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compress", "{source}", "--output", "{folder}/x.zip"), "x.zip is no name of an archive"),
        (("compress", "{source}", "--output", "{folder}/x.tif"), "x.tif is no name of an archive"),
        (("extract", "{archive}", "--output", "{folder}/x.png"), "x.png would be a GeoTIFF"),
        (
            ("compress", "{source}", "--output", "{folder}", "--datetime", "2020-13-01"),
            "is not a time such as",
        ),
    ],
)
def test_names_and_times_that_cannot_be_meant(
    geotiff: Path, archive: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = comeo(*(text.format(source=geotiff, archive=archive, folder=tmp_path) for text in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("2020-05-01", "2020-05-01T00:00:00Z"),
        ("2020-05-01T10:30:31.5Z", "2020-05-01T10:30:31.500000Z"),
        ("2020-05-01T12:30:31+02:00", "2020-05-01T10:30:31Z"),
    ],
)
def test_times_are_taken_as_metadata_have_them(geotiff: Path, tmp_path: Path, text: str, stated: str) -> None:
    path = tmp_path / "a.zarr.zip"
    done = comeo("compress", geotiff, "--output", path, "--step", 200, "--codec", "dct", "--datetime", text)
    assert done.returncode == 0, done.stderr
    assert json.loads(comeo("info", "--json", path).stdout)["datetime"] == stated


def test_an_unknown_projection_is_one_sentence(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "which botocore, where it is installed, has found")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "likewise")
    done = comeo("extract", archive, "--output", tmp_path / "x.tif", "--crs", "EPSG:99999")
    assert done.returncode == 1
    assert done.stderr == "comeo: the projection EPSG:99999 is unknown, or not that of a map\n"


def test_info_for_programs(archive: Path) -> None:
    facts = json.loads(comeo("info", "--json", archive).stdout)
    expected = {
        "id",
        "collection",
        "datetime",
        "codec",
        "model",
        "ratio",
        "step",
        "raw_bytes",
        "archive_bytes",
        "groups",
    }
    assert expected <= facts.keys()
    group = facts["groups"]["r10m"]
    assert {"bands", "shape", "crs", "transform", "levels", "block"} <= group.keys()
    assert group["bands"] == ["B02", "B03", "B04", "B08"]
    assert facts["archive_bytes"] == archive.stat().st_size
    assert facts["datetime"].startswith("2020-05-01")


def test_info_for_people(archive: Path) -> None:
    done = comeo("info", archive)
    assert done.returncode == 0
    assert "B02 B03 B04 B08" in done.stdout
    assert "EPSG:32632" in done.stdout
    assert "format        version 2\n" in done.stdout
    assert "errors of means: B02 " in done.stdout


def test_info_shows_where_the_pixels_lie() -> None:
    vectors = Path(__file__).parents[3] / "docs" / "format" / "vectors"
    lines = comeo("info", vectors / "dct_two_groups.zarr.zip").stdout.splitlines()
    stated = json.loads((vectors / "dct_two_groups.zarr.json").read_text())["info"]["groups"]["r20m"]
    expected = [f"{stated['percentiles']['B11'][one]:g}" for one in ("2", "50", "98")]
    assert ["B11", *expected] in [line.split() for line in lines]
    assert "carries no histograms" in comeo("info", vectors / "dct_decibels.zarr.zip").stdout


def test_extract_keeps_the_grid_and_the_nodata(archive: Path, geotiff: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tif"
    done = comeo("extract", archive, "--output", output)
    assert done.returncode == 0, done.stderr
    with rasterio.open(output) as got, rasterio.open(geotiff) as source:
        assert (got.transform, got.crs, got.shape) == (source.transform, source.crs, source.shape)
        assert got.descriptions == source.descriptions
        assert got.scales == (1e-4,) * 4
        np.testing.assert_array_equal(got.read() == 0, source.read() == 0)


def test_extract_credits_the_data_and_says_nothing_else(archive: Path, tmp_path: Path) -> None:
    """Only files of a server had the credit; a library told how many threads it would use."""
    done = comeo("extract", archive, "--output", tmp_path / "out.tif")
    assert "NumExpr" not in done.stderr
    with rasterio.open(tmp_path / "out.tif") as dataset:
        credit = dataset.tags()["TIFFTAG_COPYRIGHT"]
    assert credit == "Contains modified Copernicus Sentinel data 2020"


def test_extract_never_overwrites_its_archive(archive: Path) -> None:
    before = archive.read_bytes()
    done = comeo("extract", archive, "--output", archive, "--force")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("is the archive that is read; give the GeoTIFF another name")
    assert archive.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [("[" * 100_000, "nested too deeply"), ('{"type": ', "is not JSON"), ("9" * 5000, "is not JSON")],
)
def test_a_polygon_file_that_is_none_is_refused(text: str, said: str, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "area.json").write_text(text)
    done = comeo("extract", archive, "-o", tmp_path / "out.tif", "--polygon", tmp_path / "area.json")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_extract_of_an_area_lies_where_the_area_is(archive: Path, geotiff: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tif"
    wanted = (472_900.0, 5_255_500.0, 474_000.0, 5_256_700.0)
    bbox = transform_bounds(UTM32, "EPSG:4326", *wanted)
    done = comeo("extract", archive, "--output", output, "--bbox", *bbox, "--bands", "B08,B02")
    assert done.returncode == 0, done.stderr
    with rasterio.open(output) as got, rasterio.open(geotiff) as source:
        assert got.descriptions == ("B08", "B02")
        assert got.bounds.left <= wanted[0] < wanted[2] <= got.bounds.right
        assert got.bounds.bottom <= wanted[1] < wanted[3] <= got.bounds.top
        original = source.read((4, 1), window=source.window(*got.bounds))
        error = got.read().astype(float) - original
        assert np.sqrt(np.mean(error**2)) < 50


def test_extract_interpolates_coarser_bands(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(1000, 3000, 20, dtype=np.uint16), (1, 100, 100)).copy()
    fine = array_group(landscape(1, 200, 200), names=["B04"])
    coarse = array_group(ramp, names=["B11"], transform=Affine(20, 0, 472_480, 0, -20, 5_257_490))
    path = compress(array_scene(fine, coarse), tmp_path / "a.zarr.zip", step=2.0)
    output = tmp_path / "out.tif"
    arguments = ("extract", path, "-o", output, "--bands", "B04,B11", "--resampling", "bilinear")
    assert comeo(*arguments).returncode == 0
    with rasterio.open(output) as got:
        np.testing.assert_allclose(got.read(2)[50, 2:-2], 995 + 10 * np.arange(2, 198), atol=3)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["info", "/nowhere.zarr.zip"], 1, "nowhere.zarr.zip"),
        (["info"], 2, "Missing argument"),
        (["serve", "/nowhere"], 1, "/nowhere does not exist"),
        (["compress", "/nowhere.tif", "--output", "/tmp/x"], 1, "/nowhere.tif"),
        (["compress", "/nowhere.tif"], 2, "--output"),
        (["compress", "a.tif", "--output", "x", "--ratio", "9", "--step", "9"], 2, "not both"),
        (["compress", "a.tif", "b.tif", "--output", "x.zarr.zip"], 2, "folder"),
        (["extract", "a.zarr.zip", "--output", "x.tif", "--bands", ","], 2, "give names"),
        (["extract", str(SAMPLE), "--output", "x.tif", "--expression", ""], 1, "band arithmetic"),
        (["extract", str(SAMPLE), "--output", "x.tif", "--crs", ""], 1, "EPSG:3857"),
    ],
)
def test_errors_are_one_sentence(arguments: list[str], code: int, message: str) -> None:
    done = comeo(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_failing_source_does_not_stop_the_others(geotiff: Path, tmp_path: Path) -> None:
    done = comeo("compress", tmp_path / "missing.tif", geotiff, "--output", tmp_path / "out", "--step", 90)
    assert done.returncode == 1
    assert "missing.tif" in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 1


@pytest.mark.parametrize("bbox", [(-180, -90, 180, 90), (-400, -90, 400, 90)])
def test_extract_of_the_whole_world_is_the_whole_scene(
    archive: Path, tmp_path: Path, bbox: tuple[float, ...]
) -> None:
    output = tmp_path / "out.tif"
    done = comeo("extract", archive, "-o", output, "--bbox", *bbox)
    assert done.returncode == 0, done.stderr
    with rasterio.open(output) as got:
        assert got.shape == (300, 280)


def test_extract_refuses_what_it_cannot_give(archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tif"
    for extra, message in ((["--bands", "B99"], "B99"), (["--bbox", 100, 0, 101, 1], "outside")):
        done = comeo("extract", archive, "-o", output, *extra)
        assert done.returncode == 1
        assert message in done.stderr
        assert not list(tmp_path.iterdir())


def test_codecs_are_listed() -> None:
    names = [line.split()[0] for line in comeo("codecs").stdout.splitlines()]
    assert names[:3] == ["dct", "jpeg2000", "learned"]


@pytest.mark.parametrize("ratio", [0, -5, "nan"])
def test_an_absurd_ratio_is_refused(geotiff: Path, tmp_path: Path, ratio: object) -> None:
    done = comeo("compress", geotiff, "--output", tmp_path / "out", "--ratio", ratio)
    assert done.returncode == 1
    assert "a ratio lies between" in done.stderr


@pytest.mark.parametrize("name", ["a.zarr.zip", "a.zarr", "a.tif"])
def test_a_full_disk_is_named_and_leaves_nothing(
    geotiff: Path, archive: Path, tmp_path: Path, name: str
) -> None:
    command = ["extract", archive] if name == "a.tif" else ["compress", geotiff, "--step", 2]
    arguments = [
        sys.executable,
        "-m",
        "tileserver.cli",
        *map(str, command),
        "-o",
        str(tmp_path / "out" / name),
    ]
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=120, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{tmp_path / 'out'}" in done.stderr
    assert "be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_an_unforeseen_error_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr(cli, "cli", fail)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    assert "KeyError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("flask", ["serve", "."], "server"),
        ("gunicorn", ["serve", "."], "server"),
        ("scipy", ["qualify", "{archive}", "--reference", "{geotiff}", "--no-lpips"], "qualify"),
        ("sklearn", ["qualify", "{archive}", "--reference", "{geotiff}", "--no-lpips"], "qualify"),
        ("jinja2", ["qualify", "{archive}", "--reference", "{geotiff}", "--no-lpips"], "qualify"),
    ],
)
def test_a_missing_extra_is_named(
    archive: Path, geotiff: Path, module: str, arguments: list[str], extra: str
) -> None:
    """As in an environment where the extra was not installed."""
    words = ["comeo", *(word.format(archive=archive, geotiff=geotiff) for word in arguments)]
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {module!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"sys.argv = {words!r}\n"
        "from tileserver.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert f"pip install 'comeo[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['comeo', '--help']\n"
        "from tileserver.cli.main import main\n"
        "try: main()\n"
        "finally: print('heavy:', sorted({'numpy', 'numba', 'rasterio', 'flask'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.endswith("heavy: []\n")
    for command in ("compress", "info", "extract", "qualify", "serve", "codecs"):
        assert command in done.stdout
