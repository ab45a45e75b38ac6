"""Where the bytes of an archive lie that show something on their own, for those who fetch it piece by piece.

An archive of which the head is here tells where everything else lies, but for single blocks: these are told
by the indexes of their shards, which are ranges to be fetched first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds

from comeo.archive.blocks import blocks_of
from comeo.archive.clear_model import GROUP, SHARD
from comeo.archive.model import Level
from comeo.archive.reader import Archive
from comeo.archive.references import Place, finer_blocks
from comeo.archive.shard import index_bytes_of
from comeo.archive.stores.base import METADATA_KEY, Range
from comeo.archive.stores.extents import Extents, Span
from comeo.errors import NotFoundError
from comeo.globe import TURN, intersections, pieces, rolled, unrolled
from comeo.grid import WGS84, Bounds, Grid
from comeo.scene import Window

GAP_BYTES: Final = 1 << 14
"""Fetching fewer bytes than these that nobody needs costs less than another request."""
MARGIN: Final = 16
"""Native pixels around an area that its pixels may hang on: by kernels, and by seams of blocks."""
_EDGE_POINTS: Final = 21
_NEAR: Final = 1e-7
"""Degrees."""


class Ranges:
    """Byte ranges of an archive's file.

    Args:
        archive: Open; no more than its head need be here.

    Attributes:
        size: Bytes of the whole archive.
        head: All metadata, the ZIP's directory and its end: what an archive is opened by. In version 2 of the
            format it is one range, up to the end.
        coarse: Overviews, and which pixels are clear. In version 2 one range, right before the head.

    Raises:
        ArchiveError: If the archive is a folder, or its directory points outside it.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._layout = archive.clear_layout
        self.size = archive.archive_bytes
        self._entries = archive.entries()
        last = max((place.stop for place in self._entries.values()), default=0)
        self.head = Extents([*self._all(lambda key: key.endswith(METADATA_KEY)), (last, self.size)])
        coarse = [f"{GROUP}/"] + [f"{level.key}/" for level in self._levels() if level.number]
        self.coarse = Extents(self._all(lambda key: key.startswith(tuple(coarse)))).without(self.head)

    @property
    def rest(self) -> Extents:
        """All but head and coarse: what shows pixels as they are."""
        return Extents([(0, self.size)]).without(self.head).without(self.coarse)

    @cached_property
    def indexes(self) -> Extents:
        """Headers and indexes of all shards of native pixels, by which their blocks are found."""
        return Extents(span for level in self._natives() for span in self._indexes(level, _all_shards(level)))

    def indexes_of(self, groups: Sequence[str] | None = None, bbox: Bounds | None = None) -> Extents:
        """Those of the shards that `blocks` looks into: see there."""
        found = self.indexes_at(self._wanted(groups, bbox))
        classes = self._entries.get(SHARD)
        if classes is None or self._layout is None or not self._classes(bbox):
            return found
        return found.union(Extents(_around(classes, math.prod(self._layout.shape))))

    def blocks(self, groups: Sequence[str] | None = None, bbox: Bounds | None = None) -> Extents:
        """Native blocks of groups, those of finer groups that they are predicted from, and blocks of classes.

        Args:
            groups: Names; all by default.
            bbox: (west, south, east, north) in degrees, west > east across the antimeridian; by default all.

        Raises:
            NotFoundError: If there is no such group.
            NotHereError: If `indexes_of` them are not here yet.
            ArchiveError: If one of these is damaged.
        """
        found = self.blocks_at(self._wanted(groups, bbox))
        places = self._classes(bbox)
        layer = self._archive.clear if places else None
        return found if layer is None else found.union(Extents(layer.ranges(places)))

    def indexes_at(self, blocks: Mapping[Level, Collection[Place]]) -> Extents:
        """Headers and indexes of the shards that have some blocks."""
        return Extents(
            span
            for level, places in blocks.items()
            for span in self._indexes(level, {_shard_of(level, place) for place in places})
        )

    def blocks_at(self, blocks: Mapping[Level, Collection[Place]]) -> Extents:
        """Some blocks, alone.

        Raises:
            NotHereError: If `indexes_at` them are not here yet.
            ArchiveError: If one of these is damaged.
        """
        return Extents(
            span
            for level, places in blocks.items()
            for span in self._archive.block_ranges(level, sorted(places))
        )

    def _wanted(self, groups: Sequence[str] | None, bbox: Bounds | None) -> Mapping[Level, set[Place]]:
        """Native blocks by level."""
        known = self._archive.groups
        names = list(known) if groups is None else groups
        if missing := [name for name in names if name not in known]:
            raise NotFoundError(f"{self._archive.id} has no group {missing[0]}; it has {', '.join(known)}")
        levels = (known[name].levels[0] for name in names)
        return with_finer((level, _blocks(level, known[level.group].crs, bbox)) for level in levels)

    def _indexes(self, level: Level, shards: Iterable[Place]) -> Iterator[Span]:
        """Header and index of each shard that there is."""
        for shard in shards:
            place: Range | None = self._entries.get(level.shard_key(*shard))
            if place is not None:
                yield from _around(place, math.prod(level.shard))

    def _classes(self, bbox: Bounds | None) -> list[Place]:
        """Blocks of classes that an area touches; none where the archive has no classes."""
        return [] if self._layout is None else _blocks(self._layout.level, self._layout.grid.crs, bbox)

    def _all(self, wanted: Callable[[str], bool]) -> list[Span]:
        return [(place.start, place.stop) for key, place in self._entries.items() if wanted(key)]

    def _levels(self) -> Iterator[Level]:
        for group in self._archive.groups.values():
            yield from group.levels

    def _natives(self) -> Iterator[Level]:
        return (level for level in self._levels() if not level.number)


def with_finer(blocks: Iterable[tuple[Level, Collection[Place]]]) -> dict[Level, set[Place]]:
    """Blocks by level, with those of finer levels that they are predicted from."""
    out: dict[Level, set[Place]] = {}
    for level, places in blocks:
        out.setdefault(level, set()).update(places)
        if level.reference is not None:
            under = (finer_blocks(level.reference, level, *place) for place in places)
            out.setdefault(level.reference, set()).update(place for each in under for place in each)
    return out


def pieces_of(archive: Archive) -> Ranges:
    """Where the bytes of an archive lie that show something on their own: see `Ranges`.

    Raises:
        ArchiveError: If the archive is a folder, or its directory points outside it.
    """
    return Ranges(archive)


def _all_shards(level: Level) -> list[Place]:
    rows, cols = level.shards
    return [(row, col) for row in range(rows) for col in range(cols)]


def _shard_of(level: Level, block: Place) -> Place:
    return block[0] // level.shard[0], block[1] // level.shard[1]


def _around(place: Range, slots: int) -> Iterator[Span]:
    """Header and index of a shard."""
    yield place.start, place.data
    yield max(place.data, place.data + place.size - index_bytes_of(slots)), place.stop


def _blocks(level: Level, crs: CRS, bbox: Bounds | None) -> list[Place]:
    """Blocks of a native level that an area in degrees touches, and those that its pixels hang on."""
    found = (place for window in _windows(level, crs, bbox) for place in blocks_of(level, window))
    return list(dict.fromkeys(found))


def _windows(level: Level, crs: CRS, bbox: Bounds | None) -> list[Window]:
    """Windows of a native level that an area in degrees touches, and what its pixels hang on.

    All of the level where the area has no bounds in the level's projection: too much rather than too little.
    """
    whole = [Window(0, 0, level.height, level.width)]
    if bbox is None:
        return whole
    native = Grid(crs, level.transform, level.height, level.width)
    scene = _moved(native.bounds, crs, WGS84)
    if scene is None:
        return whole
    out: list[Window] = []
    # cut to the scene first: far away from it, its projection may have no place for the area, or a wrong one
    west, south, east, north = bbox
    box = west - _NEAR, south - _NEAR, east + _NEAR, north + _NEAR  # it may be a point
    shared = intersections(box, rolled(unrolled(scene)))
    for piece in (each for one in shared for each in pieces(one)):
        bounds = _moved(piece, WGS84, crs)
        if bounds is None:
            return whole
        turns = (-TURN, 0.0, TURN) if crs.is_geographic else (0.0,)
        for turn in turns:
            shifted = bounds[0] + turn, bounds[1], bounds[2] + turn, bounds[3]
            out += [window for window in [_window(level, shifted)] if window is not None]
    return out


def _moved(bounds: Bounds, source: CRS, target: CRS) -> Bounds | None:
    """Bounds in another projection, or None where they have no place in it."""
    if source == target:
        return bounds
    try:
        left, bottom, right, top = transform_bounds(source, target, *bounds, densify_pts=_EDGE_POINTS)
    except (RasterioError, CPLE_BaseError):
        return None
    found = (left, bottom, right, top)
    fits = all(map(math.isfinite, found)) and bottom <= top and (left <= right or target.is_geographic)
    return found if fits else None


def _window(level: Level, bounds: Bounds) -> Window | None:
    """The pixels of a level that bounds touch, and a margin; None where they touch none."""
    inverse = ~level.transform
    corners = [inverse @ (bounds[x], bounds[y]) for x in (0, 2) for y in (1, 3)]
    cols, rows = zip(*corners, strict=True)
    first_row, last_row = max(0.0, min(rows) - MARGIN), min(float(level.height), max(rows) + MARGIN)
    first_col, last_col = max(0.0, min(cols) - MARGIN), min(float(level.width), max(cols) + MARGIN)
    if first_row >= last_row or first_col >= last_col:
        return None
    row, col = math.floor(first_row), math.floor(first_col)
    return Window(row, col, math.ceil(last_row) - row, math.ceil(last_col) - col)
