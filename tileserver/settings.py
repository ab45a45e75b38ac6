"""Settings of the server, each from a `COMEO_…` environment variable, those of codecs included."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from comeo.cpus import cpu_count
from comeo.errors import ArchiveError
from comeo.places import BUCKETS, ObjectAddress, address_of
from comeo.settings import MAX_MODEL_THREADS, CodecSettings, SettingsError
from tileserver.outgoing.addresses import Network, read_networks

PREFIX = "COMEO_"
MEBIBYTE = 1 << 20
MAX_WORKERS = 8
"""Processes by default, however many processors there are."""
LogFormat = Literal["json", "text"]
Hops = Annotated[int, Field(ge=0, le=10)]
ISSUER = r"^$|^https://[^\s?#]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^\s?#]*)?$"
GONE = {
    "PROXY_HOPS": "is gone, since it trusted headers that a proxy may pass on from clients; set those of "
    "COMEO_PROXY_FOR, COMEO_PROXY_PROTO, COMEO_PROXY_HOST and COMEO_PROXY_PREFIX that your proxies set",
    "MAX_MOSAIC_ITEMS": "is gone; set COMEO_MAX_OPENED_SCENES instead",
    "MAX_POINT_ITEMS": "is gone; set COMEO_MAX_OPENED_SCENES instead",
}
"""Settings of former versions, and what to do instead."""


class Settings(BaseModel):
    """All settings of the server. `COMEO_MAX_IMAGE_SIDE=2048` sets `max_image_side`.

    Attributes:
        paths: Archives, or folders of archives; `:` between them in the environment.
        buckets: Archives, or folders of archives, in buckets: `s3://BUCKET/KEY`, with spaces between them.
        bucket_index: How they are looked at: `listing`, or `feed` by what `comeo relay publish` has written
            there.
        catalog: SQLite file of the catalogue, or `postgresql://user@host/name`; a temporary file when not
            given.
        pof: Folder of indicators, `*.toml` and `*.json`, that are served beside the predefined ones.
        pof_write: Whether anybody who reaches the server may publish indicators.
        store: SQLite file of what users give: drafts, published indicators, short links; by default beside
            that of the catalogue, and gone with it.
        database: Where geoservices are kept: path of an SQLite file, or `postgresql+psycopg://user@host/name`.
            Without it there are none, and nobody signs in.
        maps: Folder that maps of geoservices are written to, in one of the folders of `paths`; by default
            `geoservices` in the first one.
        originals: Folders of the sources that archives were made of, by which alerts are verified; `:`
            between them in the environment.
        original_items: The same as STAC Items: a URL with `{id}`, `{collection}` or `{source}` in it, as
            `https://earth-search.aws.element84.com/v1/collections/sentinel-2-l2a/items/{id}`.
        original_server: Another server of COMEO that has originals: `https://maps.example.org`.
        backups: Folder of nightly backups of the database; by default beside it.
        report_to: Address of an origin that is told of all geoservices: `https://maps.example.org`.
        report_name: By which its operator knows this server.
        relays: File (TOML) of relays that may tell this server of theirs, with their keys.
        smtp: Mail server: `smtp://host:25`, `smtp+starttls://user:password@host:587`, `smtps://…:465`;
            without it mail stays in the outbox.
        mail_from: Address that mail is from.
        oidc_issuer: Provider of OpenID Connect at which people may sign in, as it names itself.
        oidc_client_id: By which the provider knows this server.
        oidc_client_secret: Likewise.
        oidc_name: Of the provider, on the button.
        webhook_networks: Networks, with a comma between them, that webhooks may reach though they are not
            public, at any port and by http, too: `10.1.0.0/16`.
        receipts: Folder of what was sent, message by message, until the database knows; by default beside an
            SQLite file, else `comeo-sent`. Workers on several machines share one.
        sign_up: Whether an address that has no account makes one by signing in.
        relay: Whether the server is an origin: whether it tells relays of its archives.
        relay_folder: Of the key that signs that, and of the feed; by default beside an SQLite database.
        relay_name: Of the origin, for people; by default the provider.
        relay_licence: Of the archives.
        relay_definition: RELAY.toml of the relay whose archives are served: how it stands is then told at
            `/relay/v1/status` and by the viewer.
        static: Built viewer (`index.html` and `assets/`).
        host: Address to listen on.
        port: TCP port to listen on; 0 takes a free one.
        workers: Processes; by default one a processor that may be used, at most 8.
        threads: Threads of each process.
        model_threads: Threads of each network of the `learned` codec.
        model_provider: Execution provider of onnxruntime: `CPU`, `CUDA`.
        models: Folder of learned models that are not in the package, as relays fetch them.
        log_format: `json` or `text`; by default text on a terminal, else JSON.
        access_log: Whether each request is logged.
        public_url: Where clients reach the server, when a proxy hides it: `https://tiles.example.org/comeo`.
        proxy_for: How many proxies in front each add to `X-Forwarded-For`, and so are believed.
        proxy_proto: The same for `X-Forwarded-Proto`.
        proxy_host: The same for `X-Forwarded-Host`.
        proxy_prefix: The same for `X-Forwarded-Prefix`.
        basemap: XYZ template of a background map for the viewer, or empty for none.
        basemap_attribution: Credit of the background map.
        provider: Who runs the server, for WMTS capabilities; left out when empty.
        scan_seconds: Least time between two scans of the folders for new archives.
        open_archives: How many archives a process keeps open.
        block_cache_bytes: Decoded blocks kept, over all processes.
        tile_cache_bytes: Rendered tiles kept, over all processes.
        document_cache_bytes: WMTS capabilities kept, over all processes.
        tile_max_age: Seconds that a proxy or browser may keep a scene's tile.
        mosaic_max_age: The same for a collection's tile, which a new scene changes.
        max_image_side: Pixels.
        max_output_samples: Pixels × bands of one image.
        max_decoded_samples: Pixels × bands that a request may decode, each block once.
        max_warped_samples: Pixels × bands that a request may bring onto grids.
        max_computed_samples: Pixels × operators, names and numbers of expressions that a request computes.
        max_made_bytes: Bytes of all images that a request makes, before they are packed.
        max_opened_scenes: Scenes that a request may look into: of a tile or a point of a collection, of a
            KMZ of a series.
        max_sites: Areas of one request for a series or for statistics.
        max_observations: Areas × scenes of one request for a series or for statistics.
        series_seconds: How long a series may take before 503; what has been observed is kept, and the same
            request goes on from there.
        observations: SQLite file of observations that have been made; by default beside the catalogue.
        observation_cache_bytes: Bytes that it may take.
        max_bands: Bands of one image.
        max_expression_length: Characters.
        max_expression_nodes: Operators, names and numbers of an expression.
        max_candidates: Scenes that the catalogue may list for one tile or point of a collection.
        max_vertices: Positions of a GeoJSON geometry.
        max_body_bytes: Bytes of the body of a POST.
        max_upload_bytes: Bytes of a file of sites.
        max_page_items: Items of a STAC page.
        heavy_requests: Extracts, statistics and previews that a process works on at once.
        queue_seconds: How long a heavy request waits for a slot before 503.
        jobs: Folder of extracts made as jobs; a temporary one when not given.
        max_extract_samples: Pixels × bands of an extract made as a job.
        max_kmz_tiles: Tiles of a KMZ made as a job; a 64th of that for one answered at once.
        job_processes: Jobs that work at once; the others wait.
        max_jobs: Jobs that work or wait, before 503.
        job_seconds: How long a job may work.
        job_keep_seconds: How long the result of a job can be fetched.
        job_disk_bytes: Bytes on disk for all jobs.
        compressions: Whether people who are signed in may have products compressed: see docs/ingest.md.
        compressions_to: Folder that their archives are written to, in one of the folders of `paths`; by
            default `compressions` in the first one.
        compression_sources: Addresses, with a comma between them, below which STAC Items and their assets
            may lie.
        uploads: Folder of products that are sent; by default beside the catalogue.
        max_product_bytes: Bytes of one product that is sent; of its pixels four times as many.
        person_upload_bytes: Bytes of all uploads of a person.
        all_upload_bytes: Bytes of all uploads.
        person_compressions: Compressions of a person that work or wait.
        upload_keep_seconds: How long an upload is kept to which nothing comes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: tuple[Path, ...] = ()
    buckets: tuple[str, ...] = ()
    bucket_index: Literal["listing", "feed"] = "listing"
    catalog: Path | str | None = None
    pof: Path | None = None
    pof_write: bool = False
    store: Path | None = None
    database: str | None = None
    maps: Path | None = None
    originals: tuple[Path, ...] = ()
    original_items: str | None = None
    original_server: str = Field(default="", pattern=r"^$|^https?://[^\s?#]+$")
    backups: Path | None = None
    report_to: str = Field(default="", pattern=r"^$|^https?://[^\s?#]+$")
    report_name: str = Field(default="", pattern=r"^$|^[a-z0-9][a-z0-9-]{0,62}$")
    relays: Path | None = None
    smtp: str | None = None
    mail_from: str = Field(default="", pattern=r"^$|^[^@\s<>]+@[A-Za-z0-9.-]+$")
    oidc_issuer: str = Field(default="", pattern=ISSUER)
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_name: str = Field(default="", max_length=60)
    webhook_networks: tuple[Network, ...] = ()
    receipts: Path | None = None
    sign_up: bool = False
    relay: bool = False
    relay_folder: Path | None = None
    relay_name: str = Field(default="", max_length=200)
    relay_licence: str = Field(default="", max_length=200)
    relay_definition: Path | None = None
    static: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default_factory=lambda: min(MAX_WORKERS, cpu_count()), ge=1, le=256)
    threads: int = Field(default=4, ge=1, le=256)
    model_threads: int = Field(default=1, ge=1, le=MAX_MODEL_THREADS)
    model_provider: str = Field(default="CPU", pattern=r"^[A-Za-z0-9]+$")
    models: Path | None = None
    log_format: LogFormat | None = None
    access_log: bool = False
    public_url: str = Field(default="", pattern=r"^$|^https?://[^\s?#]+$")
    proxy_for: Hops = 0
    proxy_proto: Hops = 0
    proxy_host: Hops = 0
    proxy_prefix: Hops = 0
    basemap: str = Field(default="", pattern=r"^$|^https?://\S+$|^/\S+$")
    basemap_attribution: str = ""
    provider: str = Field(default="", max_length=200)
    scan_seconds: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    open_archives: int = Field(default=64, ge=1)
    block_cache_bytes: int = Field(default=512 * MEBIBYTE, ge=0)
    tile_cache_bytes: int = Field(default=64 * MEBIBYTE, ge=0)
    document_cache_bytes: int = Field(default=16 * MEBIBYTE, ge=0)
    tile_max_age: int = Field(default=86_400, ge=0)
    mosaic_max_age: int = Field(default=300, ge=0)
    max_image_side: int = Field(default=4096, ge=256)
    max_output_samples: int = Field(default=64 * MEBIBYTE, ge=1)
    max_decoded_samples: int = Field(default=192 * MEBIBYTE, ge=1)
    max_warped_samples: int = Field(default=256 * MEBIBYTE, ge=1)
    max_computed_samples: int = Field(default=1 << 30, ge=1)
    max_made_bytes: int = Field(default=512 * MEBIBYTE, ge=1)
    max_opened_scenes: int = Field(default=200, ge=1)
    max_sites: int = Field(default=500, ge=1)
    max_observations: int = Field(default=20_000, ge=1)
    series_seconds: float = Field(default=20.0, gt=0, allow_inf_nan=False)
    observations: Path | None = None
    observation_cache_bytes: int = Field(default=256 * MEBIBYTE, ge=0)
    max_bands: int = Field(default=16, ge=1, le=64)
    max_expression_length: int = Field(default=1000, ge=1)
    max_expression_nodes: int = Field(default=200, ge=1)
    max_candidates: int = Field(default=2000, ge=1)
    max_vertices: int = Field(default=10_000, ge=4)
    max_body_bytes: int = Field(default=MEBIBYTE, ge=1)
    max_upload_bytes: int = Field(default=16 * MEBIBYTE, ge=1)
    max_page_items: int = Field(default=1000, ge=1)
    heavy_requests: Annotated[int, Field(ge=1)] = 2
    queue_seconds: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    jobs: Path | None = None
    max_extract_samples: int = Field(default=1 << 31, ge=1)
    max_kmz_tiles: int = Field(default=16_384, ge=8)
    job_processes: int = Field(default=1, ge=1, le=64)
    max_jobs: int = Field(default=8, ge=1, le=1000)
    job_seconds: int = Field(default=3600, ge=1)
    job_keep_seconds: int = Field(default=86_400, ge=1)
    job_disk_bytes: int = Field(default=16 << 30, ge=1)
    compressions: bool = False
    compressions_to: Path | None = None
    compression_sources: tuple[str, ...] = ()
    uploads: Path | None = None
    max_product_bytes: int = Field(default=2 << 30, ge=1)
    person_upload_bytes: int = Field(default=4 << 30, ge=1)
    all_upload_bytes: int = Field(default=16 << 30, ge=1)
    person_compressions: int = Field(default=2, ge=1, le=1000)
    upload_keep_seconds: int = Field(default=86_400, ge=1)

    @field_validator("paths", "originals", mode="before")
    @classmethod
    def _split_paths(cls, value: Any) -> Any:
        if isinstance(value, str) and BUCKETS in value:
            raise ValueError(f"folders of buckets are named in {PREFIX}BUCKETS, with spaces between them")
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("catalog", mode="plain")
    @classmethod
    def _path_or_address(cls, value: Any) -> Any:
        if value is None or isinstance(value, Path):
            return value
        if not isinstance(value, str):
            raise ValueError("give a path or an address")
        if not re.match(r"[a-z+]+://", value):
            return Path(value)
        if not value.startswith(("postgresql://", "postgresql+psycopg://", "postgres://")):
            raise ValueError("a catalogue is an SQLite file, or has an address postgresql://user@host/name")
        return value

    @field_validator("buckets", mode="before")
    @classmethod
    def _split_buckets(cls, value: Any) -> Any:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("buckets")
    @classmethod
    def _are_in_buckets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(address_of(each)) for each in value)
        except ArchiveError as error:
            raise ValueError(str(error)) from error

    @field_validator("compression_sources", mode="before")
    @classmethod
    def _split_sources(cls, value: Any) -> Any:
        return (
            tuple(each.strip() for each in value.split(",") if each.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("compression_sources")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not re.fullmatch(r"https?://[^\s?#@]+", each):
                raise ValueError(f"{each[:100]} is no address of a source; write https://host/path")
        return value

    @field_validator("original_items")
    @classmethod
    def _item_url(cls, value: str | None) -> str | None:
        known = {"id", "collection", "source"}
        try:
            names = {name for _, name, *_ in Formatter().parse(value or "{id}") if name is not None}
        except ValueError:
            names = set()
        if not names or names - known or not (value or "https://").startswith(("http://", "https://")):
            raise ValueError(
                "a URL of an Item has {id}, {collection} or {source} in it, and begins with https://"
            )
        return value

    @field_validator("webhook_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: Any) -> Any:
        return read_networks(value) if isinstance(value, str) else value

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """Read the settings.

        Args:
            environ: Instead of the process's own environment.
            **overrides: Settings that win over the environment; None means not given. Addresses in buckets
                among `paths` are `buckets`, and these paths then are all that there are.

        Raises:
            SettingsError: Naming the variable and what is wrong with it.
        """
        environ = os.environ if environ is None else environ
        for name, advice in GONE.items():
            if environ.get(PREFIX + name):
                raise SettingsError(f"{PREFIX}{name} {advice}")
        values: dict[str, Any] = {
            name: environ[PREFIX + name.upper()]
            for name in cls.model_fields
            if environ.get(PREFIX + name.upper())
        }
        values.update({name: value for name, value in overrides.items() if value is not None})
        if overrides.get("paths") is not None:
            values.update(_apart(overrides["paths"]))
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "settings"
            raise SettingsError(f"{PREFIX}{name.upper()}: {first['msg']}") from error

    @property
    def roots(self) -> tuple[Path | str, ...]:
        """Where archives are looked for: on disk, and in buckets."""
        return (*self.paths, *self.buckets)

    @property
    def own_address(self) -> str:
        """Where people reach the server, for links in mail: never by what a request's Host says."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def maps_folder(self) -> Path:
        """Folder that maps of geoservices are written to, where the catalogue finds them.

        Raises:
            SettingsError: If it lies in no folder of archives.
        """
        return self._served_folder(self.maps, "geoservices", "MAPS: maps")

    @property
    def compressions_folder(self) -> Path:
        """Folder that archives are written to that people order, where the catalogue finds them.

        Raises:
            SettingsError: If it lies in no folder of archives.
        """
        return self._served_folder(self.compressions_to, "compressions", "COMPRESSIONS_TO: these")

    def _served_folder(self, given: Path | None, name: str, what: str) -> Path:
        folders = [path.resolve() for path in self.paths if not path.name.endswith((".zarr", ".zip"))]
        if given is None:
            folder = folders[0] / name if folders else None
        else:
            own = given.resolve()
            folder = own if any(own.is_relative_to(each) for each in folders) else None
        if folder is None:
            raise SettingsError(
                f"{PREFIX}{what} are served like other archives; name a folder in one of archives"
            )
        return folder

    @property
    def oidc_button(self) -> str:
        """What the provider of identities is called."""
        return self.oidc_name or urlsplit(self.oidc_issuer).netloc

    @property
    def codecs(self) -> CodecSettings:
        """Settings of codecs, for `comeo.settings.configure`."""
        return CodecSettings(self.model_threads, self.model_provider, self.models)

    @property
    def static_folder(self) -> Path | None:
        """Folder of the built viewer: as set, else as installed, else as built in the source tree."""
        candidates = [self.static] if self.static else viewer_places()
        return next((path for path in candidates if (path / "index.html").is_file()), None)


def viewer_places() -> list[Path]:
    """Folders where the built viewer may lie: as installed, as built in the source tree."""
    here = Path(__file__).resolve().parent
    return [here / "static", here.parent / "static" / "dist"]


def _apart(places: Iterable[Path | ObjectAddress]) -> dict[str, Any]:
    """Settings of places as a command was given them."""
    places = tuple(places)
    return {
        "paths": tuple(place for place in places if not isinstance(place, ObjectAddress)),
        "buckets": tuple(str(place) for place in places if isinstance(place, ObjectAddress)),
    }
