"""Write a valid Sentinel-2 product (SAFE) of any size from real pixels.

    python -m tests.safe_generator --output DIR [--size 10980] [--level L2A|L1C] [--baseline 02.12] [--zip]

The pixels are those of a small real scene, mirrored until the tile is full; a wedge without data (the edge of
the swath) and a few saturated pixels are put in. Files, folders, tiling of the images and metadata are laid
out as in ESA's products of baseline 02.12 and later (Sentinel-2 Products Specification Document 14.9).
"""

from __future__ import annotations

import argparse
import hashlib
import math
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from comeo.scene import Window
from comeo.sources import open_source
from tests import safe_templates
from tests.openjpeg import load_glymur

Pixels = NDArray[np.uint16]

FULL_SIZE: Final = 10980
ULX, ULY, EPSG = 399960, 5300040, 32632
SATURATED: Final = 65535
BASELINE_WITH_OFFSET: Final = "04.00"
TILE_SIZES: Final = {10: 1024, 20: 640, 60: 192}
NATIVE: Final = {
    10: ("B02", "B03", "B04", "B08"),
    20: ("B05", "B06", "B07", "B8A", "B11", "B12"),
    60: ("B01", "B09", "B10"),
}
DEFAULT_SCENE: Final = (
    Path(__file__).resolve().parents[2] / "shared" / "data" / "scenes" / "S2A_20190530_T32TMT_L2A_10bands.tif"
)


@dataclass(frozen=True)
class Recipe:
    """What product to write.

    Attributes:
        size: Rows and columns of the 10 m grid; a multiple of 6.
        level: `L1C` or `L2A`.
        baseline: Processing baseline; from 04.00 on, numbers are 1000 higher and the metadata say so.
        nodata: Whether a wedge of the tile is outside the swath.
        copies: Whether L2A has its bands at coarser resolutions as well, as real products do.
    """

    size: int = FULL_SIZE
    level: str = "L2A"
    baseline: str = "02.12"
    nodata: bool = True
    copies: bool = True
    time: str = "20190530T103031"
    tile: str = "32TMT"
    orbit: int = 20559
    offset: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.size % 6 or self.size < 60:
            raise ValueError("the size is a multiple of 6, and 60 at least")
        object.__setattr__(self, "offset", 1000 if self.baseline >= BASELINE_WITH_OFFSET else 0)

    @property
    def name(self) -> str:
        """The product's name."""
        number = self.baseline.replace(".", "")
        return f"S2A_MSI{self.level}_{self.time}_N{number}_R108_T{self.tile}_20190530T123741.SAFE"

    @property
    def granule(self) -> str:
        """The granule's folder name."""
        return f"{self.level}_T{self.tile}_A{self.orbit:06d}_{self.time}"

    def image_file(self, band: str, resolution: int) -> str:
        """Name of an image file within the product, without `.jp2`."""
        images = f"GRANULE/{self.granule}/IMG_DATA"
        if self.level == "L1C":
            return f"{images}/T{self.tile}_{self.time}_{band}"
        return f"{images}/R{resolution}m/T{self.tile}_{self.time}_{band}_{resolution}m"

    def images(self) -> list[tuple[str, int]]:
        """All image files, as band and resolution."""
        found = [(band, resolution) for resolution, bands in NATIVE.items() for band in bands]
        if self.level == "L1C":
            return found
        found.remove(("B10", 60))
        if self.copies:
            found += [(band, 20) for band in ("B02", "B03", "B04")]
            found += [(band, 60) for band in ("B02", "B03", "B04", *NATIVE[20])]
            found += [("SCL", 20)]
        return found


def real_pixels(scene: Path) -> dict[str, Pixels]:
    """Native pixels of a real scene's bands; those at 60 m, if it lacks them, are averaged.

    Cut to the ground that all groups cover, in whole 60 m pixels: bands that are cut differently are mirrored
    out of step, and a codec that predicts one group from another finds less in them than in a real product.
    """
    source = open_source(scene)
    try:
        left, top, width, height = common_ground(
            [group.transform for group in source.groups],
            [(group.height, group.width) for group in source.groups],
        )
        bands: dict[str, Pixels] = {}
        for group in source.groups:
            size, x, y = group.transform.a, group.transform.c, group.transform.f
            corner = round((y - top) / size), round((left - x) / size)
            values = group.read(Window(*corner, round(height / size), round(width / size))).values
            bands |= {band.name: values[index] for index, band in enumerate(group.bands)}
    finally:
        source.close()
    return completed(bands)


def common_ground(transforms: Sequence[Affine], shapes: Sequence[tuple[int, int]]) -> tuple[float, ...]:
    """Left, top, width and height in metres: from a corner of the coarsest pixels, in whole 60 m pixels."""
    coarse = max(transforms, key=lambda transform: transform.a)
    left, top = coarse.c, coarse.f
    for fine in transforms:
        left += max(0, math.ceil((fine.c - left) / coarse.a)) * coarse.a
        top -= max(0, math.ceil((top - fine.f) / coarse.a)) * coarse.a
    rights, bottoms = zip(
        *(fine * shape[::-1] for fine, shape in zip(transforms, shapes, strict=True)), strict=True
    )
    return left, top, (min(rights) - left) // 60 * 60, (top - max(bottoms)) // 60 * 60


def synthetic_pixels(side: int = 240, seed: int = 7) -> dict[str, Pixels]:
    """Pixels with the statistics of a natural image, for tests that have no real scene at hand."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1
    ground = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((side, side))) / frequency, (side, side))
    ground /= ground.std()
    bands: dict[str, Pixels] = {}
    for index, name in enumerate((*NATIVE[10], *NATIVE[20])):
        values = 2000 + 100 * index + 500 * ground + rng.normal(0, 30, ground.shape)
        fine = np.clip(values, 1, 20000).astype(np.uint16)
        bands[name] = fine if name in NATIVE[10] else averaged(fine, 2)
    return completed(bands)


def completed(bands: Mapping[str, Pixels]) -> dict[str, Pixels]:
    """Add the 60 m bands."""
    cirrus = np.maximum(averaged(bands["B11"], 3) // 40, 1).astype(np.uint16)
    return {**bands, "B01": averaged(bands["B02"], 6), "B09": averaged(bands["B8A"], 3), "B10": cirrus}


def averaged(values: Pixels, factor: int) -> Pixels:
    """Block means, the far edge cut."""
    height, width = (size // factor * factor for size in values.shape)
    blocks = values[:height, :width].reshape(height // factor, factor, width // factor, factor)
    means: Pixels = np.rint(blocks.mean(axis=(1, 3))).astype(np.uint16)
    return means


def mirrored(start: int, stop: int, size: int) -> NDArray[np.intp]:
    """Indexes into `size` pixels that run back and forth."""
    position = np.arange(start, stop) % (2 * size)
    return np.where(position < size, position, 2 * size - 1 - position)


def outside_swath(recipe: Recipe, resolution: int, rows: slice, cols: slice) -> NDArray[np.bool_]:
    """Where the tile has no data: east of a slanted line, the swath's edge."""
    extent = recipe.size * 10
    y = (np.arange(rows.start, rows.stop) + 0.5)[:, None] * resolution / extent
    x = (np.arange(cols.start, cols.stop) + 0.5)[None] * resolution / extent
    return np.asarray(x > 0.97 - 0.25 * y)


def tile_pixels(
    recipe: Recipe, band: str, resolution: int, pixels: Pixels, rows: slice, cols: slice
) -> Pixels:
    """The numbers of one tile of one image file."""
    picked = np.ix_(
        mirrored(rows.start, rows.stop, pixels.shape[0]), mirrored(cols.start, cols.stop, pixels.shape[1])
    )
    values = pixels[picked]
    if band != "SCL":
        measured = (values > 0) & (values < SATURATED)
        values[measured] += np.uint16(recipe.offset)
    if recipe.nodata:
        values[outside_swath(recipe, resolution, rows, cols)] = 0
    return values


def band_pixels(bands: Mapping[str, Pixels], band: str, resolution: int) -> Pixels:
    """The small scene's pixels of an image file: native, or averaged to a coarser grid."""
    if band == "SCL":
        classes = np.full(bands["B05"].shape, 4, np.uint8)
        classes[bands["B05"] > np.percentile(bands["B05"], 90)] = 9
        return classes  # type: ignore[return-value]
    native = next(size for size, names in NATIVE.items() if band in names)
    return with_saturation(
        bands[band] if native == resolution else averaged(bands[band], resolution // native)
    )


def with_saturation(pixels: Pixels) -> Pixels:
    """The pixels, the two brightest of each quarter saturated."""
    pixels = pixels.copy()
    middle = pixels.shape[0] // 2, pixels.shape[1] // 2
    for rows in (slice(middle[0]), slice(middle[0], None)):
        for cols in (slice(middle[1]), slice(middle[1], None)):
            quarter = pixels[rows, cols]
            quarter[np.unravel_index(np.argsort(quarter, axis=None)[-2:], quarter.shape)] = SATURATED
    return pixels


def write_image(path: Path, recipe: Recipe, band: str, resolution: int, pixels: Pixels) -> None:
    """Write one JPEG 2000 file: lossless, tiled as ESA's."""
    glymur = load_glymur()
    size = recipe.size * 10 // resolution
    side = min(TILE_SIZES[resolution], size)
    path.parent.mkdir(parents=True, exist_ok=True)
    style = {"numres": min(6, side.bit_length()), "cbsize": (64, 64), "prog": "LRCP", "plt": True}
    if size == side:
        whole = slice(0, size)
        glymur.Jp2k(path, data=tile_pixels(recipe, band, resolution, pixels, whole, whole), **style)
        return
    image = glymur.Jp2k(path, shape=(size, size), tilesize=(side, side), **style)
    across = -(-size // side)
    for writer in image.get_tilewriters():
        row, col = (index * side for index in divmod(writer.tile_index, across))
        rows, cols = slice(row, min(row + side, size)), slice(col, min(col + side, size))
        writer[:] = tile_pixels(recipe, band, resolution, pixels, rows, cols)


def write_product(
    output: Path, recipe: Recipe, bands: Mapping[str, Pixels], *, zipped: bool = False, processes: int = 1
) -> Path:
    """Write a product.

    Args:
        output: Folder to write into.
        recipe: What product.
        bands: Native pixels of a small scene, by band.
        zipped: Write a zip (entries stored, as JPEG 2000 doesn't deflate) and no folder.
        processes: How many files to code at once.

    Returns:
        Path of the product: `….SAFE` or `….SAFE.zip`.
    """
    product = output / recipe.name
    product.mkdir(parents=True)
    jobs = [
        (product / f"{recipe.image_file(band, resolution)}.jp2", recipe, band, resolution)
        for band, resolution in recipe.images()
    ]
    pixels = [band_pixels(bands, band, resolution) for _, _, band, resolution in jobs]
    if processes > 1:
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            for done in [
                pool.submit(write_image, *job, data) for job, data in zip(jobs, pixels, strict=True)
            ]:
                done.result()
    else:
        for job, data in zip(jobs, pixels, strict=True):
            write_image(*job, data)
    write_metadata(product, recipe)
    if not zipped:
        return product
    packed = output / f"{recipe.name}.zip"
    with ZipFile(packed, "w", ZIP_STORED) as archive:
        for file in sorted(product.rglob("*")):
            archive.write(file, file.relative_to(output))
    shutil.rmtree(product)
    return packed


def write_metadata(product: Path, recipe: Recipe) -> None:
    """Write all that isn't image: product, granule and datastrip metadata, and the manifest."""
    granule = product / "GRANULE" / recipe.granule
    facts: dict[str, Any] = {
        "recipe": recipe,
        "image_files": [recipe.image_file(band, resolution) for band, resolution in recipe.images()],
        "origin": (ULX, ULY, EPSG),
    }
    for folder in ("QI_DATA", "AUX_DATA"):
        (granule / folder).mkdir()
    quality = granule / "QI_DATA" / "FORMAT_CORRECTNESS.xml"
    quality.write_text(safe_templates.quality_report(**facts), "utf-8")
    (granule / "MTD_TL.xml").write_text(safe_templates.tile(**facts), "utf-8")
    (product / f"MTD_MSI{recipe.level}.xml").write_text(safe_templates.product(**facts), "utf-8")
    datastrip = product / "DATASTRIP" / f"DS_SGS__20190530T123741_S{recipe.time}"
    datastrip.mkdir(parents=True)
    (datastrip / "MTD_DS.xml").write_text(safe_templates.datastrip(**facts), "utf-8")
    for folder in ("HTML", "rep_info"):
        (product / folder).mkdir()
    write_manifest(product)


def write_manifest(product: Path) -> None:
    """Write `manifest.safe`, with the checksum of every other file."""
    files = sorted(file for file in product.rglob("*") if file.is_file() and file.name != "manifest.safe")
    entries = []
    for file in files:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "md5").hexdigest()
        entries.append((f"./{file.relative_to(product).as_posix()}", file.stat().st_size, digest))
    (product / "manifest.safe").write_text(safe_templates.manifest(entries), "utf-8")


def main() -> None:
    """Write a product as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--size", type=int, default=FULL_SIZE, help="rows and columns of the 10 m grid")
    parser.add_argument("--level", choices=("L1C", "L2A"), default="L2A")
    parser.add_argument("--baseline", default="02.12")
    parser.add_argument("--scene", type=Path, default=DEFAULT_SCENE, help="GeoTIFF that the pixels come from")
    parser.add_argument(
        "--no-copies", action="store_true", help="L2A: write bands at their native resolution only"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--zip", action="store_true")
    given = parser.parse_args()
    recipe = Recipe(given.size, given.level, given.baseline, copies=not given.no_copies)
    pixels = real_pixels(given.scene)
    print(write_product(given.output, recipe, pixels, zipped=given.zip, processes=given.processes))


if __name__ == "__main__":
    main()
