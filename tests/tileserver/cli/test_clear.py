"""The command's options about clear pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner

from comeo.archive import open_archive
from comeo.errors import NotFoundError, SourceError
from tests.scenes import UTM32, landscape
from tileserver.cli.extras import advice
from tileserver.cli.main import cli


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GeoTIFF of two bands and their scene classification: vegetation, and cloud in the south."""
    path = tmp_path_factory.mktemp("source") / "S2A_20200501_T32TMT.tif"
    classes = np.full((1, 120, 120), 4)
    classes[:, 60:] = 9
    values = np.concatenate([landscape(2, 120, 120), classes]).astype(np.uint16)
    profile = {
        "driver": "GTiff", "dtype": "uint16", "count": 3, "height": 120, "width": 120,
        "crs": UTM32, "transform": Affine(10, 0, 472_480, 0, -10, 5_257_490),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(values)
        target.descriptions = ["B04", "B08", "SCL"]
    return path


def comeo(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def compressed(source: Path, folder: Path, *options: object) -> Path:
    path = folder / "a.zarr.zip"
    comeo("compress", source, "-o", path, "--codec", "dct", "--step", 40, *options)
    return path


def test_info_says_what_is_clear_and_extract_masks_the_rest(source: Path, tmp_path: Path) -> None:
    path = compressed(source, tmp_path)
    (line,) = [text for text in comeo("info", path).splitlines() if text.startswith("clear ")]
    assert "land 50.0 %" in line
    assert "cloud 50.0 %; by SCL" in line
    comeo("extract", path, "-o", tmp_path / "out.tif", "--mask", "land,water")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        valid = dataset.read_masks(1) > 0
    assert valid[:60].all()
    assert not valid[60:].any()


def test_none_leaves_it_out_and_what_needs_it_says_so(source: Path, tmp_path: Path) -> None:
    path = compressed(source, tmp_path, "--clear", "none")
    assert "does not say which pixels are clear" in comeo("info", path)
    with open_archive(path) as archive:
        assert archive.clear is None
    with pytest.raises(NotFoundError, match="does not say which of its pixels are clear"):
        comeo("extract", path, "-o", tmp_path / "out.tif", "--mask", "clear")


def test_s2cloudless_is_refused_for_a_scene_without_its_bands(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"lacks B01, .*--clear none"):
        compressed(source, tmp_path, "--clear", "s2cloudless")
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_named() -> None:
    error = ModuleNotFoundError("No module named 's2cloudless'", name="s2cloudless")
    assert advice(error) == "s2cloudless is not installed; run: pip install 'comeo[clouds]'"
