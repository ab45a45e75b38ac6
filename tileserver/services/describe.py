"""What a scene or a collection is and how it can be shown: info and TileJSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from morecantile import TileMatrixSet
from rasterio.warp import calculate_default_transform

from comeo.scene import Band
from tileserver.catalog import CollectionSummary, Record, Search
from tileserver.errors import ParameterError
from tileserver.grid import Grid
from tileserver.projection import ProjectionErrors
from tileserver.services.look import palette
from tileserver.services.scenes import Scenes
from tileserver.services.styles import Style, styles_for
from tileserver.services.temporal import rfc3339

LEGEND_COLOURS = 9
BIGGEST_OVERVIEW = 256


def info(scenes: Scenes, record: Record) -> dict[str, Any]:
    """What `comeo info` says, and how the scene can be shown."""
    return {
        **scenes.catalog.info(record),
        "bbox": list(record.bbox),
        "bands": [_band(band) for band in record.bands],
        "styles": styles(record.bands),
    }


def collection_info(summary: CollectionSummary) -> dict[str, Any]:
    """What a collection's scenes have in common, and how they can be shown."""
    return {
        "id": summary.id,
        "items": summary.count,
        "bbox": list(summary.bbox),
        "datetime": [rfc3339(summary.start), rfc3339(summary.end)],
        "bands": [_band(band) for band in summary.bands],
        "styles": styles(summary.bands),
    }


def styles(bands: Sequence[Band]) -> list[dict[str, Any]]:
    """Styles that bands can give."""
    return [
        {
            "id": style.name,
            "title": style.title,
            "description": style.description,
            "expression": style.expression,
            "rescale": [list(limits) for limits in style.rescale],
            "colormap_name": style.colormap,
            "legend": _legend(style),
        }
        for style in styles_for(bands).values()
    ]


def tilejson(
    template: str,
    name: str,
    bbox: tuple[float, float, float, float],
    zooms: tuple[int, int],
    attribution: str,
) -> dict[str, Any]:
    """TileJSON 3.0.0."""
    west, south, east, north = bbox
    if east < west:
        west, east = -180.0, 180.0
    return {
        "tilejson": "3.0.0",
        "name": name,
        "attribution": attribution,
        "scheme": "xyz",
        "tiles": [template],
        "minzoom": zooms[0],
        "maxzoom": zooms[1],
        "bounds": [west, south, east, north],
        "center": [(west + east) / 2, (south + north) / 2, min(zooms[1], zooms[0] + 2)],
    }


def zoom_range(grid: Grid, tms: TileMatrixSet) -> tuple[int, int]:
    """Zoom levels from where a raster fills about one tile to where its pixels are shown singly.

    Raises:
        ParameterError: If the matrix set's projection can't hold the raster.
    """
    try:
        transform, width, height = calculate_default_transform(
            grid.crs, tms.rasterio_crs, grid.width, grid.height, *grid.bounds
        )
    except ProjectionErrors as error:
        raise ParameterError(f"{tms.id} does not reach this scene") from error
    resolution = max(abs(transform.a), abs(transform.e))
    coarsest = resolution * max(1.0, max(width or 1, height or 1) / BIGGEST_OVERVIEW)
    lowest = tms.zoom_for_res(coarsest, zoom_level_strategy="lower")
    return lowest, tms.zoom_for_res(resolution, zoom_level_strategy="upper")


def scene_grid(scenes: Scenes, record: Record) -> Grid:
    """Finest native grid of a scene."""
    with scenes.reader(record) as reader:
        return reader.native_grid()


def attribution(item: Mapping[str, Any], year: int) -> str:
    """Credit that the data ask for: what their STAC Item says, or Copernicus' own words for Sentinel data."""
    properties = item.get("properties")
    facts = properties if isinstance(properties, Mapping) else {}
    if isinstance(facts.get("attribution"), str):
        return str(facts["attribution"])
    names = (facts.get("platform"), facts.get("constellation"), item.get("collection"), item.get("id"))
    if any("sentinel" in str(name).lower() or str(name).upper().startswith(("S1", "S2")) for name in names):
        return f"Contains modified Copernicus Sentinel data {year}"
    return ""


def collection_attribution(scenes: Scenes, summary: CollectionSummary) -> str:
    """Credit that a collection's newest scene asks for."""
    newest = scenes.catalog.search(Search(collections=(summary.id,)), 1)
    return attribution(scenes.catalog.item(newest[0]), newest[0].datetime.year) if newest else ""


def _band(band: Band) -> dict[str, Any]:
    return {
        "name": band.name, "common_name": band.common_name, "unit": band.unit,
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
