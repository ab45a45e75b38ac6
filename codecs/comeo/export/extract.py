"""A part of a scene as a Cloud-Optimized GeoTIFF, decoded and written piece by piece."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rio_tiler.models import ImageData

from comeo.archive import Archive, open_archive
from comeo.decibel import PLAIN
from comeo.export.arguments import check_output, request_of
from comeo.export.cog import PIECE_SIDE, Piece, Raster, compressed_size, pieces_of, write_cog
from comeo.export.provenance import is_resampled, raster_bands, scene_tags
from comeo.export.request import grid_of
from comeo.grid import Bounds, Grid
from comeo.progress import Progress, Silent
from comeo.scene import Window
from comeo.view.budget import Budget, Limit, Limits
from comeo.view.pixels import mask_of, read_pixels
from comeo.view.plan import PixelPlan, plan_pixels
from comeo.view.polygon import Cutter, near_scene
from comeo.view.reader import ArchiveReader, block_cache
from comeo.view.resampling import ResamplingName

Paint = Callable[[ImageData], ImageData]
# Overviews add a third to the pixels.
WITH_OVERVIEWS = 4 / 3
SAMPLES_ALONG = 3
SAMPLE_SIDE = 128
CACHE_BYTES = 128 << 20
# Samples that a piece may decode: a long and narrow one may need all blocks of a scene.
PIECE_LIMITS = Limits(at_once=Limit(1 << 27, "max_decoded_samples"))


class Extraction:
    """The pixels of a GeoTIFF to be written, by windows.

    Args:
        reader: Of the scene, with the budget of the whole file.
        plan: Bands to read, and the computation.
        grid: Of the file.
        geometry: GeoJSON polygon (WGS 84) outside of which pixels are masked, if any.
        paint: Turns values into 8-bit colours, if that is wanted.
        tags: Added to the tags of provenance.
        read: Gets the pixels of a grid by the plan; None reads them of the scene.
    """

    def __init__(
        self, reader: ArchiveReader, plan: PixelPlan, grid: Grid, *,
        geometry: Mapping[str, Any] | None = None, paint: Paint | None = None,
        tags: Mapping[str, str] | None = None, read: Callable[[Grid], ImageData] | None = None,
    ) -> None:  # fmt: skip
        self._read = read or (lambda part: read_pixels(reader, part, plan))
        self._reader = reader
        self._plan = plan
        self._grid = grid
        self._paint = paint
        self._tags = tags or {}
        self._reduction = PLAIN if paint else plan.reduction
        self._place = grid.offset_in(reader.native_grid(plan.bands))
        self._cutter = Cutter(near_scene(geometry, grid), grid.crs) if geometry else None

    def write(self, output: Path, progress: Progress | None = None) -> None:
        """Write the file. It appears under its name once it is complete.

        Args:
            output: The file; one of that name is replaced.
            progress: Receives the stages and pieces of the work; any error that it raises ends the work.

        Raises:
            BoundError: If the reader's budget does not suffice; nothing has been decoded then, unless it is a
                piece that needs too much at once.
            ArchiveError: If the archive is damaged.
            OutputError: If the file cannot be written.
        """
        watch = progress or Silent()
        self._announce()
        write_cog(output, self.raster(), self._pieces(watch), watch)

    def raster(self) -> Raster:
        """Describe the file."""
        grid, first = self._grid, self._image(Window(0, 0, 1, 1))
        tags = {**scene_tags(self._reader.archive, self._plan, grid), **self._tags}
        bands = raster_bands(self._plan, first.count if self._paint else None)
        return Raster(
            grid.crs, grid.transform, grid.height, grid.width, first.array.dtype, _nodata(first), bands, tags,
            masked=first.nodata is None and not self._is_whole(), reduction=self._reduction,
        )  # fmt: skip

    def _announce(self) -> None:
        """Count all blocks that the file needs before the first one is decoded."""
        if not (self._plan.error or self._plan.classes):
            for window in self._windows():
                blocks = self._reader.decoding(self._grid.part(window), self._plan.bands)
                self._reader.budget.announce(blocks)

    def estimated_bytes(self) -> int:
        """Estimate the size of the file from a few samples of its pixels."""
        raster, samples = self.raster(), self._samples()
        packed = compressed_size(raster, samples) / samples.nbytes
        return math.ceil(raster.raw_bytes * packed * WITH_OVERVIEWS)

    def _pieces(self, progress: Progress) -> Iterator[Piece]:
        """All pixels, no block decoded twice where they are the scene's own."""
        windows = self._windows()
        progress.start("extracting", len(windows))
        for window in windows:
            image = self._image(window)
            yield Piece(window, filled(image), np.logical_not(mask_of(image).any(axis=0)))
            progress.advance()

    def _windows(self) -> list[Window]:
        return pieces_of(self._grid.height, self._grid.width, PIECE_SIDE, self._place or (0, 0))

    def _samples(self) -> NDArray[Any]:
        """Pixels from all over, one sample below another: (bands, y, x)."""
        height, width = (min(side, SAMPLE_SIDE) for side in (self._grid.height, self._grid.width))
        rows, cols = _spread(self._grid.height - height), _spread(self._grid.width - width)
        images = [self._image(Window(row, col, height, width)) for row in rows for col in cols]
        return np.concatenate([filled(image) for image in images], axis=1)

    def _image(self, window: Window) -> ImageData:
        """Pixels of a window as they go into the file."""
        image = self._read(self._grid.part(window))
        if not self._reduction.is_plain and image.array.dtype.kind == "f":
            image.nodata = np.nan  # a mask would have overviews of its own
        if self._cutter is not None:
            image = self._cutter.cut(image)
        return self._paint(image) if self._paint else image

    def _is_whole(self) -> bool:
        """Whether no pixel can be invalid except those that have a number for it."""
        own = not is_resampled(self._reader.archive, self._plan, self._grid)
        return own and self._cutter is None and self._paint is None and self._plan.mask is None


def extract(
    archive: Archive | str | Path, output: str | Path, *, bbox: Bounds | None = None,
    bands: Sequence[str] | None = None, expression: str | None = None,
    polygon: Mapping[str, Any] | None = None, crs: CRS | str | None = None, max_size: int | None = None,
    resampling: ResamplingName | None = None, mask: Sequence[str] | str | None = None, force: bool = False,
    progress: Progress | None = None,
) -> Path:  # fmt: skip
    """Write pixels of an archive as a Cloud-Optimized GeoTIFF.

    Args:
        archive: An open archive, or the name or URL of one.
        output: The GeoTIFF; it appears under its name once it is complete.
        bbox: West, south, east, north in degrees; the whole pixels around it. None: the whole scene.
        bands: Names of bands, in the order of the file. None: all, unless an expression is given. Coarser
            ones come on the grid of the finest.
        expression: Band arithmetic on physical values instead of bands, as `(B08-B04)/(B08+B04)`.
        polygon: GeoJSON polygon (WGS 84) instead of `bbox`; pixels outside it are masked.
        crs: Projection of the file, as `EPSG:3857`. None: the scene's own, with the scene's own pixels.
        max_size: Longest side in pixels.
        resampling: For pixels on a grid other than their own. None: nearest.
        mask: What pixels have to show to count, as `clear` or `["land", "water"]`; others are masked.
        force: Replace a file of that name.
        progress: Receives the stages and units of the work.

    Returns:
        The name of the GeoTIFF.

    Raises:
        ParameterError: If an argument is not valid, or the output is the archive itself.
        NotFoundError: If a band is unknown, the area lies outside the scene, or the archive does not say
            which pixels are clear.
        ArchiveError: If the archive is missing or damaged, or the file exists already.
        OutputError: If the file cannot be written.
    """
    path = Path(output)
    request = request_of(
        bbox=bbox, bands=bands, expression=expression, polygon=polygon, crs=crs, max_size=max_size,
        resampling=resampling, mask=mask,
    )  # fmt: skip
    with nullcontext(archive) if isinstance(archive, Archive) else open_archive(archive) as opened:
        check_output(path, opened, force=force)
        reader = ArchiveReader(opened, block_cache(CACHE_BYTES), Budget(PIECE_LIMITS))
        plan = plan_pixels(request.pixels, [band for group in opened.groups.values() for band in group.bands])
        grid = grid_of(reader, request, plan.bands)
        Extraction(reader, plan, grid, geometry=polygon).write(path, progress)
    return path


def filled(image: ImageData) -> NDArray[Any]:
    """Values with the number for invalid ones in their place, or 0 if there is no such number."""
    values: NDArray[Any] = image.array.filled(image.nodata or 0)
    return values


def _nodata(image: ImageData) -> float | None:
    return None if image.nodata is None else float(image.nodata)


def _spread(room: int) -> list[int]:
    """Where to begin a few samples that have this much room to move: in the middles of equal parts."""
    return sorted({round(room * (2 * index + 1) / (2 * SAMPLES_ALONG)) for index in range(SAMPLES_ALONG)})
