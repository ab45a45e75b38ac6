"""Scenes of two groups of which the coarser is predicted from the finer."""

from __future__ import annotations

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from comeo.archive import Archive, Level
from comeo.codecs import get_codec
from comeo.codecs.payload import SATURATED
from comeo.codecs.reduction import reduce_mean
from comeo.scene import BandGroup, Scene, Window
from tests.scenes import array_group, array_scene, corner_cut, landscape

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
COARSE = FINE @ Affine.scale(2)


def pair_of_groups(
    height: int, width: int, *, dtype: Any = np.uint16, masked: bool = True, transform: Affine = COARSE
) -> tuple[BandGroup, BandGroup]:
    """Three bands, and two on pixels twice as large that are mixtures of the same ground.

    Masks, if any, are cut off a corner, each band's its own; a hole in all of the finer group is none in the
    coarser, which has one elsewhere.
    """
    values = landscape(3, height, width, dtype=dtype)
    means = reduce_mean(values.astype(np.float32), 1)
    mixed = np.stack([0.7 * means[0] + 0.3 * means[1], 0.5 * means[1] + 0.5 * means[2]]).astype(dtype)
    fine = _masked(values, slice(20, 90)) if masked else None
    coarse = _masked(mixed, slice(60, 80)) if masked else None
    return (
        array_group(values, fine, names=["B02", "B03", "B04"], transform=FINE, unit=""),
        array_group(mixed, coarse, names=["B11", "B12"], transform=transform, unit=""),
    )


def pair_scene(height: int, width: int, **options: Any) -> Scene:
    """A scene of `pair_of_groups`."""
    return array_scene(*pair_of_groups(height, width, **options))


def cropped_scene(
    rows: tuple[int, int], cols: tuple[int, int], *, inside: bool = False, **options: Any
) -> Scene:
    """A crop of `pair_of_groups` by finer pixels, as of a product.

    Args:
        rows: First row of the finer group and how many, below 2.
        cols: Likewise of columns.
        inside: Whether coarser pixels that the crop cuts through are left out.
        options: Of `pair_of_groups`.
    """
    (top, height), (left, width) = rows, cols
    size = [-(-(start + count) // 2) * 2 for start, count in (rows, cols)]
    fine, coarse = pair_of_groups(size[0], size[1], **options)
    spans = [
        (-(-start // 2), (start + count) // 2) if inside else (start // 2, -(-(start + count) // 2))
        for start, count in (rows, cols)
    ]
    (first, last), (west, east) = spans
    own = fine.read(Window(top, left, height, width))
    other = coarse.read(Window(first, west, last - first, east - west))
    return array_scene(
        array_group(
            own.values, own.valid if fine.has_nodata else None, names=["B02", "B03", "B04"],
            transform=FINE @ Affine.translation(left, top), unit="",
        ),
        array_group(
            other.values, other.valid if coarse.has_nodata else None, names=["B11", "B12"],
            transform=COARSE @ Affine.translation(west, first), unit="",
        ),
    )  # fmt: skip


def decoded_by_hand(archive: Archive, level: Level, reduce: int) -> dict[tuple[int, int], NDArray[Any]]:
    """Blocks of a level decoded as the format says, each reference cut out of the finer level as a whole."""
    codec, finer = get_codec(archive.codec), level.reference
    assert finer is not None
    half = archive.read(finer, Window(0, 0, -(-finer.height // 2), -(-finer.width // 2)), 1)
    known = half.astype(np.float32)
    if half.dtype == np.uint16:
        known[(half == 0) | (half == SATURATED)] = np.nan
    # Of all pixels of the level at once, so that borders of blocks are nowhere.
    under = np.full((finer.bands, level.height + 2, level.width + 2), np.nan, np.float32)
    part = known[:, : level.height + 1, : level.width + 1]
    under[:, 1 : part.shape[1] + 1, 1 : part.shape[2] + 1] = part
    for axis, offset in enumerate(level.offset, start=1):
        if offset:
            both = np.ma.masked_invalid(np.stack([under, np.roll(under, -offset, axis)]))
            under = np.ma.filled(both.mean(axis=0), np.nan).astype(np.float32)
    reference = under[:, 1:-1, 1:-1]
    found = {}
    for row, col in np.ndindex(*level.grid):
        payload = archive.payload(level, row, col)
        if payload is not None:
            _, height, width = level.block_shape(row, col)
            top, left = row * level.block, col * level.block
            own = np.ascontiguousarray(reference[:, top : top + height, left : left + width])
            found[row, col] = codec.decode(payload, reduce=reduce, reference=own)
    return found


def _masked(values: NDArray[Any], hole: slice) -> NDArray[np.bool_]:
    valid = corner_cut((len(values), *values.shape[1:]))
    valid[:, hole, hole] = False
    return valid
