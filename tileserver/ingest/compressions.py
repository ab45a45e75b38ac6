"""Compressions that people order: of a product that they have sent, or of an Item of an allowed source."""

from __future__ import annotations

import contextlib
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from comeo.archive import open_archive
from comeo.errors import ArchiveError, BoundError, CodecError, NotFoundError, ParameterError, SourceError
from comeo.progress import Progress
from comeo.sources import open_source
from comeo.sources.stac import load_item
from tileserver.errors import BusyError, ConflictError, ForbiddenError
from tileserver.ingest.compressing import compress_as, is_full, named
from tileserver.ingest.document import Id, Quality, Reading
from tileserver.ingest.orders import archive_name
from tileserver.ingest.uploads import Uploads, check_whole
from tileserver.outgoing.addresses import read_target
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings

ITEM_DISK_BYTES: Final = 1 << 30
"""Taken for an archive whose product's size is not known."""
_RAW_PER_BYTE: Final = 4
"""Pixels of a product, at two bytes a sample, for each byte that a product may have."""


class CompressionBody(BaseModel):
    """A compression: of what, and how."""

    model_config = ConfigDict(extra="forbid")

    upload: str | None = Field(None, max_length=64, description="Id of an upload that is complete.")
    item: str | None = Field(None, max_length=2000, description="URL of a STAC Item of an allowed source.")
    id: Id | None = Field(None, description="Id of the scene, instead of the product's own.")
    quality: Quality = Field(default_factory=Quality, description="How it is compressed.")

    @model_validator(mode="after")
    def _one(self) -> CompressionBody:
        if (self.upload is None) == (self.item is None):
            raise ValueError("give either upload or item")
        return self


class CompressionOrder(CompressionBody):
    """The same, and who ordered it."""

    person: int


def check(settings: Settings, body: CompressionOrder) -> tuple[dict[str, Any], int]:
    """Refuse what cannot be done; facts about what can, and most bytes on disk.

    Raises:
        RequestError: Saying why.
    """
    if body.item is not None:
        check_source(settings, body.item)
        return {"name": Path(urlsplit(body.item).path).name}, ITEM_DISK_BYTES
    upload = uploads_of(settings).get(str(body.upload), body.person)
    check_whole(upload)
    return {"name": upload.facts.name, "product_bytes": upload.facts.length}, upload.facts.length


def run(scenes: Scenes, body: CompressionOrder, output: Path, progress: Progress) -> None:
    """Compress, into the folder where the catalogue finds it; the output says what it is called there.

    Raises:
        RequestError: If it cannot be done, in words that name no folder of the server.
    """
    settings = scenes.settings
    folder = settings.compressions_folder
    folder.mkdir(parents=True, exist_ok=True)
    with _product(settings, body, output.parent) as place, _in_words(place, folder):
        _check_unpacked(place, settings)
        with open_source(place, scene_id=body.id) as opened:
            _check_size(opened.raw_bytes, settings)
            scene = named(opened, body.quality, (body.quality,))
            content = opened.source_checksum or str(body.item)
            path = folder / archive_name(scene.id, content, body.quality, Reading())
            if not path.exists():
                check_new(scenes, scene.collection, scene.id)
                compress_as(body.quality, scene, path, progress)
        output.write_text(json.dumps(_result(path)))


def uploads_of(settings: Settings) -> Uploads:
    """The uploads of a server.

    Raises:
        ComeoError: If the settings name no folder for them.
    """
    if settings.uploads is None:
        raise NotFoundError("this server takes no uploads")
    return Uploads(settings.uploads, settings)


def check_source(settings: Settings, url: str) -> None:
    """Refuse an address that is not of a source that the operator allows.

    Raises:
        ForbiddenError: Naming the setting.
        ParameterError: If it is no address.
    """
    read_target(url)
    if not any(_is_under(url, each) for each in settings.compression_sources):
        raise ForbiddenError(
            f"{urlsplit(url).netloc[:200]} is no source that the operator allows (COMEO_COMPRESSION_SOURCES)"
        )


def check_new(scenes: Scenes, collection: str, item: str) -> None:
    """Refuse an id that the catalogue has.

    Raises:
        ConflictError: Saying so.
    """
    if scenes.catalog.get(collection, item) is not None:
        raise ConflictError(
            f"there is an item {item} in the collection {collection} already; give another id or collection"
        )


def _is_under(url: str, source: str) -> bool:
    """Whether an address lies under another: of its very scheme, host and port, and below its path."""
    one, other = urlsplit(url), urlsplit(source)
    folder = other.path.rstrip("/") + "/"
    # Servers differ in how often they decode, whether backslashes are slashes, and what ";" ends.
    parts = re.split(r"[/\\]", unquote(unquote(one.path)))
    inside = one.path.startswith(folder) and not any(each.partition(";")[0] in (".", "..") for each in parts)
    return (one.scheme, one.netloc.lower()) == (other.scheme, other.netloc.lower()) and inside


@contextmanager
def _product(settings: Settings, body: CompressionOrder, folder: Path) -> Iterator[Path]:
    """What is compressed, as a file: the upload, which goes with it, or a copy of the Item."""
    if body.item is not None:
        alone = folder / "product"  # assets are looked for beside an Item
        alone.mkdir()
        yield _copied(settings, body.item, alone / "item.json")
        return
    uploads = uploads_of(settings)
    upload = uploads.get(str(body.upload), body.person)
    with uploads.held(upload):
        check_whole(upload)
        yield upload.path
        uploads.remove(upload)


def _copied(settings: Settings, url: str, copy: Path) -> Path:
    """The Item as it is now, after all that it names was found to be allowed: nothing else is read later on.

    Raises:
        RequestError: If it names something else, or cannot be fetched.
    """
    check_source(settings, url)
    try:
        item = load_item(url)
    except SourceError as error:
        raise ParameterError(str(error)) from error
    for key, asset in item["assets"].items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            raise ParameterError(f"asset {key[:40]!r} of {url} has no href")
        others = asset.pop("alternate", None)
        hrefs = [asset["href"]]
        if isinstance(others, dict):
            hrefs += [each["href"] for each in others.values() if isinstance(each, dict) and "href" in each]
        asset["href"] = _allowed(settings, url, hrefs)
    item["assets"] = {key: asset for key, asset in item["assets"].items() if asset["href"]}
    if not item["assets"]:
        raise ForbiddenError(
            f"no asset of {url} lies at a source that the operator allows, in COMEO_COMPRESSION_SOURCES"
        )
    copy.write_text(json.dumps(item))
    return copy


def _allowed(settings: Settings, url: str, hrefs: list[Any]) -> str:
    """The first of what an Item names that is allowed, or empty."""
    for href in hrefs:
        with contextlib.suppress(
            ForbiddenError, ParameterError, ValueError
        ):  # the last of what is no address
            whole = urljoin(url, str(href))
            check_source(settings, whole)
            return whole
    return ""


def _check_size(raw_bytes: int, settings: Settings) -> None:
    most = _RAW_PER_BYTE * settings.max_product_bytes
    if raw_bytes > most:
        raise BoundError(
            f"the product has {raw_bytes} bytes when it is unpacked, more than {most}", "max_product_bytes"
        )


def _check_unpacked(place: Path, settings: Settings) -> None:
    """Refuse a zip that would fill the disk: its files are read no further than it states them to be.

    Raises:
        BoundError: Saying how large it is.
    """
    if not zipfile.is_zipfile(place):
        return
    with (
        contextlib.suppress(zipfile.BadZipFile, ValueError, NotImplementedError),
        zipfile.ZipFile(place) as packed,
    ):
        _check_size(sum(each.file_size for each in packed.infolist()), settings)


def _result(path: Path) -> dict[str, Any]:
    with open_archive(path) as archive:
        return {
            "collection": archive.item.get("collection", ""), "item": archive.id, "etag": archive.etag,
            "bytes": archive.archive_bytes, "ratio": round(archive.ratio, 1),
        }  # fmt: skip


@contextmanager
def _in_words(*places: Path) -> Iterator[None]:
    """Faults of the product as faults of the request, without names of folders."""
    try:
        yield
    except (SourceError, CodecError, ArchiveError) as error:
        if is_full(error):
            raise BusyError("the disk of the archives is full; try again later") from error
        text = str(error)
        for place in places:
            text = text.replace(f"{place.parent}/", "")
        raise ParameterError(text) from error
