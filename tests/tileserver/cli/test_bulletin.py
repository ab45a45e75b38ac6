"""`comeo bulletin`: from a month to the page and PDF that everybody may read; errors in a sentence."""
# ruff: noqa: F811 - fixtures have the names of what asks for them

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.tileserver.cli.test_geoservice import Comeo, archives, comeo, definition  # noqa: F401

OWNER = "owner@example.org"
NUMBER = "retezat-2017-07-r1"


@pytest.fixture
def active(comeo: Comeo, definition: Path, archives: Path) -> Path:
    """A geoservice that runs; its archives."""
    assert comeo("geoservice", "add", definition, "--owner", OWNER)[0] == 0
    assert comeo("geoservice", "activate", "retezat", archives)[0] == 0
    assert comeo("work", archives, "--once")[0] == 0
    return archives


def test_from_a_month_to_its_files(comeo: Comeo, active: Path, tmp_path: Path) -> None:
    assert comeo("bulletin", "compose", "retezat", "2017-07", active)[1] == (
        f"{NUMBER} is a draft; `comeo bulletin submit` lets it be decided on\n"
    )
    assert comeo("bulletin", "submit", NUMBER, "--as", OWNER)[1] == f"{NUMBER} is submitted\n"
    code, _, told = comeo("bulletin", "approve", NUMBER, "--as", "nobody@example.org")
    assert (code, told) == (
        1, "comeo: nobody@example.org has no role in retezat that may approve its bulletins\n",
    )  # fmt: skip
    assert comeo("bulletin", "approve", "1", "--as", OWNER, "--note", "Seen")[1] == f"{NUMBER} is approved\n"
    assert comeo("work", active, "--once")[0] == 0
    assert comeo("bulletin", "list", "retezat")[1].split() == ["1", NUMBER, "sent", "2", "files"]
    with sqlite3.connect(tmp_path / "comeo.sqlite") as database:
        bodies = dict(database.execute("SELECT kind, body FROM bulletin_file").fetchall())
    assert bodies["pdf"].startswith(b"%PDF-1.7")
    assert b"Approved by #1 on" in bodies["html"]
    assert comeo("bulletin", "compose", "retezat", "2017-07", active)[2] == (
        "comeo: the bulletin of 2017-07 is sent, and there is nothing new to say\n"
    )


def test_a_withdrawn_scene_makes_an_erratum(comeo: Comeo, active: Path, tmp_path: Path) -> None:
    comeo("bulletin", "compose", "retezat", "2017-07", active)
    comeo("bulletin", "submit", NUMBER, "--as", OWNER)
    comeo("bulletin", "approve", NUMBER, "--as", OWNER)
    comeo("work", active, "--once")
    (active / "S2_romania_2017-07-01.zarr.zip").unlink()
    comeo("work", active, "--once")
    assert "retezat-2017-07-r2" in comeo("bulletin", "list", "retezat")[1]
    assert comeo("bulletin", "compose", "retezat", "2017-07", active, "-o", "erratum.json")[0] == 0
    assert '"scenes":0' in (tmp_path / "erratum.json").read_text()


@pytest.mark.parametrize("suffix", ["html", "pdf", "json"])
def test_a_file_is_only_written(comeo: Comeo, active: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"july.{suffix}"
    arguments = ("bulletin", "compose", "retezat", "2017-07", active, "-o", path, "--locale", "fr")
    assert comeo(*arguments)[0] == 0
    first = path.read_bytes()
    assert "exists; replace it with --force" in comeo(*arguments)[2]
    assert comeo(*arguments, "--force")[0] == 0
    assert path.read_bytes() == first
    assert comeo("bulletin", "list", "retezat")[1] == "", "nothing is kept"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("submit", "retezat-2017-07-r9", "--as", OWNER), "there is no bulletin retezat-2017-07-r9"),
        (("submit", "x", "--as", OWNER), "`comeo bulletin list SLUG` names them"),
        (("list", "unknown"), "there is no geoservice unknown"),
        (("compose", "retezat", "2199-01", "ARCHIVES"), "2199-01 is not over"),
        (("compose", "retezat", "2017-07", "ARCHIVES", "-o", "july.txt"), "end in .html, .pdf or .json"),
        (("compose", "retezat", "2017-07", "ARCHIVES", "--as", "x@y.org"), "may recompose its bulletins"),
    ],
)
def test_errors_are_a_sentence(
    comeo: Comeo,
    active: Path,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    own = [active if each == "ARCHIVES" else each for each in arguments]
    code, _, told = comeo("bulletin", *own)
    assert code in (1, 2)
    assert sentence in told
    assert "Traceback" not in told


def test_who_composed_it_does_not_approve_it(comeo: Comeo, active: Path) -> None:
    comeo("bulletin", "compose", "retezat", "2017-07", active, "--as", OWNER)
    comeo("bulletin", "submit", NUMBER, "--as", OWNER)
    assert "ask another moderator" in comeo("bulletin", "approve", NUMBER, "--as", OWNER)[2]
    assert comeo("bulletin", "reject", NUMBER, "--as", OWNER, "--note", "no")[1] == f"{NUMBER} is rejected\n"
