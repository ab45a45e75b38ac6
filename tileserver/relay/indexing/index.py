"""Which archives buckets have, as their feeds tell: read once, then asked whether there is more."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from comeo.settings import SettingsError
from tileserver.catalog.finding import BucketIndex
from tileserver.catalog.reading import ArchiveReaderProcess, Reading
from tileserver.relay.indexing.hints import FEED_TASK, TOLD_TASK, Look, Seen, Told
from tileserver.settings import Settings
from tileserver.temporary import temporary_folder

CHILD: Final = "tileserver.relay.indexing.child"


@dataclass
class _Feed:
    """A feed as far as it was read.

    Attributes:
        epoch: Of its log; 0 before the first look.
        last: Number of the last line.
        state: ETag of the index that told of no more lines.
        places: Addresses of archives by collection and id.
        told: What is told of an archive, by its address.
        signatures: Of archives, likewise.
    """

    epoch: int = 0
    last: int = 0
    state: str = ""
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)

    def take(self, about: Told) -> None:
        """Take in what a line tells."""
        former = self.places.pop(about.scene, None)
        if former is not None and former in self.told and self.told[former].scene == about.scene:
            del self.told[former], self.signatures[former]
        if about.path is not None:
            self.places[about.scene] = about.path
            self.told[about.path] = about
            self.signatures[about.path] = about.signature


class FeedIndex:
    """Finds archives of buckets by their feeds, which a process of its own reads and checks.

    Args:
        trusted: Folder where is kept which origins they are, and how far they were seen.
    """

    def __init__(self, trusted: Path) -> None:
        self._trusted = trusted
        self._process = ArchiveReaderProcess(CHILD)
        self._feeds: dict[str, _Feed] = {}

    def look(self, place: str) -> tuple[Mapping[str, str], str]:
        """See `BucketIndex.look`. What was read stays, where the rest cannot be read now."""
        feed = self._feeds.get(place, _Feed())
        while True:
            page, fault = self._page(place, feed)
            if fault:
                return {}, fault
            if page.told is None:
                return feed.signatures, ""
            if page.epoch != feed.epoch:  # only what is told in this one is there
                feed = _Feed(page.epoch)
            for about in page.told:
                feed.take(about)
            feed.last = page.upto
            if page.upto == page.last:
                feed.state = page.state
                self._feeds[place] = feed
                return feed.signatures, ""

    def read(self, paths: Sequence[str]) -> Generator[Reading, None, None]:
        """See `BucketIndex.read`: by heads that the feed has, where it has them."""
        about = {path: told.model_dump_json() for path in paths if (told := self._told(path)) is not None}
        yield from self._process.read(paths, TOLD_TASK, {path: about.get(path, "") for path in paths})

    def check(self, place: str) -> None:
        """Refuse a bucket whose feed cannot be read.

        Raises:
            SettingsError: Saying why.
        """
        _, fault = self._page(place, _Feed())
        if fault:
            raise SettingsError(f"{fault} (COMEO_BUCKET_INDEX=feed)")

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _page(self, place: str, feed: _Feed) -> tuple[Look, str]:
        """The lines of a feed that follow, up to the end of a segment, or why they cannot be read."""
        name = hashlib.sha256(place.encode()).hexdigest()[:16]
        seen = Seen(
            trust=str(self._trusted / f"{name}.json"), state=feed.state, epoch=feed.epoch, last=feed.last
        )
        out = self._process.ask(FEED_TASK, place, seen.model_dump_json())
        return (Look(), out["error"]) if "error" in out else (Look.model_validate(out), "")

    def _told(self, path: str) -> Told | None:
        return next((feed.told[path] for feed in self._feeds.values() if path in feed.told), None)


def bucket_index(settings: Settings) -> BucketIndex | None:
    """What buckets are looked at by, as the settings say; None where they are listed.

    Raises:
        SettingsError: If a feed cannot be read.
    """
    if settings.bucket_index != "feed" or not settings.buckets:
        return None
    import tileserver.relay.upstream.bucket  # noqa: F401, PLC0415 - extras: what is missing is said here

    catalog = settings.catalog
    beside = isinstance(catalog, Path)
    index = FeedIndex(Path(f"{catalog}.feeds") if beside else temporary_folder("feeds"))
    for place in settings.buckets:
        index.check(place)
    return index
