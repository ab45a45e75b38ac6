"""Small synthetic scenes for tests: fields with edges, texture and noise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from scipy.ndimage import gaussian_filter

from comeo.scene import Band, BandGroup, ClassRaster, ClassSource, Pixels, Scene, Window, group_name

UTM32 = CRS.from_epsg(32632)


def landscape(bands: int, height: int, width: int, seed: int = 0, dtype: Any = np.uint16) -> NDArray[Any]:
    """Correlated bands of fields, texture and a little noise: (bands, height, width)."""
    rng = np.random.default_rng(seed)
    fields = np.sign(gaussian_filter(rng.normal(size=(height, width)), 6, mode="nearest"))
    texture = gaussian_filter(rng.normal(size=(height, width)), 1.5, mode="nearest")
    noise = rng.normal(size=(bands, height, width))
    weights = rng.uniform(0.5, 1.5, size=(bands, 2, 1, 1))
    values = 2000 + weights[:, 0] * 500 * fields + weights[:, 1] * 600 * texture + 20 * noise
    scaled = (values - 4000) / 200 if np.dtype(dtype) == np.float32 else np.clip(values, 1, 10_000)
    return np.asarray(scaled, dtype)


def array_group(
    values: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    *,
    names: Sequence[str] | None = None,
    transform: Affine | None = None,
    crs: CRS = UTM32,
    unit: str = "dB",
) -> BandGroup:
    """A group over an array (bands, y, x); `valid` of the same shape, or None for no nodata.

    Floats are in `unit`, integers reflectances.
    """
    transform = transform or Affine(10, 0, 472_480, 0, -10, 5_257_490)
    names = names or [f"B{index + 1:02}" for index in range(len(values))]
    everywhere = np.ones(values.shape, bool) if valid is None else valid

    def read(window: Window) -> Pixels:
        place = (slice(None), *window.slices)
        return Pixels(values[place], everywhere[place])

    scale = (1e-4, -0.1, "reflectance") if values.dtype == np.uint16 else (1.0, 0.0, unit)
    bands = tuple(Band(name, *scale) for name in names)
    return BandGroup(
        group_name(transform, crs), bands, values.shape[1], values.shape[2], values.dtype, crs, transform,
        valid is not None, read,
    )  # fmt: skip


def array_scene(
    *groups: BandGroup, scene_id: str = "test-scene", collection: str = "test", day: int = 1,
    classes: ClassSource | None = None,
) -> Scene:  # fmt: skip
    """A scene of groups over arrays."""
    moment = datetime(2020, 5, day, 10, 30, tzinfo=UTC)
    return Scene(
        scene_id, collection, moment, groups, {"platform": "sentinel-2a"}, "made-up", classes=classes
    )


def array_classes(
    classes: NDArray[np.uint8], *, transform: Affine | None = None, crs: CRS = UTM32
) -> ClassSource:
    """Classes over an array (y, x), by default on pixels of 20 m over those of `array_group`."""
    transform = transform or Affine(20, 0, 472_480, 0, -20, 5_257_490)
    height, width = classes.shape
    raster = ClassRaster(
        height, width, crs, transform, lambda window: classes[window.slices],
        lambda window: classes[window.slices].astype(np.int64),
    )  # fmt: skip
    return ClassSource("SCL", lambda: raster)


def patchy(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Classes in patches as those of a real scene, all six of them and some pixels without."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(height, width)), 8, mode="nearest")
    edges = np.quantile(smooth, [0.03, 0.5, 0.6, 0.65, 0.75, 0.85])
    found: NDArray[np.uint8] = np.searchsorted(edges, smooth).astype(np.uint8)
    return found


def corner_cut(shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """A mask as at the edge of a swath: false below a diagonal, a pixel earlier in each further band."""
    bands, height, width = shape
    rows, cols = np.mgrid[:height, :width]
    return np.stack(
        [rows * width + cols * height < (1.5 * height * width - band * width) for band in range(bands)]
    )
