"""Images as bytes."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.io import MemoryFile
from rio_tiler.models import ImageData

from tileserver.render.look import Look
from tileserver.render.picture import mask_of, palette_of

MEDIA_TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "tif": "image/tiff; application=geotiff",
    "npy": "application/x-npy",
}
PICTURES = frozenset({"png", "webp", "jpg"})
# For filtered photographs plain run lengths are both the smallest (by 1 to 7 %) and the fastest (by a third
# and more); for the indexes of a palette, which are not filtered, they are 5 % larger.
PNG_OPTIONS = {"compress_level": 6, "compress_type": zlib.Z_RLE}
PALETTE_OPTIONS = {"compress_level": 4}
WEBP_QUALITY = 75
# Higher methods take twice the time for 4 % of the bytes.
WEBP_METHOD = 2
JPEG_QUALITY = 80
TILED_FROM = 512


def encode(image: ImageData, look: Look, extension: str, facts: Mapping[str, str] | None = None) -> bytes:
    """Encode an image.

    Args:
        image: What `colour` returned for a picture, else what `observe` did.
        look: What it was made by.
        extension: A key of `MEDIA_TYPES`.
        facts: Written as metadata items into a GeoTIFF.
    """
    if extension in ("tif", "npy"):
        colours = palette_of(look) if look.is_picture else None
        if colours is not None:
            image = expanded(image, colours)
        return _geotiff(image, facts or {}) if extension == "tif" else _npy(image, with_mask=look.return_mask)
    return _PICTURE_ENCODERS[extension](_pillow_image(image, look, extension))


def _pillow_image(image: ImageData, look: Look, extension: str) -> Image.Image:
    """Smallest kind of image that can show it: a palette, grey or RGB, alpha only where it is needed."""
    invalid = mask_of(image)[0]
    transparent = look.return_mask and extension != "jpg" and bool(invalid.any())
    if transparent and extension == "png" and invalid.all():
        return _nothing(image.width, image.height)
    colours = palette_of(look)
    if colours is not None:
        index = image.data[0]
        if extension == "png":
            return _palette_image(index, colours, transparent=transparent)
        pixels = colours[index]
        if not transparent and (colours[index, 3] == 255).all():
            pixels = pixels[..., :3]
    else:
        alpha = np.where(invalid, 0, 255).astype(np.uint8)
        layers = [*image.data, alpha] if transparent else list(image.data)
        pixels = layers[0] if len(layers) == 1 else np.stack(layers, axis=-1)
    if extension == "jpg":
        pixels = pixels[..., :3] if pixels.ndim == 3 else pixels.copy()
        pixels[invalid] = 255
    return Image.fromarray(np.ascontiguousarray(pixels))


def _nothing(width: int, height: int) -> Image.Image:
    """Transparent pixels in as few bytes as there can be."""
    picture = Image.new("P", (width, height))
    picture.putpalette([0, 0, 0])
    picture.info["transparency"] = 0
    return picture


def expanded(image: ImageData, colours: NDArray[np.uint8]) -> ImageData:
    """Red, green and blue of an index image."""
    rgb = np.moveaxis(colours[image.data[0], :3], -1, 0)
    mask = np.broadcast_to(mask_of(image)[0] | (colours[image.data[0], 3] == 0), rgb.shape)
    return ImageData(np.ma.MaskedArray(rgb, mask=mask), bounds=image.bounds, crs=image.crs)


def _palette_image(index: NDArray[np.uint8], colours: NDArray[np.uint8], *, transparent: bool) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(index), "L")
    picture = Image.frombytes("P", picture.size, picture.tobytes())
    picture.putpalette(colours[:, :3].tobytes())
    if transparent or (colours[1:, 3] != 255).any():
        picture.info["transparency"] = colours[:, 3].tobytes()
    return picture


def _png(picture: Image.Image) -> bytes:
    return _saved(picture, "PNG", **(PALETTE_OPTIONS if picture.mode == "P" else PNG_OPTIONS))


def _webp(picture: Image.Image) -> bytes:
    return _saved(picture, "WEBP", quality=WEBP_QUALITY, method=WEBP_METHOD)


def _jpg(picture: Image.Image) -> bytes:
    return _saved(picture, "JPEG", quality=JPEG_QUALITY, optimize=True)


def _saved(picture: Image.Image, name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


_PICTURE_ENCODERS: dict[str, Callable[[Image.Image], bytes]] = {"png": _png, "webp": _webp, "jpg": _jpg}


def _npy(image: ImageData, *, with_mask: bool) -> bytes:
    """As TiTiler does: (bands, y, x), and the mask (0 or the type's greatest value) as a last band."""
    values = image.array.filled(0)
    if with_mask:
        greatest = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 255
        mask = np.where(mask_of(image).any(axis=0), 0, greatest).astype(values.dtype)
        values = np.concatenate([values, mask[None]])
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _geotiff(image: ImageData, facts: Mapping[str, str]) -> bytes:
    """GeoTIFF that says what its bands are, with nodata or, where no number is free for it, a mask."""
    count, height, width = image.array.shape
    masked = bool(mask_of(image).any())
    profile: dict[str, Any] = {
        "driver": "GTiff", "count": count, "height": height, "width": width, "dtype": image.array.dtype,
        "crs": image.crs, "transform": image.transform, "nodata": image.nodata, "compress": "deflate",
        "predictor": 3 if image.array.dtype.kind == "f" else 2, "interleave": "band",
    }  # fmt: skip
    if max(height, width) > TILED_FROM:
        profile.update(tiled=True, blockxsize=256, blockysize=256)
    fill = image.nodata if image.nodata is not None else 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(image.array.filled(fill))
            dataset.descriptions = tuple(image.band_names)
            dataset.scales, dataset.offsets = tuple(image.scales), tuple(image.offsets)
            dataset.update_tags(**facts)
            if image.nodata is None and masked:
                dataset.write_mask(~mask_of(image).any(axis=0))
        return bytes(memory.getbuffer())
