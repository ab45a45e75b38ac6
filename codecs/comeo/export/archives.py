"""Extraction from an archive given by name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from comeo.archive import Archive, open_archive
from comeo.export.extract import extract_geotiff
from comeo.progress import Progress


def extract(
    archive: Archive | str | Path,
    output: str | Path,
    *,
    bbox: tuple[float, float, float, float] | None = None,
    bands: Sequence[str] | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write pixels of an archive as a Cloud-Optimized GeoTIFF on the scene's own grid.

    Args:
        archive: An open archive, or the name or URL of one.
        output: The GeoTIFF; it appears under its name once it is complete.
        bbox: West, south, east, north in degrees. None: the whole scene.
        bands: Names of bands, in the order of the file. None: all of the finest group.
        force: Replace a file of that name.
        progress: Receives the stages and units of the work.

    Returns:
        The name of the GeoTIFF.

    Raises:
        ArchiveError: If the archive is missing or damaged, a band is unknown, the area lies outside the
            scene, or the file exists already or cannot be written.
    """
    path = Path(output)
    with nullcontext(archive) if isinstance(archive, Archive) else open_archive(archive) as opened:
        extract_geotiff(opened, path, bbox=bbox, bands=bands, force=force, progress=progress)
    return path
