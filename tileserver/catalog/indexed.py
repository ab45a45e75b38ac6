"""What catalogues have in common that keep an index of archives in a database, whichever."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from tileserver.catalog.base import (
    NEWEST_FIRST,
    Catalog,
    CollectionSummary,
    Coverage,
    Cursor,
    Hit,
    Order,
    Record,
    Search,
)
from tileserver.catalog.feed import Changes, Position
from tileserver.catalog.finding import Finder
from tileserver.catalog.following import FollowingCache
from tileserver.catalog.indexer import Indexer
from tileserver.catalog.kinds import BandSet
from tileserver.catalog.ledger import Ledger
from tileserver.errors import BusyError

KEPT_SEARCHES = 512
KEPT_SUMMARIES = 512
Db = TypeVar("Db")
Asked_contra = TypeVar("Asked_contra", contravariant=True)
T = TypeVar("T")
Watch = Callable[[int, int, int], None]
log = logging.getLogger(__name__)


class _Questions(Protocol[Asked_contra]):
    """What is asked of a database, as functions of a module. See `Catalog` for each."""

    def get(self, db: Asked_contra, collection: str, item: str, /) -> Record | None: ...
    def hits(
        self, db: Asked_contra, search: Search, limit: int, after: Cursor | None, order: Order, /
    ) -> list[Hit]: ...
    def count(self, db: Asked_contra, search: Search, most: int | None = None, /) -> int: ...
    def document(self, db: Asked_contra, column: str, record: Record, /) -> dict[str, Any]: ...
    def collection_names(self, db: Asked_contra, /) -> list[str]: ...
    def collection(self, db: Asked_contra, name: str, /) -> CollectionSummary | None: ...
    def coverage(self, db: Asked_contra, search: Search, /) -> Coverage | None: ...
    def band_sets(self, db: Asked_contra, search: Search, /) -> tuple[BandSet, ...]: ...
    def days(self, db: Asked_contra, name: str, /) -> list[str]: ...
    def revision(self, db: Asked_contra, /) -> int: ...
    def position(self, db: Asked_contra, /) -> Position: ...
    def changes(self, db: Asked_contra, after: Position | None, limit: int, /) -> Changes: ...
    def broken(self, db: Asked_contra, /) -> dict[str, str]: ...


class IndexedCatalog(Catalog, Generic[Db]):
    """Scenes in a database. Whichever process comes first looks at the folders, for all others.

    Args:
        questions: What is asked of the database.
        ledger: What the indexer writes there.
        finder: Of the archives.
        scan_seconds: Shortest time between two looks at the folders.
        watch: Called after each look with the numbers of archives that are served and that are broken, and
            of scenes that differ from most of their collection.
    """

    def __init__(
        self,
        questions: _Questions[Db],
        ledger: Ledger,
        finder: Finder,
        scan_seconds: float,
        watch: Watch | None = None,
    ) -> None:
        self._questions = questions
        self._ledger = ledger
        self._watch = watch
        self._indexer = Indexer(ledger, finder, scan_seconds, self._looked)
        self._looked_at, self._odd = -1, 0
        self._said: dict[str, str] = {}
        self._band_sets: FollowingCache[Search, tuple[BandSet, ...]] = FollowingCache(
            self, KEPT_SEARCHES, lambda search: search.collections
        )
        self._summaries: FollowingCache[str, CollectionSummary | None] = FollowingCache(
            self, KEPT_SUMMARIES, lambda name: (name,)
        )

    @abstractmethod
    def _guarded(self, work: Callable[[], T]) -> T:
        """Do something with the database, whose errors become sentences.

        Raises:
            BusyError: If it cannot be used now.
        """

    @abstractmethod
    def _answer(self, question: Callable[[Db], T]) -> T:
        """Ask the database as it is."""

    def refresh(self, *, force: bool = False) -> None:
        """See `Catalog.refresh`."""
        self._guarded(lambda: self._indexer.refresh(force=force))

    @property
    def faults(self) -> dict[str, str]:
        """See `Catalog.faults`."""
        return self._indexer.faults

    def rebuild(self) -> None:
        """See `Catalog.rebuild`."""
        self._guarded(self._indexer.rebuild)

    def get(self, collection: str, item: str) -> Record | None:
        """See `Catalog.get`."""
        return self._ask(lambda db: self._questions.get(db, collection, item))

    def hits(
        self, search: Search, limit: int, after: Cursor | None = None, order: Order = NEWEST_FIRST
    ) -> list[Hit]:
        """See `Catalog.hits`."""
        return self._ask(lambda db: self._questions.hits(db, search, limit, after, order))

    def count(self, search: Search | None = None, most: int | None = None) -> int:
        """See `Catalog.count`."""
        return self._ask(lambda db: self._questions.count(db, search or Search(), most))

    def item(self, record: Record) -> dict[str, Any]:
        """See `Catalog.item`."""
        return self._ask(lambda db: self._questions.document(db, "item", record), fresh=False)

    def info(self, record: Record) -> dict[str, Any]:
        """See `Catalog.info`."""
        return self._ask(lambda db: self._questions.document(db, "info", record), fresh=False)

    def collection_names(self) -> list[str]:
        """See `Catalog.collection_names`."""
        return self._ask(self._questions.collection_names)

    def collection(self, name: str) -> CollectionSummary | None:
        """See `Catalog.collection`. Kept until scenes of it come, change or go."""
        return self._summaries.get(name, lambda: self._ask(lambda db: self._questions.collection(db, name)))

    def coverage(self, search: Search) -> Coverage | None:
        """See `Catalog.coverage`."""
        return self._ask(lambda db: self._questions.coverage(db, search))

    def band_sets(self, search: Search) -> tuple[BandSet, ...]:
        """See `Catalog.band_sets`. Kept, for the latest searches, until scenes come, change or go."""
        return self._band_sets.get(
            search, lambda: self._ask(lambda db: self._questions.band_sets(db, search))
        )

    def days(self, collection: str) -> list[str]:
        """See `Catalog.days`."""
        return self._ask(lambda db: self._questions.days(db, collection))

    def revision(self) -> int:
        """See `Catalog.revision`: milliseconds since 1970 of the last change, or a little more."""
        return self._ask(self._questions.revision)

    def position(self) -> Position:
        """See `Catalog.position`."""
        return self._ask(self._questions.position)

    def changes(self, after: Position | None, limit: int) -> Changes:
        """See `Catalog.changes`."""
        return self._ask(lambda db: self._questions.changes(db, after, limit))

    def broken(self) -> dict[str, str]:
        """See `Catalog.broken`."""
        return self._ask(self._questions.broken)

    def refuse(self, record: Record, error: str) -> None:
        """See `Catalog.refuse`."""
        self._guarded(lambda: self._indexer.refuse(record, error))

    def _ask(self, question: Callable[[Db], T], *, fresh: bool = True) -> T:
        """Ask the database, brought up to date if the answer is to be fresh.

        Raises:
            BusyError: While it is being made anew.
        """

        def ask() -> T:
            if fresh or not self._ledger.complete:
                self._indexer.refresh()
            if not self._ledger.complete:
                raise BusyError("the archives are being indexed; try again in a moment")
            return self._answer(question)

        return self._guarded(ask)

    def _summed(self, name: str, db: Db) -> CollectionSummary | None:
        return self._questions.collection(db, name)

    def _looked(self, served: int, broken: int) -> None:
        """After a look at the folders: name the scenes that differ from most of their collection, once."""
        # Not by `_ask`, which would look at the folders again.
        revision = self._answer(self._questions.revision)
        if self._ledger.complete and revision != self._looked_at:
            names = self._answer(self._questions.collection_names)
            summed = (self._answer(partial(self._summed, name)) for name in names)
            found = [one for one in summed if one is not None]
            said = {one.id: one.oddity for one in found if one.odd}
            for name, sentence in said.items():
                if self._said.get(name) != sentence:
                    log.warning("scenes differ", extra={"fields": {"differing": sentence}})
            self._looked_at, self._said = revision, said
            self._odd = sum(one.odd_count for one in found)
        if self._watch:
            self._watch(served, broken, self._odd)
