"""A log that follows the changes of a catalogue: what comes is told, what goes is told to be gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from comeo.codecs.learned import find_model
from comeo.errors import ArchiveError, ComeoError, OutOfReachError, ReplacedError, RequestError
from comeo.places import ObjectAddress, in_bucket
from tileserver.catalog import Catalog, Change, Position, Record
from tileserver.errors import GoneError
from tileserver.relay.feed.facts import facts_of, is_told, packed_head
from tileserver.relay.feed.lines import Why, moment
from tileserver.relay.feed.log import Log, Scene
from tileserver.relay.feed.passing import Passed, passing
from tileserver.relay.feed.state import MOST_AGAIN, Followed

_PAGE: Final = 20
_LOG = logging.getLogger(__name__)
Address = Callable[[Record], str]
Clock = Callable[[], datetime]
Lookup = Callable[[Scene, str], Passed | None]
"""What an origin told of a scene with an ETag, or without one of its end; None where it told nothing."""


def nothing_told(_scene: Scene, _etag: str) -> Passed | None:
    """Of archives that are an origin's own."""
    return None


def item_href(record: Record) -> str:
    """Where a server has an archive, below its root."""
    return f"collections/{quote(record.collection, safe='')}/items/{quote(record.id, safe='')}/archive"


def file_href(folder: Path) -> Address:
    """Where a folder has its archives, below itself."""
    root = folder.resolve()

    def href(record: Record) -> str:
        path = Path(record.path).resolve()
        if not path.is_relative_to(root):
            raise ArchiveError(f"{path} lies outside the folder, behind a link; copy the archive into it")
        return quote(path.relative_to(root).as_posix())

    return href


def object_href(folder: ObjectAddress) -> Address:
    """Where a bucket has its archives, below a folder of it."""
    root = str(folder).removesuffix("/") + "/"

    def href(record: Record) -> str:
        if not record.path.startswith(root):
            raise ArchiveError(f"{record.path} does not lie in {root}; publish the folder that it lies in")
        return quote(record.path.removeprefix(root))

    return href


def _stored(record: Record) -> dict[str, str]:
    """The ETag of an object, where the archive is one: readers know by it what a listing would tell."""
    return {"object": record.signature.rpartition("-")[0]} if in_bucket(record.path) else {}


def _place(followed: Followed) -> Position | None:
    """A place in the catalogue's feed; its beginning where what was kept is none."""
    try:
        return None if followed.place is None else Position.parse(followed.place)
    except RequestError:
        return None


class Follower:
    """Brings a log in step with a catalogue, a page at a time.

    Args:
        catalog: That is followed.
        log: Whose `writing` the caller of `step` holds.
        href: Where archives are below the origin's root.
        now: Tells the time that lines carry.
        gone: Why scenes that go are dropped.
        told: What other origins told of archives that a relay has from them: that is passed on.
    """

    def __init__(
        self, catalog: Catalog, log: Log, href: Address, now: Clock, gone: Why = "expired",
        told: Lookup = nothing_told,
    ) -> None:  # fmt: skip
        self._catalog = catalog
        self._log = log
        self._href = href
        self._now = now
        self._gone = gone
        self._told = told

    def is_behind(self) -> bool:
        """Whether the catalogue has changed since the log was in step with it."""
        followed = self._log.followed
        return followed.compare or bool(followed.again) or followed.place != str(self._catalog.position())

    def step(self) -> bool:
        """Tell a page of changes; returns whether there are more.

        A kill between telling and noting how far does no harm: what has been told is not told again.

        Raises:
            ComeoError: If the log cannot be written.
            OSError: Likewise.
        """
        followed = self._log.followed
        again = followed.again
        try:
            page = self._catalog.changes(_place(followed), _PAGE)
        except GoneError:
            # the catalogue was made anew: all of it is compared with what has been told, by ids and ETags
            self._log.follow(Followed(epoch=self._log.epoch, again=again))
            return True
        due = {(each.collection, each.id): each for each in (*self._retried(again), *page.changes)}
        left = self._tell(list(due.values()))
        compare = followed.compare
        if compare and not page.more:
            self._drop_missing()
            compare = False
        self._log.follow(
            Followed(epoch=self._log.epoch, place=str(page.next), compare=compare, again=left[:MOST_AGAIN])
        )
        return page.more

    def _retried(self, again: Sequence[Scene]) -> list[Change]:
        """Changes of scenes that could not be read the last time."""
        found = [self._catalog.get(*scene) for scene in again]
        return [Change(0, each.collection, each.id, each.etag) for each in found if each is not None]

    def _tell(self, changes: Sequence[Change]) -> list[Scene]:
        """Tell changes; returns the scenes that could not be read, for now."""
        lines, left = [], []
        for change in changes:
            try:
                line = self._line(change)
            except (OSError, OutOfReachError) as error:
                _LOG.warning("%s is told of later: %s", change.id, error)
                left.append((change.collection, change.id))
                continue
            if line is not None:
                lines.append(line)
        if lines:
            self._log.tell(lines)
        return left

    def _line(self, change: Change) -> dict[str, Any] | None:
        """What is to be told of a change; None if that has been told, or another change will tell it."""
        scene = (change.collection, change.id)
        etag = self._log.told.get(scene)
        if change.gone:
            return None if etag is None else self._ended(scene)
        if change.etag == etag:
            return None
        record = self._catalog.get(*scene)
        if record is None or record.etag != change.etag:
            return None  # there is a later change
        try:
            put = self._put(record)
        except ReplacedError:
            return None
        return put if put is not None or etag is None else self._dropped(scene, "replaced")

    def _put(self, record: Record) -> dict[str, Any] | None:
        """The line of an archive; None where it cannot be told of."""
        if not is_told(record):
            return None
        told = self._told((record.collection, record.id), record.etag)
        try:
            facts, href = facts_of(record) if told is None else told.line, self._href(record)
            head = packed_head(record.path, facts) if told is None or "packed" in facts else None
        except (ReplacedError, OutOfReachError):
            raise
        except ArchiveError as error:
            _LOG.warning("%s is not told of: %s", record.id, error)
            return None
        line: dict[str, Any] | None
        if told is None:
            packed = {} if head is None else {"packed": len(head)}
            published = moment(self._now().replace(microsecond=0))
            line = {"op": "put", **facts, **packed, **_stored(record), "href": href, "published": published}
        else:
            line = passing(self._log.origin, told, href)
            head = head if head and len(head) <= facts["packed"] else None
        if line is None:
            return None
        try:
            self._log.check(line)
        except ComeoError as error:
            _LOG.warning("%s", error)
            return None
        self._keep(facts, head)
        return line

    def _keep(self, facts: Mapping[str, Any], head: bytes | None) -> None:
        """Let be fetched what an archive needs, and its head."""
        self._keep_model(facts.get("model"))
        if head is not None:
            self._log.keep_head(facts["etag"], head)

    def _keep_model(self, digest: str | None) -> None:
        model = None if digest is None or digest in self._log.models else find_model(digest)
        if model is not None and digest is not None:
            self._log.keep_model(digest, model.content)

    def _drop_missing(self) -> None:
        """Drop what the log tells of and the catalogue has no more."""
        kept = [scene for scene, etag in self._log.told.items() if etag is not None]
        lines = [self._ended(scene) for scene in kept if self._catalog.get(*scene) is None]
        if lines:
            self._log.tell(lines)

    def _ended(self, scene: Scene) -> dict[str, Any]:
        """The line of a scene that has gone: the origin's own, if that has ended it."""
        told = self._told(scene, "")
        found = None if told is None else passing(self._log.origin, told)
        return self._dropped(scene, self._gone) if found is None else found

    def _dropped(self, scene: Scene, why: Why) -> dict[str, Any]:
        return {"op": "drop", "c": scene[0], "id": scene[1], "why": why}
