"""What a worker does: one product into one archive, which is there already if it has been made before."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from comeo.archive import open_archive
from comeo.archive.stores import ZIP_SUFFIX
from comeo.codecs import get_codec
from comeo.compression import compress
from comeo.errors import ArchiveError, ComeoError, SourceError
from comeo.grid import WGS84
from comeo.progress import Progress, Silent
from comeo.scene import Scene
from comeo.settings import CodecSettings, configure
from comeo.sources import open_source
from comeo.view.projection import move_bounds
from tileserver.ingest.document import Filter, Quality, area_of
from tileserver.ingest.fetching import fetched
from tileserver.ingest.orders import (
    DiskFullError,
    Done,
    FilteredError,
    Order,
    archive_name,
)
from tileserver.ingest.shelves import Shelf, shelf_of
from tileserver.temporary import end_with_parent

FETCHING: Final = "fetching"
SOURCE: Final = "comeo:source"
"""Item property: id of the product that several archives were made of."""
ALTERNATES: Final = "comeo:alternates"
"""Item property: the other archives of it, each with `collection` and `id`."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WRITE_SECONDS: Final = 0.5
_NICENESS: Final = 5


def prepare(codecs: Sequence[str], parent: int | None = None) -> None:
    """Make a process ready for its first order: models are loaded, at low priority, once.

    Args:
        codecs: Names of those that are going to be used.
        parent: Number of the process that this one is not to outlive; None if there is none.
    """
    if parent is not None:
        end_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the service itself ends its workers
        os.nice(_NICENESS)
    configure(CodecSettings.from_environment())
    for name in codecs:
        with contextlib.suppress(ModuleNotFoundError):  # whose extra is not installed: each order says so
            _ = get_codec(name).model_digest


def work(order: Order) -> Done:
    """Carry out an order.

    Raises:
        FilteredError: If the product turns out not to be wanted.
        DiskFullError: If there is no room for the archive.
        ComeoError: If it cannot be compressed.
    """
    began = time.monotonic()
    progress = _progress_of(order.progress)
    with _limited(order.max_seconds), _one_sentence():
        progress.start(FETCHING, 1)
        with _place(order, progress) as place, open_source(place, **order.reading.model_dump()) as opened:
            check_wanted(opened, order.wanted)
            scene = named(opened, order.quality, order.qualities)
            name = archive_name(
                scene.id, opened.source_checksum or order.identity, order.quality, order.reading
            )
            shelf = shelf_of(order.output)
            was_there = shelf.has(name)
            if not was_there:
                check_id_unused(shelf, name, scene.id, order.replaces)
                try:
                    with (
                        ThreadPoolExecutor(order.cores, thread_name_prefix="comeo-ingest") as threads,
                        shelf.writing(name) as path,
                    ):
                        compress_as(order.quality, scene, path, progress, threads)
                except ArchiveError:
                    if not shelf.has(name):
                        raise
                    was_there = True  # another worker was faster
        return _done(shelf, name, began, was_there=was_there)


@contextlib.contextmanager
def _place(order: Order, progress: Progress) -> Iterator[str | Path]:
    """Where the product is read: where it is, or where it is fetched to."""
    if order.download is None:
        yield order.place
        return
    name = order.identity.partition("\n")[0]
    with fetched(order.place, name, order.download, shelf_of(order.output).workplace, progress) as path:
        yield path


def compress_as(
    quality: Quality, scene: Scene, path: Path, progress: Progress, executor: Executor | None = None
) -> None:
    """Compress a scene in a quality: see `comeo.compression.compress`."""
    compress(
        scene, path, codec=quality.codec, ratio=quality.ratio, step=quality.step, clear=quality.clear,
        preset=quality.preset, clouds=quality.clouds, despeckle=quality.despeckle, progress=progress,
        executor=executor,
    )  # fmt: skip


def named(scene: Scene, quality: Quality, qualities: tuple[Quality, ...]) -> Scene:
    """The scene under the id that it has in a quality; it states which others there are."""
    facts: dict[str, Any] = {SOURCE: scene.id}
    others = [
        {"collection": each.collection or scene.collection, "id": _id_in(scene, each)}
        for each in qualities if each.name != quality.name
    ]  # fmt: skip
    if others:
        facts[ALTERNATES] = others
    collection = quality.collection or scene.collection
    properties = {**scene.properties, **facts}
    return replace(scene, id=_id_in(scene, quality), collection=collection, properties=properties)


def _id_in(scene: Scene, quality: Quality) -> str:
    return f"{scene.id}-{quality.name}" if quality.name else scene.id


def check_id_unused(shelf: Shelf, name: str, item: str, replaces: tuple[str, ...]) -> None:
    """Refuse an id that an archive of another product has.

    Raises:
        SourceError: Naming that archive.
    """
    for each in shelf.beginning(f"{item}."):
        if len(each) == len(name) and each.endswith(ZIP_SUFFIX) and each not in (name, *replaces):
            raise SourceError(
                f"{item} is the id of {each} already, which is of another product or quality; remove "
                "that archive, or have this source's archives in another folder, in a collection of their own"
            )


def check_wanted(scene: Scene, wanted: Filter) -> None:
    """Refuse a product that the filter leaves out.

    Raises:
        FilteredError: Saying why.
    """
    if wanted.collections and scene.collection not in wanted.collections:
        raise FilteredError(f"its collection is {scene.collection}")
    if wanted.since and scene.datetime < wanted.since:
        raise FilteredError(f"it was acquired on {scene.datetime:%Y-%m-%d}, before {wanted.since:%Y-%m-%d}")
    if wanted.until and scene.datetime >= wanted.until:
        raise FilteredError(f"it was acquired on {scene.datetime:%Y-%m-%d}, after {wanted.until:%Y-%m-%d}")
    cloud = scene.properties.get("eo:cloud_cover")
    if wanted.max_cloud is not None and isinstance(cloud, int | float) and cloud > wanted.max_cloud:
        raise FilteredError(f"it states {cloud:g} % of clouds")
    area = area_of(wanted)
    if area is not None and not touches(_bounds(scene), area):
        raise FilteredError("it does not touch the area")


def touches(bounds: tuple[float, float, float, float], area: dict[str, Any]) -> bool:
    """Whether a box in degrees touches an area; over the antimeridian its west is more than its east."""
    from shapely.geometry import shape  # noqa: PLC0415 - needed by areas only

    from tileserver.catalog.footprints import box_of  # noqa: PLC0415 - likewise

    return bool(box_of(bounds).intersects(shape(area)))


def _bounds(scene: Scene) -> tuple[float, float, float, float]:
    group = scene.groups[0]
    left, top = group.transform @ (0, 0)
    right, bottom = group.transform @ (group.width, group.height)
    found = move_bounds(group.crs, WGS84, (left, bottom, right, top))
    if found is None:
        raise FilteredError("it lies nowhere on the globe")
    return found


def _done(shelf: Shelf, name: str, began: float, *, was_there: bool) -> Done:
    with open_archive(shelf.place(name)) as archive:
        return Done(name, archive.etag, archive.archive_bytes, time.monotonic() - began, was_there)


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    """Errors that can be sent to another process, which not all can: each as its sentence."""
    try:
        yield
    except (FilteredError, DiskFullError):
        raise
    except (ComeoError, OSError) as error:
        if is_full(error):
            raise DiskFullError("the disk of the archives is full") from None
        kind = SourceError if isinstance(error, SourceError) else ComeoError
        words = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise kind(words) from None


def is_full(error: BaseException | None) -> bool:
    """Whether an error comes of a disk, or a quota of it, that is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """Have the system end this process if an order takes longer, where it is a process of its own."""
    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


class FileProgress:
    """Writes how far an order is to where the service can read it. See `comeo.progress.Progress`.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stage, self._total, self._done = "", 0, 0
        self._written = 0.0

    def start(self, stage: str, total: int) -> None:
        """See `comeo.progress.Progress`."""
        self._stage, self._total, self._done = stage, total, 0
        self._write()

    def advance(self) -> None:
        """See `comeo.progress.Progress`."""
        self._done += 1
        if time.monotonic() - self._written > _WRITE_SECONDS:
            self._write()

    def note(self, message: str) -> None:
        """Do nothing: the archive says what it holds."""

    def _write(self) -> None:
        self._written = time.monotonic()
        new = self._path.with_suffix(".new")
        text = json.dumps({"stage": self._stage, "percent": 100 * self._done // max(1, self._total)})
        with contextlib.suppress(OSError):  # of a full disk: the archive's own writing says so
            new.write_text(text)
            new.replace(self._path)


def _progress_of(path: str) -> FileProgress | Silent:
    return FileProgress(Path(path)) if path and Path(path).parent.is_dir() else Silent()
