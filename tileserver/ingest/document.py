"""SOURCE.toml: where products come from, which of them are taken, and how each is compressed."""

from __future__ import annotations

import json
import os
import re
import tomllib
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    InstanceOf,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from comeo.archive.model import ID_PATTERN
from comeo.codecs import DEFAULT_CODEC, codec_names
from comeo.compression.clear import METHODS
from comeo.compression.compress import DEFAULT_RATIO, check_wanted
from comeo.errors import ComeoError, SourceError
from comeo.places import ObjectAddress, address_of, in_bucket
from tileserver.countries.codes import codes_of, is_countries

MAX_DOCUMENT_BYTES: Final = 1 << 20
MAX_AREA_BYTES: Final = 16 << 20
MAX_QUALITIES: Final = 4
_YEARS: Final = (1900, 2999)
_ENVIRONMENT: Final = re.compile(r"env:([A-Z_][A-Z0-9_]*)")


def _moment(value: Any) -> datetime:
    """A day of TOML as its first instant, and any time with a zone; a number could be a year or anything."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time(), UTC)
    except ValueError:
        value = None
    if not isinstance(value, datetime) or not _YEARS[0] <= value.year <= _YEARS[1]:
        raise ValueError(f"write a day of {_YEARS[0]} to {_YEARS[1]}, as 2015-07-01, or a time of one")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _secret(value: str) -> str:
    """A word as it is, or what `env:NAME` stands for, so that no document needs to have it in it."""
    match = _ENVIRONMENT.fullmatch(value)
    if match is None:
        return value
    if not os.environ.get(match.group(1)):
        raise ValueError(f"the environment has no {match.group(1)}; set it")
    return os.environ[match.group(1)]


def _header(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("a header has letters, digits and signs of ASCII alone")
    return value


def _web(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s?#]+", value):
        raise ValueError("an address begins with https:// or http:// and has no ? or #")
    return value.rstrip("/")


def _output(value: Any) -> Any:
    """An address in a bucket as such, and anything else as it is."""
    try:
        return address_of(value) if in_bucket(value) else value
    except ComeoError as error:
        raise ValueError(str(error)) from error


Output = Annotated[Path | InstanceOf[ObjectAddress], BeforeValidator(_output)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Secret = Annotated[str, Field(min_length=1, max_length=8000), AfterValidator(_secret)]
Web = Annotated[str, Field(max_length=2000), AfterValidator(_web)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Box = tuple[Longitude, Latitude, Longitude, Latitude]
Id = Annotated[str, Field(pattern=ID_PATTERN)]


class Part(BaseModel):
    """A table of the document: what it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, document: Any) -> Any:
        """Refuse what would be taken for something else, or could be written nowhere."""
        for name, value in document.items() if isinstance(document, dict) else ():
            if isinstance(value, bool):
                raise ValueError(f"{str(name)[:40]} is true or false, which nothing here can be")
            if isinstance(value, str) and not value.isprintable():
                raise ValueError(f"{str(name)[:40]} has a character that cannot be printed")
        return document


class Filter(Part):
    """Which products are taken.

    Attributes:
        collections: Ids of STAC collections; all if there are none.
        bbox: West, south, east, north in degrees that a product has to touch.
        area: GeoJSON file, or `country:` and codes of ISO 3166-1, instead of `bbox`.
        since: Acquired at this time or later; what lies before the first run is fetched as backfill.
        until: Acquired before this time.
        max_cloud: Percent of clouds that a product may state; one that states none is taken.
    """

    collections: tuple[Id, ...] = Field(default=(), max_length=100)
    bbox: Box | None = None
    area: str | None = Field(default=None, min_length=1, max_length=4000)
    since: Moment | None = None
    until: Moment | None = None
    max_cloud: float | None = Field(default=None, ge=0, le=100)

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        if self.bbox is not None and self.area is not None:
            raise ValueError("give bbox or area, not both")
        if self.area is not None and is_countries(self.area):
            codes_of(self.area)
        if self.bbox is not None and not (self.bbox[0] < self.bbox[2] and self.bbox[1] < self.bbox[3]):
            raise ValueError("bbox is west, south, east, north: west is less than east, south than north")
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since is not before until")
        return self


class Quality(Part):
    """How products are compressed: see `comeo.compression.compress`.

    Attributes:
        name: What ids end in, after a hyphen; empty for the ids of the products themselves.
        codec: See `comeo codecs`.
        ratio: Raw bytes / bytes of the archive.
        step: Quantisation step, instead of a ratio.
        preset: `vegetation`, or none.
        clear: How to know which pixels are clear.
        clouds: `coarse`, or none.
        despeckle: `lee`, or none.
        collection: STAC collection, instead of the product's own.
    """

    name: str = Field(default="", pattern=r"^[a-z0-9]{0,16}$")
    codec: str = DEFAULT_CODEC
    ratio: float | None = None
    step: float | None = None
    preset: Literal["vegetation"] | None = None
    clear: str | None = None
    clouds: Literal["coarse"] | None = None
    despeckle: Literal["lee"] | None = None
    collection: Id | None = None

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if self.codec not in codec_names():
            raise ValueError(f"there is no codec {self.codec[:40]!r}; take one of {', '.join(codec_names())}")
        if self.clear is not None and self.clear not in METHODS:
            raise ValueError(f"clear is one of {', '.join(METHODS)}")
        try:
            check_wanted(self.ratio, self.step)
        except ComeoError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """What decides the bytes of an archive besides its product."""
        facts = self.model_dump(exclude_none=True, exclude={"name"})
        return facts if self.step is not None else {"ratio": DEFAULT_RATIO, **facts}


class Reading(Part):
    """What products do not say of themselves: see `comeo.sources.open_source`."""

    bands: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=100)
    scale: Annotated[float, Field(allow_inf_nan=False)] | str | None = None
    offset: float | None = Field(default=None, allow_inf_nan=False)
    unit: str | None = None
    nodata: float | None = None
    quantity: Literal["sigma0", "gamma0", "gamma0-rtc", "beta0"] | None = None


class Limits(Part):
    """What the service may take.

    Attributes:
        min_free: Bytes that stay free on the disk of the archives.
        max_bytes: Bytes of all archives in the folder together.
        max_backlog: Products that wait, beyond which no more are looked for.
        max_seconds: Of one product, after which its process is ended (processes only).
    """

    min_free: ByteSize = ByteSize(2 << 30)
    max_bytes: ByteSize | None = None
    max_backlog: int = Field(default=10_000, ge=1, le=1_000_000)
    max_seconds: int = Field(default=7200, ge=1, le=604_800)


class Retry(Part):
    """What becomes of a product that could not be compressed.

    Attributes:
        tries: After which it is dead, until `comeo ingest retry`.
        first_seconds: Before the second try; four times as long before each further one.
        most_seconds: Between two tries.
    """

    tries: int = Field(default=6, ge=1, le=100)
    first_seconds: float = Field(default=60.0, ge=0, le=86_400, allow_inf_nan=False)
    most_seconds: float = Field(default=21_600.0, ge=0, le=2_592_000, allow_inf_nan=False)

    def after(self, tries: int) -> float:
        """Seconds until the next try after so many."""
        return float(min(self.most_seconds, self.first_seconds * 4 ** min(tries - 1, 20)))


class _Source(Part):
    """What all kinds have.

    Attributes:
        output: Folder of the archives, best one of the folders of `comeo serve`; or an address in a bucket.
        state: Folder of the journal; beside `output` where that is a folder and nothing else is said.
        every_seconds: Between two looks at the source.
        fresh_days: Products that were acquired longer ago when they are found are backfill.
        backfill_share: Part of the products begun that are backfill, while there are fresh ones too.
        cores: Threads of one compression.
        filter: Which products are taken.
        read: What they do not say of themselves.
        quality: How they are compressed, one archive each.
        limits: What the service may take.
        retry: What becomes of a product that could not be compressed.
    """

    output: Output
    state: Path = Path()
    every_seconds: float = Field(default=60.0, ge=0.05, le=86_400, allow_inf_nan=False)
    fresh_days: float = Field(default=10.0, ge=0, le=36_500, allow_inf_nan=False)
    backfill_share: float = Field(default=0.2, ge=0, le=1, allow_inf_nan=False)
    cores: int = Field(default=2, ge=1, le=256)
    filter: Filter = Filter()
    read: Reading = Reading()
    quality: tuple[Quality, ...] = Field(default=(Quality(),), min_length=1, max_length=MAX_QUALITIES)
    limits: Limits = Limits()
    retry: Retry = Retry()

    @field_validator("quality")
    @classmethod
    def _apart(cls, value: tuple[Quality, ...]) -> tuple[Quality, ...]:
        names = [each.name for each in value]
        if len(set(names)) < len(names):
            raise ValueError("two qualities have one name; give each another, as name = 'fine'")
        return value


class FolderSource(_Source):
    """A folder that products are put into.

    Attributes:
        folder: It.
        match: Patterns of names of products, as `*.SAFE`; without any, whatever can be one.
        still_seconds: For which nothing of a product has changed before it is taken.
    """

    kind: Literal["folder"]
    folder: Path
    match: tuple[str, ...] = Field(default=(), max_length=100)
    still_seconds: float = Field(default=10.0, ge=0, le=86_400, allow_inf_nan=False)


class StacSource(_Source):
    """A STAC API with `/search`.

    Attributes:
        url: Its landing page.
        authorization: Of the header of that name, best as `env:NAME`.
    """

    kind: Literal["stac"]
    url: Web
    authorization: Annotated[Secret, AfterValidator(_header)] | None = None


class CdseSource(_Source):
    """A PULL subscription of the Copernicus Data Space.

    Attributes:
        subscription: Its id.
        user: Of the account, best as `env:NAME`.
        password: Likewise.
        catalogue: Of OData.
        download: Likewise, of the products' files.
        identity: Where tokens come from.
        max_product_bytes: Of a product's zip.
    """

    kind: Literal["cdse"]
    subscription: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    user: Secret
    password: Secret
    catalogue: Web = "https://catalogue.dataspace.copernicus.eu/odata/v1"
    download: Web = "https://download.dataspace.copernicus.eu/odata/v1"
    identity: Web = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
    max_product_bytes: ByteSize = ByteSize(16 << 30)


Source = Annotated[FolderSource | StacSource | CdseSource, Field(discriminator="kind")]
_MODEL: Final[TypeAdapter[FolderSource | StacSource | CdseSource]] = TypeAdapter(Source)


def read_source(path: Path) -> FolderSource | StacSource | CdseSource:
    """Read a document; names of files and folders in it are relative to its own folder.

    Raises:
        SourceError: In one sentence that says what is wrong, and where.
    """
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise SourceError(f"{path.name} has more than {MAX_DOCUMENT_BYTES} bytes: it is no SOURCE.toml")
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path.name} is no TOML: {str(error)[:300]}") from error
    try:
        source = _MODEL.validate_python(document)
    except ValidationError as error:
        raise SourceError(f"{path.name}: {_sentence(error)}") from error
    return _placed(source, path.absolute().parent)


def area_of(chosen: Filter) -> dict[str, Any] | None:
    """The geometry of a filter as GeoJSON, None if it has none.

    Raises:
        SourceError: If the file of the area is none of GeoJSON with a geometry, there is no such country, or
            the borders of countries are missing.
    """
    if chosen.area is None:
        return None if chosen.bbox is None else _box(chosen.bbox)
    if is_countries(chosen.area):
        return _countries(chosen.area)
    path = Path(chosen.area)
    try:
        if path.stat().st_size > MAX_AREA_BYTES:
            raise SourceError(f"{path.name} has more than {MAX_AREA_BYTES} bytes; simplify the area")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path.name} is not JSON: {str(error)[:200]}") from error
    return _geometry(document, path.name)


@lru_cache(maxsize=8)  # it is asked for with each product
def _countries(area: str) -> dict[str, Any]:
    from shapely.geometry import mapping  # noqa: PLC0415 - needed by areas only

    from tileserver.countries.borders import area_of_countries  # noqa: PLC0415

    try:
        return dict(mapping(area_of_countries(area)))
    except ComeoError as error:
        raise SourceError(f"filter.area: {error}") from error


def _geometry(document: Any, name: str) -> dict[str, Any]:
    import shapely  # noqa: PLC0415 - needed by areas only
    from shapely.geometry import mapping, shape  # noqa: PLC0415

    try:
        kind = document["type"]
        parts = document["features"] if kind == "FeatureCollection" else [document]
        shapes = [shape(part["geometry"] if part["type"] == "Feature" else part) for part in parts]
        whole = shapely.union_all(shapes)
    except Exception as error:  # whatever a document may be
        raise SourceError(f"{name} is no GeoJSON of an area; give polygons in degrees") from error
    if whole.is_empty or not whole.is_valid or whole.area == 0:
        raise SourceError(f"{name} has no area in it; give valid polygons in degrees")
    return dict(mapping(whole))


def _box(box: Box) -> dict[str, Any]:
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _placed(
    source: FolderSource | StacSource | CdseSource, folder: Path
) -> FolderSource | StacSource | CdseSource:
    """The source with absolute names."""
    changed: dict[str, Any] = {"state": Path(os.path.normpath(folder / source.state))}
    if isinstance(source.output, Path):
        changed["output"] = output = Path(os.path.normpath(folder / source.output))
        if source.state == Path():
            changed["state"] = output.with_name(f"{output.name}.ingest")
    elif source.state == Path():
        raise SourceError("state is missing: a folder of this machine for the journal, as output is none")
    area = source.filter.area
    if area is not None and not is_countries(area):
        changed["filter"] = source.filter.model_copy(update={"area": str(folder / area)})
    if isinstance(source, FolderSource):
        changed["folder"] = Path(os.path.normpath(folder / source.folder))
        for name in ("output", "state"):
            if name in changed and changed[name].is_relative_to(changed["folder"]):
                raise SourceError(
                    f"{name} lies in folder: its files would be taken for products; take them apart"
                )
    placed = source.model_copy(update=changed)
    area_of(placed.filter)
    return placed


def _sentence(error: ValidationError) -> str:
    """The first fault, in words: where it is, and what is wrong."""
    first = error.errors()[0]
    # The first is the kind; of several forms that something may have, none is named.
    where = ".".join(str(each) for each in first["loc"][1:] if re.fullmatch(r"\w+", str(each)))
    words = {
        "union_tag_not_found": 'kind is missing: write kind = "folder", "stac" or "cdse"',
        "union_tag_invalid": 'kind is one of "folder", "stac" and "cdse"',
        "missing": f"{where} is missing",
        "extra_forbidden": f"{where} is unknown; check its spelling",
    }
    said = first["msg"].removeprefix("Value error, ")
    return words.get(first["type"], f"{where}: {said}" if where else said)
