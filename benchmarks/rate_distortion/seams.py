"""Whether the borders between blocks show: the error there against the error inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from comeo.codecs import codec_names, get_codec
from comeo.codecs.base import Block

_STEPS = (400.0, 1200.0, 2400.0)
_WIDTHS = (1, 4)


def seams_table(blocks: Sequence[Block]) -> str:
    """Border-to-interior ratios of the mean absolute error of blocks coded alone, as a Markdown section."""
    lines = [
        "### Seams",
        "",
        f"Mean absolute error within n pixels of a block's border / farther inside, {len(blocks)} blocks of "
        "T32TMT, four 10 m bands.",
        "",
        "| codec | step | " + " | ".join(f"n = {width}" for width in _WIDTHS) + " |",
        "|---" * (2 + len(_WIDTHS)) + "|",
    ]
    for name in codec_names():
        for step in _STEPS:
            ratios = " | ".join(f"{border_ratio(name, blocks, step, width):.3f}" for width in _WIDTHS)
            lines.append(f"| {name} | {step:g} | {ratios} |")
    return "\n".join(lines)


def border_ratio(codec_name: str, blocks: Sequence[Block], step: float, width: int) -> float:
    """Mean absolute error of the outermost `width` pixels of blocks, over that of the others."""
    codec = get_codec(codec_name)
    errors = np.stack(
        [
            np.abs(codec.decode(codec.encode(block, step=step)).astype(np.float64) - block).mean(axis=0)
            for block in blocks
        ]
    )
    border = np.ones(errors.shape[1:], bool)
    border[width:-width, width:-width] = False
    return float(errors[:, border].mean() / errors[:, ~border].mean())
