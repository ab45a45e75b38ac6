"""What is kept: scenes fade by age, and by the room that there is, to their overviews; those stay."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.sparse import SparseWriter
from comeo.errors import ComeoError
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.intake import Intake
from tileserver.relay.keeping.journal import Journal, Kept
from tileserver.relay.keeping.offering import offer_in
from tileserver.relay.keeping.ranges import area_extents
from tileserver.relay.keeping.waiting import wish_for
from tileserver.relay.plan.definition import OVERVIEW, Disk, Layer, in_order
from tileserver.relay.plan.offers import Key, Wish

_log = logging.getLogger("comeo")
_LOW: Final = 0.9
"""Of what may be kept, to which it fades once it is too much."""
_OLDEST: Final = datetime(1, 1, 1, tzinfo=UTC)


class NoRoomError(Exception):
    """There is no room for what is wanted, whatever may fade."""


class Retention:
    """Lets scenes fade.

    Args:
        journal: Of the relay.
        folder: Its files.
        intake: Who wants scenes.
        disk: How much may be kept.
        clock: Time in UTC.
    """

    def __init__(
        self, journal: Journal, folder: Folder, intake: Intake, disk: Disk, clock: Callable[[], datetime]
    ) -> None:
        self._journal, self._folder, self._intake, self._disk = journal, folder, intake, disk
        self._clock = clock

    def make_room(self, count: int) -> list[Key]:
        """Let scenes fade until there is room for so many bytes; those that did.

        Raises:
            NoRoomError: If there is none.
        """
        faded: list[Key] = []
        if self._lacking(count) > 0:
            faded = [*self._fade_for(count)]
            if self._lacking(count) > 0:
                raise NoRoomError(
                    f"{self._folder.root} has no room for {count} bytes: make some, or allow more by [disk]"
                )
        return faded

    def make_room_for_looks(self, key: Key, count: int) -> None:
        """Make room for so many bytes of what somebody looks at: others of its kind give way, no layers.

        Args:
            key: Of the scene, whose own stay.
            count: Bytes.

        Raises:
            NoRoomError: If there is none.
        """
        if self._lacking(count) > 0:
            self._let_looked_go(count, but=key)
            if self._lacking(count) > 0:
                raise NoRoomError(
                    f"{self._folder.root} has no room for {count} bytes beside its layers; make some, or "
                    "allow more by [disk]"
                )

    def fade(self, now: datetime) -> list[Key]:
        """Let scenes fade that are as old as their subscriptions say, or are too much together."""
        found = [*self._by_age(now)]
        if self._disk.most is not None and self._folder.used() > self._disk.most:
            found += self._fade_for(int(self._disk.most * (1 - _LOW)))
        return found

    def _lacking(self, count: int) -> int:
        """Bytes that are missing for so many more."""
        lacking = count + self._disk.free - self._folder.free()
        if self._disk.most is not None:
            lacking = max(lacking, self._folder.used() + count - self._disk.most)
        return lacking

    def _by_age(self, now: datetime) -> Iterator[Key]:
        for kept in [*self._journal.scenes()]:
            if not kept.layers and kept.state != "whole":
                continue
            fresh = wish_for(kept, self._intake.subscribers, _OLDEST)
            if fresh is None:  # nobody has asked for it since the subscriptions were changed: it stays
                continue
            wish = wish_for(kept, self._intake.subscribers, now)
            if wish is None:
                self._intake.remove(kept)
                yield kept.key
            elif set(wish.layers) < set(fresh.layers):
                yield from self._fade_to(kept, wish, frozenset((*OVERVIEW, *wish.layers)))

    def _let_looked_go(self, count: int, but: Key | None = None) -> None:
        """Let go of what came as somebody looked and no layer has, that which came first before others."""
        for key, _, extents in self._journal.looked():
            if self._lacking(count) <= 0:
                return
            kept = self._journal.get(key)
            if key == but or kept is None:
                continue
            try:
                let_go(
                    self._journal,
                    self._folder,
                    kept,
                    wish_for(kept, self._intake.subscribers, _OLDEST),
                    extents,
                )
            except ComeoError as error:
                _log.warning("%s: %s", key.id, error)

    def _fade_for(self, count: int) -> Iterator[Key]:
        """Let what was only looked at go first, then the oldest: the rest of all, then what is sharp.

        Heads and overviews stay.
        """
        self._let_looked_go(count)
        for left in (frozenset[Layer]((*OVERVIEW, "area")), frozenset(OVERVIEW)):
            scenes = [
                each
                for each in self._journal.scenes()
                if not left.issuperset(each.here) and each.state != "faulty"
            ]
            scenes.sort(key=lambda each: offer_in(each.line).time or _OLDEST)
            for kept in scenes:
                if self._lacking(count) <= 0:
                    return
                wish = wish_for(kept, self._intake.subscribers, _OLDEST)
                if wish is not None:
                    yield from self._fade_to(kept, wish, left)

    def _fade_to(self, kept: Kept, wish: Wish, left: Collection[Layer]) -> Iterator[Key]:
        """Let go of all layers but some; nothing is done where there are no others."""
        if set(kept.here).issubset(left):
            return
        try:
            fade(self._journal, self._folder, kept, wish, left)
        except ComeoError as error:
            _log.warning("%s: %s", kept.key.id, error)
            return
        yield kept.key


def fade(journal: Journal, folder: Folder, kept: Kept, wish: Wish, left: Collection[Layer]) -> Kept:
    """Let go of all layers of a scene but some.

    The journal says so first: after a kill `settle_faded` does the rest.

    Args:
        journal: Of the relay.
        folder: Its files.
        kept: The scene.
        wish: Of what the area is, if it stays.
        left: Layers that stay, or may still come: the head among them.

    Raises:
        ComeoError: If its files cannot be read or written.
    """
    offer, layers = wish.offer, tuple(layer for layer in kept.here if layer in left)
    keep = _layers_of(folder, replace(kept, layers=layers), wish)
    keep = keep.common(kept.here_of(offer.size))
    after = replace(
        kept, state="coming", received=keep, published=keep.total, layers=layers, keeps=in_order(left)
    )
    with journal.writing():
        journal.put(after)
        journal.forget_looked(kept.key)  # what is no layer goes
    settle_faded(folder, after)
    return after


def let_go(journal: Journal, folder: Folder, kept: Kept, wish: Wish | None, extents: Extents) -> None:
    """Let go of bytes of a scene that no layer has.

    The journal says so first, and forgets what was looked at last: after a kill it is done again.

    Args:
        journal: Of the relay.
        folder: Its files.
        kept: The scene.
        wish: Of what the area is; None: nobody wants the scene any more, and it stays as it is.
        extents: Bytes that came as somebody looked.

    Raises:
        ComeoError: If its files cannot be read or written.
    """
    if kept.state == "coming" and wish is not None:
        keep = kept.received.without(extents)
        keep = keep.union(kept.received.common(_layers_of(folder, kept, wish)))
        writer = SparseWriter.create(folder.part_of(kept), wish.offer.size, kept.key.etag)
        try:
            journal.put(replace(kept, received=keep, published=writer.published.common(keep).total))
            writer.punch(keep, kept.layers)
        finally:
            writer.close()
    journal.forget_looked(kept.key)


def _layers_of(folder: Folder, kept: Kept, wish: Wish) -> Extents:
    """Bytes of the layers of a scene that is on its way."""
    offer, layers = wish.offer, kept.layers
    found = Extents([(offer.coarse if "coarse" in layers else offer.tail, offer.size)])
    return found.union(area_extents(folder, kept, wish)) if "area" in layers else found


def settle_faded(folder: Folder, kept: Kept, published: Extents | None = None) -> None:
    """Let the files of a faded scene be as the journal says.

    Args:
        folder: Of the relay.
        kept: The scene.
        published: What readers see of what is kept; by default all.

    Raises:
        ArchiveError: If they cannot be read or written.
    """
    whole, part = folder.whole_of(kept), folder.part_of(kept)
    if whole.exists():
        writer = SparseWriter.fade(whole, kept.received, kept.layers, kept.key.etag)
    elif part.exists():
        writer = SparseWriter.create(part, part.stat().st_size, kept.key.etag)
    else:
        return
    try:
        writer.punch(kept.received, kept.layers)
        if published is not None:
            writer.publish(kept.layers, published)
    finally:
        writer.close()
