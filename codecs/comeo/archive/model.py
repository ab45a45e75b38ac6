"""Groups and levels of an archive, and the models that its metadata are checked with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import numpy as np
from affine import Affine
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    field_validator,
    model_validator,
)
from rasterio.crs import CRS

from comeo.archive.certificate import Layout
from comeo.codecs.payload import MAX_BANDS, MAX_SAMPLES, MAX_SIDE, check_step
from comeo.crs import parse_crs
from comeo.errors import CodecError
from comeo.grid import Grid
from comeo.scene import DATETIME_UNKNOWN, Band

FORMAT_VERSION = 2
BLOCK = 256
# Ids become file names and URLs, so they are held to what both take.
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
MAX_LEVEL_SIDE = 1 << 20
MAX_LEVEL_BLOCKS = 1 << 20
MAX_CERTIFICATE_CHARACTERS = 1 << 21
MAX_SHARDS_CHARACTERS = 1 << 17  # of more shards than a store has entries
MAX_OFF_GRID = 0.15  # pixels; of a crop's overviews, which start at the crop's corner, it is an eighth
DATA = "data"


@dataclass(frozen=True, slots=True)
class Level:
    """One stored overview of a group; number 0 is native resolution.

    Attributes:
        group: Name of the group.
        number: A pixel covers 2^number × 2^number native pixels.
        height: Rows.
        width: Columns.
        transform: Pixel corner (column, row) to CRS coordinates.
        block: Side of a block.
        shard: (rows, cols) of blocks in a shard.
        bands: How many.
        dtype: uint16 or float32.
        step: Quantisation step.
        reference: The level of a finer group that blocks may be predicted from, or None.
        offset: Rows down and columns to the right, in pixels of the reference, at which this level begins on
            it: -1, 0 or 1 each.
    """

    group: str
    number: int
    height: int
    width: int
    transform: Affine
    block: int
    shard: tuple[int, int]
    bands: int
    dtype: np.dtype[Any]
    step: float
    reference: Level | None = None
    offset: tuple[int, int] = (0, 0)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return -(-self.height // self.block), -(-self.width // self.block)

    @property
    def shards(self) -> tuple[int, int]:
        """Rows and columns of shards."""
        (rows, cols), (height, width) = self.grid, self.shard
        return -(-rows // height), -(-cols // width)

    @property
    def key(self) -> str:
        """Key of the level's array."""
        return f"{self.group}/{self.number}/{DATA}"

    def shard_key(self, row: int, col: int) -> str:
        """Key of a shard."""
        return f"{self.key}/c/0/{row}/{col}"

    def predicted_from(self, finer: Level) -> Level | None:
        """This level with another one, of pixels half as large, as its reference.

        The corners of both are near each other, and pixels of this one end where pixels of the other do, as
        in any crop of a product. In overviews, whose pixels are far larger than the crop's offset, about so.

        Returns:
            None if it cannot be predicted from that one.
        """
        half, own = self.transform @ Affine.scale(0.5), finer.transform
        slack = 1e-3 * max(abs(own.a), abs(own.b), abs(own.d), abs(own.e))
        pairs = (half.a, own.a), (half.b, own.b), (half.d, own.d), (half.e, own.e)
        col, row = ~own @ (half.c, half.f)
        offset = round(row), round(col)
        apart = offset[0] + 2 * self.height - finer.height, offset[1] + 2 * self.width - finer.width
        fits = (
            self.number == finer.number
            and self.dtype == finer.dtype  # floats may be infinite, which integers cannot be predicted from
            and finer.reference is None
            and all(abs(this - other) <= slack for this, other in pairs)
            and max(abs(row - offset[0]), abs(col - offset[1])) <= MAX_OFF_GRID
            and max(map(abs, offset)) <= 1
            and max(map(abs, apart)) <= 2
        )
        return replace(self, reference=finer, offset=offset) if fits else None

    def block_shape(self, row: int, col: int) -> tuple[int, int, int]:
        """Shape of a block: smaller than the others at the far edges."""
        return (
            self.bands,
            min(self.block, self.height - row * self.block),
            min(self.block, self.width - col * self.block),
        )


@dataclass(frozen=True, slots=True)
class ArchiveGroup:
    """The bands of one native resolution, as archived."""

    name: str
    bands: tuple[Band, ...]
    crs: CRS
    dtype: np.dtype[Any]
    has_nodata: bool
    levels: tuple[Level, ...]

    @property
    def nodata(self) -> float | None:
        """The value of invalid pixels, or None when there can be none."""
        if not self.has_nodata:
            return None
        return math.nan if self.dtype.kind == "f" else 0

    @property
    def native_grid(self) -> Grid:
        """Grid of level 0."""
        level = self.levels[0]
        return Grid(self.crs, level.transform, level.height, level.width)

    @property
    def layout(self) -> Layout:
        """Layout of the group, as a certificate needs it."""
        return Layout(self.name, self.levels[0].bands, *self.levels[0].grid)


class Strict(BaseModel):
    """What is read of an archive: members that are unknown are ignored, and nothing changes."""

    model_config = ConfigDict(extra="ignore", frozen=True)


_Side = Annotated[int, Field(ge=1, le=MAX_LEVEL_SIDE)]
# Clients get these as they stand: texts that look like numbers are none.
_Longitude = Annotated[float, Field(ge=-180, le=180, strict=True)]
_Latitude = Annotated[float, Field(ge=-90, le=90, strict=True)]
# Of a transform to CRS coordinates: the Earth in millimetres still fits.
_Coefficient = Annotated[float, Field(ge=-1e11, le=1e11)]
_Bands = Annotated[int, Field(ge=1, le=MAX_BANDS)]
# Of a linear conversion: physical values stay within what float32 can hold.
_Factor = Annotated[float, Field(ge=-1e30, le=1e30)]


def _sound_step(step: Any) -> float:
    """A quantisation step, bounded as that of payloads: errors that are stated in it stay finite."""
    try:
        check_step(step)
    except CodecError as error:
        raise ValueError(str(error)) from error
    return float(step)


_Position = tuple[_Longitude, _Latitude] | tuple[_Longitude, _Latitude, float]
_Rings = Annotated[list[Annotated[list[_Position], Field(min_length=4)]], Field(min_length=1)]


def _apart(display: tuple[float, float]) -> tuple[float, float]:
    if display[0] >= display[1]:
        raise ValueError("display goes from what is black to what is white, which is more")
    return display


class BandModel(Strict):
    """A band in STAC 1.1's words, and how it is shown."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+$")
    scale: _Factor = Field(1.0, alias="raster:scale")
    offset: _Factor = Field(0.0, alias="raster:offset")
    unit: str = Field("", max_length=32)
    common_name: str = Field("", alias="eo:common_name", max_length=64)
    center_wavelength: float | None = Field(None, alias="eo:center_wavelength", allow_inf_nan=False)
    display: Annotated[tuple[_Factor, _Factor], AfterValidator(_apart)] | None = Field(
        None, alias="comeo:display"
    )
    colormap: str = Field("", alias="comeo:colormap", pattern=r"^[a-z0-9_]{0,64}$")

    def band(self) -> Band:
        """As the rest of the package knows it."""
        return Band(
            self.name, self.scale, self.offset, self.unit, self.common_name, self.center_wavelength,
            display=self.display, colormap=self.colormap,
        )  # fmt: skip


class GridAttributes(Strict):
    """Attributes of a group that say where its pixels lie."""

    crs_code: str | None = Field(None, alias="proj:code")
    crs_wkt2: str | None = Field(None, alias="proj:wkt2")
    transform: list[_Coefficient] = Field(alias="spatial:transform", min_length=6, max_length=6)

    @model_validator(mode="after")
    def _check_transform(self) -> Self:
        """The transform can be inverted."""
        a, b, _, d, e, _ = self.transform
        if abs(a * e - b * d) < 1e-18:
            raise ValueError("the transform cannot be inverted")
        return self

    def crs(self) -> CRS:
        """The coordinate reference system.

        Raises:
            CrsError: If it is missing, or not accepted: see `parse_crs`.
        """
        return parse_crs(self.crs_code or self.crs_wkt2 or "")


class GroupAttributes(GridAttributes):
    """Attributes of a group of bands that are read back."""

    bands: list[BandModel] = Field(min_length=1, max_length=MAX_BANDS)
    levels: list[Annotated[int, Field(ge=0, le=16)]] = Field(min_length=1, max_length=16)
    nodata: bool

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Levels go from fine to coarse."""
        if self.levels[0] != 0 or sorted(set(self.levels)) != self.levels:
            raise ValueError(f"levels are 0 and coarser ones in order, not {self.levels}")
        return self


class ItemProperties(Strict):
    """The properties that say when a scene was acquired."""

    # Further out, the time in another zone would have no year that Python knows.
    datetime: AwareDatetime = Field(ge=datetime(1800, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))
    datetime_unknown: bool = Field(False, alias=DATETIME_UNKNOWN)

    @field_validator("datetime_unknown", mode="before")
    @classmethod
    def _only_true(cls, value: Any) -> bool:
        """Only JSON's `true` marks a time as unknown."""
        return value is True


class _Polygon(Strict):
    type: Literal["Polygon"]
    coordinates: _Rings


class _MultiPolygon(Strict):
    type: Literal["MultiPolygon"]
    coordinates: list[_Rings] = Field(min_length=1)


class ItemModel(Strict):
    """Members of the STAC Item that are read back, and those that clients of a catalogue rely on."""

    type: Literal["Feature"] = "Feature"
    id: str = Field(pattern=ID_PATTERN)
    collection: str = Field(pattern=ID_PATTERN)
    bbox: tuple[_Longitude, _Latitude, _Longitude, _Latitude]
    geometry: _Polygon | _MultiPolygon = Field(discriminator="type")
    properties: ItemProperties

    @model_validator(mode="after")
    def _check(self) -> Self:
        """West may lie east of east, across the antimeridian; south is never north of north."""
        if self.bbox[1] > self.bbox[3]:
            raise ValueError("bbox is west, south, east, north, the south not above the north")
        return self


class SourceModel(Strict):
    """Where the pixels came from."""

    name: str = ""
    sha256: str = ""


class ComeoAttributes(Strict):
    """The root attribute `comeo`."""

    format_version: int = Field(ge=1, le=FORMAT_VERSION, strict=True)
    codec: str = Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")
    model: str | None = Field(None, pattern=r"^[A-Za-z0-9_.:\-]{0,64}$")
    ratio: float = Field(gt=0, allow_inf_nan=False)
    step: Annotated[float, BeforeValidator(_sound_step)]
    raw_bytes: int = Field(gt=0)
    shards: str | None = Field(None, max_length=MAX_SHARDS_CHARACTERS)
    groups: list[Annotated[str, Field(pattern=r"^r[0-9]{1,7}m(_db)?$")]] = Field(min_length=1, max_length=16)
    source: SourceModel = SourceModel()
    # what pixels do not need is checked when it is looked at, so that they can be read where it is damaged
    certificate: Any = None
    means: Any = None
    histograms: Any = None
    clear: Any = None
    clouds: Any = None
    power: Any = None
    preset: str | None = Field(None, pattern=r"^[a-z0-9\-]{1,32}$")
    despeckle: str | None = Field(None, pattern=r"^[a-z0-9\-]{1,32}$")

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Archives say what shards they have."""
        if self.shards is None and self.format_version > 1:
            raise ValueError("shards, of which shards there are, is missing: compress the scene again")
        return self


Characters = TypeAdapter(Annotated[str, Field(max_length=MAX_CERTIFICATE_CHARACTERS)])
"""Of a certificate, histograms or factors of means."""


class RootAttributes(Strict):
    """Attributes of the root group that are read back."""

    stac_discovery: dict[str, Any]
    comeo: ComeoAttributes

    @model_validator(mode="before")
    @classmethod
    def _check_version(cls, attributes: Any) -> Any:
        """A version to come is said first: whatever else is unlike it, is so for that reason."""
        comeo = attributes.get("comeo") if isinstance(attributes, dict) else None
        version = comeo.get("format_version") if isinstance(comeo, dict) else None
        if type(version) is int and version > FORMAT_VERSION:
            raise ValueError(
                f"this archive has version {version} of the format, and this program reads up to version "
                f"{FORMAT_VERSION}: install a newer comeo"
            )
        return attributes


class _ChunkShape(Strict):
    chunk_shape: tuple[_Bands, _Side, _Side]


class _ChunkGrid(Strict):
    name: Literal["regular"]
    configuration: _ChunkShape


class NamedCodec(Strict):
    """A codec of Zarr, by its name."""

    name: str = Field(max_length=64)
    configuration: dict[str, Any] = {}


class _Sharding(_ChunkShape):
    codecs: tuple[NamedCodec, NamedCodec]
    index_location: Literal["end"] = "end"


class _ShardingCodec(Strict):
    name: Literal["sharding_indexed"]
    configuration: _Sharding


class ArrayMetadata(Strict):
    """The zarr.json of a level's array."""

    zarr_format: Literal[3]
    node_type: Literal["array"]
    shape: tuple[_Bands, _Side, _Side]
    data_type: Literal["uint16", "float32"]
    chunk_grid: _ChunkGrid
    codecs: tuple[_ShardingCodec]

    def level(
        self, group: str, number: int, transform: Affine, codec: str, finer: Mapping[str, Level]
    ) -> Level:
        """Check what the metadata claims and turn it into a `Level`.

        Args:
            group: Name of its group.
            number: Its number.
            transform: Pixel corner (column, row) to CRS coordinates.
            codec: Of the archive.
            finer: Levels of finer groups, by key, that it may be predicted from.

        Raises:
            ValueError: Saying what does not fit.
        """
        bands, height, width = self.shape
        sharding = self.codecs[0].configuration
        chunk_bands, block, block_width = sharding.chunk_shape
        shard_bands, shard_height, shard_width = self.chunk_grid.configuration.chunk_shape
        inner, checksum = sharding.codecs
        if (inner.name, checksum.name) != (f"comeo.{codec}", "crc32c"):
            raise ValueError(f"its blocks are coded with {inner.name} and {checksum.name}, not comeo.{codec}")
        if chunk_bands != bands or shard_bands != bands or block != block_width or block > MAX_SIDE:
            raise ValueError(f"its blocks have the shape {sharding.chunk_shape}")
        if block & (block - 1) or block < 16 or bands * block * block > MAX_SAMPLES:
            raise ValueError(f"its blocks have the shape {sharding.chunk_shape}")
        if shard_height % block or shard_width % block:
            raise ValueError("its shards are no multiple of its blocks")
        shard = (shard_height // block, shard_width // block)
        rows, cols = -(-height // block), -(-width // block)
        if rows * cols > MAX_LEVEL_BLOCKS or shard[0] * shard[1] > MAX_LEVEL_BLOCKS:
            raise ValueError(f"it claims {rows}×{cols} blocks, more than {MAX_LEVEL_BLOCKS}")
        step = _sound_step(inner.configuration.get("step"))
        level = Level(
            group=group, number=number, height=height, width=width, transform=transform, block=block,
            shard=shard, bands=bands, dtype=np.dtype(self.data_type), step=step,
        )  # fmt: skip
        key = inner.configuration.get("reference")
        if key is None:
            return level
        reference = finer.get(key) if isinstance(key, str) else None
        predicted = None if reference is None else level.predicted_from(reference)
        if predicted is None:
            raise ValueError(f"it is predicted from {key!r}, which is no finer level of the same ground")
        return predicted
