"""Images of one scene: tiles, previews, extracts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rasterio.crs import CRS
from rio_tiler.models import ImageData

from comeo.grid import Bounds, Grid
from comeo.view.reader import ArchiveReader, cut, geometry_bounds
from tileserver.catalog.sqlite import Record
from tileserver.render.encode import PICTURES, encode
from tileserver.render.fidelity import certificate_of, headers, pixels, tags
from tileserver.render.fingerprint import fingerprint
from tileserver.render.look import Appearance, Look, resolve
from tileserver.render.picture import colour
from tileserver.render.scenes import Scenes

WGS84 = CRS.from_epsg(4326)


def tile_etag(record: Record, grid: Grid, appearance: Appearance, extension: str) -> str:
    """ETag of a scene's tile, known before any work."""
    return fingerprint(record.etag, grid.crs.to_string(), tuple(grid.transform), grid.height, grid.width,
                       appearance, extension)  # fmt: skip


def tile(scenes: Scenes, record: Record, grid: Grid, appearance: Appearance, extension: str) -> bytes:
    """Render a tile; identical tiles asked for at once are rendered once.

    Raises:
        RequestError: If it can't be had.
        ArchiveError: If the archive is damaged.
    """
    etag = tile_etag(record, grid, appearance, extension)
    return scenes.rendered.get(etag, lambda: _on_grid(scenes, record, grid, appearance, extension))


def preview(scenes: Scenes, record: Record, max_size: int, appearance: Appearance, extension: str) -> bytes:
    """Render the whole scene in its own projection, no side longer than `max_size`."""
    with scenes.reader(record) as reader:
        look = resolve(appearance, record.bands, scenes.settings, picture=extension in PICTURES)
        grid = reader.native_grid(look.bands).fitted(max_size)
        return _render(scenes, reader, grid, look, extension, facts_of(record))


def preview_etag(record: Record, max_size: int, appearance: Appearance, extension: str) -> str:
    """ETag of a preview, known before any work."""
    return fingerprint(record.etag, "preview", max_size, appearance, extension)


def check(scenes: Scenes, record: Record, appearance: Appearance, extension: str) -> None:
    """Refuse what a tile would refuse, before its URL is given out."""
    look = resolve(appearance, record.bands, scenes.settings, picture=extension in PICTURES)
    if look.error:
        with scenes.lease(record) as archive:
            certificate_of(archive)


def coding(scenes: Scenes, record: Record, appearance: Appearance, extension: str) -> dict[str, str]:
    """HTTP headers that say how an image's pixels were coded, and how far off they are expected to be."""
    look = resolve(appearance, record.bands, scenes.settings, picture=extension in PICTURES)
    return headers(scenes, record, look.bands)


def part(
    scenes: Scenes, record: Record, bbox: Bounds, appearance: Appearance, extension: str, *,
    dst_crs: CRS | None = None, size: tuple[int | None, int | None] = (None, None),
    max_size: int | None = None, shape: Mapping[str, Any] | None = None,
) -> bytes:  # fmt: skip
    """Render a part of a scene.

    Args:
        scenes: Where to find what.
        record: The scene.
        bbox: (west, south, east, north) in degrees.
        appearance: How.
        extension: Data (tif, npy) come on the scene's own pixels, pictures exactly over `bbox` in degrees.
        dst_crs: Another projection.
        size: (height, width), where wanted.
        max_size: Longest side, where wanted.
        shape: GeoJSON geometry outside of which pixels are masked.
    """
    picture = extension in PICTURES
    with scenes.reader(record) as reader:
        look = resolve(appearance, record.bands, scenes.settings, picture=picture)
        crs = dst_crs or (WGS84 if picture else None)
        grid = reader.part_grid(bbox, WGS84, crs, height=size[0], width=size[1], bands=look.bands)
        grid = grid.fitted(max_size) if max_size else grid
        return _render(scenes, reader, grid, look, extension, facts_of(record), shape)


def feature(
    scenes: Scenes, record: Record, shape: Mapping[str, Any], appearance: Appearance, extension: str, *,
    dst_crs: CRS | None = None, max_size: int | None = None,
) -> bytes:  # fmt: skip
    """Render what a GeoJSON geometry (WGS 84) covers: see `part`."""
    bbox = geometry_bounds(shape)
    return part(scenes, record, bbox, appearance, extension, dst_crs=dst_crs, max_size=max_size, shape=shape)


def finish(image: ImageData, look: Look, extension: str, facts: Mapping[str, str] | None = None) -> bytes:
    """Colour an image, if it is to be a picture, and encode it."""
    return encode(colour(image, look), look, extension, facts)


def facts_of(record: Record) -> dict[str, str]:
    """What a GeoTIFF says of where it comes from."""
    return {
        "id": record.id, "collection": record.collection, "datetime": record.datetime.isoformat(),
        "archive_etag": record.etag,
    }  # fmt: skip


def _on_grid(scenes: Scenes, record: Record, grid: Grid, appearance: Appearance, extension: str) -> bytes:
    look = resolve(appearance, record.bands, scenes.settings, picture=extension in PICTURES)
    with scenes.reader(record) as reader:
        return _render(scenes, reader, grid, look, extension, facts_of(record))


def _render(
    scenes: Scenes, reader: ArchiveReader, grid: Grid, look: Look, extension: str, facts: Mapping[str, str],
    shape: Mapping[str, Any] | None = None,
) -> bytes:  # fmt: skip
    scenes.check_grid(grid, max(len(look.bands), look.results))
    image = pixels(reader, grid, look)
    if shape is not None:
        image = cut(image, shape)
    return finish(image, look, extension, {**facts, **tags(reader.archive, look.bands)})
