"""Single four-band blocks against KLT + x265: bytes at equal PSNR of each block."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.rate_distortion.equal import RATIOS, AtRatio, Coded, Peer, percent
from comeo.codecs import get_codec
from comeo.metrics import mse, psnr_of

SIDE: Final = 256
HELD_OUT: Final = (
    ("Belgium", "train/belgium_S2L1C.tif", (1, 2, 3, 4)),
    ("Austria, first date", "train/austria_fields_S2.tif", (3, 2, 1, 4)),
    ("Austria, second date", "train/austria_fields_S2.tif", (7, 6, 5, 8)),
)
"""Files that are held out of training: name, file, and places of blue, green, red and near infrared."""


class Single(NamedTuple):
    """One figure: a block at about a ratio, and what x265 needs for its PSNR."""

    set: str
    block: int
    codec: str
    asked: int
    bytes: int
    psnr: float
    x265_bytes: float

    @property
    def saving(self) -> float:
        """Bytes of ours over x265's, less 1."""
        return self.bytes / self.x265_bytes - 1


def held_out(folder: Path) -> Iterable[tuple[str, NDArray[Any]]]:
    """Whole blocks of the files that are held out of training."""
    for name, file, places in HELD_OUT:
        with rasterio.open(folder / file) as source:
            values = source.read(places)
        for row in range(0, values.shape[1] - SIDE + 1, SIDE):
            for col in range(0, values.shape[2] - SIDE + 1, SIDE):
                yield name, np.ascontiguousarray(values[:, row : row + SIDE, col : col + SIDE])


def measure_singles(
    folder: Path,
    further: Sequence[tuple[str, NDArray[Any]]],
    codecs: Sequence[str],
    say: Callable[[str], object],
) -> list[Single]:
    """Figures of the held-out blocks and further ones, each with the name of its set."""
    rows = []
    for number, (name, block) in enumerate((*further, *held_out(folder))):
        peer = Peer([block])
        for codec in codecs:
            curve = AtRatio(block.nbytes, coder(block, codec))
            for asked in RATIOS:
                (size,), (error,) = curve.at_ratio(asked)
                psnr = psnr_of(error)
                rows.append(Single(name, number, codec, asked, size, psnr, peer.bytes_at(psnr)))
        say(f"{name} | " + " | ".join(percent(row.saving) for row in rows if row.block == number))
    return rows


def coder(block: NDArray[Any], codec_name: str) -> Callable[[float], Coded]:
    """A codec of ours on one block, by its step."""
    codec = get_codec(codec_name)

    def code(step: float) -> Coded:
        payload = codec.encode(block, step=step)
        return Coded([len(payload)], [mse(block, codec.decode(payload))])

    return code


def singles_table(rows: Sequence[Single]) -> str:
    """Savings by set as Markdown: the mean of its blocks; then the mean and the worst of all blocks."""
    columns = list(dict.fromkeys((row.codec, row.asked) for row in rows))
    lines = ["| set | blocks | " + " | ".join(f"{codec} ×{asked}" for codec, asked in columns) + " |"]
    lines.append("|---" * (2 + len(columns)) + "|")

    def line(name: str, of: Callable[[list[float]], float], chosen: Sequence[Single]) -> str:
        cells = [of([row.saving for row in chosen if (row.codec, row.asked) == each]) for each in columns]
        count = len({row.block for row in chosen})
        return f"| {name} | {count} | " + " | ".join(map(percent, cells)) + " |"

    sets = dict.fromkeys(row.set for row in rows)
    lines += [line(name, statistics.fmean, [row for row in rows if row.set == name]) for name in sets]
    lines += [line("**mean**", statistics.fmean, rows), line("**worst**", max, rows)]
    return "\n".join(lines)
