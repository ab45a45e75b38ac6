"""Simulates two dates of Sentinel-1 over the place of a bundled Sentinel-2 sample, for want of real ones.

No Sentinel-1 data are bundled, since none at hand may be. What these scenes show is made up: backscatter
that is usual in C band for what the optical sample shows on the ground, with speckle of five looks and noise.
Between the two dates hollows that are made up as well are flooded. They are for trying out styles, change and
figures of quality, and for nothing that depends on how radar sees this place.

Run as: python samples/simulate_radar.py S2A_T32TMT_20190530_L2A.zarr.zip FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, distance_transform_edt, gaussian_filter

from comeo import open_archive
from comeo.quality.cover import KINDS, NEEDED, ground
from comeo.quality.render import physical
from comeo.scene import Window

SIDE: Final = 548
DATES: Final = ("2019-05-30", "2019-06-11")
LOOKS: Final = 5
FLOODED: Final = 0.04
"""Share of the ground that is under water on the second date."""
NOISE: Final = -24.0  # dB
WATER: Final = (-21.0, -29.0)
# (VV, VH) in dB. Clouds and shadows, which radar does not see, take what lies beside them.
BACKSCATTER: Final = {
    "water": WATER,
    "vegetation": (-9.5, -15.5),
    "town, road or rough ground": (-5.0, -12.5),
    "bare or sparse ground": (-12.0, -19.5),
}


def main(archive: str, folder: str) -> None:
    """Write a GeoTIFF a date."""
    with open_archive(archive) as opened:
        group = next(iter(opened.groups.values()))
        level = group.levels[0]
        values = opened.read(level, Window(0, 0, SIDE, SIDE))
        places = [[band.name for band in group.bands].index(name) for name in NEEDED]
        reflectance = physical(values[places], [group.bands[place] for place in places])
    kinds = seen_by_radar(ground(reflectance, np.ones((SIDE, SIDE), bool)))
    level_db = backscatter(kinds, reflectance)
    rng = np.random.default_rng(20190530)
    hollows = gaussian_filter(rng.normal(size=kinds.shape), (12, 30))
    flooded = hollows > np.quantile(hollows, 1 - FLOODED)
    for number, date in enumerate(DATES):
        shown = level_db.copy()
        if number:
            shown[:, flooded] = np.array(WATER)[:, None]
        write(
            Path(folder) / f"simulated_radar_{date}.tif",
            date,
            observed(shown, rng),
            level.transform,
            group.crs,
        )


def kind(name: str) -> int:
    """Number of a kind of ground."""
    return next(place for place, each in enumerate(KINDS) if each.name == name)


def seen_by_radar(kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Kinds of ground (y, x), what is hidden from light replaced by what is nearest to it."""
    known = np.isin(kinds, [kind(name) for name in BACKSCATTER])
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return kinds[tuple(nearest)]


def backscatter(kinds: NDArray[np.uint8], reflectance: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean backscatter (2, y, x) in dB: by kind, and within a kind by how green the ground is."""
    out = np.zeros((2, *kinds.shape))
    for name, levels in BACKSCATTER.items():
        out[:, kinds == kind(name)] = np.array(levels)[:, None]
    _, _, red, infrared = (gaussian_filter(each.astype(np.float64), 1.5) for each in reflectance)
    greenness = (infrared - red) / np.maximum(infrared + red, 0.01)
    open_ground = np.isin(kinds, [kind("vegetation"), kind("bare or sparse ground")])
    growth = np.where(open_ground, np.clip(greenness - 0.6, -0.4, 0.3), 0)
    return out + growth * np.array([6.0, 12.0])[:, None, None]


def observed(level_db: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """What a radar would measure, in dB: with speckle that neighbours share, and thermal noise."""
    power = 10 ** (level_db / 10) + 10 ** (NOISE / 10)
    looks = np.zeros(power.shape)
    kernel = np.array([0.25, 0.9, 0.25]) / np.sqrt(0.25**2 * 2 + 0.9**2)
    for _ in range(LOOKS):
        for part in rng.normal(0, np.sqrt(0.5), (2, *power.shape)):
            wave = convolve1d(convolve1d(part, kernel, axis=1, mode="wrap"), kernel, axis=2, mode="wrap")
            looks += wave**2 / LOOKS
    measured = power * looks - 10 ** (NOISE / 10)
    floor = 10 ** ((NOISE - 10) / 10)
    return np.asarray(10 * np.log10(np.maximum(measured, floor)), np.float32)


def write(path: Path, date: str, values: NDArray[np.float32], transform: object, crs: object) -> None:
    """Write decibels as a GeoTIFF whose tags say what it is."""
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": 2,
        "height": SIDE,
        "width": SIDE,
        "compress": "deflate",
    }
    with rasterio.open(path, "w", **profile, transform=transform, crs=crs) as target:
        target.write(values)
        target.descriptions = ("VV", "VH")
        target.units = ("dB", "dB")
        target.update_tags(
            TIFFTAG_IMAGEDESCRIPTION="Simulated radar: no measurement", QUANTITY="sigma0",
            DATETIME=f"{date}T05:30:00Z", ORBIT_STATE="descending", RELATIVE_ORBIT="66",
        )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:3])
