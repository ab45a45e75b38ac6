"""From a GRD product to a map: calibrated power, resampled once, in decibels."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window as GdalWindow

from comeo.errors import OutputError
from comeo.grid import Grid
from comeo.leftovers import held_folder
from comeo.parallel import each
from comeo.progress import Progress, Silent
from comeo.scene import Window
from comeo.sources.dem import Heights
from comeo.sources.grd.ground import GroundLayers, ground_layers, write_mask
from comeo.sources.grd.mapgrid import map_grid
from comeo.sources.grd.options import GeocodeOptions
from comeo.sources.grd.product import Grd, GrdImage
from comeo.sources.grd.tiles import DECIBELS, NODATA, TileBand, Tiles

Packing = Mapping[str, Any]
SMALL: Final[Packing] = {"compress": "deflate", "zlevel": 1, "predictor": 2}
"""What every reader can read."""
FAST: Final[Packing] = {"compress": "zstd", "zstd_level": 1}
"""What is read again soon, several times."""
QUANTITY: Final = "comeo:quantity"
_TILE: Final = 1024
_LEAST_TILE: Final = 64
_UNFINISHED: Final = ".comeo-geocode-"


@dataclass(slots=True)
class _Band:
    """A band in the making, with the counts of its pixels."""

    image: GrdImage
    valid: int = 0
    floored: int = 0

    @property
    def floor_share(self) -> float:
        """Part of the pixels that were raised to the floor."""
        return self.floored / self.valid if self.valid else 0.0


def geocode(
    grd: Grd,
    heights: Heights,
    options: GeocodeOptions,
    output: Path,
    progress: Progress | None = None,
    packing: Packing = SMALL,
) -> dict[str, Any]:
    """Write a product as a map: a GeoTIFF of decibels, a band a polarisation.

    Numbers are int16 in steps of 0.005 dB, stated as GDAL's scale. Layers that are wanted are written beside
    it: see `incidence_beside` and `mask_beside`.

    Args:
        grd: The product.
        heights: The ground.
        options: What to make of it.
        output: Name of the file; it is there when it is whole.
        progress: Receives the stages.
        packing: How the file is packed.

    Returns:
        STAC Item properties of the map.

    Raises:
        SourceError: If the product, or the DEM, cannot be read.
        OutputError: If the file cannot be written, or has no room.
    """
    progress = progress or Silent()
    grid, finer = map_grid(grd, options)
    bands = {name: _Band(image) for name, image in grd.images.items()}
    for name, band in bands.items():
        if options.noise and band.image.noise is None:
            progress.note(f"thermal noise of {name} is not removed: {band.image.noise_missing}")
    tiles = Tiles(grd, heights, radiometry=options.radiometry, noise=options.noise, finer=finer)
    try:
        check_room(output.parent, 2 * grid.height * grid.width * len(bands), output.name)
        with held_folder(output.parent, _UNFINISHED) as folder:
            unfinished, layers = folder / output.name, None
            if options.incidence or options.mask:
                place = incidence_beside(unfinished) if options.incidence else None
                layers = ground_layers(grd, heights, grid, place, progress)
            hides = layers if options.mask else None
            with _create(unfinished, grid, tuple(bands), packing) as target:
                _fill(target, grid, max(_LEAST_TILE, _TILE // finer), tiles, bands, hides, progress)
                properties = _properties(grd, bands, options, layers)
                target.update_tags(**_tags(grd, options, properties))
                for index, band in enumerate(bands.values(), 1):
                    target.update_tags(index, noise_floor_share=f"{band.floor_share:.6f}")
            if hides is not None:
                write_mask(hides, mask_beside(unfinished))
            for made in sorted(folder.iterdir()):
                made.replace(output.with_name(made.name))
    except (OSError, RasterioError) as error:
        raise OutputError(output.name, str(error)[:200]) from error
    return properties


def incidence_beside(output: Path) -> Path:
    """Name of the layer of local incidence beside a map."""
    return output.with_name(f"{output.stem}_incidence.tif")


def mask_beside(output: Path) -> Path:
    """Name of the layer of layover and shadow beside a map."""
    return output.with_name(f"{output.stem}_mask.tif")


def check_room(folder: Path, size: int, name: str) -> None:
    """Refuse to begin what does not fit onto a disk.

    Args:
        folder: Where it will be.
        size: Bytes that it can have.
        name: Of what will be written.

    Raises:
        OutputError: If the disk has less.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OutputError(
            name,
            f"it can take {size / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB left; make room, or "
            "choose another disk (of temporary files by TMPDIR)",
        )


def _create(path: Path, grid: Grid, names: tuple[str, ...], packing: Packing) -> Any:
    """A tiled GeoTIFF to be written piece by piece."""
    target = rasterio.open(
        path, "w", driver="GTiff", height=grid.height, width=grid.width, count=len(names), dtype="int16",
        crs=grid.crs, transform=grid.transform, nodata=NODATA, tiled=True, blockxsize=512, blockysize=512,
        interleave="band", bigtiff="if_safer", num_threads="all_cpus", **packing,
    )  # fmt: skip
    target.scales = (DECIBELS,) * len(names)
    target.units = ("dB",) * len(names)
    target.descriptions = names
    return target


def _fill(
    target: Any, grid: Grid, side: int, tiles: Tiles, bands: Mapping[str, _Band],
    hides: GroundLayers | None, progress: Progress,
) -> None:  # fmt: skip
    """Fill the map, a row of tiles at a time: GDAL's cache then has the lines that they share."""
    rows = range(0, grid.height, side)
    columns = range(0, grid.width, side)
    one_at_a_time = threading.Lock()
    progress.start("geocoded", len(rows) * len(columns))

    def make(window: Window) -> list[TileBand]:
        found = tiles.make(grid.part(window))
        with one_at_a_time:
            progress.advance()
        return found

    for row in rows:
        windows = [
            Window(row, column, min(side, grid.height - row), min(side, grid.width - column))
            for column in columns
        ]
        for window, found in zip(windows, each(make, windows), strict=True):
            hidden = None if hides is None else hides.hidden(window)
            where = GdalWindow(window.col, window.row, window.width, window.height)
            for index, ((numbers, floored), band) in enumerate(zip(found, bands.values(), strict=True), 1):
                if hidden is not None:
                    numbers[hidden] = NODATA
                target.write(numbers, index, window=where)
                band.valid += int(np.count_nonzero(numbers != NODATA))
                band.floored += floored


def _properties(
    grd: Grd, bands: Mapping[str, _Band], options: GeocodeOptions, layers: GroundLayers | None
) -> dict[str, Any]:
    """What the Item of a map says of how it was made."""
    kept = {name: band.image.noise_missing or "left in" for name, band in bands.items() if not options.noise
            or band.image.noise is None}  # fmt: skip
    found: dict[str, Any] = {
        **grd.properties,
        QUANTITY: "gamma0-rtc" if options.radiometry == "rtc" else options.radiometry,
        "comeo:thermal_noise": "; ".join(f"{name}: {why}" for name, why in kept.items()) or "removed",
        "comeo:noise_floor_percentage": {
            name: round(100 * band.floor_share, 4) for name, band in bands.items()
        },
        "comeo:orbit": "as given" if grd.precise else "of the product",
    }
    if layers is not None:
        shares = layers.shares()
        found |= {f"comeo:{name}_percentage": share for name, share in shares.items()}
        if options.mask:
            found["comeo:layover_shadow"] = "no data"
    return found


def _tags(grd: Grd, options: GeocodeOptions, properties: Mapping[str, Any]) -> dict[str, str]:
    """What is known of the map, as tags of its file."""
    return {
        "DATETIME": f"{grd.first.annotation.start.astype('datetime64[ms]')}Z",
        "PLATFORM": properties["platform"],
        "PRODUCT": grd.name,
        "QUANTITY": properties[QUANTITY],
        "THERMAL_NOISE": "removed" if properties["comeo:thermal_noise"] == "removed" else "not removed",
        "ORBIT_STATE": properties["sat:orbit_state"],
        "RELATIVE_ORBIT": str(grd.relative_orbit),
        "IPF": f"{grd.ipf[0]}.{grd.ipf[1]:02}",
        **({"MASKED": "layover, shadow"} if options.mask else {}),
    }
