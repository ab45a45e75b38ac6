"""A place of known pixels for tests with GIS: what any client shows of it can be compared with the scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform
from skimage.registration import phase_cross_correlation

from comeo.compression import compress
from comeo.scene import Scene, Window
from tests.scenes import UTM32, array_group, array_scene, landscape
from tileserver.render.matrixsets import matrix_set

COLLECTION = "gis"
SIDE = 600
DAYS = {"2020-05-01": 1, "2020-05-11": 2, "2020-05-21": 3}
NEWEST = "2020-05-21"
ORIGIN = Affine(10, 0, 472_480, 0, -10, 5_257_490)
BRIGHTEST = 0.3
"""Reflectance; of the style true-color."""
Picture = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """A grid that a client was asked for."""

    crs: CRS
    transform: Affine
    height: int
    width: int

    @classmethod
    def of_matrix(cls, tms: str, zoom: int, side: int, density: int = 1) -> View:
        """The middle of the scene in the pixels of a tile matrix, or in pixels so many times as dense."""
        found = matrix_set(tms)
        matrix = found.matrix(zoom)
        crs = CRS.from_epsg(4326) if found.rasterio_crs.is_geographic else found.rasterio_crs
        (x,), (y,) = transform(UTM32, crs, *([value] for value in ORIGIN @ (SIDE / 2, SIDE / 2)))
        first_x, first_y = matrix.pointOfOrigin
        pixel, half = matrix.cellSize, side // density // 2
        left = first_x + (round((x - first_x) / pixel) - half) * pixel
        top = first_y - (round((first_y - y) / pixel) - half) * pixel
        return cls(crs, Affine(pixel / density, 0, left, 0, -pixel / density, top), side, side)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        left, top = self.transform @ (0, 0)
        right, bottom = self.transform @ (self.width, self.height)
        return left, bottom, right, top


@cache
def scene(day: str) -> Scene:
    """Fields and texture that differ from day to day."""
    values = landscape(4, SIDE, SIDE, seed=DAYS[day])
    group = array_group(values, names=("B02", "B03", "B04", "B08"), transform=ORIGIN)
    return array_scene(group, scene_id=f"day-{day}", collection=COLLECTION, day=int(day[-2:]))


def write_archives(folder: Path) -> None:
    """All scenes, nearly without loss."""
    for day in DAYS:
        compress(scene(day), folder / f"{day}.zarr.zip", codec="jpeg2000", step=4.0)


def reflectance(day: str, band: int) -> NDArray[np.float64]:
    """(y, x) of a band."""
    pixels = scene(day).groups[0].read(Window(0, 0, SIDE, SIDE)).values[band]
    return np.asarray(pixels, float) * 1e-4 - 0.1


def expected(day: str, view: View) -> Picture:
    """Red, green and blue (3, y, x) from 0 to 255 of a scene, warped by rasterio; NaN outside."""
    out = np.full((3, view.height, view.width), np.nan)
    for row, band in enumerate((2, 1, 0)):
        reproject(
            np.clip(reflectance(day, band) / BRIGHTEST, 0, 1) * 255, out[row], src_transform=ORIGIN,
            src_crs=UTM32, dst_transform=view.transform, dst_crs=view.crs, src_nodata=None,
            dst_nodata=np.nan, init_dest_nodata=True, resampling=Resampling.bilinear,
        )  # fmt: skip
    return out


def shift(picture: NDArray[Any], reference: Picture) -> float:
    """Pixels by which a picture (3, y, x) lies off its reference: the length of the vector."""
    assert picture.shape == reference.shape
    inside = ~np.isnan(reference).any(axis=0)
    assert inside.mean() > 0.9, "the comparison is of the scene, not of what is around it"
    grey = [np.where(inside, image.mean(axis=0), 127.0) for image in (np.asarray(picture, float), reference)]
    found, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        grey[1], grey[0], upsample_factor=50, normalization=None
    )
    length = float(np.hypot(*found))
    print(f"shift: {length:.3f} pixels")
    return length


def difference(picture: NDArray[Any], reference: Picture) -> float:
    """Mean difference of brightness, of 255."""
    return float(np.nanmean(np.abs(np.asarray(picture, float) - reference)))


def day_of(picture: NDArray[Any], view: View) -> str:
    """Which day's scene a picture shows, by what it resembles most."""
    return min(DAYS, key=lambda day: difference(picture, expected(day, view)))
