"""`comeo catalog`: what servers know of the archives, told and made anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comeo.errors import ComeoError
from tileserver.catalog.reading import READER, Reading
from tileserver.cli.main import cli

SAMPLE = Path(__file__).parents[3] / "samples" / "S2_UTM37N_lake.zarr.zip"


def comeo(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["catalog", *map(str, arguments)])


def test_a_catalogue_is_told_of_and_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "archives").mkdir()
    shutil.copy(SAMPLE, tmp_path / "archives")
    (tmp_path / "archives" / "odd.zarr.zip").write_bytes(b"odd")
    named = (tmp_path / "archives", "--catalog", tmp_path / "catalog.sqlite")
    told = comeo("status", *named)
    assert told.exit_code == 0, told.output
    lines = {words[0]: words[-1] for line in told.output.splitlines() if (words := line.split())}
    assert lines["scenes"] == lines["archives"] == "1"
    assert "odd.zarr.zip: " in told.output
    read: list[str] = []
    reading = READER.read

    def noted(paths: list[str]) -> Iterator[Reading]:
        read.extend(paths)
        return reading(paths)

    monkeypatch.setattr(READER, "read", noted)
    again = comeo("rebuild", *named)
    assert again.exit_code == 0, again.output
    assert sorted(Path(path).name for path in read) == ["S2_UTM37N_lake.zarr.zip", "odd.zarr.zip"]
    assert again.output.splitlines()[:2] == told.output.splitlines()[:2]
    assert again.output.splitlines()[-1] != told.output.splitlines()[-1], "who follows begins anew"


def test_a_temporary_catalogue_is_not_looked_at(tmp_path: Path) -> None:
    done = comeo("status", tmp_path)
    assert isinstance(done.exception, ComeoError)
    assert "COMEO_CATALOG" in str(done.exception)
