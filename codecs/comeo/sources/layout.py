"""What a folder or a zip holds, by what lies in it: a SAFE product, a STAC Item, a folder of band files.

Layouts differ: products are renamed, repacked, put into folders, mirrored in other forms. What is there is
looked at, not where it should be; what cannot be read is named, with what to do about it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Final

from comeo.errors import SourceError
from comeo.missions import ancillary_file, refuse_unreadable
from comeo.sources.assemble import Overrides, Product
from comeo.sources.container import MAX_TEXT_BYTES, Container, open_container
from comeo.sources.folder import band_folders, open_folder, raster_files
from comeo.sources.grd.product import refuse_other_kinds
from comeo.sources.grd.source import is_grd, open_grd_source
from comeo.sources.safe import open_safe
from comeo.sources.safe_files import Part, product_metadata
from comeo.sources.stac import is_item, open_stac

ARCHIVE_SUFFIXES: Final = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_MAX_NAMED: Final = 5
_DIMAP_ADVICE: Final = (
    "is a product of SNAP in BEAM-DIMAP; export it from SNAP as GeoTIFF (File > Export > GeoTIFF, or "
    "`gpt Write -PformatName=GeoTIFF-BigTIFF`) and give that"
)


def open_layout(path: Path, overrides: Overrides, metadata: str = "") -> Product:
    """Open the product in a folder or a zip.

    Args:
        path: The folder or zip; a granule's folder in a SAFE product stands for that granule, and one of its
            folders by resolution (R20m) for the bands in it.
        overrides: Facts that the caller gives; their bands are those to take.
        metadata: Name of the metadata file in the folder that the caller gave, if that is what he gave.

    Raises:
        SourceError: If no product is found, or several are, or it is not understood.
    """
    home, part = _product_and_part(path)
    container = open_container(home)
    try:
        return _open(container, overrides, part, metadata)
    except BaseException:
        container.close()
        raise


def _product_and_part(path: Path) -> tuple[Path, Part]:
    """The folder of the product that a folder is in, and which part of it that is; else the folder itself."""
    if path.name.upper() == "GRANULE" and any(path.parent.glob("*MTD*.xml")):
        return path.parent, Part()
    for granule in (path, *path.parents[:2]):
        product = granule.parent.parent
        if granule.parent.name.upper() == "GRANULE" and any(product.glob("*MTD*.xml")):
            within = path.relative_to(product).as_posix()
            return product, Part(granule.name, within if path.parent.name == "IMG_DATA" else "")
    return path, Part()


def _open(container: Container, overrides: Overrides, part: Part, metadata: str) -> Product:
    where = container.path.name
    products = product_metadata(container)
    products = [metadata] if metadata in products else products
    if len(products) > 1:
        raise SourceError(f"{where} holds more than one product: {_named(products)}; give one of them")
    if products:
        return open_safe(container, products[0], overrides.bands, part)
    tops = {name.partition("/")[0] for name in container.names | container.folders}
    refuse_other_kinds(where, tops)
    if is_grd(container):
        return open_grd_source(container, overrides)
    refuse_unreadable(where, container.names)
    for top in sorted(tops):
        refuse_unreadable(top, [])
    _refuse_dimap(container)
    folders = band_folders(container)
    if item := _only_item(container, folders[0] if len(folders) == 1 else ""):
        return open_stac(item, overrides)
    if len(folders) > 1:
        raise SourceError(
            f"{where} has band files in several folders: {_named(folders)}; give the folder of one scene"
        )
    if folders:
        return open_folder(container, folders[0], overrides.bands)
    _refuse_zarr(container)
    raise SourceError(_refusal(container))


def _only_item(container: Container, folder: str) -> Path | None:
    """The only STAC Item in a folder.

    Raises:
        SourceError: If it is in a zip, where its assets cannot be found beside it.
    """
    found = [
        name
        for name in sorted(container.names)
        if name.endswith(".json")
        and str(PurePosixPath(name).parent) == (folder or ".")
        and container.size(name) <= MAX_TEXT_BYTES
    ]
    items = [path for path in map(container.local, found) if is_item(path)]
    if len(items) != 1:
        return None
    if not container.path.is_dir():
        raise SourceError(f"{container.path.name} has a STAC Item in it; unzip it and give {items[0].name}")
    return items[0]


def _refuse_dimap(container: Container) -> None:
    """Refuse what SNAP keeps its products in."""
    names = [PurePosixPath(name) for name in container.names]
    if any(name.suffix.lower() == ".dim" for name in names) or (
        container.path.suffix.lower() == ".data" and any(name.suffix.lower() == ".img" for name in names)
    ):
        raise SourceError(f"{container.path.name} {_DIMAP_ADVICE}")


def _refuse_zarr(container: Container) -> None:
    """Refuse Zarr: products of ESA's EOPF, and archives, which are compressed already."""
    files = {PurePosixPath(name).name for name in container.names}
    if files & {"zarr.json", ".zgroup", ".zmetadata"}:
        raise SourceError(
            f"{container.path.name} is Zarr, which is not compressed from; give the product's SAFE "
            "(for one of EOPF), or its bands as GeoTIFFs; an archive of this program is compressed already"
        )


def refuse_file(path: Path) -> None:
    """Refuse a file that stands for a product in a form that is not read.

    Raises:
        SourceError: If it is one; says what to give instead.
    """
    suffix = path.suffix.lower()
    if suffix == ".dim":
        raise SourceError(f"{path.name} {_DIMAP_ADVICE}")
    if suffix in ARCHIVE_SUFFIXES:
        raise SourceError(
            f"{path.name} is an archive that only zips are read of; unpack it and give its folder"
        )


def _refusal(container: Container) -> str:
    """Say what a container holds, and what to do."""
    where, kind = container.path.name, "folder" if container.path.is_dir() else "zip"
    archives = [name for name in container.names if PurePosixPath(name).suffix.lower() in ARCHIVE_SUFFIXES]
    if archives:
        what = "give one of them" if kind == "folder" else "unzip it and give one of them"
        return f"{where} is a {kind} of archives: {_named(archives)}; {what}"
    text = (
        f"{where} is a {kind} with neither a SAFE product, a STAC Item nor band files (JP2 or GeoTIFF) in it"
    )
    if rasters := raster_files(container):
        unknown = [name for name in rasters if not ancillary_file(PurePosixPath(name).stem)]
        if not unknown:
            return f"{where} has no band in it, only layers beside bands: {_named(rasters)}; add the bands"
        return (
            f"{text}: no name says which band the file holds, as B04.tif would; rename {_named(unknown)}, "
            "or give a GeoTIFF that has all bands itself"
        )
    suffixes = Counter(PurePosixPath(name).suffix.lower() or "no suffix" for name in container.names)
    found = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(_MAX_NAMED))
    return (
        f"{text}: it has {f'files of {found}' if found else 'no files'}; give the product's own folder or zip"
    )


def _named(names: list[str]) -> str:
    shown = sorted(names)
    return ", ".join(name[:200] for name in shown[:_MAX_NAMED]) + (", …" if len(shown) > _MAX_NAMED else "")
