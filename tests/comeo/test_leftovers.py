"""Temporary folders of processes that were killed are swept, those of running ones are not."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from comeo.leftovers import held_folder, sweep

HOLDER = """
import sys
from pathlib import Path
from comeo.leftovers import held_folder
with held_folder(Path(sys.argv[1]), "held-") as folder:
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_lives_as_long_as_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        with held_folder(tmp_path, "held-") as mine:
            assert names(tmp_path) == sorted([theirs.name, mine.name])
        assert names(tmp_path) == [theirs.name]
        process.kill()
    assert (theirs / "inner" / "file").exists()
    (tmp_path / "other").mkdir()
    with held_folder(tmp_path, "held-") as mine:
        assert names(tmp_path) == [mine.name, "other"]
    assert names(tmp_path) == ["other"]


def test_an_error_removes_the_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held_folder(tmp_path, "held-"):
        raise KeyError
    assert not names(tmp_path)


def test_a_link_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "held-link").symlink_to(tmp_path / "kept")
    sweep(tmp_path, lambda name: name.startswith("held-"))
    assert (tmp_path / "kept" / "file").exists()


def test_a_folder_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    make = tempfile.mkdtemp

    def swept_at_once(**options: Any) -> str:
        made.append(Path(make(**options)))
        if len(made) == 1:
            made[0].rmdir()
        return str(made[-1])

    monkeypatch.setattr(tempfile, "mkdtemp", swept_at_once)
    with held_folder(tmp_path, "held-") as mine:
        assert mine == made[1]
        assert mine.is_dir()


def test_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    sweep(tmp_path / "missing", lambda _: True)
    assert not list(tmp_path.iterdir())
