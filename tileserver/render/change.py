"""Two scenes compared: which may be, and the change of radar, the ratio of their means of power in dB."""

from __future__ import annotations

import numpy as np
from rio_tiler.models import ImageData

from comeo.errors import NotFoundError, ParameterError
from comeo.grid import Grid
from comeo.view.pixels import read_pixels
from comeo.view.reader import ArchiveReader
from tileserver.catalog import Record
from tileserver.render.difference import Other, difference_image, resolve_compared
from tileserver.render.fitting import check_fits
from tileserver.render.orbits import check_same_track, is_radar
from tileserver.render.plan import RenderPlan, RenderRequest
from tileserver.render.scenes import Scenes
from tileserver.render.styles import CHANGE


def compared(scenes: Scenes, record: Record, request: RenderRequest) -> Other | None:
    """The scene that a request compares another one with; None if it compares none.

    Raises:
        NotFoundError: If there is no such scene, or it lacks the band.
        ParameterError: If they cannot be compared, saying why, or the style is for other scenes.
    """
    check_fits(scenes, record, request.style)
    if request.against is None:
        if request.style != CHANGE:
            return None
        raise ParameterError(
            f"style={CHANGE} compares two scenes; name the other one of this collection with against="
        )
    own = resolve_compared(request, record.bands, scenes.settings, picture=False)
    other = scenes.find(record.collection, request.against)
    if other.id == record.id:
        raise ParameterError("a scene is not compared with itself; name another one with against=")
    properties = [scenes.catalog.item(each).get("properties", {}) for each in (record, other)]
    for each, stated in zip((record, other), properties, strict=True):
        if stated.get("comeo:terrain_corrected") is False:
            raise ParameterError(
                f"{each.id} is not terrain-corrected, so its pixels lie elsewhere than those of other "
                "scenes; make its archive anew with --dem"
            )
    quantities = [stated.get("comeo:quantity") for stated in properties]
    if all(quantities) and quantities[0] != quantities[1]:
        raise ParameterError(
            f"{record.id} holds {quantities[0]} and {other.id} {quantities[1]}, which differ without any "
            "change; compare scenes of one quantity"
        )
    if is_radar(record) and not request.any_orbit:
        check_same_track(scenes, record, other)
    if request.style == CHANGE:
        return Other(other, own)
    try:
        return Other(other, resolve_compared(request, other.bands, scenes.settings, picture=False))
    except (NotFoundError, ParameterError) as error:
        raise NotFoundError(f"{other.id} has nothing to compare with: {error}") from error


def compared_image(
    now: ArchiveReader, before: ArchiveReader, grid: Grid, plan: RenderPlan, other: Other
) -> ImageData:
    """What two scenes differ by: see `change_image` and `difference_image`."""
    if plan.difference:
        return difference_image(now, before, grid, plan, other)
    return change_image(now, before, grid, plan)


def change_image(now: ArchiveReader, before: ArchiveReader, grid: Grid, plan: RenderPlan) -> ImageData:
    """Backscatter of one scene less that of another, of means of power: (1, y, x) float32 dB.

    Args:
        now: Of the scene that is shown: where it is brighter, values are positive.
        before: Of the scene that it is compared with.
        grid: Where the pixels go.
        plan: One band in dB, with its window.

    Raises:
        NotFoundError: If the other scene lacks the band in dB.
    """
    wanted = plan.sources[0]
    bands = [band for group in before.archive.groups.values() for band in group.bands]
    if not any((band.name, band.unit) == (wanted.name, wanted.unit) for band in bands):
        raise NotFoundError(f"{before.archive.id} has no band {wanted.name} in dB to compare with")
    images = [read_pixels(reader, grid, plan) for reader in (now, before)]
    values = [image.array.filled(np.nan).astype(np.float32) for image in images]
    difference = values[0] - values[1]
    return ImageData(
        np.ma.MaskedArray(difference, mask=np.isnan(difference)), bounds=grid.bounds, crs=grid.crs,
        band_names=[CHANGE], band_descriptions=[CHANGE], nodata=np.nan,
    )  # fmt: skip
