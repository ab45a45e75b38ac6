"""Tiles of layers: their place in a tile matrix set, their ETag, and their pixels."""

from __future__ import annotations

from dataclasses import dataclass

from comeo.errors import NotFoundError
from comeo.grid import Grid
from comeo.missions.clear import ClearMask
from comeo.view.budget import Budget
from tileserver.catalog import Search
from tileserver.render import images, mosaic
from tileserver.render.layers import Layer
from tileserver.render.links import resolve_name, zoom_of
from tileserver.render.matrixsets import tile_grid
from tileserver.render.plan import RenderRequest, Selection
from tileserver.render.scenes import Scenes


class LayerTileError(NotFoundError):
    """A layer has no such tile.

    Args:
        message: One sentence that says which tiles there are.
        parameter: The parameter of WMTS that is wrong, `TILEROW`.
        out_of_range: Whether it is the number of a row or column beyond the layer's tiles.
    """

    def __init__(self, message: str, parameter: str, *, out_of_range: bool = False) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.out_of_range = out_of_range


@dataclass(frozen=True, slots=True)
class LayerTile:
    """A tile of a layer.

    Attributes:
        layer: The layer.
        search: Its scenes at the requested time.
        grid: Of the tile.
        style: Name.
        extension: Of the image.
        mask: Classes whose pixels alone are shown. None: all.
        selection: Which pixels of a collection's scenes.
    """

    layer: Layer
    search: Search
    grid: Grid
    style: str
    extension: str
    mask: ClearMask | None = None
    selection: Selection = "first"

    @property
    def request(self) -> RenderRequest:
        """Style, mask and selection, as images and mosaics take them."""
        return RenderRequest(style=self.style, mask=self.mask, selection=self.selection)

    def etag(self, scenes: Scenes) -> str:
        """ETag, known before any work."""
        record = self.layer.record
        if record is not None:
            return images.SceneTile(scenes, record, self.grid, self.request, self.extension).etag
        return mosaic.tile_etag(scenes, self.search, self.grid, self.request, self.extension)

    def render(self, scenes: Scenes, etag: str, budget: Budget) -> bytes:
        """Render it within a budget: the same tile, from the same cache, as under its XYZ address."""
        record = self.layer.record
        if record is not None:
            return images.SceneTile(scenes, record, self.grid, self.request, self.extension).render(budget)
        return mosaic.tile(scenes, self.search, self.grid, self.request, self.extension, etag, budget)


def tile_in(layer: Layer, set_name: str, matrix: str, row: int, col: int) -> Grid:
    """Grid of one of a layer's tiles.

    Raises:
        LayerTileError: If the layer has no such set, the set no such matrix, or the tile lies outside it.
    """
    link = layer.links.get(resolve_name(set_name))
    if link is None:
        message = f"a tile matrix set of this layer is one of {', '.join(layer.links)}"
        raise LayerTileError(message, "TILEMATRIXSET")
    zoom = zoom_of(link.tms, matrix)
    if zoom is None:
        message = f"{link.name} has the matrices {link.tms.minzoom} to {link.tms.maxzoom}"
        raise LayerTileError(message, "TILEMATRIX")
    limits = link.limits(zoom)
    for name, value, low, high in (
        ("TILEROW", row, limits.min_row, limits.max_row),
        ("TILECOL", col, limits.min_col, limits.max_col),
    ):
        if not low <= value <= high:
            raise LayerTileError(f"{name} goes from {low} to {high} here", name, out_of_range=True)
    grid = tile_grid(link.tms, col, row, zoom)
    if grid is None:
        raise LayerTileError("the matrix has no such tile", "TILEROW", out_of_range=True)
    return grid
