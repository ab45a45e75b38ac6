"""Which bytes of a scene show its area as sharp as it is."""

from __future__ import annotations

from collections.abc import Iterator

import shapely

from comeo.archive import Archive
from comeo.archive.ranges import pieces_of
from comeo.archive.stores.extents import Extents
from comeo.grid import Bounds
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import Kept
from tileserver.relay.keeping.received import open_received
from tileserver.relay.plan.areas import box_of
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
    collection, item, etag = kept.key
    name = folder.whole if kept.state == "whole" else folder.part
    here = Extents([(0, offer.size)]) if kept.state == "whole" else kept.received
    if not here.covers(offer.tail, offer.size):
        return head
    with open_received(name(collection, item, aside=kept.aside), here, etag) as archive:
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


def groups_of(archive: Archive, bands: frozenset[str]) -> list[str] | None:
    """Groups that have any of some bands; None, all, where none is named."""
    if not bands:
        return None
    return [name for name, group in archive.groups.items() if any(band.name in bands for band in group.bands)]


def boxes_of(wish: Wish) -> Iterator[Bounds | None]:
    """Boxes in degrees around each part of the areas that a scene may show; None: everywhere."""
    footprint = box_of(wish.offer.bbox)
    for area in wish.areas:
        if area is None:
            yield None
            continue
        for part in shapely.get_parts(area):
            if part.intersects(footprint):
                west, south, east, north = part.bounds
                yield west, south, east, north
