"""`xarray.open_dataset("….zarr.zip", engine="comeo")`: a group of an archive, decoded as it is looked at.

xarray finds the engine through its entry point `xarray.backends`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
import pyproj
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray, BackendEntrypoint, CachingFileManager
from xarray.core import indexing

from comeo.archive import Archive, ArchiveGroup, Level, open_archive
from comeo.archive.clear_model import GROUP
from comeo.archive.stores import ZIP_SUFFIX
from comeo.errors import ArchiveError
from comeo.grid import Grid
from comeo.missions.clear import CLASSES

Indexes = NDArray[np.intp]
Scales = NDArray[np.float32]
DIMENSIONS = ("band", "y", "x")
GRID_MAPPING = "spatial_ref"
VARIABLE = "data"
_BATCH = 64  # blocks decoded, and fetched, at once


class ComeoBackend(BackendEntrypoint):
    """xarray's way into archives."""

    description = "Sentinel-1 and Sentinel-2 scenes compressed by COMEO, on disk or over HTTP"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj", "drop_variables", "mask_and_scale", "decode_coords", "group",
    )  # fmt: skip

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a name is that of an archive on disk that can be opened."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        path = Path(filename_or_obj)
        if not path.name.endswith(ZIP_SUFFIX) or not path.is_file():
            return False
        try:
            open_archive(path).close()
        except ArchiveError:
            return False
        return True

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        mask_and_scale: bool = True,
        decode_coords: bool | str = True,
        group: str | None = None,
    ) -> xr.Dataset:
        """Open a group of an archive.

        Args:
            filename_or_obj: Name of an archive, or http(s) URL of one that is a file.
            drop_variables: Names of variables to leave out.
            mask_and_scale: Give physical values, NaN where there are none; else the numbers as stored.
            decode_coords: False leaves the grid mapping among the variables.
            group: `r10m`, or `r10m/3` for one of its overviews; `clear` for the classes of its pixels; by
                default the finest one.

        Returns:
            A dataset with one variable, `data` (band, y, x), of which blocks are decoded on demand, and the
            coordinates `band` (names), `y` and `x` (of pixel centres), `spatial_ref` (CF's grid mapping) and
            `time` where it is known. Of `clear` its `data` are (y, x), read at once, with CF's `flag_values`
            and `flag_meanings`.

        Raises:
            ArchiveError: If the archive is missing or damaged, or has no such group.
        """
        place = _place(filename_or_obj)
        manager = CachingFileManager(_open, place, mode="r")
        with manager.acquire_context() as archive:
            if (group or "").strip("/") == GROUP:
                raw = _class_dataset(archive)
            else:
                raw = _dataset(manager, archive, *_find(archive, group), physical=mask_and_scale)
        dataset = xr.decode_cf(
            raw, mask_and_scale=mask_and_scale, decode_coords="all" if decode_coords else False,
            drop_variables=drop_variables, decode_times=False,
        )  # fmt: skip
        dataset.set_close(manager.close)
        dataset.encoding["source"] = str(place)
        return dataset

    def open_groups_as_dict(self, filename_or_obj: Any, **options: Any) -> dict[str, xr.Dataset]:
        """Open all groups at native resolution, by path: `/r10m`; `/clear` where there is one."""
        with open_archive(_place(filename_or_obj)) as archive:
            names = [*archive.groups, *([GROUP] if archive.clear is not None else [])]
        groups = {f"/{name}": self.open_dataset(filename_or_obj, group=name, **options) for name in names}
        return {"/": xr.Dataset(), **groups}

    def open_datatree(self, filename_or_obj: Any, **options: Any) -> xr.DataTree:
        """Open all groups at native resolution as a tree."""
        groups = self.open_groups_as_dict(filename_or_obj, **options)
        return xr.DataTree.from_dict(groups)


def _open(place: str | Path, mode: str) -> Archive:  # noqa: ARG001 - without one, managers cannot be pickled
    return open_archive(place)


class LazyLevel(BackendArray):
    """A level of an archive as xarray indexes it: (band, y, x), in stored numbers or physical values.

    Args:
        manager: Opens the archive, again where it has been closed or pickled meanwhile.
        level: Of which group and number.
        scales: (bands, 2), scale and offset of each band, to give physical values; None for stored numbers.
        nodata: The value of invalid pixels, or None.
    """

    def __init__(
        self, manager: CachingFileManager[Archive], level: Level, scales: Scales | None, nodata: float | None
    ) -> None:
        self._manager = manager
        self._level = level
        self._scales = scales
        self._nodata = nodata
        self.shape = (level.bands, level.height, level.width)
        self.dtype = level.dtype if scales is None else np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Decode a part; each key is an integer, a slice or an array of integers."""
        rows, cols = (np.arange(size)[part] for size, part in zip(self.shape[1:], key[1:], strict=True))
        with self._manager.acquire_context(needs_lock=False) as archive:
            values = _gather(archive, self._level, np.atleast_1d(rows), np.atleast_1d(cols))
        if self._scales is not None:
            values = _physical(values, self._scales, self._nodata)
        single = tuple(0 if axis.ndim == 0 else slice(None) for axis in (rows, cols))
        out: NDArray[Any] = values[(slice(None), *single)][key[0]]
        return out


def _gather(archive: Archive, level: Level, rows: Indexes, cols: Indexes) -> NDArray[Any]:
    """Decode the blocks that rows and columns meet, and no others: (bands, rows, cols)."""
    out = np.empty((level.bands, len(rows), len(cols)), level.dtype)
    row_blocks, col_blocks = rows // level.block, cols // level.block
    wanted = [(int(row), int(col)) for row in np.unique(row_blocks) for col in np.unique(col_blocks)]
    for first in range(0, len(wanted), _BATCH):
        batch = wanted[first : first + _BATCH]
        for (row, col), block in zip(batch, archive.decode_blocks(level, batch), strict=True):
            to_rows, to_cols = np.nonzero(row_blocks == row)[0], np.nonzero(col_blocks == col)[0]
            from_rows, from_cols = rows[to_rows] - row * level.block, cols[to_cols] - col * level.block
            out[:, to_rows[:, None], to_cols] = block[:, from_rows[:, None], from_cols]
    return out


def _physical(values: NDArray[Any], scales: Scales, nodata: float | None) -> NDArray[np.float32]:
    scale, offset = scales.T[:, :, None, None]
    out: NDArray[np.float32] = values * scale + offset
    if nodata is not None and values.dtype.kind != "f":  # floats have NaN there already
        out[values == nodata] = np.nan
    return out


def _dataset(
    manager: CachingFileManager[Archive],
    archive: Archive,
    group: ArchiveGroup,
    level: Level,
    *,
    physical: bool,
) -> xr.Dataset:
    """A level as CF has it, before masks and scales are applied."""
    scales = np.array([(band.scale, band.offset) for band in group.bands], np.float32)
    uniform = bool((scales == scales[0]).all())
    own = physical and not uniform  # CF knows one scale a variable
    array = LazyLevel(manager, level, scales if own else None, group.nodata)
    attributes: dict[str, Any] = {"grid_mapping": GRID_MAPPING}
    units = {band.unit for band in group.bands}
    if len(units) == 1 and units != {""}:
        unit = units.pop()
        attributes |= {"long_name": unit, "units": "1"} if unit == "reflectance" else {"units": unit}
    if not own and group.nodata is not None:
        attributes["_FillValue"] = level.dtype.type(group.nodata)
    if not own and uniform and tuple(scales[0]) != (1.0, 0.0):
        attributes |= {"scale_factor": scales[0, 0], "add_offset": scales[0, 1]}
    chunks = dict(zip(DIMENSIONS, (level.bands, level.block, level.block), strict=True))
    data = xr.Variable(
        DIMENSIONS, indexing.LazilyIndexedArray(array), attributes, {"preferred_chunks": chunks}
    )
    coordinates = {**_bands(group), **_grid(Grid(group.crs, level.transform, level.height, level.width))}
    coordinates |= _time(archive)
    facts = {
        "id": archive.id, "collection": archive.collection, "codec": archive.codec, "ratio": archive.ratio,
        "step": level.step,
    }  # fmt: skip
    return xr.Dataset({VARIABLE: data}, coordinates, facts)


def _class_dataset(archive: Archive) -> xr.Dataset:
    """Which pixels are clear, as CF has classes."""
    layer = archive.clear
    if layer is None:
        reason = f"{archive.name} does not say which of its pixels are clear"
        raise ArchiveError(archive.damaged.get("clear") or reason)
    attributes = {
        "grid_mapping": GRID_MAPPING, "long_name": "class",
        "flag_values": np.arange(len(CLASSES) + 1, dtype=np.uint8),
        "flag_meanings": " ".join(["nodata", *(each.name for each in CLASSES)]),
    }  # fmt: skip
    facts = {"id": archive.id, "collection": archive.collection, "source": layer.facts.source}
    data = xr.Variable(DIMENSIONS[1:], layer.read(), attributes)
    return xr.Dataset({VARIABLE: data}, {**_grid(layer.grid), **_time(archive)}, facts)


def _bands(group: ArchiveGroup) -> dict[str, Any]:
    """Names of the bands, and what else is known of them all."""
    # as objects: numpy's own strings cannot be written to Zarr v3 without a warning
    names = np.array([(band.name, band.common_name) for band in group.bands], object).T
    coordinates: dict[str, Any] = {"band": ("band", names[0])}
    if all(names[1]):
        coordinates["common_name"] = ("band", names[1])
    wavelengths = [band.center_wavelength for band in group.bands]
    if None not in wavelengths:
        coordinates["center_wavelength"] = ("band", wavelengths, {"units": "um"})
    return coordinates


def _grid(grid: Grid) -> dict[str, Any]:
    """CF's grid mapping, with GDAL's transform, and coordinates of pixel centres unless the grid is askew."""
    reference = pyproj.CRS.from_wkt(grid.crs.to_wkt(version="WKT2_2019"))
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    mapping = {**reference.to_cf(), "GeoTransform": " ".join(repr(float(x)) for x in (c, a, b, f, d, e))}
    coordinates: dict[str, Any] = {GRID_MAPPING: ((), np.int32(0), mapping)}
    if b == d == 0:
        axes = {axis["axis"]: axis for axis in reference.cs_to_cf()}
        coordinates["x"] = ("x", c + a * (np.arange(grid.width) + 0.5), axes.get("X", {}))
        coordinates["y"] = ("y", f + e * (np.arange(grid.height) + 0.5), axes.get("Y", {}))
    return coordinates


def _time(archive: Archive) -> dict[str, Any]:
    """Acquisition time in UTC, unless it is unknown."""
    if archive.datetime is None:
        return {}
    moment = archive.datetime.astimezone(UTC).replace(tzinfo=None)
    return {"time": ((), np.datetime64(moment, "ns"), {"standard_name": "time"})}


def _find(archive: Archive, path: str | None) -> tuple[ArchiveGroup, Level]:
    """Group and level of a path, `r10m` or `r10m/3`."""
    levels = {
        f"{group.name}/{level.number}": (group, level)
        for group in archive.groups.values()
        for level in group.levels
    }
    wanted = (path or next(iter(levels))).strip("/")
    found = levels.get(wanted) or levels.get(f"{wanted}/0")
    if found is None:
        raise ArchiveError(f"{archive.name} has no group {path}; it has {', '.join(levels)}")
    return found


def _place(filename_or_obj: Any) -> str | Path:
    if isinstance(filename_or_obj, str) and urlsplit(filename_or_obj).scheme in ("http", "https"):
        return filename_or_obj
    if isinstance(filename_or_obj, str | os.PathLike):
        return Path(filename_or_obj).expanduser().absolute()
    raise ArchiveError("engine comeo opens an archive by its name or URL, not from an open file")
