"""Which bytes of a scene show its area as sharp as it is, and which show what somebody looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from comeo.archive import Archive, Level
from comeo.archive.ranges import pieces_of, with_finer
from comeo.archive.references import Place
from comeo.archive.stores.extents import Extents
from comeo.grid import Bounds
from comeo.view.missing import MissingBlock
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import Kept
from tileserver.relay.keeping.received import open_received
from tileserver.relay.plan.areas import parts_shown
from tileserver.relay.plan.offers import Wish


def area_extents(folder: Folder, kept: Kept, wish: Wish) -> Extents:
    """Bytes of the layer `area` and of the head, as far as they can be known.

    Until the head is here it alone is known, and until the indexes of its shards are here these.

    Args:
        folder: Of the relay.
        kept: A scene.
        wish: Whose areas and bands they are.

    Raises:
        ArchiveError: If the head or an index is damaged.
    """
    offer = wish.offer
    head = Extents([(offer.tail, offer.size)])
    here = kept.here_of(offer.size)
    if not here.covers(offer.tail, offer.size):
        return head
    with open_received(folder.file_of(kept), here, kept.key.etag) as archive:
        ranges = pieces_of(archive)
        groups = groups_of(archive, wish.bands)
        boxes = [*boxes_of(wish)]
        found = head
        for bbox in boxes:
            found = found.union(ranges.indexes_of(groups, bbox))
        if not found.without(here).total:
            for bbox in boxes:
                found = found.union(ranges.blocks(groups, bbox))
    return found


def block_extents(folder: Folder, kept: Kept, blocks: Iterable[MissingBlock]) -> Extents:
    """Bytes of blocks of a scene, of those that they are predicted from, and of the indexes of their shards.

    Until the indexes are here these alone are known. What is not a block of the scene is left out.

    Args:
        folder: Of the relay.
        kept: A scene that is on its way, and of which the head is here.
        blocks: Which.

    Raises:
        ArchiveError: If the head or an index is damaged.
    """
    with open_received(folder.part_of(kept), kept.received, kept.key.etag) as archive:
        ranges = pieces_of(archive)
        wanted = with_finer((level, [place]) for level, place in _places(archive, blocks))
        found = ranges.indexes_at(wanted)
        return found if found.without(kept.received).total else found.union(ranges.blocks_at(wanted))


def _places(archive: Archive, blocks: Iterable[MissingBlock]) -> Iterator[tuple[Level, Place]]:
    """Those that an archive has, of blocks that somebody may have made up."""
    for each in blocks:
        group = archive.groups.get(each.group)
        for level in () if group is None else group.levels:
            rows, cols = level.grid
            if level.number == each.level and 0 <= each.row < rows and 0 <= each.col < cols:
                yield level, (each.row, each.col)


def groups_of(archive: Archive, bands: frozenset[str]) -> list[str] | None:
    """Groups that have any of some bands; None, all, where none is named."""
    if not bands:
        return None
    return [name for name, group in archive.groups.items() if any(band.name in bands for band in group.bands)]


def boxes_of(wish: Wish) -> Iterator[Bounds | None]:
    """Boxes in degrees around the parts of the areas that a scene may show; None: everywhere."""
    for area in wish.areas:
        if area is None:
            yield None
            continue
        for piece in parts_shown(area, wish.offer.bbox):
            west, south, east, north = piece.bounds
            yield west, south, east, north
