"""Extraction from an archive given by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rasterio.crs import CRS

from comeo.archive import Archive, open_archive
from comeo.export.extract import extract_geotiff
from comeo.grid import Bounds
from comeo.progress import Progress
from comeo.view.projection import named_crs
from comeo.view.resampling import ResamplingName


def extract(
    archive: Archive | str | Path, output: str | Path, *, bbox: Bounds | None = None,
    bands: Sequence[str] | None = None, expression: str | None = None,
    polygon: Mapping[str, Any] | None = None, crs: CRS | str | None = None, max_size: int | None = None,
    resampling: ResamplingName | None = None, force: bool = False, progress: Progress | None = None,
) -> Path:  # fmt: skip
    """Write pixels of an archive as a Cloud-Optimized GeoTIFF.

    Args:
        archive: An open archive, or the name or URL of one.
        output: The GeoTIFF; it appears under its name once it is complete.
        bbox: West, south, east, north in degrees. None: the whole scene.
        bands: Names of bands, in the order of the file. None: all, unless an expression is given.
        expression: Band arithmetic on physical values instead of bands, as `(B08-B04)/(B08+B04)`.
        polygon: GeoJSON polygon (WGS 84) instead of `bbox`; pixels outside it are masked.
        crs: Projection of the file, as `EPSG:3857`. None: the scene's own, with the scene's own pixels.
        max_size: Longest side in pixels.
        resampling: For pixels on a grid other than their own. None: nearest.
        force: Replace a file of that name.
        progress: Receives the stages and units of the work.

    Returns:
        The name of the GeoTIFF.

    Raises:
        RequestError: If a band is unknown, the area lies outside the scene, or a parameter is not valid.
        ArchiveError: If the archive is missing or damaged, or the file exists already or cannot be written.
    """
    path = Path(output)
    target = named_crs(crs) if isinstance(crs, str) else crs
    with nullcontext(archive) if isinstance(archive, Archive) else open_archive(archive) as opened:
        extract_geotiff(
            opened, path, bbox=bbox, bands=bands, expression=expression, polygon=polygon, crs=target,
            max_size=max_size, resampling=resampling, force=force, progress=progress,
        )  # fmt: skip
    return path
