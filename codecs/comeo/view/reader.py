"""Pixels of an archive on any grid, as rio-tiler's `ImageData`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.coords import BoundingBox
from rasterio.crs import CRS
from rio_tiler.models import ImageData, PointData

from comeo.archive import Archive, ArchiveGroup, Level, blocks_of
from comeo.archive.references import REFERENCE_REDUCE, finer_blocks
from comeo.cache import ByteCache, CacheWatch, array_cache
from comeo.decibel import reduction_of
from comeo.errors import NotFoundError, NotHereError, ParameterError
from comeo.globe import TURN, centre, near
from comeo.grid import WGS84, Bounds, Grid
from comeo.scene import Band, Window
from comeo.view import seams
from comeo.view.budget import BlockKey, Budget
from comeo.view.projection import move_area, move_bounds, move_points
from comeo.view.resampling import ResamplingName
from comeo.view.warp import Source, find_source, warp

# What a block costs apart from its pixels (50 µs, 2.5 kB), in samples: hostile archives have a million tiny
# ones in one image.
LEAST_SAMPLES = 1 << 12
TWO_PARTS = "the area meets the scene in two parts, at its west and at its east; give one of them"
BlockCache = ByteCache[BlockKey, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class BandPlace:
    """A band, its group, and its index there."""

    band: Band
    group: ArchiveGroup
    index: int


@dataclass(frozen=True, slots=True)
class ArchiveReader:
    """Pixels of one archive on any grid: only the blocks that are needed are decoded.

    Images hold stored numbers (`ImageData.scales` and `offsets` make them physical), masked where the scene
    has no valid pixel.

    Attributes:
        archive: The open archive.
        blocks: Cache of decoded blocks.
        budget: Of all calls together; without a limit by default.
        on_decoded: Called after every batch decoded: codec, blocks, seconds.
    """

    archive: Archive
    blocks: BlockCache
    budget: Budget = field(default_factory=Budget)
    on_decoded: Callable[[str, int, float], None] | None = None
    _places: dict[str, BandPlace] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the bands by name."""
        places = {
            band.name: BandPlace(band, group, index)
            for group in self.archive.groups.values()
            for index, band in enumerate(group.bands)
        }
        object.__setattr__(self, "_places", places)

    @property
    def band_names(self) -> list[str]:
        """Names of all bands, finest first."""
        return list(self._places)

    def native_grid(self, bands: Sequence[str] | None = None) -> Grid:
        """Grid of the finest group that has one of the bands; of the finest group of all by default."""
        groups = list(self.archive.groups.values())
        if bands is not None:
            wanted = {place.group.name for place in self._find(bands)}
            groups = [group for group in groups if group.name in wanted]
        return groups[0].native_grid

    def read(
        self, grid: Grid, bands: Sequence[str] | None = None, resampling: ResamplingName = "bilinear"
    ) -> ImageData:
        """Read bands onto a grid.

        Args:
            grid: Where the pixels go.
            bands: Their names; all by default.
            resampling: How values reach the grid. The mask is always the nearest pixel's.

        Returns:
            Of the bands' own type; float32 when they have different ones.

        Of an archive that is on its way, and if the budget has `coarser`, they are made of the finest pixels
        that are here for all of the grid; where there are none, of those that are here for some of it.

        Raises:
            NotFoundError: If a band is unknown.
            BoundError: If the budget does not suffice; nothing has been decoded then.
            NotHereError: If blocks are not here yet.
            ArchiveError: If a block is damaged.
        """
        places = self._find(self.band_names if bands is None else bands)
        groups = {place.group.name: place.group for place in places}
        sources = {name: self._source(group, grid) for name, group in groups.items()}
        self.budget.decode(self._blocks_of(sources.values()))
        self.budget.warp(len(places) * grid.height * grid.width)
        if len(groups) == 1:
            (source,) = sources.values()
            indexes = [place.index for place in places]
            return _image(self._read_group(places[0].group, source, indexes, grid, resampling), places, grid)
        values = np.empty((len(places), grid.height, grid.width), np.float32)
        for name, group in groups.items():
            rows = [row for row, place in enumerate(places) if place.group is group]
            indexes = [places[row].index for row in rows]
            values[rows] = self._read_group(group, sources[name], indexes, grid, resampling)
        return _image(values, places, grid)

    def part_grid(
        self, bbox: Bounds, bounds_crs: CRS = WGS84, dst_crs: CRS | None = None, *,
        height: int | None = None, width: int | None = None, bands: Sequence[str] | None = None,
    ) -> Grid:  # fmt: skip
        """Return the grid of a part of the scene.

        Args:
            bbox: (left, bottom, right, top).
            bounds_crs: Coordinate reference system of `bbox`.
            dst_crs: Of the grid. None: the native pixels that `bbox` touches.
            height: Rows; by default about as many as there are native ones.
            width: Columns, likewise.
            bands: The finest of these sets the native resolution.

        Raises:
            NotFoundError: If it lies outside the scene.
            ParameterError: If it is in two parts on the scene's grid or in `dst_crs`.
        """
        native = self.native_grid(bands)
        box = _area_near(native, bounds_crs, native.crs, bbox)
        inside = native.within(box)
        if inside is None:
            raise NotFoundError("the area lies outside the scene")
        _check_one_part(native, box)
        crs = dst_crs or native.crs
        if crs == native.crs and not (height or width):
            return inside
        cell = abs(native.transform.determinant) ** 0.5
        rows, cols = _size((box[3] - box[1]) / cell, (box[2] - box[0]) / cell, height, width)
        return Grid.over(_area_near(native, bounds_crs, crs, bbox), crs, rows, cols)

    def point(self, lon: float, lat: float, *, bands: Sequence[str] | None = None) -> PointData:
        """Read the pixel that a position falls into, of every band at its native resolution.

        Raises:
            NotFoundError: If the position lies outside the scene.
        """
        places = self._find(self.band_names if bands is None else bands)
        pixels = np.full(len(places), np.nan, np.float32)
        groups = {place.group.name: place.group for place in places}.values()
        found = [(group, window) for group in groups if (window := pixel_at(group, lon, lat))]
        if not found:
            raise NotFoundError(f"{lon}, {lat} lies outside the scene")
        self.budget.decode(self._point_blocks(found))
        for group, window in found:
            rows = [row for row, place in enumerate(places) if place.group is group]
            indexes = [places[row].index for row in rows]
            pixels[rows] = self._window(group, group.levels[0], 0, window, indexes)[:, 0, 0]
        names = [place.band.name for place in places]
        return PointData(
            _masked(pixels, places), band_names=names, band_descriptions=names, coordinates=(lon, lat),
            crs=WGS84, scales=[place.band.scale for place in places],
            offsets=[place.band.offset for place in places],
        )  # fmt: skip

    def decoding(self, grid: Grid, bands: Sequence[str]) -> dict[BlockKey, int]:
        """List the blocks that `read` would decode, each with the number of its samples.

        Raises:
            NotFoundError: If a band is unknown.
        """
        groups = {place.group.name: place.group for place in self._find(bands)}
        return self._blocks_of(self._source(group, grid) for group in groups.values())

    def _source(self, group: ArchiveGroup, grid: Grid) -> Source | None:
        """The source pixels of a grid; where they are not here, and others do, the finest that are.

        Raises:
            NotHereError: If none are.
        """
        asked = find_source(group, grid)
        if asked is None or self.archive.completeness == 1:
            return asked
        if self.budget.missing is not None:
            self.budget.missing.note(self.archive, asked.level, self._lacking(asked))
        coarser = self.budget.coarser
        for some in (False, True) if coarser else (False,):
            others = self._instead(group, grid, asked) if coarser else ()
            found = next((each for each in chain([asked], others) if self._is_here(each, some=some)), None)
            if found is not None:
                if coarser:
                    finer = asked.level.number + asked.reduce
                    levels = max(0, found.level.number + found.reduce - finer)
                    coarser.drawn(self.archive, levels, gaps=some)
                return found
        raise NotHereError(
            f"{self.archive.id} is here in part, {self.archive.completeness:.0%} of its bytes, "
            f"and what this needs of {group.name} is not here yet"
        )

    def _lacking(self, source: Source) -> Iterator[tuple[int, int]]:
        """Blocks of a source that are not here."""
        blocks = self._looked_at(source.level, source.window, source.reduce)
        return (block for block in blocks if not self._has_block(source.level, block))

    @staticmethod
    def _instead(group: ArchiveGroup, grid: Grid, asked: Source) -> Iterator[Source]:
        """What a grid may be drawn of instead: finer levels, decoded smaller, then coarser ones."""
        numbers = [level.number for level in group.levels]
        place = numbers.index(asked.level.number)
        finer = (find_source(group, grid, most=number) for number in reversed(numbers[:place]))
        coarse = (find_source(group, grid, least=number) for number in numbers[place + 1 :])
        return (each for each in chain(finer, coarse) if each is not None)

    def _is_here(self, source: Source, *, some: bool) -> bool:
        """Whether all blocks of a source are here, or some, and those that they are predicted from."""
        blocks = self._looked_at(source.level, source.window, source.reduce)
        has = (self._has_block(source.level, block) for block in blocks)
        return any(has) if some else all(has)

    def _has_block(self, level: Level, block: tuple[int, int]) -> bool:
        """Whether a block is here, and those that it is predicted from."""
        if not self.archive.has_blocks(level, [block]):
            return False
        finer = level.reference
        return finer is None or self.archive.has_blocks(finer, finer_blocks(finer, level, *block))

    def _drawn(self, level: Level, blocks: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Blocks that are decoded: all, but of a picture of what is on its way those that are here."""
        if self.archive.completeness == 1 or self.budget.coarser is None:
            return blocks
        return [block for block in blocks if self._has_block(level, block)]

    def _blocks_of(self, sources: Iterable[Source | None]) -> dict[BlockKey, int]:
        """Blocks of sources, each with the number of its samples as decoded."""
        return {
            key: samples
            for source in sources
            if source
            for block in self._drawn(
                source.level, self._looked_at(source.level, source.window, source.reduce)
            )
            for key, samples in self._cost(source.level, source.reduce, block)
        }

    def _point_blocks(self, found: Iterable[tuple[ArchiveGroup, Window]]) -> dict[BlockKey, int]:
        """The native blocks that single pixels of groups lie in."""
        return {
            key: samples
            for group, pixel in found
            for block in self._looked_at(group.levels[0], pixel, 0)
            for key, samples in self._cost(group.levels[0], 0, block)
        }

    def _looked_at(self, level: Level, window: Window, reduce: int) -> list[tuple[int, int]]:
        """The blocks that the pixels of a window hang on."""
        return blocks_of(level, self._needed(level, window, reduce), reduce)

    def _needed(self, level: Level, window: Window, reduce: int) -> Window:
        """A window, widened where the seams of blocks in it depend on what lies beyond."""
        return seams.widened(level, window, reduce) if self._has_seams(level, reduce) else window

    def _has_seams(self, level: Level, reduce: int) -> bool:
        return seams.has_seams(self.archive.groups[level.group].bands, level, reduce)

    def _cost(self, level: Level, reduce: int, block: tuple[int, int]) -> Iterator[tuple[BlockKey, int]]:
        """A block and those that it is predicted from, each with the number of its samples as decoded."""
        yield (*self._stem(level, reduce), *block), _block_samples(level, reduce)
        finer = level.reference
        if finer is not None:
            for place in finer_blocks(finer, level, *block):
                yield (*self._stem(finer, REFERENCE_REDUCE), *place), _block_samples(finer, REFERENCE_REDUCE)

    def _stem(self, level: Level, reduce: int) -> tuple[str, str, int, int]:
        """What the keys of a level's blocks begin with."""
        return self.archive.whole_etag, level.group, level.number, reduce

    def _find(self, bands: Sequence[str]) -> list[BandPlace]:
        missing = [name for name in bands if name not in self._places]
        if missing:
            raise NotFoundError(
                f"{self.archive.id} has no band {', '.join(missing)}; it has {', '.join(self._places)}"
            )
        return [self._places[name] for name in bands]

    def _read_group(
        self, group: ArchiveGroup, source: Source | None, indexes: list[int], grid: Grid,
        resampling: ResamplingName,
    ) -> NDArray[np.float32]:  # fmt: skip
        if source is None:
            return np.full((len(indexes), grid.height, grid.width), np.nan, np.float32)
        values = self._window(group, source.level, source.reduce, source.window, indexes)
        reduction = reduction_of([group.bands[index] for index in indexes])
        return warp(values, source, group.crs, grid, resampling, reduction)

    def _window(
        self, group: ArchiveGroup, level: Level, reduce: int, window: Window, indexes: list[int]
    ) -> NDArray[np.float32]:
        """Read some bands of a window as (bands, y, x), NaN where invalid."""
        wide = self._needed(level, window, reduce)
        wanted = self._drawn(level, blocks_of(level, wide, reduce))
        side = level.block >> reduce
        values = np.full((len(indexes), wide.height, wide.width), np.nan, np.float32)
        for (row, col), block in zip(wanted, self._decoded(level, wanted, reduce), strict=True):
            _paste(block, indexes, values, row * side - wide.row, col * side - wide.col)
        if group.has_nodata and group.dtype.kind == "u":
            values[values == 0] = np.nan
        if not self._has_seams(level, reduce):
            return values
        seams.blend(values, level, wide, reduce)
        rows, cols = Window(window.row - wide.row, window.col - wide.col, window.height, window.width).slices
        return values[:, rows, cols]

    def _decoded(self, level: Level, blocks: Sequence[tuple[int, int]], reduce: int) -> list[NDArray[Any]]:
        """Decode blocks, or take them from the cache; likewise those that they are predicted from."""
        stem = self._stem(level, reduce)

        def decode(keys: list[BlockKey]) -> list[NDArray[Any]]:
            elsewhere = 0.0  # seconds, which are reported with the finer blocks

            def finer(level: Level, blocks: Sequence[tuple[int, int]], reduce: int) -> list[NDArray[Any]]:
                nonlocal elsewhere
                started = time.perf_counter()
                found = self._decoded(level, blocks, reduce)
                elsewhere += time.perf_counter() - started
                return found

            started = time.perf_counter()
            decoded = self.archive.decode_blocks(level, [key[4:] for key in keys], reduce, finer)
            if self.on_decoded:
                seconds = time.perf_counter() - started - elsewhere
                self.on_decoded(self.archive.codec, len(keys), seconds)
            return decoded

        return self.blocks.get_many([(*stem, row, col) for row, col in blocks], decode)


def block_cache(limit: int, watch: CacheWatch | None = None) -> BlockCache:
    """Make a cache of decoded blocks that keeps at most `limit` bytes."""
    return array_cache(limit, watch)


def _block_samples(level: Level, reduce: int) -> int:
    """Samples of one block, as decoded, or what it costs apart from them if that is more."""
    return max(LEAST_SAMPLES, (level.block >> reduce) ** 2 * level.bands)


def _area_near(native: Grid, source: CRS, target: CRS, bounds: Bounds) -> Bounds:
    """Bounds in another projection; in degrees in the frame of longitudes in which the scene is near."""
    moved = move_area(source, target, bounds)
    if moved is None:
        raise NotFoundError("the area lies outside the scene")
    if not target.is_geographic:
        return moved
    scene = move_bounds(native.crs, target, native.bounds)
    return moved if scene is None else near(moved, centre(scene)[0])


def _check_one_part(native: Grid, box: Bounds) -> None:
    """Refuse an area that meets both ends of a grid in degrees.

    Raises:
        ParameterError: Saying what to do.
    """
    left, _, right, _ = native.bounds
    others = (box[0] + TURN < right, box[2] - TURN > left)
    if native.crs.is_geographic and any(others):
        raise ParameterError(TWO_PARTS)


def _size(rows: float, cols: float, height: int | None, width: int | None) -> tuple[int, int]:
    """Height and width as wanted; one that is not keeps the proportions."""
    if height and width:
        return height, width
    scale = height / rows if height else width / cols if width else 1.0
    return height or max(1, round(rows * scale)), width or max(1, round(cols * scale))


def pixel_at(group: ArchiveGroup, lon: float, lat: float) -> Window | None:
    """The native pixel of a group that a position falls into."""
    level = group.levels[0]
    xs, ys = move_points(WGS84, group.crs, np.array([lon]), np.array([lat]))
    if not np.isfinite((xs[0], ys[0])).all():
        return None
    inverse: Affine = ~level.transform
    col, row = inverse @ (float(xs[0]), float(ys[0]))
    if not (0 <= row < level.height and 0 <= col < level.width):
        return None
    return Window(int(row), int(col), 1, 1)


def _paste(block: NDArray[Any], indexes: list[int], values: NDArray[np.float32], top: int, left: int) -> None:
    """Lay some bands of a block into a window, whose corner is (-top, -left) from the block's."""
    first_row, first_col = max(0, -top), max(0, -left)
    last_row = min(block.shape[1], values.shape[1] - top)
    last_col = min(block.shape[2], values.shape[2] - left)
    if first_row < last_row and first_col < last_col:
        target = values[:, top + first_row : top + last_row, left + first_col : left + last_col]
        for row, index in enumerate(indexes):
            target[row] = block[index, first_row:last_row, first_col:last_col]


def _dtype(places: Sequence[BandPlace]) -> np.dtype[Any]:
    kinds = {place.group.dtype for place in places}
    return kinds.pop() if len(kinds) == 1 else np.dtype(np.float32)


def _masked(values: NDArray[np.float32], places: Sequence[BandPlace]) -> np.ma.MaskedArray[Any, Any]:
    """Make a masked array of the bands' own type; valid numbers never take the value of nodata.

    `values` are overwritten.
    """
    invalid = np.isnan(values)
    dtype = _dtype(places)
    if dtype.kind == "u":
        lowest = 1 if any(place.group.has_nodata for place in places) else 0
        np.rint(values, out=values)
        np.clip(values, lowest, np.iinfo(dtype).max, out=values)
        values[invalid] = 0
    return np.ma.MaskedArray(values.astype(dtype, copy=False), mask=invalid)


def _image(values: NDArray[np.float32], places: Sequence[BandPlace], grid: Grid) -> ImageData:
    names = [place.band.name for place in places]
    array = _masked(values, places)
    has_nodata = all(place.group.has_nodata for place in places)
    nodata = (0 if array.dtype.kind == "u" else np.nan) if has_nodata else None
    return ImageData(
        array, bounds=BoundingBox(*grid.bounds), crs=grid.crs, band_names=names,
        band_descriptions=[place.band.common_name or place.band.name for place in places],
        scales=[place.band.scale for place in places], offsets=[place.band.offset for place in places],
        nodata=nodata,
    )  # fmt: skip
