"""A Sentinel-1 GRD product of full size through `comeo geocode` and `comeo compress`: time and peak memory.

Run with: python -m benchmarks.grd [--data FOLDER] [--output FOLDER] [--radiometry R …] [--lines N]
[--codec C].

The product is real annotation of two polarisations with simulated speckle, written as those of ESA are: one
line a strip, uncompressed. The DEM is simulated hills of 300 m on a grid of one second of arc.
"""

from __future__ import annotations

import sys
import tempfile
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window as GdalWindow

from benchmarks import options
from benchmarks.commands import Used, comeo
from comeo.sources.container import open_container
from comeo.sources.grd.mapgrid import bounds_of
from comeo.sources.grd.options import RADIOMETRIES
from comeo.sources.grd.product import open_grd
from tests.grd_generator import sigma_table

PRODUCT: Final = "S1A_IW_GRDH_1SDV_20210119T031653_20210119T031718_036201_043ED0_8255"
SIGMA0: Final = {"vv": 0.1, "vh": 0.02}
LOOKS: Final = 4.4
RATIO: Final = 100
_STRIP: Final = 256
_SECOND: Final = 1 / 3600
_AROUND: Final = 0.2  # degrees of DEM around the scene


def write_product(archive: Path, folder: Path, lines: int | None) -> Path:
    """Unpack annotation and write an image beside each.

    Args:
        archive: The zip of a product's annotation.
        folder: Where to write.
        lines: How many lines hold data, from the first; None for all.
    """
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    safe = next(folder.glob("*.SAFE"))
    (safe / "measurement").mkdir(exist_ok=True)
    for annotation in sorted((safe / "annotation").glob("*.xml")):
        _write_image(safe, annotation, lines)
    return safe


def _write_image(safe: Path, annotation: Path, lines: int | None) -> None:
    root = ET.parse(annotation).getroot()
    calibration = ET.parse(annotation.parent / "calibration" / f"calibration-{annotation.name}").getroot()
    height, width = (int(root.findtext(f".//{name}") or 0) for name in ("numberOfLines", "numberOfSamples"))
    sigma0 = SIGMA0[annotation.name.split("-")[3]]
    rng = np.random.default_rng(0)
    with rasterio.open(
        safe / "measurement" / f"{annotation.stem}.tiff", "w", driver="GTiff", height=height, width=width,
        count=1, dtype="uint16", blockysize=1, sparse_ok=True,
    ) as file:  # fmt: skip
        for row in range(0, min(lines or height, height), _STRIP):
            strip = (row, 0, min(_STRIP, height - row), width)
            power = sigma0 * sigma_table(calibration, strip) ** 2
            power *= rng.standard_gamma(LOOKS, power.shape, np.float32) / LOOKS
            file.write(np.sqrt(power).astype(np.uint16), 1, window=GdalWindow(0, row, width, strip[2]))


def write_dem(safe: Path, path: Path) -> None:
    """Hills under a product, on EGM2008."""
    container = open_container(safe)
    grd = open_grd(container)
    west, south, east, north = bounds_of(grd)
    grd.close()
    width, height = (int((span + 2 * _AROUND) / _SECOND) for span in (east - west, north - south))
    transform = Affine(_SECOND, 0, west - _AROUND, 0, -_SECOND, north + _AROUND)
    along = np.sin(np.arange(width) / 60).astype(np.float32)
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="float32", crs="EPSG:9518",
        transform=transform, tiled=True, compress="deflate", predictor=3,
    ) as file:  # fmt: skip
        for row in range(0, height, _STRIP):
            down = np.sin(np.arange(row, min(row + _STRIP, height)) / 80).astype(np.float32)
            values = 300 + 150 * (down[:, None] + along)
            file.write(values, 1, window=GdalWindow(0, row, width, len(down)))


def main() -> None:
    """Write the table."""
    parser = options.parser(__doc__)
    parser.add_argument("--radiometry", nargs="+", default=["sigma0"], choices=RADIOMETRIES)
    parser.add_argument("--lines", type=int, help="how many lines hold data; all by default")
    parser.add_argument("--codec", help="compress the map, too")
    arguments = parser.parse_args()
    rows = ["| step | clock | processors | memory | bytes |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = arguments.data / "products" / "sentinel1" / f"{PRODUCT}.zip"
        safe = write_product(archive, folder, arguments.lines)
        write_dem(safe, folder / "dem.tif")
        output = folder / "scene.tif"
        for radiometry in arguments.radiometry:
            taken = comeo(
                "geocode", safe, "--dem", folder / "dem.tif", "--radiometry", radiometry, "--force",
                "--output", output,
            )  # fmt: skip
            rows.append(_row(f"geocode, {radiometry}", taken, output))
        if arguments.codec:
            target = folder / "scene.zarr.zip"
            taken = comeo(
                "compress", output, "--output", target, "--codec", arguments.codec, "--ratio", RATIO
            )
            rows.append(_row(f"compress, {arguments.codec} ×{RATIO}", taken, target))
    table = "\n".join(rows) + "\n"
    (arguments.output / "grd.md").write_text(f"# A full GRD product\n\n{table}", encoding="utf-8")
    sys.stdout.write(table)


def _row(step: str, taken: Used, path: Path) -> str:
    return (
        f"| {step} | {taken.seconds:.0f} s | {taken.cpu_seconds:.0f} s | {taken.memory_gb:.2f} GB "
        f"| {path.stat().st_size:,} |"
    )


if __name__ == "__main__":
    main()
