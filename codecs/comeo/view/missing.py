"""Blocks that a picture lacks, of archives that are on their way: what somebody looks at and is not here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from comeo.archive import Archive, Level
from comeo.archive.references import Place

MOST: Final = 64
"""Blocks that are noted of one request: what people look at is seldom more, what programs gather often is."""


class MissingBlock(NamedTuple):
    """A block of an archive that is not here, or one that it is predicted from is not."""

    collection: str
    id: str
    etag: str
    """Of the whole archive."""
    group: str
    level: int
    row: int
    col: int


class Missing:
    """Notes which blocks the pictures of one request would be made of, if they were here."""

    def __init__(self) -> None:
        self._blocks: dict[MissingBlock, int] = {}

    @property
    def blocks(self) -> Mapping[MissingBlock, int]:
        """What was noted, each with about as many bytes as are missing of it."""
        return MappingProxyType(self._blocks)

    def note(self, archive: Archive, level: Level, blocks: Iterable[Place]) -> None:
        """Note blocks of an archive, at most `MOST` in all."""
        for row, col in blocks:
            if len(self._blocks) >= MOST:
                return
            name = (archive.collection, archive.id, archive.whole_etag, level.group, level.number, row, col)
            self._blocks.setdefault(MissingBlock(*name), archive.missing_bytes(level, (row, col)))
