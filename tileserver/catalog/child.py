"""The process that reads archives for a catalogue: `python -m tileserver.catalog.child FD`.

It answers each line of its input, a JSON list of a task, a path and what else it takes, with a line of JSON.
Whatever an archive does to it, the kernel ends it: for too much memory or processor time, for taking too long
(SIGALRM), and when the process that started it ends (SIGIO from the pipe FD, which that process holds open).
These signals are left to their default action, which needs no interpreter: PROJ, for one, holds it while it
waits for a file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any, Final

from comeo.archive.stores import PART_SUFFIX, ZIP_SUFFIX
from comeo.archive.stores.buckets import Listed, find, list_page
from comeo.errors import ComeoError, NotHereError, passes
from comeo.places import address_of, in_bucket
from tileserver import confined
from tileserver.catalog.entry import digest_of, read_entry
from tileserver.catalog.limits import CPU_SECONDS, MEMORY_BYTES, SECONDS
from tileserver.catalog.rows import row_of
from tileserver.catalog.scan import FEED_FOLDER

IDLE_SECONDS: Final = 60


Task = Callable[..., dict[str, Any]]
"""What is done with a path, and with what else a question has, all of it text."""


def answer(
    task: str, path: str, *more: str | None, tasks: Mapping[str, Task] | None = None
) -> dict[str, Any]:
    """Do a task.

    Args:
        task: Its name.
        path: Of an archive, or of a folder of a bucket.
        *more: What else the task takes.
        tasks: By their names; by default `TASKS`.

    Returns:
        `row` (without signature; null while its head is not here), `left_out` and `damaged` of an entry,
        `digest`, `objects` of a bucket, or `error`; with it whether it is `lasting`, of the archive's bytes
        alone, or `passing`, of the way to them, and the `trace` of a mistake of ours.
    """
    try:
        return (tasks or TASKS)[task](path, *more)
    except NotHereError:  # and is no refusal: its head has not come yet
        return {"row": None, "left_out": [], "damaged": []}
    except (ComeoError, OSError) as error:
        passing = passes(error)
        lasting = not passing and not path.endswith(PART_SUFFIX)  # it is for bytes that change
        return {"error": str(error), "lasting": lasting, "passing": passing and in_bucket(path)}
    except (MemoryError, RecursionError):
        return {"error": f"{Path(path).name} takes more memory than its metadata may", "lasting": True}
    except Exception:  # noqa: BLE001 - a mistake of ours must not keep the other archives from being served
        text = f"{Path(path).name} cannot be indexed because of an unexpected error; see the server's log"
        return {"error": text, "lasting": False, "trace": traceback.format_exc()}


def entry_of(path: str, etag: str | None = None) -> dict[str, Any]:
    """Read an archive, which must have an ETag where one is given: see `read_entry`."""
    entry = read_entry(path, etag)
    damaged = list(entry.info["damaged"].values())
    return {"row": row_of(path, "", entry), "left_out": entry.left_out, "damaged": damaged}


def _listing(place: str, after: str | None) -> dict[str, Any]:
    """A page of the archives of a bucket, in `objects`, by path with their signatures.

    Hidden names are left out: large archives are under one before they get their own. So is a feed that lies
    beside the archives, which has more objects than there are archives.

    Returns:
        Also how many objects were `seen`, and the key that the `next` page begins behind, if there is one.
    """
    folder = address_of(place)
    if folder.name.endswith(ZIP_SUFFIX):
        one = find(folder)
        return {"objects": [] if one is None else [_signed(one)], "seen": 1, "next": None}
    page, following = list_page(folder, after)
    hidden = "/."
    feed = folder.child(FEED_FOLDER).key
    page = [one for one in page if not one.address.key.startswith(f"{feed}/")]
    if following is not None and following.startswith(f"{feed}/"):
        following = f"{feed}0"  # the character behind the slash
    found = [
        _signed(one)
        for one in page
        if one.address.key.endswith(ZIP_SUFFIX)
        and hidden not in f"/{one.address.key.removeprefix(folder.key).lstrip('/')}"
    ]
    return {"objects": found, "seen": len(page), "next": following}


def _signed(one: Listed) -> tuple[str, str]:
    return str(one.address), one.signature


TASKS: Final[Mapping[str, Task]] = {
    "list": _listing,
    "digest": lambda path: {"digest": digest_of(path)},
    "read": entry_of,
    "ready": lambda _: {},
}


def main(tasks: Mapping[str, Task] = TASKS) -> None:
    """Answer until there is no more input, or none for a while."""
    confined.ends_by((signal.SIGALRM, signal.SIGIO, signal.SIGXCPU))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # these are for the server, and it tells
        signal.signal(number, signal.SIG_IGN)
    _end_with(int(sys.argv[1]))
    confined.limit_memory(MEMORY_BYTES)
    for line in _lines():
        confined.allow(CPU_SECONDS, SECONDS)
        out = answer(*json.loads(line), tasks=tasks)
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.buffer.write(json.dumps(out).encode() + b"\n")
        sys.stdout.buffer.flush()


def _lines() -> Iterator[bytes]:
    """Lines of the input, until it ends or nothing comes for a while."""
    waiting = b""
    while wait_for([0], IDLE_SECONDS):
        piece = os.read(0, 1 << 16)
        if not piece:
            return
        *lines, waiting = (waiting + piece).split(b"\n")
        yield from lines


def _end_with(lifeline: int) -> None:
    """Let the kernel end this process when no other holds the other end of a pipe any more."""
    with contextlib.suppress(OSError):  # where pipes send no signal, the end of the input and SIGALRM must do
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if wait_for([lifeline], 0):
        sys.exit()


if __name__ == "__main__":
    main()
