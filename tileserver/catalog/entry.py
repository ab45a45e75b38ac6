"""The facts that a catalogue keeps of an archive.

Archives are anybody's, so that this runs in a process with limits: see `reading`. It imports little, since
such a process is started whenever there is something to read.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from comeo.archive import Archive, open_archive
from comeo.archive.stores.file import LocalFile
from comeo.archive.stores.folder import FolderStore
from comeo.errors import ArchiveError
from comeo.globe import TURN
from comeo.grid import WGS84
from comeo.scene import Band
from comeo.view.display import bands_to_show
from comeo.view.projection import move_bounds
from tileserver.catalog.base import COMPLETENESS, LAYERS, BBox


class Entry(NamedTuple):
    """Facts that a catalogue keeps of an archive.

    Attributes:
        collection: STAC Collection id.
        id: STAC Item id.
        datetime: Acquisition time, or None where it is unknown.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian.
        etag: Of the archive's bytes.
        item: The STAC Item that it carries; of an archive of which not all is here, with what is.
        info: `Archive.info()`.
        bands: Of all groups, finest first; those of unknown unit with a range to show them in.
        left_out: Members of its metadata that are not read, since their text is markup or script.
    """

    collection: str
    id: str
    datetime: datetime | None
    bbox: BBox
    etag: str
    item: dict[str, Any]
    info: dict[str, Any]
    bands: tuple[Band, ...]
    left_out: tuple[str, ...] = ()


def read_entry(path: str, etag: str | None = None) -> Entry:
    """Read the facts that a catalogue keeps of an archive.

    Args:
        path: Of the archive.
        etag: That it must have; None for any.

    Raises:
        ReplacedError: If it has another one.
        ArchiveError: If it is damaged.
    """
    with open_archive(path, etag) as archive:
        bands = bands_to_show(archive)
        if len({band.name for band in bands}) != len(bands):
            raise ArchiveError(f"{archive.name} has two bands of one name")
        return Entry(
            archive.collection, archive.id, archive.datetime, _bbox(archive), archive.etag, _item(archive),
            archive.info(), bands, archive.left_out,
        )  # fmt: skip


def _item(archive: Archive) -> dict[str, Any]:
    """The STAC Item of an archive, and what is here of it where not all is."""
    if archive.completeness == 1:
        return archive.item
    here = {COMPLETENESS: round(archive.completeness, 4), LAYERS: list(archive.layers)}
    return {**archive.item, "properties": {**archive.item["properties"], **here}}


def digest_of(path: str) -> str:
    """Digest of an archive's bytes, readable as an archive or not.

    Of a folder it is that of names, sizes and metadata: see `FolderStore`.

    Raises:
        ArchiveError: If it cannot be read.
        OSError: Likewise.
    """
    if Path(path).is_dir():
        return FolderStore(Path(path)).fingerprint
    return LocalFile(Path(path)).sha256()


def _bbox(archive: Archive) -> BBox:
    """Bounding box from the finest grid, which is what tiles are cut from."""
    grid = next(iter(archive.groups.values())).native_grid
    bounds = move_bounds(grid.crs, WGS84, grid.bounds)
    if bounds is None:
        raise ArchiveError(f"{archive.name} lies outside its coordinate system")
    pixel = abs(grid.transform.a) + abs(grid.transform.b)
    west, south, east, north = bounds
    # Whole globes on lines rather than cells reach half a pixel beyond.
    if max(-180 - west, east - 180, north - 90, -90 - south) > pixel:
        raise ArchiveError(f"{archive.name} has longitudes beyond 180 or latitudes beyond a pole")
    whole = east - west >= TURN
    west, east = (-180.0, 180.0) if whole else (max(west, -180.0), min(east, 180.0))
    return west, max(south, -90.0), east, min(north, 90.0)
