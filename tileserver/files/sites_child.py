"""The process that reads a file of sites: `python -m tileserver.files.sites_child FOLDER LIMITS…`.

It writes GeoJSON, or the sentence that says why there is none. Whatever a file does to it, the kernel ends
it: for memory, processor time, bytes on disk, or for taking too long. GDAL has the drivers of three formats
alone (`OGR_SKIP`, which the parent sets) and gets names that are ours, of plain files in a folder of their
own. What would lead it elsewhere is refused before: links of KML, entities of XML, tables of SQLite that are
none.
"""

from __future__ import annotations

import contextlib
import errno
import json
import lzma
import os
import re
import resource
import signal
import sqlite3
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import numpy as np
import shapely
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely.errors import GEOSException
from shapely.geometry import mapping

from comeo.errors import BoundError, ParameterError, RequestError
from tileserver import confined

SECONDS: Final = 30
CPU_SECONDS: Final = 20
MEMORY_BYTES: Final = 1 << 30
"""Beyond what the process has when it begins."""
_UNPACKING: Final = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What comes of a ZIP file that is damaged, packed in a way that is unknown, or encrypted."""
MOST_LAYERS: Final = 100
PIECE: Final = 1 << 20
NAMES: Final = ("name", "nom", "nome", "nombre", "label", "title")
"""Fields that hold a site's name, in this order, in any case."""
_INDEX: Final = re.compile(
    r"create virtual table \"?[\w$-]+\"? using rtree\s*\([\w\s,$\"-]*\)", re.IGNORECASE
)
"""Spatial indexes, the one kind of virtual table that a GeoPackage has."""
SIDES: Final = (".shp", ".shx", ".dbf", ".prj", ".cpg")


class Limits(NamedTuple):
    """What a file may have.

    Attributes:
        vertices: Positions of a site.
        sites: Sites.
        all_vertices: Positions of all sites.
        unpacked: Bytes of what is packed in it.
    """

    vertices: int
    sites: int
    all_vertices: int
    unpacked: int


def main() -> None:
    """Read the file, and write what it holds."""
    folder = Path(sys.argv[1])
    limits = Limits(*map(int, sys.argv[2:]))
    warnings.simplefilter("ignore")
    _limit(limits)
    try:
        out: dict[str, Any] = {"type": "FeatureCollection", "features": list(features_of(folder, limits))}
    except RequestError as error:
        out = {"error": str(error), "bound": error.bound if isinstance(error, BoundError) else None}
    except OSError:
        sys.exit(os.EX_IOERR)
    except (MemoryError, RecursionError):
        out = {"error": "the file takes more memory than a file may; send fewer or simpler sites",
               "bound": "upload"}  # fmt: skip
    sys.stdout.write(json.dumps(out, allow_nan=False))


def features_of(folder: Path, limits: Limits) -> Iterator[dict[str, Any]]:
    """The sites of the file `upload` in a folder, as GeoJSON Features in degrees.

    Raises:
        ParameterError: If it cannot be read.
        BoundError: If it has too much of something.
    """
    source, is_geographic = _prepared(folder, limits)
    number = total = 0
    for name, geometry, crs in _rows(source, limits):
        if geometry is None or geometry.is_empty:
            raise ParameterError(f"features[{number}] has no geometry")
        count = int(shapely.get_num_coordinates(geometry))
        total += count
        if count > limits.vertices:
            text = f"features[{number}]: the geometry has more than {limits.vertices} vertices"
            raise BoundError(text, "max_vertices")
        if total > limits.all_vertices:
            text = (
                f"the sites have more than {limits.all_vertices} vertices in all; send them in several files"
            )
            raise BoundError(text, "max_vertices")
        placed = geometry if is_geographic else _in_degrees(geometry, crs, number)
        yield {"type": "Feature", "properties": {"name": name} if name else {}, "geometry": mapping(placed)}
        number += 1
    if number == 0:
        raise ParameterError("the file has no sites: no feature with a geometry")


def _prepared(folder: Path, limits: Limits) -> tuple[Path, bool]:
    """The file under a name of its format, unpacked and checked, and whether its positions are in degrees."""
    upload = folder / "upload"
    with upload.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"PK\x03\x04"):
        return _unpacked(upload, folder, limits)
    if start.startswith(b"SQLite format 3\0"):
        return _checked_geopackage(upload.rename(folder / "sites.gpkg")), False
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _checked_kml(upload.rename(folder / "sites.kml")), True
    raise ParameterError("the file is neither KML, KMZ, GeoPackage, a zipped Shapefile nor GeoJSON")


def _unpacked(upload: Path, folder: Path, limits: Limits) -> tuple[Path, bool]:
    """What a KMZ, a zipped Shapefile or a zipped GeoPackage holds, under a name of ours."""
    try:
        with zipfile.ZipFile(upload) as archive:
            names = [each for each in archive.namelist() if not each.endswith("/") and "__MACOSX" not in each]
            by_end = {end: [each for each in names if each.lower().endswith(end)] for end in
                      (".kml", ".gpkg", ".shp")}  # fmt: skip
            if by_end[".kml"]:
                main = next((each for each in by_end[".kml"] if each.lower() == "doc.kml"), by_end[".kml"][0])
                return _checked_kml(_take(archive, main, folder / "sites.kml", limits.unpacked)), True
            if len(by_end[".gpkg"]) == 1:
                taken = _take(archive, by_end[".gpkg"][0], folder / "sites.gpkg", limits.unpacked)
                return _checked_geopackage(taken), False
            if len(by_end[".shp"]) == 1:
                return _shapefile(archive, by_end[".shp"][0], names, folder, limits.unpacked), False
    except (*_UNPACKING, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # a full disk
            raise
        raise ParameterError("the ZIP file is damaged, encrypted or packed in an unusual way") from error
    raise ParameterError("the ZIP file has to hold one Shapefile (.shp), one .kml or one .gpkg")


def _shapefile(archive: zipfile.ZipFile, main: str, names: list[str], folder: Path, most: int) -> Path:
    stem = PurePosixPath(main).with_suffix("")
    for end in SIDES:
        wanted = str(stem) + end
        own = next((each for each in names if each.lower() == wanted.lower()), None)
        if own is not None:
            most -= _take(archive, own, folder / f"sites{end}", most).stat().st_size
    missing = [end for end in (".shx", ".dbf", ".prj") if not (folder / f"sites{end}").exists()]
    if missing:
        text = "; without .prj it is unknown where it lies" if ".prj" in missing else ""
        raise ParameterError(
            f"the Shapefile has no {', '.join(missing)}: put all its files into the ZIP{text}"
        )
    return folder / "sites.shp"


def _take(archive: zipfile.ZipFile, name: str, path: Path, most: int) -> Path:
    """Unpack a member, whatever size it says it has.

    Raises:
        BoundError: If it has more bytes than are allowed.
    """
    size = 0
    with archive.open(name) as packed, path.open("wb") as file:
        while piece := packed.read(PIECE):
            size += len(piece)
            if size > most:
                raise BoundError(f"the ZIP file holds more than {most} bytes once it is unpacked", "upload")
            file.write(piece)
    return path


def _checked_kml(path: Path) -> Path:
    """A KML file that refers to nothing outside.

    Raises:
        ParameterError: If it does, or is no KML.
    """
    try:
        for number, (event, element) in enumerate(iterparse(path, ("start", "end"), forbid_dtd=True)):
            tag = str(element.tag).rpartition("}")[2]
            if number == 0 and tag != "kml":
                raise ParameterError(f"this is XML, and no KML: it begins with <{tag[:40]}>")
            if tag == "NetworkLink":
                raise ParameterError(
                    "the KML refers to another file (NetworkLink); save its places themselves"
                )
            if event == "end":
                element.clear()
    except DefusedXmlException as error:
        raise ParameterError("the KML has a DTD or entities, which are not read; save it without") from error
    except (SyntaxError, ValueError, LookupError) as error:
        raise ParameterError("the KML is no well-formed XML; save it again") from error
    return path


def _checked_geopackage(path: Path) -> Path:
    """A GeoPackage whose layers are tables: not views or virtual tables, by which SQLite runs what it says.

    Raises:
        ParameterError: If one is none, or the file is no GeoPackage.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            made = connection.execute("SELECT lower(name), type, sql FROM sqlite_master").fetchall()
            layers = connection.execute(
                "SELECT lower(table_name) FROM gpkg_contents WHERE data_type = 'features'"
            ).fetchall()
    except (sqlite3.Error, ValueError) as error:
        raise ParameterError("the file is an SQLite database, and no GeoPackage that can be read") from error
    kinds = {name: kind for name, kind, _ in made if kind in ("table", "view")}
    for name, kind, text in made:
        if kind == "table" and "virtual" in str(text).lower() and not _INDEX.fullmatch(str(text)):
            raise ParameterError(f"the GeoPackage has the virtual table {str(name)[:40]}; save it without")
    for (name,) in layers:
        if kinds.get(name) != "table":
            raise ParameterError(f"the layer {str(name)[:40]} of the GeoPackage is no table; save it as one")
    return path


def _rows(source: Path, limits: Limits) -> Iterator[tuple[str, Any, str | None]]:
    """Name, shape and coordinate system of each feature of each layer."""
    from pyogrio import list_layers, raw  # noqa: PLC0415 - an extra, and GDAL, which begins by its settings
    from pyogrio.errors import DataLayerError, DataSourceError  # noqa: PLC0415

    left = limits.sites
    try:
        layers = [name for name, kind in list_layers(source) if kind is not None]
        if len(layers) > MOST_LAYERS:
            raise BoundError(f"the file has {len(layers)} layers, more than {MOST_LAYERS}", "upload")
        for layer in layers:
            meta, _, shapes, columns = raw.read(
                source, layer=layer, force_2d=True, max_features=left + 1, datetime_as_string=True
            )
            left -= len(shapes)
            if left < 0:
                raise BoundError(f"there are more than {limits.sites} sites; send fewer", "max_sites")
            names = _names(list(meta["fields"]), columns, len(shapes))
            for name, one in zip(names, shapes, strict=True):
                yield name, None if one is None else shapely.from_wkb(one), meta["crs"]
    except (DataSourceError, DataLayerError, GEOSException, ValueError, UnboundLocalError) as error:
        # the last is pyogrio's, of names of coordinate systems that are no UTF-8
        raise ParameterError(
            "the file is damaged, or GDAL cannot read it; open it in a GIS program and save it again"
        ) from error


def _names(fields: list[str], columns: list[Any], count: int) -> list[str]:
    known = {field.lower(): column for field, column in zip(fields, columns, strict=True)}
    own = next((known[name] for name in NAMES if name in known), [None] * count)
    return ["" if each is None or each != each else str(each).strip() for each in own]  # noqa: PLR0124 - NaN


def _in_degrees(geometry: Any, crs: str | None, number: int) -> Any:
    """A shape in WGS 84, longitude first.

    Raises:
        ParameterError: If it is unknown where it lies.
    """
    if not crs:
        raise ParameterError("the layer has no coordinate system, so that it is unknown where its sites lie")
    try:
        change = _transformer(crs)
        moved = shapely.transform(geometry, lambda points: np.column_stack(change.transform(*points.T)))
    except ProjError as error:
        raise ParameterError("the layer's coordinate system cannot be brought to WGS 84") from error
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise ParameterError(f"features[{number}] lies where its coordinate system is not defined")
    return moved


_TRANSFORMERS: Final[dict[str, Transformer]] = {}


def _transformer(crs: str) -> Transformer:
    if crs not in _TRANSFORMERS:
        source = CRS.from_user_input(crs)
        _TRANSFORMERS[crs] = Transformer.from_crs(source, CRS.from_epsg(4326), always_xy=True)
    return _TRANSFORMERS[crs]


def _limit(limits: Limits) -> None:
    """Let the kernel end this process for whatever a file makes it do."""
    confined.ends_by((signal.SIGALRM, signal.SIGXCPU, signal.SIGXFSZ))
    confined.limit_memory(MEMORY_BYTES)
    confined.limit(resource.RLIMIT_FSIZE, 2 * limits.unpacked)
    confined.limit(resource.RLIMIT_NOFILE, 64)
    confined.allow(CPU_SECONDS, SECONDS)


if __name__ == "__main__":
    main()
