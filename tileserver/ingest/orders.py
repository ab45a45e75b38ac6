"""What goes between the parts of the service: products found, orders to compress, what came of them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import rfc8785

from comeo.archive.stores import ZIP_SUFFIX
from comeo.errors import ComeoError
from tileserver.ingest.document import Filter, Quality, Reading

_DIGITS: Final = 12


class State(StrEnum):
    """Where a product's archive is."""

    FOUND = "found"
    FETCHING = "fetching"
    COMPRESSING = "compressing"
    VERIFIED = "verified"
    PUBLISHED = "published"
    FAILED = "failed"  # and tried again
    DEAD = "dead"  # until somebody says so
    SKIPPED = "skipped"  # by the filter, or for a newer version


UNDER_WAY: Final = (State.FETCHING, State.COMPRESSING)
OPEN: Final = (State.FOUND, *UNDER_WAY, State.VERIFIED, State.FAILED)


class FilteredError(ComeoError):
    """A product is not one of those that are wanted."""


class DiskFullError(ComeoError):
    """There is no room for an archive now: waiting helps, trying often does not."""


@dataclass(frozen=True, slots=True)
class Found:
    """A product of a source.

    Attributes:
        scene: By which the source knows it, whatever its version.
        version: What changes when the product does: baseline, or sizes and times of files.
        place: Path, or URL of its STAC Item or of its zip.
        updated: Seconds since 1970; of two versions the later one counts.
        moment: Of its acquisition, if that is known yet.
        receipt: By which the source is told that it has been dealt with, or empty.
    """

    scene: str
    version: str
    place: str
    updated: float
    moment: datetime | None = None
    receipt: str = ""

    def key(self, source: str, quality: Quality) -> str:
        """Names this very version in this very quality, of one source."""
        return digest_of([source, self.scene, self.version, quality.name, quality.parameters])


@dataclass(frozen=True, slots=True)
class Download:
    """How a product is fetched that cannot be read where it is.

    Attributes:
        authorization: Of the header.
        max_bytes: Of the file.
        checksum: `md5:…` or `blake3:…` or `sha256:…` of the file, or empty.
        is_item: Whether it is a STAC Item, whose assets are read where they are.
    """

    authorization: str
    max_bytes: int
    checksum: str = ""
    is_item: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """One archive to be made, as workers are told: small, and the same however often it is sent.

    Attributes:
        place: See `Found`.
        identity: Stands for the product's checksum where its bands are not files.
        output: Where the archives are kept: see `tileserver.ingest.shelves.shelf_of`.
        quality: How to compress.
        qualities: All of the source, this one included.
        wanted: Which products are.
        reading: What products do not say of themselves.
        replaces: Names of archives of earlier versions.
        progress: File that says how far it is, where the worker can write there.
        cores: Threads.
        max_seconds: See `Limits`.
        download: How to fetch it, if that has to be.
    """

    place: str
    identity: str
    output: str
    quality: Quality
    qualities: tuple[Quality, ...] = ()
    wanted: Filter = field(default_factory=Filter)
    reading: Reading = field(default_factory=Reading)
    replaces: tuple[str, ...] = ()
    progress: str = ""
    cores: int = 2
    max_seconds: int = 0
    download: Download | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """An archive that is complete and verified: where it is, never what is in it.

    Attributes:
        archive: Its name in the folder.
        etag: Of it.
        bytes: Of the file.
        seconds: That it took.
        was_there: Whether it was there already, by an earlier run.
    """

    archive: str
    etag: str
    bytes: int
    seconds: float
    was_there: bool = False


def archive_name(item: str, content: str, quality: Quality, reading: Reading) -> str:
    """Name of an archive: the same for the same product in the same quality, and for no others.

    Args:
        item: Id of its Item.
        content: Checksum of the product, or what stands for it.
        quality: How it is compressed.
        reading: How it was read.
    """
    read = reading.model_dump(mode="json", exclude_none=True)
    if not math.isfinite(reading.nodata or 0):  # JSON has no such number
        read["nodata"] = str(reading.nodata)
    return f"{item}.{digest_of([item, content, quality.parameters, read])}{ZIP_SUFFIX}"


def digest_of(facts: list[Any]) -> str:
    """Twelve hexadecimal digits of facts, as canonical JSON."""
    return hashlib.sha256(rfc8785.dumps(facts)).hexdigest()[:_DIGITS]
