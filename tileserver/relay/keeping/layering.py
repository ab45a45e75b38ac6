"""Brings a scene layer by layer: what has come is checked, then published as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import LocalFile
from comeo.archive.stores.sparse import SparseWriter
from comeo.errors import ReplacedError
from comeo.view.missing import MissingBlock
from tileserver.relay.keeping.bringing import Bringer
from tileserver.relay.keeping.checking import damaged, scene_of, unprotected
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import Journal, Kept, now_utc
from tileserver.relay.keeping.offering import offer_in, put_in
from tileserver.relay.keeping.ranges import area_extents, block_extents
from tileserver.relay.keeping.swapping import is_as_good, swap
from tileserver.relay.plan.definition import LAYERS, Layer, in_order
from tileserver.relay.plan.offers import Offer, Wish

MOST_TRIES: Final = 3
"""What is wrong is asked for again twice."""
_SMALL: Final = 1 << 13
"""Bytes of overviews that come with the head: a request of their own would cost as much again."""


class FaultyError(Exception):
    """A scene is not what its line says, however often it is asked for."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is brought of a scene.

    Attributes:
        offer: The scene.
        name: Of what is brought, for people; a layer's own.
        extents: Its bytes, as far as they can be known by what is here.
        alerts: Whether it is for alerts.
        on_demand: Whether somebody looks at it.
    """

    offer: Offer
    name: str
    extents: Callable[[Kept], Extents]
    alerts: bool = False
    on_demand: bool = False


class Layering:
    """Brings layers.

    Args:
        journal: Of the relay.
        folder: Its files.
        note: Called with what people should know.
        clock: Time in UTC.
    """

    def __init__(
        self,
        journal: Journal,
        folder: Folder,
        note: Callable[[str], None] = lambda _: None,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._journal, self._folder, self._note, self._clock = journal, folder, note, clock

    def bring(self, bringer: Bringer, kept: Kept, wish: Wish, layer: Layer) -> Kept:
        """Bring a layer of a scene, check and publish it.

        Args:
            bringer: Of its origin.
            kept: The scene.
            wish: Who wants it.
            layer: The next one that is missing; `coarse` brings a head that is missing, too.

        Returns:
            The scene as it is now.

        Raises:
            FaultyError: If it is damaged each time.
            PausedError: If the link may not be used now.
            UpstreamError: If the line is cut, or the origin has another archive; see `Bringer.bring`.
            ArchiveError: If the disk refuses.
        """
        wanted = _Wanted(wish.offer, layer, lambda now: self._wanted(now, wish, layer), wish.alerts)
        writer = self._writer(kept, wish.offer.size)
        try:
            kept, extents = self._fetch(bringer, writer, kept, wanted)
            if "head" not in kept.layers:
                self._check_scene(writer, kept)
            if kept.received.covers(0, wish.offer.size):
                writer.complete()
                kept = replace(kept, state="whole", layers=LAYERS, published=wish.offer.size, problem=None)
            else:
                layers = in_order(("head", *kept.layers, layer))
                extents = writer.published.union(extents)
                writer.publish(layers, extents)
                kept = replace(kept, layers=layers, published=extents.total, problem=None)
        finally:
            writer.close()
        self._journal.put(kept)
        return self.swapped(kept, wish)

    def bring_looked(self, bringer: Bringer, kept: Kept, blocks: Sequence[MissingBlock]) -> Kept:
        """Bring blocks of a scene that somebody looks at, check and publish them: layers stay as they are.

        Args:
            bringer: Of its origin.
            kept: The scene, its head being here.
            blocks: Which; others than the scene has are left out.

        Returns:
            The scene as it is now.

        Raises:
            FaultyError, PausedError, UpstreamError, ArchiveError: As `bring`.
        """
        offer, before = offer_in(kept.line), kept.received

        def looked(now: Kept) -> Extents:
            found = block_extents(self._folder, now, blocks)
            self._journal.look(now.key, found, self._clock())  # first: so it never lacks what is on the disk
            return found

        writer = self._writer(kept, offer.size)
        try:
            wanted = _Wanted(offer, "blocks", looked, on_demand=True)
            kept, extents = self._fetch(bringer, writer, kept, wanted)
            extents = writer.published.union(extents)
            writer.publish(kept.layers, extents)
        finally:
            writer.close()
        # Bytes between blocks came along, and are not known to be right: they would count as a layer's begun.
        received = before.union(kept.received.common(extents))
        kept = replace(kept, received=received, published=extents.total)
        self._journal.put(kept)
        return kept

    def _check_scene(self, writer: SparseWriter, kept: Kept) -> None:
        """Refuse an archive of another scene than its line tells of: it would be served as that one."""
        collection, item = scene_of(writer.path, kept)
        if (collection, item) != kept.key[:2]:
            raise FaultyError(f"its archive says that it is {item} of {collection}")

    def _writer(self, kept: Kept, size: int) -> SparseWriter:
        part = self._folder.part_of(kept)
        try:
            return SparseWriter.create(part, size, kept.key.etag)
        except ReplacedError:  # what a version left that is no longer wanted
            SparseWriter.discard(part)
            return SparseWriter.create(part, size, kept.key.etag)

    def _fetch(
        self, bringer: Bringer, writer: SparseWriter, kept: Kept, wanted: _Wanted
    ) -> tuple[Kept, Extents]:
        """Bring all that is wanted until nothing of it is damaged; the scene, and the bytes that they are."""
        line = put_in(kept.line)
        tries = 0
        sound = False  # what came before a kill has not been checked
        while True:
            extents = wanted.extents(kept)
            if not sound or extents.without(kept.received).total:
                if wanted.name == "head" and tries == 0:
                    kept = bringer.bring_head(kept, line, writer, alerts=wanted.alerts)
                kept = bringer.bring(
                    kept, line.href, writer, extents, alerts=wanted.alerts, on_demand=wanted.on_demand
                )
                bad, sound = damaged(writer.path, kept, wanted.offer, extents), True
            elif kept.received.covers(0, line.bytes) and LocalFile(writer.path).sha256() != line.sha256:
                extents = Extents([(0, line.bytes)])
                bad = unprotected(writer.path, kept) if tries == 0 else extents
            else:
                return kept, extents
            if not bad.total:
                continue
            tries += 1
            kept = replace(kept, received=kept.received.without(bad))
            self._journal.put(kept)
            if tries == MOST_TRIES:
                raise FaultyError(f"its {wanted.name} came damaged {MOST_TRIES} times")
            self._note(
                f"{kept.key.id}: {bad.total} bytes of {wanted.name} came damaged; they are asked for again"
            )

    def _wanted(self, kept: Kept, wish: Wish, layer: Layer) -> Extents:
        """Bytes of a layer and those before it, as far as they can be known."""
        offer = wish.offer
        if layer == "head":
            small = "coarse" in wish.layers and offer.tail - offer.coarse <= _SMALL
            return Extents([(offer.coarse if small else offer.tail, offer.size)])
        if layer == "area" and "rest" in wish.layers and None in wish.areas and not wish.bands:
            return Extents([(0, offer.size)])
        if layer == "area":
            return area_extents(self._folder, kept, wish)
        return Extents([(0 if layer == "rest" else offer.coarse, offer.size)])

    def swapped(self, kept: Kept, wish: Wish) -> Kept:
        """Let a version that lies aside be served, once it shows as much as the older one.

        Raises:
            ArchiveError: If a file cannot be renamed.
        """
        if not kept.aside:
            return kept
        versions = self._journal.versions(kept.key.collection, kept.key.id)
        older = [each for each in versions if not each.aside]
        if all(is_as_good(kept, each, wish.layers) for each in older):
            return swap(self._journal, self._folder, kept)
        return kept
