"""How far a long work has come."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of each stage of the work, and of each unit done in it."""

    def start(self, stage: str, total: int) -> None:
        """A stage of `total` units begins."""

    def advance(self) -> None:
        """One more unit is done."""

    def note(self, message: str) -> None:
        """Something worth a line in the log."""


class Silent:
    """Progress that nobody watches."""

    def start(self, stage: str, total: int) -> None:
        """Nothing."""

    def advance(self) -> None:
        """Nothing."""

    def note(self, message: str) -> None:
        """Nothing."""
