"""Scenes from what they come as: SAFE products, folders of band files, STAC Items, GeoTIFFs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from comeo.errors import SourceError
from comeo.places import is_url
from comeo.progress import Progress, Silent
from comeo.scene import TERRAIN_CORRECTED, Scene
from comeo.sources.arguments import Given, check_arguments, parse_scale
from comeo.sources.assemble import Overrides, Product, build_scene
from comeo.sources.bandfile import GEOTIFF_SUFFIXES, JP2_SUFFIXES
from comeo.sources.geotiff import open_geotiff
from comeo.sources.grd.options import GeocodeOptions
from comeo.sources.layout import open_layout, refuse_file
from comeo.sources.naming import parse_time
from comeo.sources.stac import open_stac

_METADATA = re.compile(
    r"MTD_(MSIL1C|MSIL2A|TL)\.xml|S2._(OPER|USER)_MTD_.*\.xml|.*_MTD_ALL\.xml|metadata\.xml|manifest\.safe|"
    r"(tile|product)Info\.json"
)


def open_source(
    source: str | Path,
    *,
    scene_id: str | None = None,
    collection: str | None = None,
    datetime: datetime | str | None = None,
    bands: Sequence[str] | None = None,
    native: bool = True,
    scale: float | str | None = None,
    offset: float | None = None,
    unit: str | None = None,
    nodata: float | None = None,
    quantity: str | None = None,
    geocoding: GeocodeOptions | None = None,
    progress: Progress | None = None,
) -> Scene:
    """Open a product as a scene.

    Args:
        source: A SAFE product or band files (JP2 or GeoTIFF), in a folder or a zip; a metadata file in such
            a folder; a STAC Item (JSON file or http(s) URL); or a GeoTIFF whose band descriptions name the
            bands.
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
        scale: Physical value = number × scale + offset, for all bands; by default as the source states it,
            else as the mission's products have it. Of radar backscatter also `power`, `amplitude` or `dB`: it
            is read as decibels.
        offset: See `scale`; by default as stated, else by the processing baseline.
        unit: Unit of the physical values: `reflectance`, `dB` or any other text.
        nodata: Number that marks pixels without data, besides those that the source states.
        quantity: Of radar backscatter: `sigma0`, `gamma0`, `gamma0-rtc` or `beta0`; by default as its source
            or name says, else left open.
        geocoding: Of a Sentinel-1 GRD product: how it is brought onto a map, with what DEM. By default it is
            placed without one: it can be shown, but is not terrain-corrected.
        progress: Receives the stages of that.

    Returns:
        The scene. Close it with its `close()`.

    Raises:
        SourceError: If the source is missing, damaged, or not understood.
    """
    check_arguments(source, {"scene_id": scene_id, "collection": collection}, datetime, bands)
    time = parse_time(datetime, "the time given") if isinstance(datetime, str) else datetime
    names = tuple(bands) if bands is not None else None
    factor, radar_scale = parse_scale(scale)
    numbers = Given(factor, offset, unit, nodata, radar_scale, quantity)
    overrides = Overrides(scene_id, collection, time, names, native, numbers, geocoding, progress or Silent())
    product = _open_product(source, overrides)
    try:
        if geocoding is not None and TERRAIN_CORRECTED not in product.properties:
            raise SourceError(
                f"{product.name} lies on a map already: a DEM and other options of geocoding are for "
                "Sentinel-1 GRD products in radar geometry; leave them out"
            )
        return build_scene(product, overrides)
    except BaseException:
        product.close()
        raise


def _open_product(source: str | Path, overrides: Overrides) -> Product:
    """Open whatever the source is."""
    if is_url(source):
        return open_stac(source, overrides)
    if "://" in str(source):
        raise SourceError(f"{source} cannot be opened: of URLs, only http(s) ones of STAC Items can")
    path = Path(source).absolute()
    try:
        if not path.exists():
            raise SourceError(f"{source} does not exist; check its name")
        if path.is_dir():
            return open_layout(path, overrides)
        if _METADATA.fullmatch(path.name):
            return open_layout(path.parent, overrides, path.name)
        return _open_file(path, overrides)
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror or error}") from error


def _open_file(path: Path, overrides: Overrides) -> Product:
    suffix = path.suffix.lower()
    if suffix in GEOTIFF_SUFFIXES:
        return open_geotiff(path, overrides)
    if suffix == ".zip":
        return open_layout(path, overrides)
    if suffix in (".json", ".geojson"):
        return open_stac(path, overrides)
    if suffix in JP2_SUFFIXES:
        raise SourceError(f"{path.name} is one band; give the folder that has all bands of the scene")
    refuse_file(path)
    raise SourceError(
        f"{path.name} is none of what can be opened: a SAFE product or band files (folder or zip), "
        "a STAC Item (.json or URL), a GeoTIFF"
    )


__all__ = ["GeocodeOptions", "open_source"]
