"""`comeo relay publish` makes an origin of a folder; `withdraw` says what was faulty."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from comeo.errors import ComeoError
from tileserver.cli.main import cli
from tileserver.relay.feed.lines import DropLine, PutLine, told
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream import FolderUpstream

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
NAMES = ("S2_romania_2016-08-25", "S2_romania_2016-08-05")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "archives"
    (made / "deep er").mkdir(parents=True)
    shutil.copy(SAMPLES / f"{NAMES[0]}.zarr.zip", made)
    shutil.copy(SAMPLES / f"{NAMES[1]}.zarr.zip", made / "deep er")
    return made


def run(*words: object) -> str:
    result = CliRunner().invoke(cli, ["relay", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_folder_becomes_an_origin(folder: Path) -> None:
    said = run("publish", folder, "--name", "Here", "--licence", "CC-BY-4.0")
    assert "2 archives, 2 new lines" in said
    upstream = FolderUpstream(folder, Trust(key=said.split()[-1]))
    index, lines = upstream.index(), list(upstream.lines(0))
    assert (index.name, index.licence, index.wait) == ("Here", "CC-BY-4.0", 0)
    assert len(index.models) == 1
    assert len(upstream.model(index.models[0])) > 100_000
    for line in lines:
        assert isinstance(line, PutLine)
        data = b"".join(upstream.read(line.href, line.etag, 0, line.bytes))
        assert data == (SAMPLES / f"{line.id}.zarr.zip").read_bytes()
    assert "2 archives, 0 new lines" in run("publish", folder)
    assert upstream.index().name == "Here", "as before"
    assert not list(folder.rglob("*.key"))


def test_what_goes_is_dropped_and_what_was_faulty_is_said(folder: Path) -> None:
    run("publish", folder)
    (folder / f"{NAMES[0]}.zarr.zip").unlink()
    assert "1 archives, 1 new lines" in run("publish", folder)
    run("withdraw", folder, "romania-forest", NAMES[0])
    drops = [told(line) for line in FolderUpstream(folder, Trust()).lines(2)]
    assert [line.why for line in drops if isinstance(line, DropLine)] == ["expired", "withdrawn"]
    with pytest.raises(ComeoError, match="has never told of odd in romania-forest"):
        run("withdraw", folder, "romania-forest", "odd")


def test_the_key_is_never_in_what_is_published(folder: Path) -> None:
    with pytest.raises(ComeoError, match="lies in what is published; keep the key elsewhere"):
        run("publish", folder, "--private", folder / "private")
    assert not (folder / "private").exists()


def test_an_archive_behind_a_link_that_leaves_the_folder(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = tmp_path / "away.zarr.zip"
    (folder / f"{NAMES[0]}.zarr.zip").rename(away)
    (folder / "link.zarr.zip").symlink_to(away)
    assert "1 archives" in run("publish", folder)
    assert "lies outside the folder, behind a link; copy the archive into it" in caplog.text
