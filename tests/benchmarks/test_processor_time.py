"""Processor time of servers: what ended meanwhile isn't lost."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("rio_cogeo")

from benchmarks.extracts import cpu_seconds


def test_processes_that_have_ended_count_on() -> None:
    before = cpu_seconds(os.getpid())
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert cpu_seconds(os.getpid()) - before >= 0.25
