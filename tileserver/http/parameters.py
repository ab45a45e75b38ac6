"""Path and query parameters, typed and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, RootModel

from tileserver.render.geojson import PolygonDocument
from tileserver.render.parameters import EpsgCode, Parameters, RenderParameters, Side, split_commas
from tileserver.render.plan import RenderRequest, Selection

TileFormat = Literal["png", "webp", "jpg", "jpeg", "tif", "npy"]
PartFormat = Literal["png", "webp", "tif", "kmz"]
Identifier = Annotated[str, Field(min_length=1, max_length=200)]


class FilePath(Parameters):
    """A file of the viewer."""

    name: str


class CollectionPath(Parameters):
    """A collection."""

    collection: Identifier = Field(description="STAC Collection id.")


class ItemPath(CollectionPath):
    """A scene."""

    item: Identifier = Field(description="STAC Item id.")


class LanguageQuery(Parameters):
    """In which language words are."""

    lang: str = Field(
        "en", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$",
        description="Language of titles, `fr` or `pt-BR`; English where there are none in it.",
    )  # fmt: skip


class TilePart(Parameters):
    """A tile of whatever has tiles."""

    tms: str = Field(max_length=64, description="Tile matrix set: any of morecantile's ids.")
    z: int = Field(description="Zoom level.")
    x: int = Field(description="Column.")
    y: int = Field(description="Row.")
    format: TileFormat = Field(description="Of the image.")


class TilePath(ItemPath, TilePart):
    """A scene's tile."""


class CollectionTilePath(CollectionPath, TilePart):
    """A collection's tile."""


class _Scaled(Parameters):
    scale: int = Field(ge=1, le=4, description="How many times as dense as the matrix set says.")


class ScaledTilePath(TilePath, _Scaled):
    """A scene's tile for dense screens."""


class ScaledCollectionTilePath(CollectionTilePath, _Scaled):
    """A collection's tile for dense screens."""


class PreviewPath(ItemPath):
    """A scene's preview."""

    format: TileFormat = Field(description="Of the image.")


class _Position(Parameters):
    lon: float = Field(ge=-180, le=180, description="Longitude in degrees.")
    lat: float = Field(ge=-90, le=90, description="Latitude in degrees.")


class PointPath(ItemPath, _Position):
    """A position in a scene."""


class CollectionPointPath(CollectionPath, _Position):
    """A position in a collection."""


class PartPath(ItemPath):
    """An area of a scene, in degrees."""

    west: float = Field(ge=-180, le=180)
    south: float = Field(ge=-90, le=90)
    east: float = Field(ge=-180, le=180)
    north: float = Field(ge=-90, le=90)
    format: PartFormat


class CollectionPartPath(CollectionPath):
    """An area of a collection, in degrees."""

    west: float = Field(ge=-180, le=180)
    south: float = Field(ge=-90, le=90)
    east: float = Field(ge=-180, le=180)
    north: float = Field(ge=-90, le=90)
    format: Literal["png", "webp", "tif"]


class FeaturePath(ItemPath):
    """The part of a scene inside a GeoJSON geometry."""

    format: PartFormat


class _Datetime(Parameters):
    datetime: str | None = Field(
        None,
        max_length=100,
        description="A time, a day, or an interval: `2024-05-01/2024-06-01`, `../2024-05-01`.",
    )


class CollectionQuery(RenderParameters, _Datetime):
    """The same for a collection, newest valid pixel first."""


PixelSelection = Annotated[
    Selection,
    Field(
        description="Which pixels: `first`, the newest valid one; `clear`, the newest clear one, and where "
        "there is none the newest of any; `mean`, `median`, `lowest`, `highest` of all clear ones."
    ),
]


class _Selection(RenderParameters):
    pixel_selection: PixelSelection = "first"

    def render_request(self) -> RenderRequest:
        """The same for `tileserver.render`."""
        return replace(super().render_request(), selection=self.pixel_selection)


class MosaicQuery(_Selection, CollectionQuery):
    """Which pixels of a collection, and how to show them."""


class TilesetQuery(RenderParameters):
    """Tiles that a TileJSON points to."""

    tms: str = Field("WebMercatorQuad", max_length=64, description="Tile matrix set.")
    tile_format: TileFormat = Field("webp", description="Of the tiles.")
    tile_scale: int = Field(1, ge=1, le=4, description="How many times as dense as the matrix set says.")


class CollectionTilesetQuery(_Selection, TilesetQuery, _Datetime):
    """The same for a collection."""


class _Size(Parameters):
    max_size: int | None = Field(None, ge=1, description="Longest side in pixels.")


class PreviewQuery(RenderParameters):
    """How to show a preview."""

    max_size: int = Field(1024, ge=1, description="Longest side in pixels.")


class PartQuery(RenderParameters, _Size):
    """Size and projection of an area."""

    dst_crs: EpsgCode | None = Field(
        None,
        description="Projection, `EPSG:3857`; by default the scene's own for tif, EPSG:4326 for pictures.",
    )
    width: Side | None = Field(None, description="In pixels.")
    height: Side | None = Field(None, description="In pixels.")


class MosaicPartQuery(MosaicQuery):
    """Size and projection of an area of a collection."""

    max_size: int = Field(1024, ge=1, description="Longest side in pixels.")
    dst_crs: EpsgCode = Field("EPSG:4326", description="Projection, `EPSG:3857`.")
    width: Side | None = Field(None, description="In pixels.")
    height: Side | None = Field(None, description="In pixels.")


class FeatureQuery(RenderParameters, _Size):
    """Size and projection of the area of a geometry."""

    dst_crs: EpsgCode | None = Field(None, description="Projection, `EPSG:3857`.")


class StatisticsQuery(RenderParameters):
    """Extent of the statistics."""

    max_size: int = Field(
        1024, ge=1, description="Longest side in pixels of the image that they are made of."
    )
    p: Annotated[list[Annotated[int, Field(ge=0, le=100)]], BeforeValidator(split_commas)] = Field(
        default=[2, 98], max_length=20, description="Percentiles."
    )
    histogram_bins: int = Field(10, ge=1, le=1000, description="Bins of the histogram.")


class GeoJSONBody(RootModel[PolygonDocument]):
    """A GeoJSON Polygon or MultiPolygon in degrees, or a Feature with one."""
