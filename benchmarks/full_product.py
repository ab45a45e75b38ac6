"""A Sentinel-2 product of full size through `comeo compress`: time, memory, what takes bytes, what was lost.

Run with: python -m benchmarks.full_product [--data FOLDER] [--output FOLDER] [--codec C …] [--size PIXELS].

The product is made from T32TMT's pixels, mirrored until the tile is full, and laid out as ESA's: see
`tests.safe_generator`. It is kept, as making it takes longer than compressing it.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import options
from benchmarks.caching import kept
from benchmarks.commands import comeo
from comeo.archive import open_archive
from comeo.codecs import codec_names
from comeo.metrics import psnr_of
from tests.safe_generator import FULL_SIZE, Recipe, real_pixels, write_product

SCENE: Final = "scenes/S2A_20190530_T32TMT_L2A_10bands.tif"
RATIO: Final = 100
_OVERVIEWS: Final = re.compile(r"r\d+m/[1-9]\d*/data/c/")
_METADATA: Final = re.compile(r"(?:.*/)?zarr\.json")


def product(source: Path, size: int) -> Path:
    """The product as a zip."""
    recipe = Recipe(size, copies=False)
    pixels = real_pixels(source)

    def write(path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = write_product(Path(folder), recipe, pixels, zipped=True, processes=2)
            shutil.move(made, path)

    return kept(
        "products",
        b"".join(band.tobytes() for band in pixels.values()) + repr(recipe).encode(),
        ".SAFE.zip",
        write,
    )


def full_scene(data: Path) -> Path:
    """The archive of a product of full size; kept, as making it takes minutes."""
    source = product(data / SCENE, FULL_SIZE)

    def write(path: Path) -> None:
        made = path.with_name(f".{os.getpid()}.zarr.zip")
        comeo("compress", source, "--output", made)
        made.rename(path)

    return kept("archives", source.name.encode(), ".zarr.zip", write)


def row(source: Path, codec: str, folder: Path) -> str:
    """Compress with the command; the PSNR of each group is what the certificate states."""
    path = folder / f"{codec}.zarr.zip"
    used = comeo("compress", source, "--output", path, "--codec", codec, "--ratio", RATIO)
    cells = [codec, f"{used.seconds:.0f} s", f"{used.cpu_seconds:.0f} s", f"{used.memory_gb:.2f} GB"]
    with open_archive(path) as archive:
        cells += [f"×{archive.ratio:.1f}", f"{archive.step:.0f}"]
        if archive.certificate is None:
            raise RuntimeError(f"{codec}: the archive has no certificate")
        for name in archive.groups:
            error = float(np.square(archive.certificate.groups[name].rmse).mean())
            cells.append("–" if math.isnan(error) else f"{psnr_of(error):.2f} dB")
    cells += [f"{share:.2%}" for share in (share_of(path, _OVERVIEWS), share_of(path, _METADATA))]
    path.unlink()
    return f"| {' | '.join(cells)} |"


def share_of(path: Path, names: re.Pattern[str]) -> float:
    """Share of an archive's bytes that its entries of such names take."""
    with zipfile.ZipFile(path) as archive:
        sizes = [entry.file_size for entry in archive.infolist() if names.match(entry.filename)]
    return sum(sizes) / path.stat().st_size


def main() -> None:
    """Measure, print, and write benchmarks/results/full_product.md."""
    parser = options.parser(__doc__)
    parser.add_argument("--codec", nargs="+", default=codec_names())
    parser.add_argument("--size", type=int, default=FULL_SIZE, help="pixels of the 10 m bands' side")
    arguments = parser.parse_args()
    source = product(arguments.data / SCENE, arguments.size)
    header = [
        "codec",
        "time",
        "CPU time",
        "peak memory",
        "file",
        "step",
        "r10m",
        "r20m",
        "r60m",
        "overviews",
        "metadata",
    ]
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(source, codec, Path(folder)) for codec in arguments.codec]
    text = "\n".join(
        [
            "# A whole Sentinel-2 product",
            "",
            f"L2A, twelve bands, {arguments.size}² pixels at 10 m, from SAFE with its JPEG 2000 bands, at "
            f"×{RATIO} by the command; PSNR of each group as its certificate states it.",
            "",
            f"| {' | '.join(header)} |",
            "|---" * len(header) + "|",
            *rows,
            "",
        ]
    )
    sys.stdout.write(text)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "full_product.md").write_text(text)


if __name__ == "__main__":
    main()
