"""Files of catalogues that are no longer used."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

KEPT_SECONDS = 30 * 86_400.0
"""A catalogue that no server has looked at for so long is removed: it can be made again at any time."""
COMPANIONS = ("", "-journal", ".lock", ".scan")
_APPLICATION_OFFSET = 68  # in the header of an SQLite file


def unfinished(path: Path) -> Path:
    """Name that this process gives a file until it is a catalogue."""
    return path.with_name(f".{path.name}.{os.getpid()}.new")


def sweep_unfinished(path: Path) -> None:
    """Remove what processes that were killed have left; the caller holds the catalogue's lock alone."""
    for left in path.parent.glob(f".{path.name}.*.new*"):
        left.unlink(missing_ok=True)


def sweep(named: Path, own: Path, application: int) -> None:
    """Remove other catalogues of the same name: of former versions, or of folders no longer served.

    Args:
        named: Name that is set for the catalogue.
        own: The file that is used.
        application: SQLite's application id of catalogues; other files are left alone.
    """
    for path in _others(named, own):
        with contextlib.suppress(OSError):
            used = max(
                Path(f"{path}{end}").stat().st_mtime for end in COMPANIONS if Path(f"{path}{end}").exists()
            )
            if time.time() - used > KEPT_SECONDS and _application(path) == application:
                for end in reversed(COMPANIONS):
                    Path(f"{path}{end}").unlink(missing_ok=True)


def _others(named: Path, own: Path) -> Iterator[Path]:
    pattern = re.compile(rf"{re.escape(named.stem)}-\d+-[0-9a-f]{{8}}{re.escape(named.suffix)}")
    for path in named.parent.iterdir():
        if pattern.fullmatch(path.name) and path != own and not path.is_symlink():
            yield path


def _application(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(_APPLICATION_OFFSET)
        return int.from_bytes(file.read(4), "big")
