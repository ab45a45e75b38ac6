"""Archives on servers as arguments of commands, and URLs where none can be."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from click.testing import CliRunner

from tests.comeo.archive.ranges import serving
from tileserver.cli.main import cli

SAMPLE = Path(__file__).parents[3] / "samples" / "S2_UTM37N_lake.zarr.zip"
URL = "https://example.org/a.zarr.zip"


def test_an_archive_on_a_server_is_extracted_from(tmp_path: Path) -> None:
    outputs = [tmp_path / name for name in ("far.tif", "near.tif")]
    with serving(SAMPLE.read_bytes()) as server:
        for place, output in zip((server.url, str(SAMPLE)), outputs, strict=True):
            result = CliRunner().invoke(
                cli, ["extract", place, "-o", str(output), "--max-size", "64", "--bands", "B04"]
            )
            assert result.exit_code == 0, result.output
    with rasterio.open(outputs[0]) as far, rasterio.open(outputs[1]) as near:
        assert (far.read() == near.read()).all()
        assert far.read().any()


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["serve", URL], "a server reads archives from disk and buckets; download it"),
        (
            ["compress", "a.tif", "-o", URL],
            "give a file, a folder, or an address in a bucket, s3://BUCKET/KEY",
        ),
        (["extract", str(SAMPLE), "-o", URL], "give the name of a file or folder"),
        (["extract", str(SAMPLE), "-o", "a.tif", "--polygon", URL], "give the name of a file or folder"),
        (["qualify", str(SAMPLE), "--reference", "a", "--html", URL], "give the name of a file or folder"),
    ],
)
def test_a_url_where_none_can_be_is_a_sentence(
    arguments: list[str], advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert f"{URL} is a URL: {advice}" in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["info", "extract"])
def test_a_server_out_of_reach_is_named(command: str, tmp_path: Path) -> None:
    more = ["-o", str(tmp_path / "a.tif")] if command == "extract" else []
    result = CliRunner().invoke(cli, [command, "http://127.0.0.1:1/a.zarr.zip", *more])
    assert result.exit_code == 1
    assert "http://127.0.0.1:1/a.zarr.zip cannot be reached" in str(result.exception)
