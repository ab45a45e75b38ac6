"""Whole archives at given ratios: what they weigh, and what each group's pixels lost.

Run with: python -m benchmarks.whole_scene [--data FOLDER] [--output FOLDER].
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks import options
from comeo.archive import open_archive, valid_mask
from comeo.codecs import codec_names
from comeo.compression import compress
from comeo.metrics import psnr
from comeo.scene import Scene, Window
from comeo.sources import open_source

SCENE = "scenes/S2A_20190530_T32TMT_L2A_10bands.tif"
RATIOS = (50.0, 100.0, 250.0)


def row(scene: Scene, codec: str, ratio: float, folder: Path) -> str:
    """Compress, read back, and hold every pixel against the source's."""
    began = time.process_time()
    path = compress(scene, folder / "scene.zarr.zip", codec=codec, ratio=ratio, force=True)
    seconds = time.process_time() - began
    cells = [codec, f"×{ratio:g}", f"×{scene.raw_bytes / path.stat().st_size:.2f}"]
    with open_archive(path) as archive:
        for source in scene.groups:
            group = archive.groups[source.name]
            level = group.levels[0]
            window = Window(0, 0, source.height, source.width)
            pixels, decoded = source.read(window), archive.read(level, window)
            moved = (level.transform, group.crs) != (source.transform, source.crs)
            if moved or (valid_mask(decoded, group.has_nodata) != pixels.valid).any():
                raise RuntimeError(f"{codec} changed the grid or the mask of {source.name}")
            cells.append(f"{psnr(pixels.values, decoded, pixels.valid):.2f} dB")
        cells += [f"{archive.step:.0f}", f"{seconds:.1f} s"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, print, and write benchmarks/results/whole_scene.md."""
    parser = options.parser(__doc__)
    arguments = parser.parse_args()
    scene = open_source(arguments.data / SCENE)
    names = [f"PSNR {group.name} ({len(group.bands)} bands)" for group in scene.groups]
    header = ["codec", "asked", "file", *names, "step", "CPU time"]
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(scene, codec, ratio, Path(folder)) for ratio in RATIOS for codec in codec_names()]
    scene.close()
    text = "\n".join(
        [
            "# Whole archives of T32TMT",
            "",
            f"{scene.raw_bytes / 1e6:.1f} MB of native bands; grids and masks were found identical.",
            "",
            f"| {' | '.join(header)} |",
            "|" + "---|" * len(header),
            *rows,
            "",
        ]
    )
    print(text)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "whole_scene.md").write_text(text)


if __name__ == "__main__":
    main()
