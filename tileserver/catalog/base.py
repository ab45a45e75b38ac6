"""The contract of a catalogue: where scenes are found, whatever keeps them.

`tests/tileserver/catalog/contract.py` holds every implementation to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from comeo.archive.stores import whole_of
from comeo.errors import ParameterError
from comeo.scene import Band
from tileserver.catalog.feed import Changes, Position
from tileserver.catalog.filters import PROPERTY_NAME, Condition
from tileserver.catalog.kinds import BandSet, OddScene, common_bands

NAMED_ODD = 100  # scenes that a summary names as differing from the others
_SAID = 3
PAGE = 100  # records that `records` fetches at once
COMPLETENESS, LAYERS = "comeo:completeness", "comeo:layers"
"""Properties of a scene of which not all is here: share of its bytes, and names of what is as a whole."""
BBox = tuple[float, float, float, float]
# Place in sorted results: values of the sort keys, collection and id. JSON can hold it; else it is opaque.
Cursor = tuple[str | int | float | None, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A scene of the catalogue, with all it takes to find and open its archive.

    Attributes:
        path: Of the archive, a file or folder.
        signature: State of the archive on disk; it changes when the archive is replaced.
        collection: STAC Collection id.
        id: STAC Item id, unique in its collection.
        datetime: Acquisition time in UTC, or None where it is unknown.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian.
        etag: Hex digest of the archive's content; of one of which not all is here, it changes with what is.
        bands: Of all groups, finest first.
    """

    path: str
    signature: str
    collection: str
    id: str
    datetime: datetime | None
    bbox: BBox
    etag: str
    bands: tuple[Band, ...]

    @property
    def whole_etag(self) -> str:
        """`etag` of the whole archive: what is worked out of pixels stands when more of them comes."""
        return whole_of(self.etag)

    @property
    def is_whole(self) -> bool:
        """Whether all of the archive is here."""
        return self.whole_etag == self.etag


class Hit(NamedTuple):
    """A scene that a search found, and the cursor of its place in the results."""

    record: Record
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Search:
    """Conditions that scenes have to meet; None leaves one open.

    Attributes:
        collections: STAC Collection ids.
        ids: STAC Item ids.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian. Scenes meet it that
            touch it.
        start: Earliest acquisition, inclusive. Scenes of unknown time do not meet it.
        end: Latest acquisition, inclusive. Likewise.
        filter: On properties; see `tileserver.catalog.filters`.
    """

    collections: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    bbox: BBox | None = None
    start: datetime | None = None
    end: datetime | None = None
    filter: Condition | None = None


class SortKey(NamedTuple):
    """One key of an order.

    Attributes:
        field: `id`, `collection`, `datetime` or the name of another STAC Item property.
        descending: Greatest first. Items without a value come last either way.
    """

    field: str
    descending: bool = False

    def check(self) -> None:
        """Refuse a field that cannot be the name of a property.

        Raises:
            ParameterError: Naming the field.
        """
        if not PROPERTY_NAME.fullmatch(self.field):
            raise ParameterError(f"sortby: {self.field[:40]!r} is not the name of a property")


class Order(NamedTuple):
    """How results are sorted; collection and id decide among equals, so that pages are stable."""

    keys: tuple[SortKey, ...]

    def check(self) -> None:
        """Check all keys: see `SortKey.check`."""
        for key in self.keys:
            key.check()


NEWEST_FIRST = Order((SortKey("datetime", descending=True),))


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """A collection, summed up from its items.

    Attributes:
        id: STAC Collection id.
        count: Of scenes, at least 1.
        bbox: Of all scenes, in degrees; west > east across the antimeridian.
        start: Of the oldest scene whose time is known; None if no time is.
        end: Of the newest one.
        band_sets: See `Catalog.band_sets`.
        properties: Values that the items have in platform, instruments, orbit and the like.
        odd: Scenes that differ from most of the others, at most `NAMED_ODD` of them.
        odd_count: Of all such scenes.
    """

    id: str
    count: int
    bbox: BBox
    start: datetime | None
    end: datetime | None
    band_sets: tuple[BandSet, ...]
    properties: dict[str, list[Any]]
    odd: tuple[OddScene, ...] = ()
    odd_count: int = 0

    @property
    def bands(self) -> tuple[Band, ...]:
        """Bands that most scenes have, each name once."""
        return common_bands(self.band_sets)

    @property
    def oddity(self) -> str:
        """One sentence for the operator that names scenes that differ from most of the others, or empty."""
        if not self.odd:
            return ""
        named = "; ".join(f"{one.id}: {one.reason}" for one in self.odd[:_SAID])
        more = f"; and {self.odd_count - _SAID} more" if self.odd_count > _SAID else ""
        verb = "differs" if self.odd_count == 1 else "differ"
        return f"{self.odd_count} of {self.count} scenes of {self.id} {verb} from the others ({named}{more})"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Area that the scenes of a search cover together.

    Attributes:
        count: Of scenes, at least 1.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian.
        by_crs: Likewise, of the scenes of each projection.
    """

    count: int
    bbox: BBox
    by_crs: dict[str, BBox]


class Catalog(ABC):
    """Scenes by collection, id, place and time.

    A catalogue holds nothing that the archives do not, so it can be deleted and rebuilt at any time. It keeps
    itself up to date: an answer shows the archives as they were at most a stated time ago, and no caller has
    to ask for that. It may be shared between threads and used on both sides of a fork.
    """

    @abstractmethod
    def refresh(self, *, force: bool = False) -> None:
        """Take in new, changed and removed archives.

        Args:
            force: Return only when all changes made before the call have been taken in. Otherwise nothing
                happens where that has been done a short while ago, or is being done.
        """

    @abstractmethod
    def rebuild(self) -> None:
        """Forget everything and index all archives again."""

    @abstractmethod
    def check(self) -> None:
        """Make sure that what the catalogue keeps is sound and complete; what is damaged is made anew.

        Raises:
            BusyError: While it is not.
        """

    @abstractmethod
    def get(self, collection: str, item: str) -> Record | None:
        """Find one scene; None if it is missing."""

    @abstractmethod
    def hits(
        self, search: Search, limit: int, after: Cursor | None = None, order: Order = NEWEST_FIRST
    ) -> list[Hit]:
        """Find scenes in an order, a page at a time.

        Args:
            search: Conditions.
            limit: Length of the page.
            after: Cursor of the last hit of the page before.
            order: Of the results.

        Raises:
            ParameterError: If the cursor is of another order, or a sort key is not a property's name.
        """

    @abstractmethod
    def count(self, search: Search | None = None, most: int | None = None) -> int:
        """Number of scenes that meet a search; without one, of all.

        Args:
            search: Conditions.
            most: Counting ends there: to know that there are many must not take as long as to count them.
        """

    @abstractmethod
    def item(self, record: Record) -> dict[str, Any]:
        """STAC Item that a scene's archive carries.

        Raises:
            BusyError: If the scene has gone or been replaced since it was found.
        """

    @abstractmethod
    def info(self, record: Record) -> dict[str, Any]:
        """`Archive.info()` of a scene's archive.

        Raises:
            BusyError: If the scene has gone or been replaced since it was found.
        """

    @abstractmethod
    def collection_names(self) -> list[str]:
        """Ids of all collections, sorted."""

    @abstractmethod
    def collection(self, name: str) -> CollectionSummary | None:
        """Sum up one collection, or None if it has no scenes."""

    @abstractmethod
    def coverage(self, search: Search) -> Coverage | None:
        """Sum up the scenes of a search, or None if there are none."""

    @abstractmethod
    def band_sets(self, search: Search) -> tuple[BandSet, ...]:
        """Each combination of bands that scenes of a search have, once, that of the most scenes first.

        Among equals that of the newest scenes comes first.
        """

    @abstractmethod
    def days(self, collection: str) -> list[str]:
        """Days (UTC, `2024-05-01`) on which a collection has scenes, oldest first."""

    @abstractmethod
    def revision(self) -> int:
        """A number that grows whenever scenes come, change or go."""

    @abstractmethod
    def position(self) -> Position:
        """The end of the feed of changes: it differs whenever scenes have come, changed or gone."""

    @abstractmethod
    def changes(self, after: Position | None, limit: int) -> Changes:
        """A page of the feed of changes: see `tileserver.catalog.feed`.

        Whoever takes each change that is told, from the beginning, has the scenes that searches show.

        Args:
            after: Where the page before ended; None to begin.
            limit: Length of the page.

        Raises:
            GoneError: If the feed can't be read from there: the journal was lost or rebuilt, the place was
                never reached, or scenes have gone that are no longer told of.
        """

    @property
    @abstractmethod
    def faults(self) -> dict[str, str]:
        """Buckets that this process could not look at when it looked the last time, with the reason."""

    @abstractmethod
    def broken(self) -> dict[str, str]:
        """Archives that cannot be served, by file name, with the reason."""

    @abstractmethod
    def refuse(self, record: Record, error: str) -> None:
        """Take out an archive that has turned out to be damaged, until it changes.

        Args:
            record: As it was found. If the archive has been replaced since, nothing happens.
            error: The reason, for `broken`.
        """

    @abstractmethod
    def close(self) -> None:
        """Release what this thread holds open. The next call opens it again."""

    def search(self, search: Search, limit: int) -> list[Record]:
        """The newest scenes of a search, at most `limit` of them."""
        return [hit.record for hit in self.hits(search, limit)]

    def records(self, search: Search) -> Iterator[Record]:
        """All scenes of a search, newest first, fetched page by page."""
        after: Cursor | None = None
        while True:
            page = self.hits(search, PAGE, after)
            yield from (hit.record for hit in page)
            if len(page) < PAGE:
                return
            after = page[-1].cursor

    def collections(self) -> list[CollectionSummary]:
        """All collections, summed up."""
        return [summary for name in self.collection_names() if (summary := self.collection(name))]
