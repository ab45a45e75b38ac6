"""What is fuzzed: payloads of each codec, the compiled decoder against the other, whole archives, and
what users write and send: formulas and documents of indicators, files of sites, secrets of links."""

from __future__ import annotations

from typing import Final, Protocol

from tests.fuzz.archives import ArchiveTarget
from tests.fuzz.compiled import CompiledTarget
from tests.fuzz.indicators import IndicatorTarget
from tests.fuzz.payloads import PayloadTarget
from tests.fuzz.tokens import TokenTarget
from tests.fuzz.uploads import UploadTarget

NAMES: Final = ("dct", "jpeg2000", "learned", "compiled", "archives", "indicators", "uploads", "tokens")


class Target(Protocol):
    """Turns numbers into inputs, and checks what the program makes of an input."""

    def case(self, number: int) -> bytes:
        """The input of a number: always the same while the corpus is."""

    def check(self, data: bytes) -> str:
        """Return the outcome, in words; raise anything if the program did something wrong."""


def target_of(name: str) -> Target:
    """Return a target, warmed up: what it needs is imported and compiled."""
    if name == "archives":
        return ArchiveTarget()
    if name == "indicators":
        return IndicatorTarget()
    if name == "uploads":
        return UploadTarget()
    if name == "tokens":
        return TokenTarget()
    return CompiledTarget() if name == "compiled" else PayloadTarget(name)
