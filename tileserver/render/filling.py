"""An image that is filled with the pixels of several scenes, each where others left it empty."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from rio_tiler.models import ImageData

from comeo.grid import Grid
from comeo.view.pixels import mask_of
from comeo.view.projection import move_points
from comeo.view.reader import ArchiveReader
from tileserver.catalog import BBox, Record
from tileserver.render.plan import RenderPlan

EDGE_POINTS = 17


class Filling:
    """Values being filled, scene by scene.

    Args:
        grid: Of the image.
        plan: Of the answer: scale and offset of its numbers.
    """

    def __init__(self, grid: Grid, plan: RenderPlan) -> None:
        self.plan = plan
        self._grid = grid
        self._values: NDArray[Any] | None = None
        self.missing = np.ones((grid.height, grid.width), bool)
        self._nodata: float | None = 0
        self._inside: dict[BBox, NDArray[np.bool_]] = {}

    @property
    def full(self) -> bool:
        """Whether every pixel has its value."""
        return not self.missing.any()

    def may_gain_from(self, record: Record) -> bool:
        """Whether a scene could add pixels, as far as is known without opening it.

        Scenes of one place lie on the same pixels, so the area of each place is computed once.
        """
        inside = self._inside.get(record.bbox)
        return inside is None or bool((inside & self.missing).any())

    def gains_from(self, record: Record, reader: ArchiveReader, plan: RenderPlan) -> bool:
        """Whether a scene has pixels where some are missing, its outermost ones aside."""
        if record.bbox not in self._inside:
            inside = footprint_mask(reader.native_grid(plan.bands), self._grid)
            if inside is None:
                return True
            self._inside[record.bbox] = inside
        return self.may_gain_from(record)

    def add(self, image: ImageData) -> None:
        """Fill what is missing."""
        valid = ~mask_of(image).any(axis=0) & self.missing
        found = restated(image, self.plan)
        if self._values is None:
            self._values = found.copy()
        else:
            if self._values.dtype != found.dtype:
                self._values = self._values.astype(np.float32)
            self._values[:, valid] = found[:, valid]
        self._nodata = None if image.nodata is None else self._nodata
        self.missing &= ~valid

    def image(self) -> ImageData:
        """The image as far as it has been filled."""
        values, nodata = self._values, self._nodata
        if values is None:
            values, nodata = np.zeros((self.plan.results, *self.missing.shape), self._empty), None
        if nodata is not None:
            nodata = float("nan") if values.dtype.kind == "f" else 0
        mask = np.broadcast_to(self.missing, values.shape)
        stored: dict[str, Any] = {}
        if is_stored(self.plan):
            sources = self.plan.sources
            stored = {"scales": [one.scale for one in sources], "offsets": [one.offset for one in sources]}
        return ImageData(
            np.ma.MaskedArray(values, mask=mask), bounds=self._grid.bounds, crs=self._grid.crs,
            band_names=list(self.plan.names), band_descriptions=list(self.plan.names), nodata=nodata,
            **stored,
        )  # fmt: skip

    @property
    def _empty(self) -> type[Any]:
        """Type of the values where no scene has any."""
        if self.plan.classes:
            return np.uint8
        return np.uint16 if is_stored(self.plan) else np.float32


def is_stored(plan: RenderPlan) -> bool:
    """Whether values are stored numbers, with a scale and an offset: not physical, results, classes."""
    return not (plan.physical or plan.expression is not None or plan.classes)


def restated(image: ImageData, plan: RenderPlan) -> NDArray[Any]:
    """Values of an image as numbers of the plan's scale and offset: scenes may have their own."""
    sources = plan.sources
    own = list(zip(image.scales, image.offsets, strict=True))
    if not is_stored(plan) or own == [(band.scale, band.offset) for band in sources]:
        return image.data
    scale, offset = (np.array(column, np.float32)[:, None, None] for column in zip(*own, strict=True))
    other_scale = np.array([band.scale for band in sources], np.float32)[:, None, None]
    other_offset = np.array([band.offset for band in sources], np.float32)[:, None, None]
    values: NDArray[Any] = (image.data * scale + offset - other_offset) / other_scale
    if image.data.dtype.kind == "u" and (np.abs(other_scale) <= 1.001 * np.abs(scale)).all():
        values = np.clip(np.rint(values), 1, np.iinfo(image.data.dtype).max).astype(image.data.dtype)
    return values


def footprint_mask(native: Grid, grid: Grid) -> NDArray[np.bool_] | None:
    """Where a scene's raster, without its outermost pixels, covers a grid; None where that is unknown."""
    along = np.linspace(0, 1, EDGE_POINTS)[:-1]
    cols = np.concatenate([along, np.ones_like(along), 1 - along, np.zeros_like(along)])
    rows = np.concatenate([np.zeros_like(along), along, np.ones_like(along), 1 - along])
    affine = native.transform
    x = affine.a * cols * native.width + affine.b * rows * native.height + affine.c
    y = affine.d * cols * native.width + affine.e * rows * native.height + affine.f
    xs, ys = move_points(native.crs, grid.crs, x, y)
    ring = np.column_stack([xs, ys])
    if not np.isfinite(ring).all() or np.ptp(ring[:, 0]) > _half_globe(grid):
        return None
    shape = {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}
    inside = geometry_mask([shape], (grid.height, grid.width), grid.transform, all_touched=True, invert=True)
    return _eroded(inside)


def _eroded(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without pixels that touch the outside; the array's own border counts as inside."""
    padded = np.pad(inside, 2, mode="edge")
    out = inside.copy()
    for row in range(5):
        for col in range(5):
            out &= padded[row : row + inside.shape[0], col : col + inside.shape[1]]
    return out


def _half_globe(grid: Grid) -> float:
    """Half the globe in a grid's units: a wider outline goes around the back."""
    return 180.0 if grid.crs.is_geographic else 2e7 / float(grid.crs.units_factor[1])
