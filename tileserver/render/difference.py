"""The difference of one quantity between two scenes, and where it exceeds what coding may have caused.

A difference is told from chance where it is larger than twice the joint expected error of both scenes,
2·√(u₁² + u₂²): of errors that are alike and independent, 95 of 100 lie within it (JCGM 100:2008, 6.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.errors import NotFoundError, ParameterError
from comeo.grid import Grid
from comeo.scene import Band
from comeo.view.pixels import mask_of, read_pixels
from comeo.view.propagation import result_errors
from comeo.view.reader import ArchiveReader
from tileserver.catalog import Record
from tileserver.render.plan import RenderPlan, RenderRequest, palette, resolve
from tileserver.render.styles import CHANGE, CLEAR, ERROR, Range, display_range, find_style
from tileserver.settings import Settings

COLORMAP = "brbg"
"""Of ColorBrewer: less is brown, more is blue-green, which people who confuse red and green tell apart."""


@dataclass(frozen=True, slots=True)
class Other:
    """The scene that another one is compared with.

    Attributes:
        record: The scene.
        plan: By which it is read; its bands may have other scales.
    """

    record: Record
    plan: RenderPlan


def resolve_compared(
    request: RenderRequest, bands: Sequence[Band], settings: Settings, *, picture: bool
) -> RenderPlan:
    """As `resolve`, for a caller that can compare two scenes.

    Args:
        request: Pixels that the user requests; with `against` one quantity is compared.
        bands: All bands of the scene.
        settings: For their bounds.
        picture: Whether the format is a picture.

    Raises:
        RequestError: If the request does not fit the bands, or has nothing to compare.
    """
    if request.against is None or request.style == CHANGE:
        return resolve(request, bands, settings, picture=picture, compares=True)
    plan = _quantity(request, bands, settings)
    if request.color_formula:
        raise ParameterError("a colour formula is for three bands; a difference is one value")
    resampling = request.resampling or ("bilinear" if picture else plan.resampling)
    shown = picture or request.rescale is not None
    if request.colormap_name and not shown:
        raise ParameterError("colours need rescale=min,max, which makes values a picture")
    if request.rescale is not None and len(request.rescale) != 1:
        raise ParameterError(f"rescale has {len(request.rescale)} ranges for a difference; give one")
    colormap = (request.colormap_name or COLORMAP) if shown else None
    if colormap:
        palette(colormap)
    rescale = request.rescale or ((_difference_range(request, bands),) if picture else None)
    return replace(
        plan, resampling=resampling, rescale=rescale, colormap=colormap, difference=True,
        significant=request.significant,
    )  # fmt: skip


def difference_image(
    now: ArchiveReader, before: ArchiveReader, grid: Grid, plan: RenderPlan, other: Other
) -> ImageData:
    """One scene's values less another's, masked where either is missing: float32 in the values' own unit.

    Args:
        now: Of the scene that is shown: where its value is larger, the difference is positive.
        before: Of the scene that it is compared with.
        grid: Where the pixels go.
        plan: Of the scene that is shown, as `resolve_compared` returns it.
        other: The scene that it is compared with.

    Returns:
        (1, y, x), or, where the plan tells significant differences, (2, y, x): the difference and its
        expected error √(u₁² + u₂²), NaN where an error is not known.

    Raises:
        NotFoundError: If an archive carries no certificate and the plan needs it.
        BoundError: If the budget does not suffice.
    """
    both = ((now, plan), (before, other.plan))
    images = [read_pixels(reader, grid, replace(each, difference=False)) for reader, each in both]
    missing = np.logical_or(*[mask_of(image)[0] for image in images])
    layers = [images[0].data[0] - images[1].data[0]]
    if plan.significant:
        layers.append(np.hypot(*[_expected_error(reader, grid, each) for reader, each in both]))
    values = np.stack(layers).astype(np.float32)
    mask = np.broadcast_to(missing, values.shape)
    values[mask] = np.nan
    return ImageData(
        np.ma.MaskedArray(values, mask=mask), bounds=grid.bounds, crs=grid.crs,
        band_names=list(plan.names), band_descriptions=list(plan.names), nodata=np.nan,
    )  # fmt: skip


def _expected_error(reader: ArchiveReader, grid: Grid, plan: RenderPlan) -> NDArray[np.float32]:
    """Expected error of a plan's single result: (y, x), NaN where it is not known."""
    return np.asarray(result_errors(reader, grid, replace(plan, difference=False, mask=None))[0], np.float32)


def _quantity(request: RenderRequest, bands: Sequence[Band], settings: Settings) -> RenderPlan:
    """The plan of the one value that is compared."""
    if request.style in {ERROR, CLEAR}:
        raise ParameterError(f"style={request.style} is not compared; choose a style of one value")
    expression = request.expression
    if request.bands and not (request.style or expression):
        if len(request.bands) != 1:
            raise ParameterError("a difference is of one band, style or expression; name one with bands=")
        expression = request.bands[0]
        if expression not in (known := [band.name for band in bands]):
            raise NotFoundError(f"the scene has no band {expression}; it has {', '.join(known)}")
        request = replace(request, bands=None)
    if not (request.style or expression):
        raise ParameterError("name what is compared: against= needs style=, expression= or bands=")
    plain = replace(
        request, expression=expression, against=None, rescale=None, colormap_name=None, color_formula=None
    )
    plan = resolve(plain, bands, settings, picture=False)
    marked = request.style is not None and bool(find_style(request.style, bands).marks)
    if plan.results != 1 or marked:
        what = f"style={request.style}" if request.style else "the expression"
        raise ParameterError(f"{what} has no single value to compare; choose an index or one band")
    return plan


def _difference_range(request: RenderRequest, bands: Sequence[Band]) -> Range:
    """Half the range that the values are shown in, to either side of no difference."""
    if request.style:
        shown = (find_style(request.style, bands).rescale or (None,))[0]
    else:
        name = request.bands[0] if request.bands else request.expression
        shown = next((display_range(band) for band in bands if band.name == name), None)
    if shown is None:
        raise ParameterError("the range of this difference is unknown; give rescale=min,max")
    half = (shown[1] - shown[0]) / 2
    return -half, half
