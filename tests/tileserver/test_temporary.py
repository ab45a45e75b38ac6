"""Temporary folders end with their process, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tileserver.temporary import temporary_folder

PROGRAM = """
import time
from tileserver.temporary import temporary_folder
print(temporary_folder("comeo-test-"), flush=True)
time.sleep(3600)
"""


def test_what_a_killed_process_has_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().decode().strip())
        (theirs / "file").write_text("x")
        os.utime(theirs, (0, 0))
        temporary_folder("comeo-test-")
        assert theirs.is_dir()
        other.send_signal(signal.SIGKILL)
    foreign = tmp_path / "comeo-test-link"
    foreign.symlink_to(tmp_path)
    temporary_folder("comeo-test-")
    assert not theirs.exists()
    assert foreign.is_symlink()
