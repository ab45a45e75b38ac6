"""`comeo qualify` on whole archives: verdicts, figures, and whether certificates are true.

Run with: python -m benchmarks.qualify [--codec C] [--source SOURCE] [--output FOLDER] [--reports FOLDER].

Every archive is made and judged by the `comeo` command, as a user would; its certificate is then held against
errors recomputed from the source.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import options
from benchmarks.commands import comeo
from comeo.archive import Archive, open_archive
from comeo.archive.certificate import GroupErrors
from comeo.codecs import codec_names
from comeo.scene import BandGroup, Window
from comeo.sources import open_source

SCENE: Final = "scenes/S2A_20190530_T32TMT_L2A_10bands.tif"
RATIOS: Final = (50, 100, 250)
DETAILS: Final = {
    15: "everything", 7: "no bias of blocks", 3: "RMSE of blocks only", 1: "no blocks", 0: "the scene only",
}  # fmt: skip

Row = dict[str, Any]
_Deviations = list[NDArray[np.float64]]


def measure(source: Path, codec: str, ratio: int, folder: Path) -> Row:
    """Compress, qualify, and check the certificate."""
    archive, figures, page = (folder / f"{codec}-x{ratio}{end}" for end in (".zarr.zip", ".json", ".html"))
    compressing = comeo(
        "compress", source, "--output", archive, "--codec", codec, "--ratio", ratio, "--force"
    )
    judging = comeo("qualify", archive, "--reference", source, "--json", figures, "--html", page)
    return {
        "codec": codec, "asked": ratio, "compress_s": compressing.seconds, "qualify_s": judging.seconds,
        "memory_gb": judging.memory_gb,
        **kept(json.loads(figures.read_text(encoding="utf-8"))), "certificate": check(archive, source),
    }  # fmt: skip


def kept(found: Row) -> Row:
    """What the table needs of a qualification's JSON."""
    ndvi: Row = next((each for each in found["indices"] if each["name"] == "NDVI"), {})
    scores: list[Row] = found["classifications"]
    forest: Row = next((each for each in scores if each["classifier"] == "random forest"), {})
    return {
        "ratio": found["archive"]["ratio"],
        **{name: found["scene"][name] for name in ("psnr", "ssim", "ms_ssim", "spectral_angle")},
        "lpips": found["perceptual"]["lpips"],
        "same_class": [each["agreement"] for each in found["clusterings"]],
        "forest_loss": forest.get("loss"),
        "land_loss": found["land"]["loss"],
        "land_edges": found["land"]["edges"],
        "ndvi": [ndvi.get(name) for name in ("land_rmse", "field_rmse", "land_bias")],
        "verdicts": [each["answer"] for each in found["verdicts"]],
    }


def check(path: Path, source: Path) -> Row | None:
    """Hold a certificate against errors recomputed from the source: the largest relative deviations."""
    with zipfile.ZipFile(path) as file:
        text = json.loads(file.read("zarr.json"))["attributes"]["comeo"].get("certificate")
    if text is None:
        return None
    scene = open_source(source)
    try:
        with open_archive(path) as archive:
            if archive.certificate is None:
                raise RuntimeError(f"{path} has a certificate that its reader does not see")
            bands, blocks = zip(*(deviations(archive, group) for group in scene.groups), strict=True)
            detail = archive.certificate.detail
    finally:
        scene.close()
    told = [part for group in blocks for part in group]
    return {
        "characters": len(text),
        "share": len(text) / path.stat().st_size,
        "detail": detail,
        "bands_off": float(np.concatenate(bands).max()),
        "blocks": sum(part.size for part in told),
        "blocks_off": float(np.concatenate(told).max()) if told else None,
    }


def deviations(archive: Archive, source: BandGroup) -> tuple[NDArray[np.float64], _Deviations]:
    """How far a group's certified RMSE is off, relatively: of bands, and of bands' blocks, row by row."""
    if archive.certificate is None:
        raise ValueError(f"{archive.name} carries no certificate")
    told: GroupErrors = archive.certificate.groups[source.name]
    level = archive.groups[source.name].levels[0]
    squares, counts = np.zeros(len(source.bands)), np.zeros(len(source.bands), np.int64)
    blocks: _Deviations = []
    for row in range(level.grid[0]):
        top = row * level.block
        window = Window(top, 0, min(level.block, source.height - top), source.width)
        original = source.read(window)
        error = np.subtract(archive.read(level, window), original.values, dtype=np.float64)
        error[~original.valid] = 0
        starts = np.arange(0, source.width, level.block)
        square = np.add.reduceat(np.square(error).sum(axis=1), starts, axis=1)
        count = np.add.reduceat(original.valid.sum(axis=1), starts, axis=1)
        squares, counts = squares + square.sum(axis=1), counts + count.sum(axis=1)
        if told.block_rmse is not None:
            seen = (count > 0) & (square > 0)
            true = np.sqrt(square[seen] / count[seen])
            blocks.append(np.abs(told.block_rmse[:, row][seen] / true - 1))
    return np.abs(told.rmse / np.sqrt(squares / counts) - 1), blocks


def verdict_table(rows: Sequence[Row]) -> str:
    """Verdicts and figures as Markdown."""
    head = (
        "codec", "ratio", "mapping fields", "measuring NDVI", "PSNR, dB", "SSIM", "MS-SSIM",
        "spectral angle", "LPIPS", "same class of 8 / 16", "forest loses", "on clear land",
        "edges there", "NDVI RMSE there", "of 8×8 means", "bias",
    )  # fmt: skip
    lines = [
        [
            row["codec"], f"×{row['ratio']:.1f}", *row["verdicts"], number(row["psnr"], 2),
            number(row["ssim"]), number(row["ms_ssim"]), f"{number(row['spectral_angle'], 2)}°",
            number(row["lpips"]),
            " / ".join(f"{100 * share:.1f} %" for share in row["same_class"]), points(row["forest_loss"]),
            points(row["land_loss"]), number(row["land_edges"]), *(number(each, 4) for each in row["ndvi"]),
        ]
        for row in rows
    ]  # fmt: skip
    return table(head, lines)


def certificate_table(rows: Sequence[Row]) -> str:
    """Certificates, time and memory as Markdown."""
    head = (
        "codec", "asked", "ratio", "certificate", "of the file", "tells", "bands' RMSE off by",
        "blocks' RMSE off by", "compress", "qualify", "peak memory",
    )  # fmt: skip
    lines = []
    for row in rows:
        found = row["certificate"]
        told = ["none", "", "", "", ""] if found is None else [
            f"{found['characters']} bytes", f"{100 * found['share']:.2f} %", DETAILS[found["detail"]],
            f"{100 * found['bands_off']:.3f} %",
            "" if found["blocks_off"] is None
            else f"{100 * found['blocks_off']:.2f} % at most, of {found['blocks']}",
        ]  # fmt: skip
        lines.append(
            [
                row["codec"], f"×{row['asked']}", f"×{row['ratio']:.2f}", *told, f"{row['compress_s']:.0f} s",
                f"{row['qualify_s']:.0f} s", f"{row['memory_gb']:.2f} GB",
            ]
        )  # fmt: skip
    return table(head, lines)


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Cells as Markdown."""
    return "\n".join(
        [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(x)} |" for x in lines)]
    )


def number(value: float | None, digits: int = 3) -> str:
    """With that many decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def points(share: float | None) -> str:
    """A share as percentage points."""
    return "–" if share is None else f"{100 * share:.1f} points"


def page(rows: Sequence[Row], source: str) -> str:
    """All tables."""
    return (
        f"# comeo qualify: {source}\n\n"
        "Words and limits as in docs/quality.md; “there” is on clear land.\n\n"
        f"{verdict_table(rows)}\n\n"
        "## Certificates\n\n"
        "The largest relative deviation of a certified RMSE from the one recomputed from the source, over "
        "bands and over bands × blocks. Times are of two cores that other work shared; peak memory is of "
        "qualify.\n\n"
        f"{certificate_table(rows)}\n"
    )


def main() -> None:
    """Measure, print, and write benchmarks/results/qualify.*."""
    parser = options.parser(__doc__)
    parser.add_argument("--source", type=Path, help="another scene than T32TMT")
    parser.add_argument("--codec", help="measure this one only, and take the others from the last run")
    parser.add_argument("--ratio", type=int, nargs="+", default=RATIOS)
    parser.add_argument("--reports", type=Path, help="keep archives and reports in this folder")
    arguments = parser.parse_args()
    source: Path = arguments.source or arguments.data / SCENE
    figures: Path = arguments.output / "qualify.json"
    known: list[Row] = json.loads(figures.read_text()) if arguments.codec and figures.exists() else []
    rows = [row for row in known if row["codec"] != arguments.codec]
    arguments.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder: Path = arguments.reports or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [arguments.codec] if arguments.codec else codec_names()
        rows += [measure(source, codec, ratio, folder) for ratio in arguments.ratio for codec in wanted]
    order = {codec: place for place, codec in enumerate(codec_names())}
    rows.sort(key=lambda row: (row["asked"], order[row["codec"]]))
    figures.write_text(json.dumps(rows, indent=1) + "\n")
    text = page(rows, source.name)
    (arguments.output / "qualify.md").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
