"""Files of sites as GIS programs write them, for tests."""

from __future__ import annotations

import io
import tempfile
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyogrio import raw

ENDINGS = {"GPKG": ".gpkg", "KML": ".kml", "ESRI Shapefile": ".shp"}
FIELD = shapely.box(9.0, 47.0, 9.01, 47.01)
WOOD = shapely.Polygon(
    [(9.1, 47), (9.13, 47), (9.13, 47.03), (9.1, 47.03)],
    [[(9.11, 47.01), (9.12, 47.01), (9.12, 47.02), (9.11, 47.02)]],
)


def written(
    driver: str, shapes: Sequence[Any] = (FIELD, WOOD), names: Sequence[str] = ("Nørd", "Süd"),
    crs: str | None = "EPSG:4326", field: str = "Name",
) -> dict[str, bytes]:  # fmt: skip
    """The files that GDAL writes for a layer, by their endings."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / f"layer{ENDINGS[driver]}"
        wkb = np.array([None if one is None else shapely.to_wkb(one) for one in shapes], object)
        kind = next((one.geom_type for one in shapes if one is not None), "Polygon")
        column = np.array(list(names), object)
        raw.write(str(path), wkb, [column], [field], geometry_type=kind, crs=crs, driver=driver)
        return {each.suffix: each.read_bytes() for each in Path(folder).iterdir()}


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A ZIP file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def kml(**options: Any) -> bytes:
    return written("KML", **options)[".kml"]


def kmz() -> bytes:
    return zipped({"doc.kml": kml(), "images/icon.png": b"x"})


def geopackage(**options: Any) -> bytes:
    return written("GPKG", **options)[".gpkg"]


def shapefile(without: Sequence[str] = (), **options: Any) -> bytes:
    files = written("ESRI Shapefile", **options)
    return zipped({f"fields/layer{end}": data for end, data in files.items() if end not in without})


def files() -> dict[str, bytes]:
    """One of each format, all with the same two sites."""
    return {"kml": kml(), "kmz": kmz(), "gpkg": geopackage(), "shp": shapefile()}
