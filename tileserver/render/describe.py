"""Descriptions of scenes and collections: info and TileJSON."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from affine import Affine
from morecantile import TileMatrixSet
from rasterio.crs import CRS
from rasterio.warp import calculate_default_transform

from comeo.archive import Archive
from comeo.errors import NotHereError, ParameterError
from comeo.export.provenance import attribution
from comeo.figures import significant
from comeo.globe import WORLD, centre, unrolled
from comeo.grid import WGS84, Grid
from comeo.missions import MapClass, band_title
from comeo.scene import Band
from comeo.view.projection import ProjectionErrors, move_bounds
from tileserver.catalog import CollectionSummary, Record
from tileserver.render.fidelity import summary
from tileserver.render.offers import clear_style, collection_styles
from tileserver.render.plan import RenderRequest, palette, resolve
from tileserver.render.scenes import Scenes
from tileserver.render.stretch import ranges, shown_bands
from tileserver.render.styles import CLEAR_STYLE, Style, error_style, in_language, styles_for
from tileserver.render.temporal import rfc3339

LEGEND_COLOURS = 9
BIGGEST_OVERVIEW = 256
CREDITED = 4  # kinds of scenes of a collection
CORNERS = 4  # sides of a corner are this many times shorter than the raster's


def info(scenes: Scenes, record: Record, language: str = "en") -> dict[str, Any]:
    """The document of `comeo info`, with the styles of the scene, in a language, and its expected errors."""
    with scenes.lease(record) as archive:
        fidelity = summary(archive)
        told = archive.clear_here is not None
        auto = _auto_ranges(scenes, archive, record.bands)
    return {
        **scenes.catalog.info(record),
        "bbox": list(record.bbox),
        "bands": [_band(band) for band in record.bands],
        "styles": [
            *({**each, **auto.get(each["id"], {})} for each in styles(record.bands, language, clear=told)),
            *_error_styles(record, fidelity),
            *([_style(CLEAR_STYLE)] if told else []),
        ],
        "fidelity": fidelity,
    }


def _auto_ranges(scenes: Scenes, archive: Archive, bands: Sequence[Band]) -> dict[str, dict[str, Any]]:
    """Of each style that shows bands as they are: what `rescale=auto` takes, where the archive tells."""
    found = {}
    for name in styles_for(bands):
        plan = resolve(RenderRequest(style=name), bands, scenes.settings, picture=True)
        shown = shown_bands(plan)
        own = None
        with contextlib.suppress(NotHereError):
            own = ranges(archive, shown, plan.rescale) if plan.rescale and any(shown) else None
        if own is not None:
            found[name] = {"auto": [[significant(end, 4) for end in limits] for limits in own]}
    return found


def collection_info(scenes: Scenes, summary: CollectionSummary, language: str = "en") -> dict[str, Any]:
    """Extent of a collection, bands and styles that most of its scenes have, and the scenes that differ."""
    offered = {**collection_styles(summary.band_sets), **clear_style(scenes, summary.band_sets)}
    return {
        "id": summary.id,
        "items": summary.count,
        "bbox": list(summary.bbox),
        "datetime": interval(summary),
        "bands": [_band(band) for band in summary.bands],
        "styles": [_style(in_language(style, language)) for style in offered.values()],
        "odd": {"items": summary.odd_count, "named": [one._asdict() for one in summary.odd]},
    }


def interval(summary: CollectionSummary) -> list[str | None]:
    """First and last acquisition of a collection; null where no time is known."""
    return [None if moment is None else rfc3339(moment) for moment in (summary.start, summary.end)]


def styles(bands: Sequence[Band], language: str = "en", *, clear: bool = False) -> list[dict[str, Any]]:
    """Styles that bands can give, and where pixels' classes are told these."""
    return [_style(in_language(style, language)) for style in styles_for(bands, clear=clear).values()]


def _error_styles(record: Record, fidelity: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The style of expected errors, if the scene has a certificate."""
    style = error_style(record.bands) if fidelity else None
    return [_style(style)] if style else []


def _style(style: Style) -> dict[str, Any]:
    return {
        "id": style.name,
        "title": style.title,
        "description": style.description,
        "expression": style.expression,
        "rescale": [list(limits) for limits in style.rescale],
        "colormap_name": style.colormap,
        "legend": _legend(style),
        **({"classes": [_class(each) for each in style.shown]} if style.shown else {}),
        **({"window": style.window} if style.window > 1 else {}),
    }


def _class(each: MapClass) -> dict[str, Any]:
    """A class with the colour that it is shown in."""
    red, green, blue = each.colour
    colour = f"#{red:02x}{green:02x}{blue:02x}"
    return {"number": each.number, "name": each.name, "title": each.title, "color": colour}


def tilejson(
    template: str,
    name: str,
    bbox: tuple[float, float, float, float],
    zooms: tuple[int, int],
    attribution: str,
) -> dict[str, Any]:
    """TileJSON 3.0.0."""
    west, south, east, north = bbox
    if east < west:  # the specification: bounds must not wrap around the antimeridian
        west, east = WORLD[0], WORLD[2]
    lon, lat = centre(bbox)
    return {
        "tilejson": "3.0.0",
        "name": name,
        "attribution": html.escape(attribution, quote=False),  # which TileJSON has as HTML
        "scheme": "xyz",
        "tiles": [template],
        "minzoom": zooms[0],
        "maxzoom": zooms[1],
        "bounds": [west, south, east, north],
        "center": [lon, lat, min(zooms[1], zooms[0] + 2)],
    }


def zoom_range(grid: Grid, tms: TileMatrixSet) -> tuple[int, int]:
    """Zoom levels from where a raster fills about one tile to where its pixels are shown singly.

    Raises:
        ParameterError: If the matrix set's projection does not reach the raster.
    """
    try:
        parts = _parts(grid)
        resolution, side = min(_size_in(part, tms.rasterio_crs) for part in parts)
    except ProjectionErrors as error:
        raise ParameterError(f"{tms.id} does not reach this scene") from error
    coarsest = resolution * max(1.0, side * (grid.width / parts[0].width) / BIGGEST_OVERVIEW)
    lowest = tms.zoom_for_res(coarsest, zoom_level_strategy="lower")
    return lowest, tms.zoom_for_res(resolution, zoom_level_strategy="upper")


def _parts(grid: Grid) -> list[Grid]:
    """The raster, or its corners if it lies across the antimeridian or a pole, which not all of them then do.

    In a projection cut there, such a raster is as wide as the world.
    """
    bounds = move_bounds(grid.crs, WGS84, grid.bounds)
    if grid.crs.is_geographic or bounds is None:
        return [grid]
    west, _, east, _ = unrolled(bounds)
    if bounds[0] <= bounds[2] and east - west < 180:
        return [grid]
    height, width = -(-grid.height // CORNERS), -(-grid.width // CORNERS)
    return [
        Grid(grid.crs, grid.transform @ Affine.translation(col, row), height, width)
        for col in (0, grid.width - width)
        for row in (0, grid.height - height)
    ]


@lru_cache(maxsize=4096)  # GDAL takes 10 to 40 ms, nearly all of what a document of capabilities costs
def _size_in(grid: Grid, crs: CRS) -> tuple[float, int]:
    """Resolution and longest side of a raster in another projection."""
    transform, width, height = calculate_default_transform(
        grid.crs, crs, grid.width, grid.height, *grid.bounds
    )
    return max(abs(transform.a), abs(transform.e)), max(width or 1, height or 1)


def scene_grid(scenes: Scenes, record: Record) -> Grid:
    """Finest native grid of a scene."""
    with scenes.lease(record) as archive:
        return next(iter(archive.groups.values())).native_grid


def collection_attribution(scenes: Scenes, summary: CollectionSummary) -> str:
    """Credit line of a collection: of the newest scene of each kind, the most common ones first."""
    newest = [scenes.catalog.get(*kind.newest) for kind in summary.band_sets[:CREDITED]]
    lines = [attribution(scenes.catalog.item(one), one.datetime) for one in newest if one]
    return " ".join(filter(None, dict.fromkeys(lines)))


def _band(band: Band) -> dict[str, Any]:
    return {
        "name": band.name, "title": band_title(band), "common_name": band.common_name, "unit": band.unit,
        "center_wavelength": band.center_wavelength, "scale": band.scale, "offset": band.offset,
    }  # fmt: skip


def _legend(style: Style) -> dict[str, Any] | None:
    """Colours at equal distances over the range of a single result."""
    if len(style.rescale) != 1:
        return None
    low, high = style.rescale[0]
    steps = [round(255 * index / (LEGEND_COLOURS - 1)) for index in range(LEGEND_COLOURS)]
    if style.colormap:
        colours = palette(style.colormap)
        rgb = [tuple(int(part) for part in colours[step][:3]) for step in steps]
    else:
        rgb = [(step, step, step) for step in steps]
    colors = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in rgb]
    return {"minimum": low, "maximum": high, "unit": style.unit, "colors": colors}
