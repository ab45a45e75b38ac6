"""The process that reads archives, doing by an archive's name what a hostile one could make it do."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from tileserver.catalog import child
from tileserver.catalog.entry import Entry, read_entry

TELL = "COMEO_TEST_PID"


def misbehave(path: str, etag: str | None = None) -> Entry:
    """Read an archive, or worse."""
    name = Path(path).name
    if TELL in os.environ:
        Path(os.environ[TELL]).write_text(str(os.getpid()))
    if name.startswith("hang"):  # like PROJ: in a system call, holding the interpreter
        ctypes.PyDLL(None).open(os.environ["COMEO_TEST_PIPE"].encode(), os.O_RDONLY)
    while name.startswith("cpu"):
        pass
    hoard = []
    while name.startswith("memory"):
        hoard.append(bytes(1 << 24))
    if name.startswith("crash"):
        os.abort()
    if name.startswith("leave"):
        os._exit(0)
    return read_entry(path, etag)


if __name__ == "__main__":
    seconds = float(os.environ.get("COMEO_TEST_SECONDS", "1"))
    vars(child).update(read_entry=misbehave, SECONDS=seconds, CPU_SECONDS=1)
    if os.environ.get("COMEO_TEST_IDLE"):
        vars(child).update(IDLE_SECONDS=0)
    sys.argv[0] = child.__file__
    child.main()
