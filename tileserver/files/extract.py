"""GeoTIFFs of a scene or a part of it, on disk and piece by piece: see `comeo.export.cog`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import geometry_mask
from rio_tiler.models import ImageData
from shapely.geometry import mapping, shape

from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.export.cog import PIECE_SIDE, Piece, Raster, RasterBand, compressed_size, pieces_of, write_cog
from comeo.export.extract import provenance
from comeo.grid import Bounds, Grid
from comeo.progress import Progress
from comeo.scene import Window
from comeo.view.projection import move_shape
from comeo.view.reader import ArchiveReader, check_decoding, geometry_bounds
from tileserver.catalog import Record
from tileserver.render.describe import attribution
from tileserver.render.encode import expanded
from tileserver.render.fidelity import pixels
from tileserver.render.look import Appearance, Look, resolve
from tileserver.render.picture import colour, mask_of, palette_of
from tileserver.render.scenes import Scenes

WGS84 = CRS.from_epsg(4326)
# Overviews add a third to the pixels.
WITH_OVERVIEWS = 4 / 3
SAMPLES_ALONG = 3
SAMPLE_SIDE = 128
# How far around a scene an area is looked at: in the scene's own pixels what is outside costs nothing.
OWN_MARGIN, MOVED_MARGIN = 0.1, 0.001
# Edges of a polygon are straight in degrees (RFC 7946); pieces of this length are so in any projection, too,
# but for centimetres. No polygon is cut into more pieces than `MOST_SEGMENTS`.
SEGMENT_DEGREES = 0.01
MOST_SEGMENTS = 20_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What to take out of a scene.

    Attributes:
        appearance: What to read and compute. With `rescale` it is a picture of 8 bits.
        bbox: West, south, east, north in degrees; None is the whole scene.
        geometry: GeoJSON polygon (WGS 84) outside of which pixels are masked.
        dst_crs: Of the file; None is the scene's own, with the scene's own pixels.
        height: Rows, where wanted.
        width: Columns, where wanted.
        max_size: Longest side, where wanted.
    """

    appearance: Appearance
    bbox: Bounds | None = None
    geometry: Mapping[str, Any] | None = None
    dst_crs: CRS | None = None
    height: int | None = None
    width: int | None = None
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a file may be.

    Attributes:
        samples: Pixels × bands.
        side: Pixels of a side.
        name: Of the setting for `samples`.
        advice: What to do about it.
        decoded: Pixels × bands that may be decoded for all of it, if that is bounded.
    """

    samples: int
    side: int
    name: str
    advice: str
    decoded: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a file would be.

    Attributes:
        width: Columns.
        height: Rows.
        bands: How many.
        dtype: Of the bands.
        crs: Of the file.
        raw_bytes: Of its pixels.
        bytes: Of the file, about.
    """

    width: int
    height: int
    bands: int
    dtype: str
    crs: str
    raw_bytes: int
    bytes: int


def direct_limits(scenes: Scenes) -> Limits:
    """Of what is answered at once."""
    settings = scenes.settings
    advice = "ask for a smaller area or for fewer pixels with max_size, or POST it to …/extracts as a job"
    return Limits(
        settings.max_output_samples, settings.max_image_side, "max_output_samples", advice,
        settings.max_decoded_samples,
    )  # fmt: skip


def job_limits(scenes: Scenes) -> Limits:
    """Of what is done as a job."""
    advice = "ask for a smaller area, fewer bands, or fewer pixels with max_size"
    return Limits(scenes.settings.max_extract_samples, 1 << 17, "max_extract_samples", advice)


def write(
    scenes: Scenes, record: Record, wish: Wish, limits: Limits, output: Path, progress: Progress
) -> None:
    """Write a part of a scene as a Cloud-Optimized GeoTIFF.

    Args:
        scenes: Where to find what.
        record: The scene.
        wish: What part of it.
        limits: How large it may be.
        output: The file.
        progress: Told of every piece; what it raises ends the work.

    Raises:
        RequestError: If it can't be had, or is too large.
        ArchiveError: If the archive is damaged, or the file can't be written.
    """
    with _source(scenes, record, wish, limits) as source:
        if limits.decoded is not None:
            check_decoding(source.decoding(), limits.decoded)
        write_cog(output, source.raster(), source.pieces(progress), progress)


def estimate(scenes: Scenes, record: Record, wish: Wish, limits: Limits) -> Estimate:
    """Say what a file would be, from a few samples of its pixels.

    Raises:
        RequestError: If it can't be had, or is too large.
    """
    with _source(scenes, record, wish, limits) as source:
        raster = source.raster()
        samples = source.samples()
        packed = compressed_size(raster, samples) / samples.nbytes
        return Estimate(
            raster.width, raster.height, len(raster.bands), raster.dtype.name, raster.crs.to_string(),
            raster.raw_bytes, math.ceil(raster.raw_bytes * packed * WITH_OVERVIEWS),
        )  # fmt: skip


@contextmanager
def _source(scenes: Scenes, record: Record, wish: Wish, limits: Limits) -> Iterator[_Source]:
    look = resolve(wish.appearance, record.bands, scenes.settings, picture=False)
    with scenes.reader(record) as reader:
        grid = grid_of(reader, record, wish, look.bands)
        check(grid, max(len(look.bands), look.results), limits)
        yield _Source(scenes, record, reader, wish, look, grid)


def check(grid: Grid, bands: int, limits: Limits) -> None:
    """Refuse what is too large, before any work.

    Raises:
        BoundError: Naming the bound.
    """
    if max(grid.height, grid.width) > limits.side:
        raise BoundError(
            f"an image of {grid.width}×{grid.height} pixels is asked for, more than {limits.side} a side; "
            f"{limits.advice}", "max_image_side",
        )  # fmt: skip
    samples = grid.height * grid.width * bands
    if samples > limits.samples:
        raise BoundError(
            f"{samples} samples (pixels × bands) are asked for, more than {limits.samples}; {limits.advice}",
            limits.name,
        )


def grid_of(reader: ArchiveReader, record: Record, wish: Wish, bands: tuple[str, ...]) -> Grid:
    """Grid of what a wish is for: the scene's own pixels unless something else is asked for.

    Raises:
        NotFoundError: If it lies outside the scene.
        ParameterError: If it is in two parts in the projection.
    """
    bbox = geometry_bounds(wish.geometry) if wish.geometry else wish.bbox
    sized = wish.height or wish.width
    if bbox is None:
        native = reader.native_grid(bands)
        if wish.dst_crs is None and not sized:
            return native.fitted(wish.max_size) if wish.max_size else native
        area, crs = native.bounds, native.crs
    else:
        margin = MOVED_MARGIN if wish.dst_crs else OWN_MARGIN
        area, crs = (bbox if sized else _near(record.bbox, bbox, margin)), WGS84
    grid = reader.part_grid(area, crs, wish.dst_crs, height=wish.height, width=wish.width, bands=bands)
    if wish.dst_crs is not None and grid.transform.a <= 0:
        raise ParameterError(
            f"the area lies across the antimeridian, where {wish.dst_crs.to_string()} is cut; "
            "give a bbox on one side of it"
        )
    return grid.fitted(wish.max_size) if wish.max_size else grid


def _near(scene: Bounds, bbox: Bounds, margin: float) -> Bounds:
    """The part of an area near a scene: farther away, its projection may have no numbers."""
    west, south, east, north = scene
    if west > east:  # across the antimeridian
        west, east = -180.0, 180.0
    near = (
        max(bbox[0], west - margin), max(bbox[1], south - margin),
        min(bbox[2], east + margin), min(bbox[3], north + margin),
    )  # fmt: skip
    if near[0] >= near[2] or near[1] >= near[3]:
        raise NotFoundError("the area lies outside the scene")
    return near


def moved_polygon(geometry: Mapping[str, Any], crs: CRS) -> Mapping[str, Any]:
    """A GeoJSON polygon in another projection, its edges still straight in degrees.

    Raises:
        NotFoundError: If it has no place there.
    """
    polygon = shape(dict(geometry))
    length = max(SEGMENT_DEGREES, polygon.length / MOST_SEGMENTS)
    moved = move_shape(WGS84, crs, mapping(shapely.segmentize(polygon, length)))
    if moved is None:
        raise NotFoundError("the area lies outside the scene")
    return moved


class _Source:
    """The pixels of a file to be, by windows."""

    def __init__(
        self, scenes: Scenes, record: Record, reader: ArchiveReader, wish: Wish, look: Look, grid: Grid
    ) -> None:
        self._reader = reader
        self._record = record
        self._wish = wish
        self._look = look
        self._grid = grid
        self._credit = attribution(scenes.catalog.item(record), record.datetime)
        self._native = reader.native_grid(look.bands)
        self._polygon = moved_polygon(wish.geometry, grid.crs) if wish.geometry else None

    def raster(self) -> Raster:
        """What the file says of itself."""
        grid, first = self._grid, self.image(Window(0, 0, 1, 1))
        return Raster(
            grid.crs, grid.transform, grid.height, grid.width, first.array.dtype, _nodata(first),
            self._bands(first), self._tags(), masked=first.nodata is None and not self._is_whole(),
        )  # fmt: skip

    def decoding(self) -> int:
        """How many samples `pieces` decodes: a few pixels may take many where they are long and narrow."""
        blocks: dict[tuple[str | int, ...], int] = {}
        for window in self._windows():
            blocks.update(self._reader.decoding(self._part(window), self._look.bands))
        return sum(blocks.values())

    def _windows(self) -> list[Window]:
        return pieces_of(self._grid.height, self._grid.width, PIECE_SIDE, self._place() or (0, 0))

    def pieces(self, progress: Progress) -> Iterator[Piece]:
        """All pixels, no block decoded twice where they are the scene's own."""
        windows = self._windows()
        progress.start("extracting", len(windows))
        for window in windows:
            image = self.image(window)
            yield Piece(window, _filled(image), np.logical_not(mask_of(image).any(axis=0)))
            progress.advance()

    def samples(self) -> NDArray[Any]:
        """Pixels from all over, one sample below another: (bands, y, x)."""
        height, width = (min(side, SAMPLE_SIDE) for side in (self._grid.height, self._grid.width))
        rows, cols = _spread(self._grid.height - height), _spread(self._grid.width - width)
        images = [self.image(Window(row, col, height, width)) for row in rows for col in cols]
        return np.concatenate([_filled(image) for image in images], axis=1)

    def image(self, window: Window) -> ImageData:
        """Pixels of a window as they go into the file."""
        grid = self._part(window)
        image = pixels(self._reader, grid, self._look)
        if self._polygon is not None:
            size = (grid.height, grid.width)
            image.array.mask |= geometry_mask([self._polygon], size, grid.transform, all_touched=False)
        image = colour(image, self._look)
        colours = palette_of(self._look)
        return image if colours is None else expanded(image, colours)

    def _part(self, window: Window) -> Grid:
        transform = self._grid.transform @ Affine.translation(window.col, window.row)
        return Grid(self._grid.crs, transform, window.height, window.width)

    def _place(self) -> tuple[int, int] | None:
        """(row, column) of the file in the scene's own pixels, or None where it has others."""
        grid, native = self._grid, self._native
        relative = ~native.transform @ grid.transform
        if grid.crs != native.crs or not np.allclose(
            (relative.a, relative.b, relative.d, relative.e), (1, 0, 0, 1), atol=1e-9
        ):
            return None
        return round(relative.f), round(relative.c)

    def _is_whole(self) -> bool:
        """Whether no pixel can be invalid but those that have a number for it."""
        return self._polygon is None and self._place() is not None and not self._look.is_picture

    def _bands(self, image: ImageData) -> tuple[RasterBand, ...]:
        look = self._look
        if look.is_picture and image.count == 3:
            return tuple(RasterBand(name, colour=name) for name in ("red", "green", "blue"))
        if look.expression or look.error:
            return tuple(RasterBand(name) for name in image.band_names)
        known = {band.name: band for band in self._record.bands}
        bands = [known[name] for name in look.bands]
        if look.is_picture:
            return tuple(RasterBand(band.name) for band in bands)
        if look.physical:
            return tuple(RasterBand(band.name, unit=band.unit, colour=band.common_name) for band in bands)
        return tuple(RasterBand.of(band) for band in bands)

    def _tags(self) -> dict[str, str]:
        tags = provenance(self._reader.archive)
        if self._credit:
            tags["TIFFTAG_COPYRIGHT"] = self._credit
        if self._look.expression:
            tags["COMEO_EXPRESSION"] = self._look.expression.text
        if self._look.rescale:
            tags["COMEO_RESCALE"] = ";".join(f"{low:g},{high:g}" for low, high in self._look.rescale)
        if self._place() is None:
            tags["COMEO_RESAMPLING"] = self._look.resampling
        return tags


def _nodata(image: ImageData) -> float | None:
    return None if image.nodata is None else float(image.nodata)


def _filled(image: ImageData) -> NDArray[Any]:
    """Values with the number for invalid ones where they are, or 0 without one."""
    values: NDArray[Any] = image.array.filled(image.nodata or 0)
    return values


def _spread(room: int) -> list[int]:
    """Where to begin a few samples that have so much room to move: in the middles of equal parts."""
    return sorted({round(room * (2 * index + 1) / (2 * SAMPLES_ALONG)) for index in range(SAMPLES_ALONG)})
