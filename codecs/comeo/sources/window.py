"""A part of a scene as a scene of its own: what lies around a place, on the pixels of the whole."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, TypeVar

from affine import Affine

from comeo.errors import NotFoundError
from comeo.grid import WGS84, Bounds
from comeo.scene import BandGroup, ClassRaster, ClassSource, Pixels, Scene, Window
from comeo.view.projection import move_bounds

PADDING: Final = 8
"""Pixels of the coarsest group around the place."""
_Raster = TypeVar("_Raster", BandGroup, ClassRaster)


def window_of(scene: Scene, bounds: Bounds) -> Scene:
    """The part of a scene that lies around a box; reading it reads no more of the whole.

    Args:
        scene: The whole; it stays open for as long as the part is used.
        bounds: (west, south, east, north) in degrees.

    Returns:
        A scene whose groups all cover the same ground.

    Raises:
        NotFoundError: If the box lies outside the scene.
    """
    coarsest = scene.groups[-1]
    box = _ground_of(coarsest, bounds)
    return replace(
        scene,
        groups=tuple(_group(each, box) for each in scene.groups),
        classes=None if scene.classes is None else _classes(scene.classes, box),
        close=lambda: None,
    )


def _ground_of(group: BandGroup, bounds: Bounds) -> Bounds:
    """Whole pixels of a group over a box and around it, in its projection."""
    moved = move_bounds(WGS84, group.crs, bounds)
    if moved is None:
        raise NotFoundError("the place lies outside the scene")
    found = _window(group, moved, PADDING)
    left, top = group.transform @ (found.col, found.row)
    right, bottom = group.transform @ (found.col + found.width, found.row + found.height)
    return left, bottom, right, top


def _window(raster: BandGroup | ClassRaster, box: Bounds, padding: int = 0) -> Window:
    """Pixels of a raster that lie in a box, edges on edges where they are near.

    Raises:
        NotFoundError: If there is none.
    """
    left, bottom, right, top = box
    corners = ((left, top), (right, bottom))
    columns, rows = zip(*(~raster.transform @ each for each in corners), strict=True)
    first_col, first_row = (max(0, round(min(each)) - padding) for each in (columns, rows))
    last_col = min(raster.width, math.ceil(round(max(columns), 3)) + padding)
    last_row = min(raster.height, math.ceil(round(max(rows), 3)) + padding)
    if first_col >= last_col or first_row >= last_row:
        raise NotFoundError("the place lies outside the scene")
    return Window(first_row, first_col, last_row - first_row, last_col - first_col)


def _group(group: BandGroup, box: Bounds) -> BandGroup:
    part = _window(group, box)

    def read(window: Window) -> Pixels:
        return group.read(_shifted(window, part))

    return replace(_placed(group, part), read=read)


def _classes(source: ClassSource, box: Bounds) -> ClassSource:
    def opened() -> ClassRaster:
        raster = source.open()
        part = _window(raster, box)
        return replace(
            _placed(raster, part),
            read=lambda window: raster.read(_shifted(window, part)),
            labels=lambda window: raster.labels(_shifted(window, part)),
        )

    return replace(source, open=opened)


def _placed(raster: _Raster, part: Window) -> _Raster:
    transform = raster.transform @ Affine.translation(part.col, part.row)
    return replace(raster, transform=transform, height=part.height, width=part.width)


def _shifted(window: Window, part: Window) -> Window:
    return Window(window.row + part.row, window.col + part.col, window.height, window.width)
