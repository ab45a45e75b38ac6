"""What servers have taken, kept in files beside the database until it knows."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from comeo.errors import ComeoError


@dataclass(frozen=True, slots=True)
class Receipts:
    """What servers have taken, one file a message until the database knows.

    Attributes:
        folder: Beside the database.
    """

    folder: Path
    _taken: set[str] = field(default_factory=set)
    """What this process knows to be taken, also while the disk is full."""

    def prepare(self, name: str) -> None:
        """Make sure that a receipt can be written.

        Raises:
            ComeoError: If the disk is full, or the folder is not to be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._prepared(name), os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                os.write(handle, b"taken\n")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise ComeoError(
                f"nothing is sent while {self.folder} cannot be written: {error.strerror}"
            ) from error

    def write(self, name: str) -> None:
        """Keep that a message was taken, for which a receipt was prepared; it is on the disk afterwards."""
        self._taken.add(name)
        self._prepared(name).replace(self.folder / name)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def has(self, name: str) -> bool:
        """Whether a message was taken."""
        return name in self._taken or (self.folder / name).exists()

    def forget(self, name: str) -> None:
        """Drop what the database knows."""
        self._taken.discard(name)
        for each in (self._prepared(name), self.folder / name):
            with contextlib.suppress(OSError):  # a receipt too many does no harm
                each.unlink(missing_ok=True)

    def _prepared(self, name: str) -> Path:
        return self.folder / f"{name}.sending"
