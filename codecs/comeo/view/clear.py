"""Which pixels of a grid are clear: classes by the nearest pixel of an archive's layer, and masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from rasterio.coords import BoundingBox
from rio_tiler.models import ImageData

from comeo.archive import Archive, ArchiveGroup
from comeo.archive.clear import ClearGroup
from comeo.archive.clear_model import GROUP
from comeo.errors import ArchiveError, NotFoundError, NotHereError, passes
from comeo.grid import WGS84, Grid
from comeo.missions.clear import BY_NAME, CLEAR_CLASSES, NODATA, Classes, ClearMask
from comeo.scene import Band, pixel_size
from comeo.view.budget import BlockKey
from comeo.view.nearby import kept, margin_of
from comeo.view.projection import move_points
from comeo.view.reader import ArchiveReader
from comeo.view.warp import LATTICE, find_source, source_lattice

TITLE: Final = "class"
_T = TypeVar("_T", np.uint8, np.bool_)


def clear_of(archive: Archive) -> ClearGroup:
    """The layer of an archive.

    Raises:
        NotHereError: If it has not come yet.
        NotFoundError: If it has none, or it is damaged.
    """
    if archive.clear is None:
        raise NotFoundError(
            archive.damaged.get("clear")
            or f"{archive.id} does not say which of its pixels are clear; compress its product again, "
            "with its scene classification (SCL) or with --clear s2cloudless"
        )
    return archive.clear


@contextmanager
def damage_as_unknown() -> Iterator[None]:
    """Say of damaged classes that they are not known: the scene's pixels are none the worse for it.

    Raises:
        NotFoundError: In place of an `ArchiveError` that is not the disk's, nor says that they have not come.
    """
    try:
        yield
    except NotHereError:
        raise
    except ArchiveError as error:
        if passes(error):
            raise
        raise NotFoundError(f"{error}, so its classes are unknown there; copy the archive again") from error


def check_mask(archive: Archive, mask: ClearMask) -> None:
    """Refuse a mask that an archive's layer cannot give.

    Raises:
        NotFoundError: If there is no layer, or its source does not tell a class of the mask from others.
    """
    facts = clear_of(archive).facts
    if set(CLEAR_CLASSES) <= set(mask.numbers):
        wanted = [name for name in mask.names if BY_NAME[name].number not in CLEAR_CLASSES]
    else:
        wanted = list(mask.names)
    if untold := [name for name in wanted if name not in facts.classes]:
        raise NotFoundError(
            f"the classes of {archive.id}, from {facts.source}, do not tell {untold[0]} apart; "
            f"choose of {', '.join(facts.classes)}"
        )


def classes_on(reader: ArchiveReader, grid: Grid) -> Classes:
    """Classes of the pixels of a grid: of each that of the layer's pixel in which its centre lies.

    Args:
        reader: Of the scene.
        grid: Where the pixels go.

    Returns:
        (y, x) uint8, 0 beyond the layer.

    Raises:
        NotFoundError: If the archive has no layer, or a block of it is damaged.
        BoundError: If the reader's budget does not suffice.
    """
    out = np.full((grid.height, grid.width), NODATA, np.uint8)
    return _over(reader, grid, out, partial(_gathered, reader))


def kept_on(reader: ArchiveReader, grid: Grid, mask: ClearMask) -> NDArray[np.bool_]:
    """Where a mask keeps the pixels of a grid: (y, x), of each what holds of the layer's pixel there.

    Raises:
        NotFoundError: If the archive has no layer, or a block of it is damaged.
        BoundError: If the reader's budget does not suffice.
    """
    if not mask.looks_around:
        return mask.keeps(classes_on(reader, grid))
    return _over(reader, grid, np.zeros((grid.height, grid.width), bool), partial(_kept, reader, mask))


def _over(
    reader: ArchiveReader,
    grid: Grid,
    out: NDArray[_T],
    of: Callable[[ClearGroup, NDArray[np.intp], NDArray[np.intp]], NDArray[_T]],
) -> NDArray[_T]:
    """Fill `out`, of the shape of a grid, where the layer has pixels: of their rows and columns there."""
    layer = clear_of(reader.archive)
    source = find_source(_as_group(layer), grid)
    if source is None:
        return out
    rows, cols = _places(layer, source.target)
    inside = (rows >= 0) & (rows < layer.grid.height) & (cols >= 0) & (cols < layer.grid.width)
    top, left = source.offset
    part = out[top : top + source.target.height, left : left + source.target.width]
    if inside.any():
        part[inside] = of(layer, rows[inside], cols[inside])
    return out


def kept_at(reader: ArchiveReader, lon: float, lat: float, mask: ClearMask) -> bool:
    """Whether a mask keeps the pixel at a position: see `kept_on`."""
    layer = clear_of(reader.archive)
    place = _place_of(layer, lon, lat)
    if place is None:
        return False
    return bool(_kept(reader, mask, layer, *(np.array([each]) for each in place))[0])


def _kept(
    reader: ArchiveReader, mask: ClearMask, layer: ClearGroup, rows: NDArray[np.intp], cols: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Where a mask keeps single pixels of the layer."""
    size = pixel_size(layer.grid.transform, layer.grid.crs)
    margin = margin_of(mask, size)
    high, wide = (np.arange(axis.min() - margin, axis.max() + margin + 1) for axis in (rows, cols))
    reader.budget.compute(high.size * wide.size * (2 * margin + 4))
    classes = np.full((high.size, wide.size), NODATA, np.uint8)
    known = np.ix_((high >= 0) & (high < layer.grid.height), (wide >= 0) & (wide < layer.grid.width))
    there = np.meshgrid(high[known[0][:, 0]], wide[known[1][0]], indexing="ij")
    found = _gathered(reader, layer, there[0].ravel(), there[1].ravel())
    classes[known] = found.reshape(there[0].shape)
    answers: NDArray[np.bool_] = kept(classes, mask, size)[rows - rows.min(), cols - cols.min()]
    return answers


def mask_image(image: ImageData, reader: ArchiveReader, grid: Grid, mask: ClearMask | None) -> ImageData:
    """The image, with pixels whose class the mask does not keep masked as well.

    Args:
        image: On the grid.
        reader: Of the scene.
        grid: Of the image.
        mask: None leaves the image as it is.

    Raises:
        NotFoundError: If the archive cannot give the mask.
    """
    if mask is None:
        return image
    check_mask(reader.archive, mask)
    hidden = ~kept_on(reader, grid, mask)
    values = image.array
    if image.nodata is not None:
        values = np.ma.MaskedArray(values.data.copy(), np.ma.getmaskarray(values))
        values.data[:, hidden] = image.nodata
    values = np.ma.MaskedArray(values.data, np.ma.getmaskarray(values) | hidden)
    return ImageData(
        values, bounds=image.bounds, crs=image.crs, band_names=image.band_names,
        band_descriptions=image.band_descriptions, scales=image.scales, offsets=image.offsets,
        nodata=image.nodata,
    )  # fmt: skip


def class_image(reader: ArchiveReader, grid: Grid) -> ImageData:
    """Classes as an image of one uint8 band, masked where there is none."""
    classes = classes_on(reader, grid)[None]
    return ImageData(
        np.ma.MaskedArray(classes, classes == NODATA), bounds=BoundingBox(*grid.bounds), crs=grid.crs,
        band_names=[TITLE], band_descriptions=[TITLE], nodata=NODATA,
    )  # fmt: skip


def class_at(reader: ArchiveReader, lon: float, lat: float) -> int:
    """Class at a position, 0 where there is none: see `classes_on`."""
    layer = clear_of(reader.archive)
    place = _place_of(layer, lon, lat)
    if place is None:
        return NODATA
    return int(_gathered(reader, layer, *(np.array([each]) for each in place))[0])


def _place_of(layer: ClearGroup, lon: float, lat: float) -> tuple[int, int] | None:
    """Row and column of the layer's pixel at a position; None where there is none."""
    xs, ys = move_points(WGS84, layer.grid.crs, np.array([lon]), np.array([lat]))
    if not np.isfinite((xs[0], ys[0])).all():
        return None
    col, row = ~layer.grid.transform @ (float(xs[0]), float(ys[0]))
    inside = 0 <= row < layer.grid.height and 0 <= col < layer.grid.width
    return (int(row), int(col)) if inside else None


def _as_group(layer: ClearGroup) -> ArchiveGroup:
    """The layer as a group with one level, as far as finding out what a grid needs goes."""
    level = layer.layout.level
    return ArchiveGroup(GROUP, (Band(TITLE),), layer.grid.crs, level.dtype, True, (level,))


def _places(layer: ClearGroup, target: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of the layer in which each pixel's centre lies, −1 where it has no place there.

    The way from one grid to the other is smooth, so that it is followed at a lattice of points and straight
    in between: over a scene that is off by metres, where the layer's pixels have 60.
    """
    cols, rows = source_lattice(target, layer.grid.crs, layer.grid.transform)
    found = [_spread(axis, target.height, target.width) for axis in (rows, cols)]
    if not np.isfinite(found).all():
        lost = ~np.isfinite(found).all(axis=0)
        for axis in found:
            axis[lost] = -1.0
    row, col = (np.floor(axis.clip(-1, 1 << 24)).astype(np.intp) for axis in found)
    return row, col


def _spread(lattice: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Values at pixel centres between those of a lattice over a grid, edges included: (height, width)."""

    def along(count: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        places = (np.arange(count) + 0.5) * (LATTICE - 1) / count
        first = np.minimum(places.astype(np.intp), LATTICE - 2)
        return first, places - first

    (row, down), (col, right) = along(height), along(width)
    with np.errstate(invalid="ignore"):  # infinite where a point has no place
        lines = lattice[row] + (lattice[row + 1] - lattice[row]) * down[:, None]
        found: NDArray[np.float64] = lines[:, col] + (lines[:, col + 1] - lines[:, col]) * right
    return found


def _gathered(
    reader: ArchiveReader, layer: ClearGroup, rows: NDArray[np.intp], cols: NDArray[np.intp]
) -> Classes:
    """Classes of single pixels of the layer, by the blocks that they lie in."""
    if not rows.size:
        return np.empty(0, np.uint8)
    side = layer.block
    high, wide = (range(int(axis.min()) // side, int(axis.max()) // side + 1) for axis in (rows, cols))
    wanted = [(row, col) for row in high for col in wide]
    keys = [(reader.archive.whole_etag, GROUP, 0, 0, *place) for place in wanted]
    reader.budget.decode(dict.fromkeys(keys, side * side))

    def read(missing: Sequence[BlockKey]) -> list[Classes]:
        with damage_as_unknown():
            return layer.blocks([key[4:] for key in missing])

    blocks = reader.blocks.get_many(keys, read)
    if len(wanted) == 1:
        found: Classes = blocks[0][rows - high[0] * side, cols - wide[0] * side]
        return found
    out = np.empty(rows.shape, np.uint8)
    number = (rows // side) * (high[-1] + wide[-1] + 1) + cols // side
    for (row, col), block in zip(wanted, blocks, strict=True):
        here = number == row * (high[-1] + wide[-1] + 1) + col
        out[here] = block[rows[here] - row * side, cols[here] - col * side]
    return out
