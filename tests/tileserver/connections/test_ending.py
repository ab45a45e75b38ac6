"""A process that is told to end more than once while it waits for its threads."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal, time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from tileserver.connections.worker import Worker

worker = object.__new__(Worker)
worker.tpool = ThreadPoolExecutor(1)
worker.cfg = SimpleNamespace(worker_int=lambda _: None)
for each in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(each, worker.handle_quit)

def work():
    for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGINT):
        time.sleep(0.5)
        os.kill(os.getpid(), each)
    time.sleep(0.5)
    print("worked to the end")

worker.tpool.submit(work)
time.sleep(60)
"""


def test_a_process_that_is_interrupted_again_ends_without_a_traceback() -> None:
    """Ctrl+C reaches the processes of a server from the terminal and from gunicorn, and often twice."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("worked to the end\n", "", 0)
