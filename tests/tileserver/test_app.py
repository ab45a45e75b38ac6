"""Making an application changes nothing of the process that it is made in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
