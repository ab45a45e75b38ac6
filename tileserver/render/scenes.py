"""The scenes of a server: found in the catalogue, opened, read within bounds."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from comeo.archive import Archive
from comeo.cache import ByteCache
from comeo.errors import (
    ArchiveError,
    BoundError,
    ComeoError,
    MissingModelError,
    NotFoundError,
    NotHereError,
    OutOfReachError,
    OutputError,
    ReplacedError,
    passes,
)
from comeo.export.provenance import coding
from comeo.grid import Grid
from comeo.view.budget import Budget, Limit, Limits
from comeo.view.coarser import Coarser
from comeo.view.missing import Missing
from comeo.view.reader import ArchiveReader, BlockCache, block_cache
from comeo.view.warp import warm_up as warm_up_warp
from tileserver import metrics
from tileserver.catalog import ArchivePool, Catalog, CollectionSummary, Record, Search
from tileserver.errors import BusyError, NotYetError
from tileserver.render.documents import catalogue_of, install
from tileserver.settings import Settings

WARM_UP_SCENES = 20
CODING_BYTES = 1 << 20
SAMPLE_BYTES = 4  # while an image is made, whatever it becomes
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scenes:
    """Catalogue, open archives and caches of one process of the server.

    Attributes:
        settings: Of the server.
        catalog: All scenes.
        pool: Their open archives.
        blocks: Decoded blocks.
        rendered: Encoded tiles by ETag.
        codings: Headers about coding, by ETag of the archive and names of bands.
    """

    settings: Settings
    catalog: Catalog
    pool: ArchivePool
    blocks: BlockCache
    rendered: ByteCache[str, bytes]
    codings: ByteCache[tuple[str, tuple[str, ...]], Mapping[str, str]]

    @classmethod
    def open(cls, settings: Settings, catalog: Catalog) -> Scenes:
        """Set up for one process of the server.

        Raises:
            DocumentError: If an indicator of the settings' folder is not valid.
        """
        install(catalogue_of(settings))
        return cls(
            settings,
            catalog,
            ArchivePool(settings.open_archives, catalog),
            block_cache(settings.block_cache_bytes // settings.workers, metrics.watch_cache("blocks")),
            ByteCache(settings.tile_cache_bytes // settings.workers, len, metrics.watch_cache("tiles")),
            ByteCache(CODING_BYTES, _header_bytes),
        )

    def find(self, collection: str, item: str) -> Record:
        """Find a scene.

        Raises:
            NotFoundError: If it does not exist.
        """
        record = self.catalog.get(collection, item)
        if record is None:
            raise NotFoundError(f"there is no item {item} in a collection {collection}")
        return record

    def find_collection(self, name: str) -> CollectionSummary:
        """Sum up a collection.

        Raises:
            NotFoundError: If no scene is in a collection of that name.
        """
        summary = self.catalog.collection(name)
        if summary is None:
            raise NotFoundError(f"there is no collection {name}")
        return summary

    @contextlib.contextmanager
    def lease(self, record: Record) -> Iterator[Archive]:
        """Lend a scene's open archive.

        Raises:
            NotYetError: If bytes that are read, or the model that they were coded with, have not come yet.
            BusyError: If it has gone or been replaced since the catalogue was last brought up to date, or
                turns out to be damaged, while it is opened or read; a damaged one is then left out.
        """
        try:
            with self.pool.lease(record) as archive:
                yield archive
        except OutputError:  # of what is made of it
            raise
        except ReplacedError as error:
            raise BusyError(f"the archive of {record.id} is being replaced; try again in a moment") from error
        except (MissingModelError, NotHereError) as error:  # and no damage
            raise NotYetError(str(error)) from error
        except ArchiveError as error:
            raise self._lost(record, error) from error

    def _lost(self, record: Record, error: ArchiveError) -> BusyError:
        """Find out why an archive cannot be read; the next request then meets a catalogue that knows it."""
        if passes(error):
            log.warning("archive not readable", extra={"fields": {"id": record.id, "error": str(error)}})
            if isinstance(error, OutOfReachError):
                return BusyError(f"the archive of {record.id} is out of reach; try again in a moment")
            return BusyError(f"the archive of {record.id} has gone or is being replaced; try again")
        self.catalog.refuse(record, str(error))
        return BusyError(f"the archive of {record.id} is damaged and is now left out; try again")

    @contextlib.contextmanager
    def reader(self, record: Record, budget: Budget) -> Iterator[ArchiveReader]:
        """Lend a reader of a scene, within the budget of a request: see `lease`.

        Raises:
            BoundError: If the request has opened too many scenes.
        """
        budget.open(record.path)
        with self.lease(record) as archive:
            yield ArchiveReader(archive, self.blocks, budget, metrics.count_decoded)

    def budget(self, *, picture: bool = False, missing: Missing | None = None) -> Budget:
        """Make the budget of a request that the client waits for.

        Args:
            picture: Whether it is only to be looked at, so that pixels may be coarser where finer ones are
                not here yet.
            missing: Notes which these are, if anybody wants to know.
        """
        settings = self.settings
        decoded = Limit(settings.max_decoded_samples, "max_decoded_samples")
        return Budget(
            Limits(
                decoded=decoded,
                at_once=decoded,
                warped=Limit(settings.max_warped_samples, "max_warped_samples"),
                computed=Limit(settings.max_computed_samples, "max_computed_samples"),
                made=Limit(settings.max_made_bytes, "max_made_bytes"),
                opened=Limit(settings.max_opened_scenes, "max_opened_scenes"),
            ),
            Coarser() if picture else None,
            missing,
        )

    def job_budget(self) -> Budget:
        """Make the budget of a job: of an image it may decode as much at once as a request."""
        settings = self.settings
        samples = Limit(settings.max_extract_samples, "max_extract_samples")
        return Budget(
            Limits(
                decoded=samples,
                at_once=Limit(settings.max_decoded_samples, "max_decoded_samples"),
                warped=samples,
                made=Limit(settings.job_disk_bytes, "job_disk_bytes"),
                opened=Limit(settings.max_opened_scenes, "max_opened_scenes"),
            )
        )

    def coding(self, record: Record, bands: tuple[str, ...]) -> Mapping[str, str]:
        """HTTP headers that say how a scene's bands were coded; the archive is opened only the first time."""

        def read() -> Mapping[str, str]:
            with self.lease(record) as archive:
                return _coding_headers(archive, bands)

        return self.codings.get((record.etag, bands), read)

    def note_coding(self, archive: Archive, bands: tuple[str, ...]) -> None:
        """Keep the headers of `coding` while an archive is open."""
        self.codings.get((archive.etag, bands), lambda: _coding_headers(archive, bands))

    def check_grid(self, grid: Grid, bands: int, budget: Budget) -> None:
        """Refuse an image that is too large, on its own or for the request, before any work.

        Raises:
            BoundError: Naming the bound.
        """
        side = self.settings.max_image_side
        if max(grid.height, grid.width) > side:
            raise BoundError(
                f"the image would have {grid.width}×{grid.height} pixels, more than {side} a side; "
                "request a smaller area, or fewer pixels with max_size",
                "max_image_side",
            )
        samples = grid.height * grid.width * bands
        if samples > self.settings.max_output_samples:
            raise BoundError(
                f"the image would have {samples} samples (pixels × bands), more than "
                f"{self.settings.max_output_samples}; request a smaller area, fewer bands or fewer pixels",
                "max_output_samples",
            )
        budget.make(samples * SAMPLE_BYTES)


def _coding_headers(archive: Archive, bands: tuple[str, ...]) -> Mapping[str, str]:
    return {
        name.title().replace("_", "-").replace("Rmse", "RMSE"): value
        for name, value in coding(archive, bands).items()
    }


def _header_bytes(headers: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in headers.items())


def warm_up(scenes: Scenes) -> None:
    """Decode one block by each codec that the newest scenes use, so that first-use compilation is done.

    Likewise of what warps tiles.
    """
    warm_up_warp()
    codecs: set[str] = set()
    for record in scenes.catalog.search(Search(), WARM_UP_SCENES):
        with contextlib.suppress(ComeoError, OSError), scenes.lease(record) as archive:
            if archive.codec not in codecs:
                codecs.add(archive.codec)
                level = next(iter(archive.groups.values())).levels[-1]
                archive.decode_blocks(level, [(0, 0)])
