"""Path and query parameters, typed and checked."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from comeo.view.resampling import ResamplingName
from tileserver.render.look import RenderRequest

TileFormat = Literal["png", "webp", "jpg", "jpeg", "tif", "npy"]
PartFormat = Literal["png", "webp", "tif", "kmz"]
MAX_LIST = 64
Range = tuple[float, float]


def split_commas(value: Any) -> Any:
    """Make a list of `a,b` and of `a&…=b` alike."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, (list, tuple)):
        if any(isinstance(entry, str) and not is_text(entry) for entry in value):
            raise ValueError("half of a character is no text")
        return [part.strip() for entry in value for part in str(entry).split(",") if part.strip()]
    return value


def is_text(value: str) -> bool:
    """Whether a string can be written: JSON can carry halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def split_ranges(value: Any) -> Any:
    """Make ranges of `0,1&rescale=0,2`, as TiTiler does, and of `0,1,0,2`."""
    numbers = split_commas(value)
    if not isinstance(numbers, list):
        return numbers
    if not numbers or len(numbers) % 2:
        raise ValueError("a range is min,max")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


Names = Annotated[list[str], BeforeValidator(split_commas), Field(max_length=MAX_LIST)]
Ranges = Annotated[list[Range], BeforeValidator(split_ranges), Field(max_length=MAX_LIST)]
Identifier = Annotated[str, Field(min_length=1, max_length=200)]


class Parameters(BaseModel):
    """Base of all: what a model doesn't know is left alone, as web servers do."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @classmethod
    @functools.cache
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """The JSON schema, made once: flask-openapi3 asks for it on every request."""
        return super().model_json_schema(*args, **options)


class FilePath(Parameters):
    """A file of the viewer."""

    name: str


class CollectionPath(Parameters):
    """A collection."""

    collection: Identifier = Field(description="STAC Collection id.")


class ItemPath(CollectionPath):
    """A scene."""

    item: Identifier = Field(description="STAC Item id.")


class _TilePart(Parameters):
    tms: str = Field(max_length=64, description="Tile matrix set: any of morecantile's ids.")
    z: int = Field(description="Zoom level.")
    x: int = Field(description="Column.")
    y: int = Field(description="Row.")
    format: TileFormat = Field(description="Of the image.")


class TilePath(ItemPath, _TilePart):
    """A scene's tile."""


class CollectionTilePath(CollectionPath, _TilePart):
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


class FeaturePath(ItemPath):
    """What a GeoJSON geometry covers of a scene."""

    format: PartFormat


class AppearanceQuery(Parameters):
    """What to read and how to show it, by TiTiler's names."""

    bands: Names | None = Field(None, description="Names of bands, `B04,B03,B02`, given as stored numbers.")
    expression: str | None = Field(
        None, min_length=1,
        description="Band arithmetic on physical values, `(B08-B04)/(B08+B04)`; several results between `;`.",
    )  # fmt: skip
    style: str | None = Field(None, min_length=1, max_length=64, description="A style that `info` lists.")
    rescale: Ranges | None = Field(
        None, description="Values to show as darkest and brightest: `min,max`, one for all or one for each.",
        json_schema_extra={"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
    )  # fmt: skip
    colormap_name: str | None = Field(None, max_length=64, description="One of rio-tiler's colour maps.")
    color_formula: str | None = Field(
        None, max_length=1000, description="Of color-operations: `gamma RGB 1.2 saturation 1.1`."
    )
    unscale: bool | None = Field(
        None, description="Physical values (true) or stored numbers (false); by default bands are stored "
        "numbers, expressions and styles physical.",
    )  # fmt: skip
    resampling: ResamplingName | None = Field(
        None, description="By default bilinear for pictures and nearest for tif and npy. The mask is always "
        "the nearest pixel's.",
    )  # fmt: skip
    return_mask: bool = Field(True, description="Whether images get an alpha channel and arrays a mask.")

    @field_validator("rescale")
    @classmethod
    def _ordered(cls, value: list[Range] | None) -> list[Range] | None:
        for low, high in value or ():
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(f"{low:g},{high:g} is no range: min has to be less than max")
        return value

    def appearance(self) -> RenderRequest:
        """As services know it."""
        return RenderRequest(
            tuple(self.bands) if self.bands else None, self.expression, self.unscale, self.resampling,
            self.style, tuple(self.rescale) if self.rescale else None, self.colormap_name,
            self.color_formula, self.return_mask,
        )  # fmt: skip


class _Datetime(Parameters):
    datetime: str | None = Field(
        None,
        max_length=100,
        description="A time, a day, or an interval: `2024-05-01/2024-06-01`, `../2024-05-01`.",
    )


class CollectionQuery(AppearanceQuery, _Datetime):
    """The same for a collection, newest valid pixel first."""


class TilesetQuery(AppearanceQuery):
    """What a TileJSON is to point to."""

    tms: str = Field("WebMercatorQuad", max_length=64, description="Tile matrix set.")
    tile_format: TileFormat = Field("webp", description="Of the tiles.")
    tile_scale: int = Field(1, ge=1, le=4, description="How many times as dense as the matrix set says.")


class CollectionTilesetQuery(TilesetQuery, _Datetime):
    """The same for a collection."""


class _Size(Parameters):
    max_size: int | None = Field(None, ge=1, description="Longest side in pixels.")


class PreviewQuery(AppearanceQuery):
    """How to show a preview."""

    max_size: int = Field(1024, ge=1, description="Longest side in pixels.")


class PartQuery(AppearanceQuery, _Size):
    """How to give an area."""

    dst_crs: str | None = Field(
        None, max_length=20, pattern=r"^(?i:EPSG:)\d{4,6}$",
        description="Projection, `EPSG:3857`; by default the scene's own for tif, EPSG:4326 for pictures.",
    )  # fmt: skip
    width: int | None = Field(None, ge=1, description="In pixels.")
    height: int | None = Field(None, ge=1, description="In pixels.")


class FeatureQuery(AppearanceQuery, _Size):
    """How to give what a geometry covers."""

    dst_crs: str | None = Field(
        None, max_length=20, pattern=r"^(?i:EPSG:)\d{4,6}$", description="Projection, `EPSG:3857`."
    )


class StatisticsQuery(AppearanceQuery):
    """What statistics to make."""

    max_size: int = Field(1024, ge=1, description="Longest side in pixels of what is looked at.")
    p: Annotated[list[Annotated[int, Field(ge=0, le=100)]], BeforeValidator(split_commas)] = Field(
        default=[2, 98], max_length=20, description="Percentiles."
    )
    histogram_bins: int = Field(10, ge=1, le=1000, description="Bins of the histogram.")


class GeoJSONBody(BaseModel):
    """A GeoJSON Polygon or MultiPolygon in degrees, or a Feature with one."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(max_length=40)
