"""Importing the library changes nothing of the process that does it."""

from __future__ import annotations

import os
import subprocess
import sys

IMPORTING = """
import importlib, logging, os, pkgutil, signal, sys, threading, warnings
from unittest import mock

# Changes by other libraries are theirs: scikit-learn sets OpenMP's variables, urllib3 filters warnings.
import imagecodecs, numba, numpy, pyproj, rasterio, scipy.fft, skimage, sklearn, xarray, zarr

def state():
    root = logging.getLogger()
    ours = {name: logger for name, logger in root.manager.loggerDict.items() if name.startswith("comeo")}
    loggers = {"root": root, **{n: l for n, l in ours.items() if isinstance(l, logging.Logger)}}
    return {
        "environment": dict(os.environ),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "log levels": {name: logger.level for name, logger in loggers.items() if logger.level},
        "log handlers": {name: logger.handlers for name, logger in loggers.items() if logger.handlers},
        "warnings": [entry for entry in warnings.filters if entry[2].__module__ in ("builtins", "comeo")],
        "threads": threading.active_count(),
        "hooks": (sys.excepthook, sys.displayhook, threading.excepthook, sys.getswitchinterval()),
        "working directory": os.getcwd(),
    }

before = state()
with mock.patch.object(os, "register_at_fork") as forks:
    import comeo
    names = [found.name for found in pkgutil.walk_packages(comeo.__path__, "comeo.")]
    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)
after = state()
changed = [what for what in before if before[what] != after[what]]
assert not changed, changed
assert not [call for call in forks.call_args_list if "comeo" in repr(call)], forks.call_args_list
assert len(names) > 50, names
for heavy in ("glymur", "onnxruntime", "torch"):
    assert heavy not in sys.modules, heavy
"""

NAMING = """
import sys
from comeo.codecs import DEFAULT_CODEC, codec_names
assert DEFAULT_CODEC in codec_names()
assert "numpy" not in sys.modules
import comeo.archive
heavy = {"numba", "scipy", "imagecodecs", "onnxruntime"} & set(sys.modules)
assert not heavy, heavy
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    everything = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # xarray, too
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300, env=everything
    )


def test_importing_every_module_changes_nothing_of_the_process() -> None:
    done = run(IMPORTING)
    assert done.returncode == 0, done.stderr


def test_naming_codecs_and_reading_archives_imports_no_codec() -> None:
    done = run(NAMING)
    assert done.returncode == 0, done.stderr
