"""Bands of files that GDAL reads, windowed and from several threads."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as GdalWindow

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.scene import Band, Window
from comeo.sources.georeference import check_georeference
from comeo.sources.grids import checked_grid
from comeo.sources.raster import (
    Plane,
    RasterBand,
    check_window,
    finish_plane,
    stored_dtype,
)

logger = logging.getLogger(__name__)

GEOTIFF: Final = "GTiff"
JPEG2000: Final = "JP2OpenJPEG"
MAX_BLOCK_BYTES: Final = 1 << 29
# A file is what its own bytes say. What lies beside it (masks, overviews, .aux.xml, world files) GDAL would
# open with any driver, VRT among them, which reads whatever it names: files elsewhere, addresses.
_ALONE: Final[dict[str, Any]] = {
    "GDAL_CACHEMAX": 128 << 20,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
}
_REMOTE: Final[dict[str, Any]] = {
    **_ALONE,
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_TIMEOUT": "120",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
}
_SIDE_FILES: Final = {".msk": "mask", ".aux.xml": "metadata"}


class GdalFile:
    """One raster file, of which each reading thread borrows a handle: GDAL's are for one thread at a time.

    Args:
        path: Local path or http(s) URL.
        driver: The GDAL driver that may open it. Others are refused, since some (VRT) would follow references
            out of the file.

    Raises:
        SourceError: If it cannot be opened, or names another file.
    """

    def __init__(self, path: str | Path, driver: str = GEOTIFF) -> None:
        is_url = "://" in str(path)
        # Without its folder, a name may begin with a word that GDAL takes for more than a name.
        self.path = str(path) if is_url else str(Path(path).absolute())
        self.name = Path(self.path).name
        self._driver = driver
        self._address = f"/vsicurl/{self.path}" if is_url else self.path
        # Said for local files, too: what the main thread says holds in all threads that say nothing.
        only = {"CPL_VSIL_CURL_ALLOWED_FILENAME": self._address if is_url else "/none"}
        self._options = {**(_REMOTE if is_url else _ALONE), **only}
        if "\0" in self.path or not (is_url or Path(self.path).is_file()):
            raise SourceError(f"{self.name!r} cannot be opened: it is not a regular file")
        self._idle: list[rasterio.DatasetReader] = []
        self._lock = threading.Lock()
        self._closed = False
        check_georeference(self.path)
        self._idle.append(self._open())

    @contextmanager
    def handle(self) -> Iterator[rasterio.DatasetReader]:
        """Lend a dataset handle.

        Raises:
            SourceError: If the file cannot be opened or read while it is lent.
        """
        with self._lock:
            if self._closed:
                raise SourceError(f"{self.name} has been closed")
            dataset = self._idle.pop() if self._idle else None
        try:
            with rasterio.Env(**self._options):
                dataset = dataset or self._open()
                yield dataset
        except RasterioError as error:
            raise SourceError(f"{self.name} cannot be read: {_cause(error)}") from error
        finally:
            if dataset is not None:
                with self._lock:
                    if not self._closed:
                        self._idle.append(dataset)
                        dataset = None
                if dataset is not None:
                    dataset.close()

    def close(self) -> None:
        """Close all handles, the lent ones as soon as they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for dataset in idle:
            dataset.close()

    def _open(self) -> rasterio.DatasetReader:
        try:
            with rasterio.Env(**self._options), warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                dataset = rasterio.open(self._address, driver=self._driver)
                if dataset.tags(ns="OVERVIEWS"):  # where GDAL looks for the name of a file of overviews
                    dataset.close()
                    raise SourceError(
                        f"{self.name} cannot be opened: it says that its overviews are in another file, "
                        "and it is to be read alone; copy it with `gdal_translate`"
                    )
                return dataset
        except RasterioError as error:
            raise SourceError(f"{self.name} cannot be opened: {_cause(error)}") from error


def warn_of_side_files(path: Path) -> None:
    """Tell of files beside a file that GDAL's tools would heed."""
    for suffix, content in _SIDE_FILES.items():
        beside = path.with_name(f"{path.name}{suffix}")
        if beside.exists():
            logger.warning(
                "%s: the %s in %s is not read; put it into the file with `gdal_translate`",
                path.name,
                content,
                beside.name,
            )


def _cause(error: RasterioError) -> str:
    """The innermost message: GDAL's own words."""
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    return str(inner).strip().rstrip(".")[:300]


def grid_of(file: GdalFile) -> Grid:
    """Return the grid of a file.

    Raises:
        SourceError: If scenes cannot be made of it.
    """
    with file.handle() as dataset:
        if not dataset.crs and dataset.gcps[0]:
            raise SourceError(
                f"{file.name} is in radar or swath geometry (it has ground control points only); "
                "give the whole product if it is a Sentinel-1 GRD, else terrain-correct it first"
            )
        for height, width in dataset.block_shapes:
            if height * width * 2 > MAX_BLOCK_BYTES:
                raise SourceError(
                    f"{file.name} is stored in pieces of {width}×{height} pixels, too large for reading "
                    "in windows; tile it with `gdal_translate -co TILED=YES`"
                )
        if dataset.transform.is_identity and (beside := _world_file(file)):
            raise SourceError(
                f"{file.name} has no georeference of its own, and the world file {beside} is not read; "
                "put it into the file with `gdal_translate`"
            )
        return checked_grid(file.name, dataset.crs, dataset.transform, dataset.height, dataset.width)


def _world_file(file: GdalFile) -> str:
    """Name of the world file beside a local file, or empty."""
    path = Path(file.path)
    names = [path.with_suffix(suffix) for suffix in (".tfw", ".tifw", ".wld", ".j2w")]
    return "" if "://" in file.path else next((name.name for name in names if name.exists()), "")


def alpha_indexes(dataset: rasterio.DatasetReader) -> set[int]:
    """Indexes (from 1) of bands that are no band but the opacity of the others.

    GDAL writes the fourth of any four bands of 8 bits as alpha unless told otherwise: one that is described
    is a band, unless its description says opacity, too.
    """
    roles = zip(dataset.colorinterp, dataset.descriptions, strict=True)
    return {i for i, (role, text) in enumerate(roles, 1) if role == ColorInterp.alpha and _is_opacity(text)}


def _is_opacity(text: str | None) -> bool:
    return (text or "").strip().lower() in ("", "alpha", "opacity")


def has_palette(dataset: rasterio.DatasetReader, index: int) -> bool:
    """Whether a band (from 1) is of classes, with a colour each."""
    return bool(dataset.colorinterp[index - 1] == ColorInterp.palette)


def band_of(
    file: GdalFile,
    grid: Grid,
    index: int,
    band: Band,
    nodata: float | None = None,
    alphas: Collection[int] | None = None,
) -> RasterBand:
    """Return one band of a file.

    Args:
        file: Where it lies.
        grid: The file's grid.
        index: Which band, from 1.
        band: Description of the band.
        nodata: Number that marks invalid pixels where the file itself states none.
        alphas: Indexes of the opacity of all bands; by default those that the file declares.

    Raises:
        SourceError: If its numbers cannot be kept.
    """
    with file.handle() as dataset:
        source_dtype = dataset.dtypes[index - 1]
        flags = dataset.mask_flag_enums[index - 1]
        own_nodata = dataset.nodatavals[index - 1]
        opacity = sorted(set(alpha_indexes(dataset) if alphas is None else alphas) - {index})
        offset_stated = (dataset.scales[index - 1], dataset.offsets[index - 1]) != (1.0, 0.0)
    dtype = stored_dtype(f"{file.name} band {band.name}", source_dtype)
    marker = nodata if own_nodata is None else own_nodata
    masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags

    def read(window: Window) -> Plane:
        check_window(window, grid)
        area = GdalWindow(window.col, window.row, window.width, window.height)
        with file.handle() as dataset:
            values = dataset.read(index, window=area)
            valid = valid_pixels(values, marker)
            if masked:
                valid &= dataset.read_masks(index, window=area) > 0
            for alpha in opacity:
                valid &= dataset.read(alpha, window=area) > 0
        return finish_plane(values, valid, dtype)

    has_nodata = masked or bool(opacity) or marker is not None or dtype == np.float32
    local = Path(file.path) if "://" not in file.path else None
    return RasterBand(
        band, grid, dtype, has_nodata, read, local, file.close, str(source_dtype), offset_stated
    )


def valid_pixels(values: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Where values are not the nodata number."""
    if nodata is None or np.isnan(nodata):
        return np.ones(values.shape, np.bool_)
    if np.issubdtype(values.dtype, np.floating):
        return np.asarray(values != values.dtype.type(nodata))
    return np.asarray(values != nodata)
