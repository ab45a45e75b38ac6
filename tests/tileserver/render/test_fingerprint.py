"""ETags depend on the code that renders, and on nothing else of a machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tileserver.render import fingerprint as module
from tileserver.render.fingerprint import CODE, code_fingerprint, digest_of, fingerprint


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "rendering"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "warp.py").write_text("QUALITY = 80")
    (folder / "tables.npz").write_bytes(b"numbers")
    return folder


def test_any_change_of_the_code_changes_it(package: Path) -> None:
    before = digest_of([package])
    changes: list[Callable[[], object]] = [
        lambda: (package / "inner" / "warp.py").write_text("QUALITY = 81"),
        lambda: (package / "tables.npz").write_bytes(b"others"),
        lambda: (package / "new.py").write_text(""),
        lambda: (package / "new.py").rename(package / "renamed.py"),
        (package / "inner" / "warp.py").unlink,
    ]
    seen = {before}
    for change in changes:
        change()
        assert digest_of([package]) not in seen
        seen.add(digest_of([package]))


def test_what_two_machines_of_one_release_differ_in_does_not(package: Path) -> None:
    before = digest_of([package])
    os.utime(package / "inner" / "warp.py", (1, 1))
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "warp.cpython-311.pyc").write_bytes(b"compiled")
    (package / "native.so").write_bytes(b"compiled")
    assert digest_of([package]) == before


def test_all_processes_have_the_same() -> None:
    command = [sys.executable, "-c", "from tileserver.render.fingerprint import CODE; print(CODE)"]
    other = subprocess.run(command, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == CODE


@pytest.mark.parametrize(
    ("make", "known", "unknown"),
    [(fingerprint, "REVISION", "CODE"), (code_fingerprint, "CODE", "REVISION")],
    ids=["picture", "document"],
)
def test_an_etag_knows_what_made_it(
    make: Callable[..., str], known: str, unknown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make("tile", 3)
    assert make("tile", 3) == before
    assert make("tile", 4) != before
    monkeypatch.setattr(module, unknown, "another")
    assert make("tile", 3) == before
    monkeypatch.setattr(module, known, "another")
    assert make("tile", 3) != before
