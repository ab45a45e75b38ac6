"""Pictures and arrays as bytes."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rio_tiler.models import ImageData

from comeo.view.pixels import mask_of
from tileserver.render.picture import painted_rgb, palette_of
from tileserver.render.plan import RenderPlan

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
# Of values in a palette: at 50 a tile of NDVI takes a quarter fewer bytes, and what is read back from its
# colours is off by 0.029 instead of 0.023, where compression is off by 0.05 to 0.08. Lossless classes (24 to
# 64 of them, as PNG or WebP) take 1.3 to 2 times the bytes of quality 75.
WEBP_PALETTE_QUALITY = 50
# Higher methods take twice the time for 4 % of the bytes.
WEBP_METHOD = 2
# Of few colours that each mean something: none is mixed, in a third to a tenth of the bytes of quality 75.
WEBP_CLASSES = {"lossless": True, "quality": 50, "method": WEBP_METHOD}
JPEG_QUALITY = 80


def encode(image: ImageData, plan: RenderPlan, extension: str) -> bytes:
    """Encode an image as a picture or an array; GeoTIFFs are written by `comeo.export`.

    Args:
        image: 8-bit colours as `colour` returns them for a picture, otherwise values.
        plan: By which it was made.
        extension: A key of `MEDIA_TYPES` other than `tif`.
    """
    if extension == "npy":
        return _npy(painted_rgb(image, plan), with_mask=plan.return_mask)
    return _PICTURE_ENCODERS[extension](_pillow_image(image, plan, extension), plan)


def _pillow_image(image: ImageData, plan: RenderPlan, extension: str) -> Image.Image:
    """Choose the smallest kind of image: a palette, grey or RGB, with alpha only where it is needed."""
    invalid = mask_of(image)[0]
    transparent = plan.return_mask and extension != "jpg" and bool(invalid.any())
    if transparent and extension == "png" and invalid.all():
        return _nothing(image.width, image.height)
    colours = palette_of(plan)
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
    """Transparent pixels in as few bytes as possible."""
    picture = Image.new("P", (width, height))
    picture.putpalette([0, 0, 0])
    picture.info["transparency"] = 0
    return picture


def _palette_image(index: NDArray[np.uint8], colours: NDArray[np.uint8], *, transparent: bool) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(index), "L")
    picture = Image.frombytes("P", picture.size, picture.tobytes())
    picture.putpalette(colours[:, :3].tobytes())
    if transparent or (colours[1:, 3] != 255).any():
        picture.info["transparency"] = colours[:, 3].tobytes()
    return picture


def _png(picture: Image.Image, _plan: RenderPlan) -> bytes:
    return _saved(picture, "PNG", **(PALETTE_OPTIONS if picture.mode == "P" else PNG_OPTIONS))


def _webp(picture: Image.Image, plan: RenderPlan) -> bytes:
    if plan.classes or plan.marks:
        return _saved(picture, "WEBP", **WEBP_CLASSES)
    quality = WEBP_PALETTE_QUALITY if plan.colormap and not plan.is_hatched else WEBP_QUALITY
    return _saved(picture, "WEBP", quality=quality, method=WEBP_METHOD)


def _jpg(picture: Image.Image, _plan: RenderPlan) -> bytes:
    return _saved(picture, "JPEG", quality=JPEG_QUALITY, optimize=True)


def _saved(picture: Image.Image, name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


_PICTURE_ENCODERS: dict[str, Callable[[Image.Image, RenderPlan], bytes]] = {
    "png": _png,
    "webp": _webp,
    "jpg": _jpg,
}


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
