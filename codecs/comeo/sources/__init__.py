"""Scenes from what they come as: SAFE products, folders of band files, STAC Items, GeoTIFFs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from comeo.errors import SourceError
from comeo.scene import Scene
from comeo.sources.assemble import Overrides, Product, build_scene
from comeo.sources.geotiff import open_geotiff
from comeo.sources.naming import parse_time


def open_source(
    source: str | Path,
    *,
    scene_id: str | None = None,
    collection: str | None = None,
    datetime: datetime | str | None = None,
    bands: Sequence[str] | None = None,
    native: bool = True,
) -> Scene:
    """Open a product as a scene.

    Args:
        source: A SAFE product (folder or zip), a folder of band files (JP2 or GeoTIFF), a STAC Item (JSON
            file or http(s) URL), or a GeoTIFF whose band descriptions name the bands.
        scene_id: STAC Item id; by default the product's own id, or the file's name without its extension.
        collection: STAC Collection id; by default by mission and level (`sentinel-2-l2a`), else `scenes`.
        datetime: Acquisition; by default as the metadata state it, else the instant (`20190530T103031`) or
            day (`2019-05-30`, `20190530`: midnight UTC, with the day as `start_datetime` and
            `end_datetime`) in the name. What says nothing is dated 1970-01-01 and has the property
            `comeo:datetime_unknown`.
        bands: Names of the bands in the order of the file, where it doesn't name them (GeoTIFF); elsewhere,
            which bands to take.
        native: Bring Sentinel-2 bands that were replicated onto a finer grid back to their own, if that
            loses nothing.

    Returns:
        The scene. Close it with its `close()`.

    Raises:
        SourceError: If the source is missing, damaged, or not understood.
    """
    time = parse_time(datetime, "the time given") if isinstance(datetime, str) else datetime
    overrides = Overrides(scene_id, collection, time, tuple(bands) if bands is not None else None, native)
    product = _open_product(source, overrides)
    try:
        return build_scene(product, overrides)
    except BaseException:
        product.close()
        raise


def _open_product(source: str | Path, overrides: Overrides) -> Product:
    path = Path(source)
    if not path.exists():
        raise SourceError(f"there is no {path}")
    if path.suffix.lower() in (".tif", ".tiff"):
        return open_geotiff(path, overrides.bands)
    raise SourceError(f"{path.name} is none of what can be compressed: SAFE, band folder, STAC Item, GeoTIFF")


__all__ = ["open_source"]
