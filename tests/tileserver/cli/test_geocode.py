"""`comeo geocode`, as a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rasterio
from click.testing import CliRunner

from comeo.errors import SourceError
from tests.grd_generator import NEEDS_PRODUCTS, Content, unpack_rome, write_measurement
from tileserver.cli.main import cli


@NEEDS_PRODUCTS
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_product_becomes_a_map(tmp_path: Path) -> None:
    safe, dem = unpack_rome(tmp_path)
    stem = next((safe / "annotation").glob("*.xml")).stem
    write_measurement(safe, stem, Content((8000, 22000, 300, 300)))
    output = tmp_path / "scene.tif"
    arguments = ["geocode", str(safe), "--dem", str(dem), "--output", str(output), "--radiometry", "gamma0"]
    arguments += ["--bbox", "12.49", "41.99", "12.51", "42.01"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    with rasterio.open(output) as file:
        assert file.descriptions == ("VV",)
        assert file.tags()["QUANTITY"] == "gamma0"
        assert file.tags()["THERMAL_NOISE"] == "removed"
        assert file.read(1, masked=True).count() > 1000
    again = CliRunner().invoke(cli, arguments)
    assert again.exit_code == 2
    assert "--force" in again.output
    assert CliRunner().invoke(cli, [*arguments, "--force"]).exit_code == 0


def test_what_is_no_product_is_said(tmp_path: Path) -> None:
    output = ["--dem", "dem.tif", "--output"]
    result = CliRunner().invoke(cli, ["geocode", str(tmp_path), *output, str(tmp_path / "map.png")])
    assert "let its name end in .tif" in result.output
    result = CliRunner().invoke(cli, ["geocode", str(tmp_path / "no"), *output, str(tmp_path / "map.tif")])
    assert "does not exist" in result.output
    result = CliRunner().invoke(cli, ["geocode", str(tmp_path), *output, str(tmp_path / "map.tif")])
    assert isinstance(result.exception, SourceError)
    assert "holds 0 Sentinel-1 GRD products" in str(result.exception)


@NEEDS_PRODUCTS
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_command_that_is_ended_leaves_no_temporary_files(tmp_path: Path) -> None:
    safe, dem = unpack_rome(tmp_path)
    stem = next((safe / "annotation").glob("*.xml")).stem
    write_measurement(safe, stem, Content((8000, 12000, 300, 300)))
    temporary, made = tmp_path / "temporary", tmp_path / "made"
    for folder in (temporary, made):
        folder.mkdir()
    orders = (
        ["compress", str(safe), "--dem", str(dem), "-o", str(made)],
        ["geocode", str(safe), "--dem", str(dem), "-o", str(made / "scene.tif")],
    )
    for order, where in zip(orders, (temporary, made), strict=True):
        process = subprocess.Popen(
            [sys.executable, "-m", "tileserver.cli", *order], env={**os.environ, "TMPDIR": str(temporary)},
            stderr=subprocess.PIPE, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while not list(where.rglob("*.tif")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 128 + signal.SIGTERM, said
        assert b"Traceback" not in said
        assert list(temporary.iterdir()) == list(made.iterdir()) == []
