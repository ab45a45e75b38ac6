"""Reads every byte that is kept again, and has what is damaged fetched again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import LocalFile
from comeo.errors import ComeoError
from tileserver.relay.keeping.checking import damaged
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import NOTHING, Journal, Kept
from tileserver.relay.keeping.offering import offer_of, put_in
from tileserver.relay.keeping.retention import settle_faded
from tileserver.relay.plan.definition import Layer
from tileserver.relay.plan.offers import Key


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a scene.

    Attributes:
        key: Which.
        checked: Bytes that were read.
        bad: Bytes that are damaged or missing.
    """

    key: Key
    checked: int
    bad: int


def verify(journal: Journal, folder: Folder, *, mend: bool) -> Iterator[Found]:
    """Compare all that is here with its checksums.

    Args:
        journal: Of the relay.
        folder: Its files.
        mend: Whether what is damaged is let go of, to be fetched again by the next run.

    Raises:
        ComeoError: If files cannot be written.
    """
    for kept in [*journal.scenes()]:
        if kept.state == "whole" or kept.layers:
            bad = _bad(folder, kept)
            if bad.total and mend:
                _let_go(journal, folder, kept, bad)
            checked = put_in(kept.line).bytes if kept.state == "whole" else kept.received.total
            yield Found(kept.key, checked, bad.total)


def _bad(folder: Folder, kept: Kept) -> Extents:
    line = put_in(kept.line)
    everything = Extents([(0, line.bytes)])
    path, here = folder.file_of(kept), kept.here_of(line.bytes)
    try:
        if path.stat().st_size != line.bytes:
            return everything
        if kept.state == "whole" and LocalFile(path).sha256() == line.sha256:
            return NOTHING
        found = damaged(path, replace(kept, received=here), offer_of(line), here)
    except OSError:
        return everything
    return everything if kept.state == "whole" and not found.total else found


def _let_go(journal: Journal, folder: Folder, kept: Kept, bad: Extents) -> None:
    """Have bytes fetched again: the journal forgets them, and readers see the layers before them alone."""
    offer = offer_of(put_in(kept.line))
    keep = kept.here_of(offer.size).without(bad)
    layers: tuple[Layer, ...] = ()
    published = NOTHING
    for layer, start in (("head", offer.tail), ("coarse", offer.coarse)):
        if keep.covers(start, offer.size) and layer in kept.here:
            layers, published = (*layers, layer), Extents([(start, offer.size)])
    after = replace(
        kept, state="coming", received=keep if layers else NOTHING, layers=layers, published=published.total
    )
    journal.put(after)
    if not layers:
        folder.remove(kept)
        return
    try:
        settle_faded(folder, after, published)
    except ComeoError:
        folder.remove(kept)
        journal.put(replace(after, received=NOTHING, layers=(), published=0))
