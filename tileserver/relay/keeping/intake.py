"""What an origin's lines change: scenes begin to be wanted, give way to newer versions, or are dropped."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import LocalFile
from tileserver.relay.feed.lines import DropLine, Index, Line, PutLine, href_of, told
from tileserver.relay.feed.passing import passed
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import Journal, Kept, Known
from tileserver.relay.keeping.offering import offer_of
from tileserver.relay.plan.definition import LAYERS
from tileserver.relay.plan.offers import Key, Subscriber, wish_of

_log = logging.getLogger("comeo")
_PATIENCE = timedelta(days=1)
"""So long a replaced scene waits for the one that replaces it."""


class Intake:
    """Applies lines to the journal.

    Args:
        journal: Of the relay.
        folder: Its files.
        subscribers: Who want scenes.
        drops: How long scenes stay that the origin no longer has: see `Relay`.
    """

    def __init__(
        self, journal: Journal, folder: Folder, subscribers: Sequence[Subscriber], drops: timedelta | None
    ) -> None:
        self._journal = journal
        self._folder = folder
        self.subscribers = subscribers
        self._drops = drops

    def take(self, index: Index, lines: Iterable[Line], now: datetime) -> list[Key]:
        """Apply lines in one transaction, with the place up to which the feed has been read.

        Args:
            index: Of the feed.
            lines: In their order, checked.
            now: Time.

        Returns:
            Scenes that changed.
        """
        changed: dict[Key, None] = {}
        uuid = index.origin
        with self._journal.writing():
            for line in lines:
                about = told(line)
                found: list[Key] = []
                if isinstance(about, PutLine):
                    here = about.model_copy(update={"href": href_of(line) or about.href, "seq": line.seq})
                    found = self._put(uuid, here, now)
                elif about is not None:
                    found = self._drop(uuid, about, line.seq, now)
                if found:
                    self._keep_line(line, index, found)
                changed.update(dict.fromkeys(found))
                self._journal.set_origin(uuid, Known(index.epoch, line.seq))
        return [*changed]

    def sweep(self, now: datetime) -> list[Key]:
        """Remove what was dropped and is no longer to be kept; the scenes that it was."""
        removed = []
        for kept in self._journal.scenes():
            if kept.dropped is not None and self._is_over(kept, now):
                self.remove(kept)
                removed.append(kept.key)
        return removed

    def settle(self, uuid: str, now: datetime) -> list[Key]:
        """End a new epoch's reading: what it has not named is no longer there."""
        found = self._journal.unconfirmed(uuid)
        with self._journal.writing():
            for kept in found:
                self._drop_one(kept, "expired", now)
        return [kept.key for kept in found]

    def _keep_line(self, line: Line, index: Index, keys: Sequence[Key]) -> None:
        """Keep a line as it was signed, so that it can be passed on, if it is of scenes that are kept."""
        about, found = told(line), passed(line, index)
        if about is None or found is None:
            return
        key = Key(about.c, about.id, about.etag if isinstance(about, PutLine) else "")
        if not key.etag or key in keys:
            self._journal.keep_line(key, json.dumps(found._asdict()))

    def _put(self, uuid: str, line: PutLine, now: datetime) -> list[Key]:
        offer = offer_of(line)
        versions = self._journal.versions(offer.key.collection, offer.key.id)
        others = [each for each in versions if each.origin != uuid and each.dropped is None]
        if others:
            _log.warning(
                "%s of %s comes from two origins; the first one's is kept", offer.key.id, offer.key.collection
            )
            return []
        if any(each.seq > line.seq and each.origin == uuid for each in versions):
            return []
        same = next((each for each in versions if each.key == offer.key), None)
        if same is not None:
            again = same.state == "faulty" and line.seq > same.seq
            self._journal.put(
                replace(
                    same, origin=uuid, seq=line.seq, line=line.model_dump_json(), confirmed=True,
                    dropped=None, dropped_at=None, state="coming" if again else same.state,
                    problem=None if again else same.problem,
                )
            )  # fmt: skip
            return [same.key]
        if wish_of(offer, self.subscribers, now) is None:
            return [key for each in versions for key in self._drop_one(each, "replaced", now)]
        aside = False
        for each in versions:
            if each.aside or not (each.layers or each.state == "whole"):
                self.remove(each)
            else:
                aside = True
        new = Kept(offer.key, uuid, line.seq, line.model_dump_json(), "coming", now, aside)
        self._journal.put(new if versions else self._found(new, line))
        return [*(each.key for each in versions), offer.key]

    def _found(self, kept: Kept, line: PutLine) -> Kept:
        """A scene that is new to the journal; whole, where its archive is here: the journal has been lost."""
        path = self._folder.whole(line.c, line.id)
        if not path.is_file() or path.stat().st_size != line.bytes or LocalFile(path).sha256() != line.sha256:
            return kept
        _log.info("%s is here already, and not fetched again", line.id)
        return replace(
            kept, state="whole", received=Extents([(0, line.bytes)]), layers=LAYERS, published=line.bytes
        )

    def _drop(self, uuid: str, line: DropLine, seq: int, now: datetime) -> list[Key]:
        found: list[Key] = []
        for each in self._journal.versions(line.c, line.id):
            if each.origin == uuid and each.seq <= seq:
                found += self._drop_one(each, line.why, now)
        return found

    def _drop_one(self, kept: Kept, why: str, now: datetime) -> list[Key]:
        dropped = replace(kept, dropped=why, dropped_at=now)
        if self._is_over(dropped, now):
            self.remove(kept)
        else:
            self._journal.put(dropped)
        return [kept.key]

    def _is_over(self, kept: Kept, now: datetime) -> bool:
        """Whether a dropped scene is to be removed."""
        if kept.dropped is None or kept.dropped_at is None:
            return False
        if kept.dropped == "withdrawn":
            return True
        if kept.dropped == "replaced" and now - kept.dropped_at < _PATIENCE:
            return not kept.layers  # it is served until the other one is here
        return self._drops is not None and now - kept.dropped_at >= self._drops

    def remove(self, kept: Kept) -> None:
        """Remove a scene: its files first, so that after a kill between both it is found again."""
        self._folder.remove(kept)
        self._journal.remove(kept.key)
