"""Scenes at hand: found in the catalogue, opened, read within bounds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from comeo.archive import Archive
from comeo.cache import ByteCache
from comeo.errors import BoundError, ComeoError, NotFoundError
from comeo.grid import Grid
from comeo.view.reader import ArchiveReader, BlockCache, block_cache
from tileserver import metrics
from tileserver.catalog.pool import ArchivePool
from tileserver.catalog.sqlite import Catalog, Record, Search
from tileserver.errors import BusyError
from tileserver.settings import Settings

WARM_UP_SCENES = 20


@dataclass(frozen=True, slots=True)
class Scenes:
    """What services work with.

    Attributes:
        settings: Of the server.
        catalog: Which scenes there are.
        pool: Their open archives.
        blocks: Decoded blocks.
        rendered: Encoded tiles by ETag.
    """

    settings: Settings
    catalog: Catalog
    pool: ArchivePool
    blocks: BlockCache
    rendered: ByteCache[str, bytes]

    @classmethod
    def open(cls, settings: Settings, catalog: Catalog) -> Scenes:
        """Set up for one process of the server."""
        return cls(
            settings,
            catalog,
            ArchivePool(settings.open_archives),
            block_cache(settings.block_cache_bytes // settings.workers, metrics.watch_cache("blocks")),
            ByteCache(settings.tile_cache_bytes // settings.workers, len, metrics.watch_cache("tiles")),
        )

    def find(self, collection: str, item: str) -> Record:
        """Find a scene.

        Raises:
            NotFoundError: If there is none.
        """
        self.catalog.refresh()
        record = self.catalog.get(collection, item)
        if record is None:
            raise NotFoundError(f"there is no item {item} in a collection {collection}")
        return record

    @contextlib.contextmanager
    def lease(self, record: Record) -> Iterator[Archive]:
        """Lend a scene's open archive.

        Raises:
            BusyError: If it has been replaced since the catalogue was last brought up to date.
            ArchiveError: If it is damaged.
        """
        with self.pool.lease(record) as archive:
            if archive.etag != record.etag:
                raise BusyError(f"the archive of {record.id} is just being replaced; ask again")
            yield archive

    @contextlib.contextmanager
    def reader(self, record: Record) -> Iterator[ArchiveReader]:
        """Lend a reader of a scene: see `lease`."""
        with self.lease(record) as archive:
            yield ArchiveReader(
                archive, blocks=self.blocks, max_decoded_samples=self.settings.max_decoded_samples,
                on_decoded=metrics.count_decoded,
            )  # fmt: skip

    def check_grid(self, grid: Grid, bands: int) -> None:
        """Refuse an image that is too large, before any work.

        Raises:
            BoundError: Naming the bound.
        """
        side = self.settings.max_image_side
        if max(grid.height, grid.width) > side:
            raise BoundError(
                f"an image of {grid.width}×{grid.height} pixels is asked for, more than {side} a side; "
                "ask for a smaller area, or for fewer pixels with max_size",
                "max_image_side",
            )
        samples = grid.height * grid.width * bands
        if samples > self.settings.max_output_samples:
            raise BoundError(
                f"{samples} samples (pixels × bands) are asked for, "
                f"more than {self.settings.max_output_samples}",
                "max_output_samples",
            )


def warm_up(scenes: Scenes) -> None:
    """Decode one block by each codec that the newest scenes use: what is compiled on first use then is."""
    codecs: set[str] = set()
    for record in scenes.catalog.search(Search(), WARM_UP_SCENES):
        with contextlib.suppress(ComeoError, OSError), scenes.lease(record) as archive:
            if archive.codec not in codecs:
                codecs.add(archive.codec)
                level = next(iter(archive.groups.values())).levels[-1]
                archive.decode_blocks(level, [(0, 0)])
