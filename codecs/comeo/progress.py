"""Progress of long work."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives each stage of the work and each unit completed in it."""

    def start(self, stage: str, total: int) -> None:
        """Begin a stage of `total` units."""

    def advance(self) -> None:
        """Count one more unit."""

    def note(self, message: str) -> None:
        """Keep a message that is worth a line in the log."""


class Silent:
    """Progress that is not shown."""

    def start(self, stage: str, total: int) -> None:
        """Do nothing."""

    def advance(self) -> None:
        """Do nothing."""

    def note(self, message: str) -> None:
        """Do nothing."""
