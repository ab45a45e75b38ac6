"""From what a caller of `comeo.extract` gives to a request: everything is checked before any work."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import shapely
from rasterio.crs import CRS
from shapely.errors import ShapelyError
from shapely.geometry import shape

from comeo.archive import Archive
from comeo.errors import ArchiveError, ParameterError
from comeo.export.request import ExtractRequest
from comeo.grid import Bounds
from comeo.missions.clear import ClearMask
from comeo.view.plan import PixelRequest
from comeo.view.projection import named_crs
from comeo.view.resampling import RESAMPLINGS, ResamplingName

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
POLYGONS = ("Polygon", "MultiPolygon")
# What shapely raises for coordinates that are not numbers, or are nested too deeply.
_UNREADABLE = (
    ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip


def request_of(
    *, bbox: Bounds | None, bands: Sequence[str] | None, expression: str | None,
    polygon: Mapping[str, Any] | None, crs: CRS | str | None, max_size: int | None,
    resampling: ResamplingName | None, mask: Sequence[str] | str | None = None,
) -> ExtractRequest[PixelRequest]:  # fmt: skip
    """Make a request of arguments: see `comeo.extract`. None leaves one open, and nothing else does.

    Raises:
        ParameterError: Naming the argument that is not valid, and saying how it is given.
    """
    if bbox is not None and polygon is not None:
        raise ParameterError("give bbox or polygon, not both")
    if bands is not None and expression is not None:
        raise ParameterError("give bands or an expression, not both")
    pixels = PixelRequest(_bands(bands), _expression(expression), None, _resampling(resampling), _mask(mask))
    return ExtractRequest(pixels, _bbox(bbox), _polygon(polygon), _crs(crs), max_size=_max_size(max_size))


def check_output(output: Path, archive: Archive, *, force: bool) -> None:
    """Refuse a name that is taken, or that is the archive itself, by whichever link.

    Raises:
        ArchiveError: If the file exists already, and is not to be replaced.
        ParameterError: If it is the archive that is read, or lies in it.
    """
    place = archive.path
    if place is not None and place.exists():
        if output.exists() and output.samefile(place):
            raise ParameterError(f"{output} is the archive that is read; give the GeoTIFF another name")
        if output.resolve().is_relative_to(place.resolve()):
            raise ParameterError(f"{output} lies in the archive that is read; write the GeoTIFF elsewhere")
    if output.exists() and not force:
        raise ArchiveError(f"{output} exists already; use --force to replace it")


def _bands(bands: Sequence[str] | None) -> tuple[str, ...] | None:
    if bands is None:
        return None
    given: Any = bands
    names = () if isinstance(given, str) or not isinstance(given, Sequence) else tuple(given)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ParameterError(
            f"bands is a list of names, as ['B04', 'B03'], or None for all, not {_short(bands)}"
        )
    return names


def _expression(expression: str | None) -> str | None:
    given: Any = expression
    if given is not None and (not isinstance(given, str) or not given.strip()):
        raise ParameterError(f"expression is band arithmetic, as (B08-B04)/(B08+B04), not {_short(given)}")
    return expression


def _resampling(resampling: ResamplingName | None) -> ResamplingName | None:
    if resampling is not None and resampling not in RESAMPLINGS:
        raise ParameterError(f"resampling is one of {', '.join(RESAMPLINGS)}, not {_short(resampling)}")
    return resampling


def _mask(mask: Sequence[str] | str | None) -> ClearMask | None:
    if mask is None:
        return None
    given: Any = [word.strip() for word in mask.split(",")] if isinstance(mask, str) else mask
    if not isinstance(given, Sequence) or not all(isinstance(word, str) for word in given):
        raise ParameterError(
            f"mask is what pixels have to show, as clear or ['land', 'water'], not {_short(mask)}"
        )
    return ClearMask.of(given)


def _max_size(max_size: int | None) -> int | None:
    given: Any = max_size
    if given is not None and (isinstance(given, bool) or not isinstance(given, Integral) or given < 1):
        raise ParameterError(f"max_size is a whole number of pixels, 1 or more, not {_short(given)}")
    return max_size


def _crs(crs: CRS | str | None) -> CRS | None:
    given: Any = crs
    if given is None or isinstance(given, CRS):
        return given
    if not isinstance(given, str):
        raise ParameterError(f"crs is a code, as EPSG:3857, not {_short(given)}")
    return named_crs(given)


def _bbox(bbox: Bounds | None) -> Bounds | None:
    if bbox is None:
        return None
    try:
        west, south, east, north = (float(value) for value in bbox)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f"bbox is four numbers, west, south, east, north, not {_short(bbox)}") from error
    if not all(map(math.isfinite, (west, south, east, north))):
        raise ParameterError(f"bbox is four finite numbers in degrees, not {_short(bbox)}")
    return west, south, east, north


def _polygon(polygon: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if polygon is None:
        return None
    given: Any = polygon
    kind = given.get("type") if isinstance(given, Mapping) else None
    if kind not in POLYGONS:
        raise ParameterError(f"polygon is a GeoJSON Polygon or MultiPolygon, not {_short(kind or polygon)}")
    try:
        found = shape(dict(given))
    except _UNREADABLE as error:
        raise ParameterError(f"the polygon cannot be read: {str(error)[:100] or 'it is nested'}") from error
    if found.is_empty or not found.is_valid:
        reason = "it is empty" if found.is_empty else shapely.is_valid_reason(found).lower()
        raise ParameterError(f"the polygon is not valid: {reason}")
    return polygon


def _short(value: object) -> str:
    """A value as it was given, in few letters, however deep or long it is."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python does not write a whole number of thousands of digits
        return f"such a {type(value).__name__}"
