"""Making an application changes nothing of its process, and refuses settings that would fail later."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from comeo.codecs import native
from comeo.errors import ComeoError
from comeo.settings import SettingsError, configure
from tileserver import Settings, create_app

PROGRAM = """
import json, logging, os, sys
from pathlib import Path
import numpy, scipy.linalg, threadpoolctl

def state():
    names = ("tileserver", "comeo", None)
    loggers = [logging.getLogger(name) for name in names]
    pools = threadpoolctl.threadpool_info()
    return {
        "loggers": [[len(one.handlers), one.propagate, one.level] for one in loggers],
        "threads": {pool["filepath"]: pool["num_threads"] for pool in pools if pool["user_api"] == "blas"},
        "environment": dict(os.environ),
    }

before = state()
from tileserver import Settings, create_app
create_app(Settings(paths=(Path(sys.argv[1]),), workers=1))
after = state()
after["threads"] = {path: after["threads"][path] for path in before["threads"]}
print(json.dumps([before, after]))
"""


def test_making_an_application_changes_nothing_of_the_process(archives: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(archives)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    assert before["threads"]
    assert after == before


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("COMEO_NATIVE_LEVEL", "mmx", "COMEO_NATIVE_LEVEL is 'mmx'"),
        ("COMEO_NATIVE", "off", "COMEO_NATIVE is 'off'; it is 0"),
        ("COMEO_MODEL_PROVIDER", "abacus", "no provider 'ABACUS' on this machine"),
        ("COMEO_MODEL_THREADS", "0", "COMEO_MODEL_THREADS"),
        ("COMEO_PATHS", "/nowhere", "/nowhere does not exist"),
        ("COMEO_WORKERS", "none", "COMEO_WORKERS"),
    ],
)
def test_wrong_settings_are_said_at_the_start(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By every WSGI server, and not by each tile."""
    if name == "COMEO_NATIVE_LEVEL" and not native.PATH.exists():
        pytest.skip("there is no compiled code")
    monkeypatch.setenv("COMEO_CATALOG", str(tmp_path / "catalog.sqlite"))
    monkeypatch.setenv(name, value)
    configure(None)
    with pytest.raises(ComeoError, match=words):
        create_app()


def test_settings_of_codecs_that_would_not_count_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"call comeo\.settings\.configure\(settings\.codecs\) first"):
        create_app(Settings(catalog=tmp_path / "catalog.sqlite", model_threads=3))
