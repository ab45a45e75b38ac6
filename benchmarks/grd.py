"""A Sentinel-1 GRD product of full size through `comeo geocode` and `comeo compress`: time and peak memory.

Run with: python -m benchmarks.grd [--data FOLDER] [--output FOLDER] [--radiometry R …] [--lines N]
[--codec C] [--made FOLDER].

The product is real annotation of two polarisations with simulated speckle, written as those of ESA are: one
line a strip, uncompressed. The DEM is simulated hills of 300 m on a grid of one second of arc.
"""

from __future__ import annotations

import re
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
    speckle = np.sqrt(rng.standard_gamma(LOOKS, (_STRIP, width), np.float32) / LOOKS * sigma0)
    nodes = [int(node.text or 0) for node in calibration.iter("line")]
    vectors = np.concatenate([sigma_table(calibration, (line, 0, 1, width)) for line in nodes])
    with rasterio.open(
        safe / "measurement" / f"{annotation.stem}.tiff", "w", driver="GTiff", height=height, width=width,
        count=1, dtype="uint16", blockysize=1, sparse_ok=True,
    ) as file:  # fmt: skip
        for row in range(0, min(lines or height, height), _STRIP):
            strip = min(_STRIP, height - row)
            # One strip of speckle serves for all, shifted: blocks of an archive are coded one by one.
            shifted = np.roll(speckle[:strip], int(rng.integers(width)), axis=1)
            place = np.interp(row + strip / 2, nodes, np.arange(len(nodes)))
            table = vectors[int(place + 0.5)].astype(np.float32)
            file.write((shifted * table).astype(np.uint16), 1, window=GdalWindow(0, row, width, strip))


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
    parser.add_argument("--codec", help="compress the product, flattened for terrain, too")
    parser.add_argument("--made", type=Path, help="where the product is kept, and taken from if it is there")
    arguments = parser.parse_args()
    rows = ["| step | clock | processors | memory | bytes |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = arguments.made or folder
        made.mkdir(exist_ok=True)
        if not list(made.glob("*.SAFE")):
            archive = arguments.data / "products" / "sentinel1" / f"{PRODUCT}.zip"
            write_dem(write_product(archive, made, arguments.lines), made / "dem.tif")
        safe, dem, log = next(made.glob("*.SAFE")), made / "dem.tif", folder / "log.txt"
        output, target = folder / "scene.tif", folder / "scene.zarr.zip"
        for radiometry in arguments.radiometry:
            order = ("geocode", safe, "--dem", dem, "--radiometry", radiometry, "--force", "-o", output)
            rows.append(_row(f"geocode, {radiometry}", comeo(*order, log=log), output))
            output.unlink()
        if arguments.codec:
            wanted = ("--dem", dem, "--radiometry", "rtc", "--codec", arguments.codec, "--ratio", RATIO)
            taken = comeo("compress", safe, *wanted, "-o", target, log=log)
            rows.append(_row(f"compress, rtc, {arguments.codec} ×{RATIO}", taken, target))
            rows += [f"| – {stage} | {seconds:.0f} s | | | |" for stage, seconds in _stages(log)]
    rows += ["", "`compress` begins with the product: its stages are those of one command."]
    table = "\n".join(rows) + "\n"
    (arguments.output / "grd.md").write_text(f"# A full GRD product\n\n{table}", encoding="utf-8")
    sys.stdout.write(table)


def _stages(log: Path) -> list[tuple[str, float]]:
    """Stages of a command and their seconds, as it tells them."""
    lines = log.read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r".*: ([^:]+), ([\d.]+) s", line) for line in lines]
    return [(match.group(1), float(match.group(2))) for match in found if match]


def _row(step: str, taken: Used, path: Path) -> str:
    return (
        f"| {step} | {taken.seconds:.0f} s | {taken.cpu_seconds:.0f} s | {taken.memory_gb:.2f} GB "
        f"| {path.stat().st_size:,} |"
    )


if __name__ == "__main__":
    main()
