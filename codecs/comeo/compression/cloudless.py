"""Classes of a scene that carries none, from its bands: s2cloudless for clouds, an index for water and snow.

Clouds: the detector of Sentinel Hub (Skakun et al., "Cloud Mask Intercomparison eXercise (CMIX)", Remote
Sensing of Environment 274, 2022, compares it), at 60 m with the settings that its authors give for 60 m: the
probability is averaged over a disk of 4 pixels, and what it calls cloud is widened by a disk of 2. The pixels
that only widening adds are doubtful. Snow: the normalised difference of green and short-wave infrared above
0.4, red above 0.2 (Gascoin et al., "Theia Snow collection", Earth System Science Data 11, 2019); by near
infrared instead of red, turbid floods become snow. Water: the automated water extraction index above 0, red
not above 0.2 (Feyisa et al., Remote Sensing of Environment 140, 2014); at the top of the atmosphere the
normalised difference alone, above 0, calls half as much again water.

Shadows are not told: that is said in the archive.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from comeo.archive.clear import ClearLayer
from comeo.archive.clear_model import ClearFacts
from comeo.compression.coarse import coarse_grid
from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.missions import REFLECTANCE
from comeo.missions.clear import CLASSES, CLOUD, LAND, NODATA, SHADOW, SNOW, THIN, WATER, Classes
from comeo.scene import BandGroup, Scene, Window

DETECTOR_BANDS: Final = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
BANDS: Final = (*DETECTOR_BANDS, "B03")
THRESHOLD: Final = 0.4
_AVERAGE, _WIDEN = 4, 2
_SNOW_INDEX, _BRIGHT = 0.4, 0.2
_STRIP_ROWS: Final = 128  # of the coarse grid: 1.5 million samples of a Sentinel-2 tile
_ALIGNED: Final = 0.1  # of a band's pixel

Layers = dict[str, NDArray[np.float32]]


class Detector(Protocol):
    """What is used of `s2cloudless.S2PixelCloudDetector`."""

    threshold: float

    def get_cloud_probability_maps(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, y, x) of (n, y, x, 10) reflectances."""

    def get_mask_from_prob(self, cloud_probs: NDArray[np.float32]) -> NDArray[Any]:
        """(n, y, x), 1 where there is cloud once the probability has been averaged and the mask widened."""


class _Place(NamedTuple):
    """A band: its group, its row there, and how many of its pixels a side a coarse pixel covers."""

    group: BandGroup
    row: int
    factor: int


def from_bands(scene: Scene) -> ClearLayer:
    """Classes of a level-1C scene, by its original bands.

    Raises:
        SourceError: If it lacks bands, they are no reflectances, or lie on grids that do not fit each other.
        ModuleNotFoundError: Without the extra `clouds`.
    """
    grid, places = _places(scene)
    from s2cloudless import S2PixelCloudDetector  # noqa: PLC0415 - of an extra, and slow to import

    averaged = S2PixelCloudDetector(THRESHOLD, average_over=_AVERAGE, dilation_size=None)
    widened = S2PixelCloudDetector(THRESHOLD, average_over=_AVERAGE, dilation_size=_WIDEN)
    told = tuple(each.name for each in CLASSES if each.number != SHADOW)
    facts = ClearFacts(
        source="s2cloudless", version=version("s2cloudless"), threshold=THRESHOLD, classes=told
    )
    return ClearLayer(classify(scene, grid, places, averaged, widened), grid, facts)


def classify(
    scene: Scene, grid: Grid, places: dict[str, _Place], averaged: Detector, widened: Detector
) -> Classes:
    """Classes on the coarse grid.

    Args:
        scene: The scene.
        grid: The coarse grid.
        places: Of each band that is needed.
        averaged: Finds clouds.
        widened: Finds them with the pixels beside them.
    """
    ground = np.full((grid.height, grid.width), NODATA, np.uint8)
    probability = np.zeros((grid.height, grid.width), np.float32)
    for top in range(0, grid.height, _STRIP_ROWS):
        rows = slice(top, min(top + _STRIP_ROWS, grid.height))
        layers = {name: _coarse(place, rows, grid) for name, place in places.items()}
        valid = np.isfinite(np.stack(list(layers.values()))).all(axis=0)
        stack = np.stack([layers[name] for name in DETECTOR_BANDS], axis=-1)
        found = averaged.get_cloud_probability_maps(np.nan_to_num(stack)[None])[0]
        probability[rows] = np.where(valid, found, 0)
        ground[rows] = np.where(valid, ground_classes(layers), NODATA)
    if not ground.any():
        raise SourceError(f"{scene.id} has no pixel that is valid in {', '.join(BANDS)}; give --clear none")
    ground[(ground != NODATA) & (widened.get_mask_from_prob(probability[None])[0] > 0)] = THIN
    ground[(ground != NODATA) & (averaged.get_mask_from_prob(probability[None])[0] > 0)] = CLOUD
    return ground


def ground_classes(layers: Layers) -> Classes:
    """Land, water or snow by reflectances (y, x), whatever may lie above."""
    green, red, near, short, longer = (layers[name] for name in ("B03", "B04", "B08", "B11", "B12"))
    with np.errstate(divide="ignore", invalid="ignore"):
        index = (green - short) / (green + short)
    extraction = 4 * (green - short) - (0.25 * near + 2.75 * longer)
    found = np.full(green.shape, LAND, np.uint8)
    found[(extraction > 0) & (red <= _BRIGHT)] = WATER
    found[(index > _SNOW_INDEX) & (red > _BRIGHT)] = SNOW
    return found


def _places(scene: Scene) -> tuple[Grid, dict[str, _Place]]:
    """The coarse grid over a scene's finest bands, and where the bands lie that are needed."""
    finest = scene.groups[0]
    native = Grid(finest.crs, finest.transform, finest.height, finest.width)
    grid, _ = coarse_grid(native)
    found = {
        band.name: (group, index)
        for group in scene.groups
        for index, band in enumerate(group.bands)
        if band.name in BANDS and band.unit == REFLECTANCE
    }
    if missing := [name for name in BANDS if name not in found]:
        raise SourceError(
            f"s2cloudless needs the reflectances of a level-1C product, and {scene.id} lacks "
            f"{', '.join(missing)}; give all bands, or --clear none"
        )
    return grid, {name: _place(scene, grid, *place) for name, place in found.items()}


def _place(scene: Scene, grid: Grid, group: BandGroup, index: int) -> _Place:
    """Where a band lies under the coarse grid, whose pixels have to be whole numbers of the band's."""
    relative = ~group.transform @ grid.transform
    factor = round(relative.a)
    drift = max(abs(relative.a - factor), abs(relative.e - factor)) * max(grid.height, grid.width)
    if factor < 1 or max(drift, abs(relative.c), abs(relative.f)) > _ALIGNED:
        raise SourceError(
            f"s2cloudless needs bands whose pixels fit into each other's at 60 m, and those of {group.name} "
            f"of {scene.id} do not; give --clear none"
        )
    return _Place(group, index, factor)


def _coarse(place: _Place, rows: slice, grid: Grid) -> NDArray[np.float32]:
    """Mean reflectance of a band under each pixel of rows of the coarse grid; NaN where it has none."""
    group, factor = place.group, place.factor
    top, bottom = rows.start * factor, min(rows.stop * factor, group.height)
    height, width = (rows.stop - rows.start) * factor, grid.width * factor
    sums = np.zeros((height, width), np.float32)
    counts = np.zeros((height, width), np.float32)
    if top < bottom:
        pixels = group.read(Window(top, 0, bottom - top, min(width, group.width)))
        valid = pixels.valid[place.row]
        shape = slice(0, valid.shape[0]), slice(0, valid.shape[1])
        sums[shape] = np.where(valid, pixels.values[place.row], 0)
        counts[shape] = valid
    parts = (rows.stop - rows.start, factor, grid.width, factor)
    with np.errstate(invalid="ignore"):
        mean = sums.reshape(parts).sum(axis=(1, 3)) / counts.reshape(parts).sum(axis=(1, 3))
    band = group.bands[place.row]
    found: NDArray[np.float32] = mean * np.float32(band.scale) + np.float32(band.offset)
    return found
