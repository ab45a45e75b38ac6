"""Brings a scene layer by layer: what has come is checked, then published as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import LocalFile
from comeo.archive.stores.sparse import SparseWriter
from comeo.errors import ReplacedError
from tileserver.relay.keeping.bringing import Bringer
from tileserver.relay.keeping.checking import damaged, unprotected
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import Journal, Kept
from tileserver.relay.keeping.offering import put_in
from tileserver.relay.keeping.ranges import area_extents
from tileserver.relay.keeping.swapping import is_as_good, swap
from tileserver.relay.plan.definition import LAYERS, Layer, in_order
from tileserver.relay.plan.offers import Wish

MOST_TRIES: Final = 3
"""What is wrong is asked for again twice."""
_PIECE: Final = 1 << 20
_SMALL: Final = 1 << 13
"""Bytes of overviews that come with the head: a request of their own would cost as much again."""


class FaultyError(Exception):
    """A scene is not what its line says, however often it is asked for."""


class Layering:
    """Brings layers.

    Args:
        journal: Of the relay.
        folder: Its files.
        note: Called with what people should know.
    """

    def __init__(
        self, journal: Journal, folder: Folder, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._journal, self._folder, self._note = journal, folder, note

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
        part = self._folder.part(kept.key.collection, kept.key.id, aside=kept.aside)
        writer = self._writer(part, wish.offer.size, kept)
        try:
            kept, wanted = self._fetch(bringer, writer, kept, wish, layer)
            if kept.received.covers(0, wish.offer.size):
                writer.complete()
                kept = replace(kept, state="whole", layers=LAYERS, published=wish.offer.size, problem=None)
            else:
                layers = in_order(("head", *kept.layers, layer))
                extents = writer.published.union(wanted)
                writer.publish(layers, extents)
                kept = replace(kept, layers=layers, published=extents.total, problem=None)
        finally:
            writer.close()
        self._journal.put(kept)
        return self.swapped(kept, wish)

    def _writer(self, part: Path, size: int, kept: Kept) -> SparseWriter:
        try:
            return SparseWriter.create(part, size, kept.key.etag)
        except ReplacedError:  # what a version left that is no longer wanted
            SparseWriter.discard(part)
            return SparseWriter.create(part, size, kept.key.etag)

    def _fetch(
        self, bringer: Bringer, writer: SparseWriter, kept: Kept, wish: Wish, layer: Layer
    ) -> tuple[Kept, Extents]:
        """Bring all of a layer until nothing of it is damaged; the scene, and the layer's bytes."""
        line = put_in(kept.line)
        tries = 0
        sound = False  # what came before a kill has not been checked
        while True:
            wanted = self._wanted(kept, wish, layer)
            if not sound or wanted.without(kept.received).total:
                if layer == "head" and tries == 0:
                    kept = bringer.bring_head(kept, line, writer, alerts=wish.alerts)
                kept = bringer.bring(kept, line.href, writer, wanted, alerts=wish.alerts)
                bad, sound = damaged(writer.path, kept, wish.offer, wanted), True
            elif kept.received.covers(0, line.bytes) and not is_right(writer.path, line.sha256):
                wanted = Extents([(0, line.bytes)])
                bad = unprotected(writer.path, kept) if tries == 0 else wanted
            else:
                return kept, wanted
            if not bad.total:
                continue
            tries += 1
            kept = replace(kept, received=kept.received.without(bad))
            self._journal.put(kept)
            if tries == MOST_TRIES:
                raise FaultyError(f"its {layer} came damaged {MOST_TRIES} times")
            self._note(f"{kept.key.id}: {bad.total} bytes of {layer} came damaged; they are asked for again")

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


def is_right(path: Path, sha256: str) -> bool:
    """Whether a file that is all here is the one that was signed."""
    file = LocalFile(path)
    digest = hashlib.sha256()
    for offset in range(0, file.size, _PIECE):
        digest.update(file.read(offset, min(_PIECE, file.size - offset)))
    return digest.hexdigest() == sha256
