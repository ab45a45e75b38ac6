"""A backup each night, and the last of them kept."""

from __future__ import annotations

import contextlib
import re
from datetime import date
from pathlib import Path
from typing import Final

from tileserver.store.backup import backup
from tileserver.store.database import Database

KEPT: Final = 14
_NAME: Final = re.compile(r"comeo-(\d{6,})-(\d{4}-\d{2}-\d{2})\.zip")


def folder_beside(database: Database) -> Path:
    """Where backups lie by default: beside the file of SQLite, else in the folder that the worker runs in."""
    path = database.path
    return Path("comeo.backups") if path is None else path.with_name(f"{path.name}.backups")


def backup_of_day(database: Database, folder: Path, day: date) -> Path | None:
    """Write the backup of a day, unless the last one is that day's; those before the last 14 are removed.

    Backups are numbered: whatever a clock said meanwhile, the last one written is the newest.

    Args:
        database: To back up.
        folder: Of its backups.
        day: In UTC.

    Returns:
        The file, which is whole and on the disk; None if there is one of that day.

    Raises:
        ComeoError: If the database cannot be read.
        OSError: If the file cannot be written; no backup has been removed then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = backups_in(folder)
    last = known[-1] if known else None
    number, of = _parts(last) if last else (0, "")
    if of == day.isoformat():
        return None
    for each in folder.glob("*.part"):  # of a worker that was killed
        each.unlink(missing_ok=True)
    made = folder / f"comeo-{number + 1:06d}-{day.isoformat()}.zip"
    backup(database, made)
    for each in backups_in(folder)[:-KEPT]:
        with contextlib.suppress(OSError):  # one too many does no harm
            each.unlink()
    return made


def backups_in(folder: Path) -> list[Path]:
    """Backups that were written, oldest first; other files are let alone."""
    found = [each for each in folder.iterdir() if _NAME.fullmatch(each.name)]
    return sorted(found, key=_parts)


def _parts(path: Path) -> tuple[int, str]:
    match = _NAME.fullmatch(path.name)
    return (int(match.group(1)), match.group(2)) if match else (0, "")
