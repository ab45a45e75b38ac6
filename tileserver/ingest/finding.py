"""Finders: what looks at a source for products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tileserver.ingest.document import CdseSource, FolderSource, StacSource
from tileserver.ingest.journal import Journal, Row
from tileserver.ingest.orders import Download, Found


@dataclass
class Look:
    """A look at a source.

    Attributes:
        complete: Whether all was seen, and nothing is left that a look a little later would find.
        past: Whether what was acquired long ago is looked for, too, where that is asked for by itself.
    """

    complete: bool = True
    past: bool = True


class Finder(Protocol):
    """Looks at a source, again and again.

    Attributes:
        name: Of the source, in keys of the journal.
    """

    name: str

    def products(self, look: Look) -> Iterator[Found]:
        """What there is that may be new, newest first where the source can; once again what is known already.

        The iterator may be left at any time: what it has not given is given the next time.

        Args:
            look: Is told whether it is complete.

        Raises:
            ComeoError: If the source cannot be looked at now.
        """

    def download(self, row: Row) -> Download | None:
        """How a product is fetched; None of one that is read where it is.

        Raises:
            ComeoError: If that cannot be found out now.
        """


def finder_of(source: FolderSource | StacSource | CdseSource, journal: Journal) -> Finder:
    """The finder of a source."""
    if isinstance(source, FolderSource):
        from tileserver.ingest.folder import FolderFinder  # noqa: PLC0415 - each loads what it needs

        return FolderFinder(source)
    if isinstance(source, StacSource):
        from tileserver.ingest.stac import StacFinder  # noqa: PLC0415

        return StacFinder(source, journal)
    from tileserver.ingest.cdse import CdseFinder  # noqa: PLC0415

    return CdseFinder(source, journal)
